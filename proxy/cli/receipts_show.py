"""`lockgate receipts show`: what the receipts of one index or one transfer say, unverified."""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from typing import Final

import orjson

from proxy.cli.receipts_files import Group, telling
from proxy.cli.receipts_query import add_log, open_search
from proxy.cli.wording import texts
from proxy.errors import EvidenceError
from proxy.notary.query import Query
from proxy.notary.search import Found, Search
from proxy.receipt import words

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def register(group: Group) -> None:
    show = group.add_parser(
        "show",
        help="what one receipt says",
        **texts(
            "Print what the receipts of one index or one transfer say. Nothing is verified here: "
            "see verify and audit.",
            "lockgate receipts show var/receipts 0",
        ),
    )
    add_log(show)
    show.add_argument("which", metavar="INDEX|TRANSFER_ID")
    form = show.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="the statement")
    form.add_argument("--envelope", action="store_true", help="the exact octets of the leaf")
    show.set_defaults(run=telling(_show))


def _show(arguments: argparse.Namespace) -> int:
    with open_search(arguments) as search:
        shown = 0
        for found in _which(search, arguments.which):
            shown += 1
            if arguments.envelope:
                sys.stdout.buffer.write(found.envelope + b"\n")
                sys.stdout.flush()
            elif arguments.json:
                print(json.dumps(orjson.loads(found.payload), indent=2))
            else:
                print(f"entry {found.index}")
                lines = words.describe(orjson.loads(found.payload))
                print("\n".join(f"  {text}" for text in lines))
        if not shown:
            raise EvidenceError(f"no entry or transfer {arguments.which}")
    return 0


def _which(search: Search, which: str) -> Iterator[Found]:
    if not _INDEX.fullmatch(which):
        yield from search.oldest(Query(transfer_id=which.lower()))
        return
    found = search.entry(int(which))
    if found is not None:
        yield found
