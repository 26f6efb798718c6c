"""`lockgate receipts show`: what the receipts of one index or one transfer say, unverified."""

import argparse
import json
import sys
from pathlib import Path

from proxy.cli.receipts_files import Group, telling
from proxy.cli.receipts_list import statements
from proxy.cli.wording import texts
from proxy.errors import EvidenceError
from proxy.receipt import words


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
    show.add_argument("store", type=Path, help="the log's folder")
    show.add_argument("which", metavar="INDEX|TRANSFER_ID")
    form = show.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="the statement")
    form.add_argument("--envelope", action="store_true", help="the exact octets of the leaf")
    show.set_defaults(run=telling(_show))


def _show(arguments: argparse.Namespace) -> int:
    found = 0
    for index, envelope, statement in statements(arguments.store):
        if arguments.which.lower() not in (str(index), statement["predicate"].get("transferId")):
            continue
        found += 1
        if arguments.envelope:
            sys.stdout.buffer.write(envelope + b"\n")
            sys.stdout.flush()
        elif arguments.json:
            print(json.dumps(statement, indent=2))
        else:
            print(f"entry {index}")
            print("\n".join(f"  {line}" for line in words.describe(statement)))
    if not found:
        raise EvidenceError(f"{arguments.store}: no entry or transfer {arguments.which}")
    return 0
