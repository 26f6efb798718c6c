"""`lockgate receipts list`: one line an entry. Nothing is verified here."""

import argparse
import json
from typing import Any

import orjson

from proxy.cli.receipts_files import Group, telling
from proxy.cli.receipts_query import add_log, add_query, asked, open_search
from proxy.cli.wording import texts
from proxy.notary.search import Found
from proxy.receipt import words


def register(group: Group) -> None:
    listing = group.add_parser(
        "list",
        help="one line an entry",
        **texts(
            "Print one line for each entry of a log: index, time, verdict or event, why, route, "
            "transfer, sender. A log's folder is searched by its index, in any size of log; by a "
            "URL the log is read. Nothing is verified here: see audit.",
            "lockgate receipts list var/receipts --verdict rejected --since yesterday",
            "lockgate receipts list var/receipts --peer 'spiffe://acme/etl/*' -n 20 --reverse",
            "lockgate receipts list https://gateway.example/log --id \\\n"
            "    0f8b8e5e-6a5c-4f0e-9f1e-3d8a2c0b7a11",
        ),
    )
    add_log(listing)
    add_query(listing)
    listing.add_argument("--json", action="store_true", help="one statement a line")
    listing.set_defaults(run=telling(_list))


def _list(arguments: argparse.Namespace) -> int:
    with open_search(arguments) as search:
        for found in asked(arguments, search):
            if arguments.json:
                statement: dict[str, Any] = orjson.loads(found.payload)
                print(json.dumps({"index": found.index, "statement": statement}))
            else:
                print(words.printable(line(found)))
    return 0


def line(found: Found) -> str:
    """What the list says of an entry."""
    summary = found.summary
    completed = summary.completed.strftime("%Y-%m-%dT%H:%M:%SZ")
    if summary.verdict is None:
        kind, why = "event", str(summary.event)
        return f"{found.index:>8}  {completed}  {kind:<13}  {why:<20}  {summary.origin}"
    why = str(summary.problem or summary.status or "-")
    return (
        f"{found.index:>8}  {completed}  {summary.verdict.value:<13}  {why:<20}  "
        f"{summary.route or '-':<16}  {summary.transfer_id}  {summary.sender}"
    )
