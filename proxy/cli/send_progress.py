"""How far `lockgate send` is: a bar on a terminal, a few lines elsewhere, nothing when quiet."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from proxy.cli.send_place import Payload

_BAR_FROM = 2**20
"""Octets from which a bar is shown on a terminal."""
_LINES_FROM = 64 * 2**20
"""Octets from which a line is written for every quarter elsewhere."""


@contextmanager
def progress(
    content: Payload, *, quiet: bool
) -> Iterator[tuple[Callable[[int], None], Callable[[int], None]]]:
    """(what to call with the octets sent, what to call when an early answer comes)."""

    def early(status: int) -> None:
        if not quiet:
            sys.stderr.write(f"answered {status} before everything was sent\n")

    if quiet or content.size < _BAR_FROM or not sys.stderr.isatty():
        yield (_quarters(content.size) if not quiet else lambda done: None), early
        return
    columns = (
        TextColumn("sending"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sending", total=content.size)
        yield lambda done: bar.update(task, completed=done), early


def _quarters(size: int) -> Callable[[int], None]:
    told = 0

    def tick(done: int) -> None:
        nonlocal told
        quarter = done * 4 // max(size, 1)
        if size >= _LINES_FROM and quarter > told and quarter < 4:
            told = quarter
            sys.stderr.write(f"sent {quarter * 25} %, {decimal(done)} of {decimal(size)}\n")

    return tick
