"""`lockgate receipts list`: one line an entry. Nothing is verified here."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proxy.cli.receipts_files import Group, telling
from proxy.cli.wording import texts
from proxy.errors import EvidenceError
from proxy.notary.folder import Folder
from proxy.notary.publisher import CHECKPOINT
from proxy.receipt import dsse, reading, words


def register(group: Group) -> None:
    listing = group.add_parser(
        "list",
        help="one line an entry",
        **texts(
            "Print one line for each entry of a log: index, time, verdict, why, route, transfer, "
            "sender. Nothing is verified here: see audit.",
            "lockgate receipts list var/receipts --verdict rejected",
        ),
    )
    listing.add_argument("store", type=Path, help="the log's folder")
    listing.add_argument("--verdict", choices=("delivered", "rejected", "failed", "indeterminate"))
    listing.add_argument("--id", help="transfer id")
    listing.add_argument("--route")
    listing.add_argument("--json", action="store_true", help="one statement a line")
    listing.set_defaults(run=telling(_list))


def statements(store: Path) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    folder = Folder(store)
    if folder.load(CHECKPOINT) is None and folder.tail() is None:
        raise EvidenceError(f"{store}: no log is here: neither a checkpoint nor a journal to read")
    for index, envelope in folder.entries():
        try:
            yield index, envelope, reading.parse(dsse.parse(envelope).payload)
        except EvidenceError as error:
            raise EvidenceError(f"entry {index}: {error}") from None


def _list(arguments: argparse.Namespace) -> int:
    for index, _, statement in statements(arguments.store):
        predicate = statement["predicate"]
        request, disposition = predicate.get("request") or {}, predicate.get("disposition") or {}
        wanted = (
            (arguments.verdict, predicate.get("kind")),
            (arguments.id and arguments.id.lower(), predicate.get("transferId")),
            (arguments.route, request.get("route")),
        )
        if any(asked is not None and asked != found for asked, found in wanted):
            continue
        if arguments.json:
            print(json.dumps({"index": index, "statement": statement}))
            continue
        completed = str((predicate.get("time") or {}).get("completed"))[:19]
        why = disposition.get("problem") or disposition.get("status") or "-"
        print(
            words.printable(
                f"{index:>8}  {completed}Z  {predicate.get('kind')!s:<13}  {why!s:<20}  "
                f"{request.get('route') or '-'!s:<16}  {predicate.get('transferId')}  "
                f"{(predicate.get('sender') or {}).get('name')}"
            )
        )
    return 0
