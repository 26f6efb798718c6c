"""`lockgate receipts export`: receipts for other tools. Nothing is verified here.

`intoto` is a collection as in-toto names it, `.intoto.jsonl`: one DSSE envelope a line, the exact
octets of the leaf, so that every receipt still verifies. `csv` is for people with spreadsheets
(RFC 4180, UTF-8, a heading line): what it says is as good as the log that it was read from. Its
columns stand in `receipts_csv`.
"""

import argparse
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from proxy.cli import receipts_csv
from proxy.cli.receipts_files import Group, UnreadableError, telling
from proxy.cli.receipts_query import add_log, add_query, asked, open_search
from proxy.cli.wording import count, texts
from proxy.errors import EvidenceError
from proxy.notary.search import Found

_MODE: Final = 0o640


def register(group: Group) -> None:
    export = group.add_parser(
        "export",
        help="receipts as .intoto.jsonl or CSV",
        **texts(
            "Write entries of a log for other tools: intoto is one DSSE envelope a line, the exact "
            "octets of the log; csv is a table of what receipts and events say, in which no cell "
            "is a formula. Nothing is verified here: see audit.",
            "lockgate receipts export var/receipts --format intoto --output may.intoto.jsonl \\\n"
            "    --since 2026-05-01 --until 2026-06-01",
            "lockgate receipts export var/receipts --format csv --output may.csv --event any",
        ),
    )
    add_log(export)
    export.add_argument("--format", choices=("intoto", "csv"), required=True)
    export.add_argument("--output", type=Path, metavar="FILE", help="instead of standard output")
    add_query(export)
    export.set_defaults(run=telling(_export))


def _export(arguments: argparse.Namespace) -> int:
    write = _intoto if arguments.format == "intoto" else receipts_csv.lines
    with open_search(arguments) as search, _output(arguments.output) as output:
        written = 0
        for line in write(asked(arguments, search)):
            output.write(line)
            written += 1
    if arguments.output is not None:
        entries = written - (arguments.format == "csv")
        print(f"{arguments.output}: {count(entries, 'entry', 'entries')}")
    return 0


def _intoto(entries: Iterable[Found]) -> Iterator[bytes]:
    for found in entries:
        if b"\n" in found.envelope:
            raise EvidenceError(
                f"entry {found.index}: has more than one line, which no line can be"
            )
        yield found.envelope + b"\n"


@contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    """Where to write. A file is there whole or not at all, and not open to everybody."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):  # a pipe, a terminal
            with path.open("wb") as output:
                yield output
            return
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            with open(os.open(scratch, flags, _MODE), "wb") as output:
                yield output
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from None
