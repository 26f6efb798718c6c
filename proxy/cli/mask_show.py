"""How far `lockgate mask` is, and what it did."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from proxy.cli.terminal import console, moves
from proxy.cli.wording import count
from proxy.model import Report

_BAR_FROM = 2**22
"""Octets from which there is something to watch."""


@contextmanager
def metering(file: BinaryIO, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """What to call with the octets that are done: a bar, where a terminal takes one."""
    screen = console(stderr=True, wrap=True)
    about = os.fstat(file.fileno())
    size = about.st_size if stat.S_ISREG(about.st_mode) else None
    if quiet or not moves(screen) or (size is not None and size < _BAR_FROM):
        yield lambda done: None
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("masking"), *columns, console=screen, transient=True) as bar:
        task = bar.add_task("masking", total=size)
        yield lambda done: bar.update(task, completed=done)


def show(report: Report, label: str) -> None:
    """What was masked and found, on standard error."""
    screen = console(stderr=True, wrap=True)
    records = count(report.records or 0, "record")
    changed = "changed" if report.changed else "nothing changed"
    screen.print(f"{report.format}, {records}, {changed}, label {label}", markup=False)
    rows = [("masked", path, number) for path, number in report.masked.items()]
    for kind, number in report.findings.items():
        rows.append(("found", kind, number))
        places = report.found_at.get(kind, {})
        rows += [("", f"  in {path}", count) for path, count in places.items()]
    for kind, number in report.lowered.items():
        rows.append(("redacted", f"{kind}, which would have raised the label", number))
    rows += [("in shadow", rule, number) for rule, number in report.shadow.items()]
    if report.unscanned:
        rows.append(("not searched", "JSON or base64 in strings", report.unscanned))
    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("", "path or type"):
        table.add_column(title, overflow="fold")
    table.add_column("count", justify="right")
    for what, name, number in rows:
        table.add_row(what, _plain(name), f"{number:,}")
    screen.print(table)


def _plain(text: str) -> str:
    """A name that a file has chosen does nothing to a terminal."""
    return "".join(sign if sign.isprintable() else "�" for sign in text).replace("[", r"\[")
