"""The receipts of a log, one after the other, as `explain --receipts` and `review` read them."""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from proxy.cli.past import Past, past
from proxy.cli.past_lines import lines
from proxy.cli.receipts_progress import progress
from proxy.cli.receipts_query import moment, open_search
from proxy.notary.query import Query
from proxy.settings.load import load
from proxy.settings.schema import Settings

OPTIONS: Final = ("since", "until", "was", "access_log")


def add_arguments(parser: "argparse._ActionsContainer", *, required: bool = False) -> None:
    """--receipts and what goes with it."""
    parser.add_argument(
        "--receipts", metavar="STORE|URL", required=required, help="a log of receipts"
    )
    parser.add_argument(
        "--since", type=moment, metavar="TIME", help="those completed then or later; UTC"
    )
    parser.add_argument("--until", type=moment, metavar="TIME", help="then or earlier")
    parser.add_argument(
        "--was", type=Path, action="append", default=[], metavar="CONFIG",
        help="a configuration that was in force then, found by its SHA-256; repeat",
    )  # fmt: skip
    parser.add_argument(
        "--access-log", type=Path, action="append", default=[], metavar="FILE",
        help="JSON lines with `receipt` or `transfer_id`, and `address` or `path`; repeat",
    )  # fmt: skip


def configurations(paths: list[Path]) -> Mapping[str, Settings]:
    """Those that were in force, by SHA-256 in hexadecimal. Raises ConfigError."""
    found = map(load, paths)
    return {each.sha256.hex(): each.settings for each in found}


@contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[Iterator[Past]]:
    """Every attempt that is asked for, in the order of the log; none is kept.

    Raises EvidenceError, UnreadableError and OutOfReachError, also as it is read.
    """
    arguments.log = arguments.receipts
    query = Query(since=arguments.since, until=arguments.until)
    with (
        open_search(arguments) as search,
        lines(arguments.access_log) as said,
        progress("reading", "read") as tick,
    ):

        def read() -> Iterator[Past]:
            for found in search.oldest(query):
                tick(found.index + 1, search.size)
                address, path = said.of(found.index, found.summary.transfer_id)
                told = past(found, address, path)
                if told is not None:
                    yield told

        yield read()
