"""How far a log has been read: a bar on a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from proxy.cli.terminal import console, moves

Tick = Callable[[int, int], None]
"""(entries so far, entries in all)."""
_EVERY = 5.0
"""Seconds between two lines, at least."""
_SHARE = 5
"""Hundredths of the log between two lines, at least."""


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")


@contextmanager
def progress(doing: str = "auditing", done: str = "audited") -> Iterator[Tick]:
    """What to call with how far it is. Colours and motion only where a terminal takes them."""
    screen = console(stderr=True, wrap=True)
    if not moves(screen):
        yield lines(sys.stderr.write, time.monotonic, done)
        return
    columns = (
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def lines(
    write: Callable[[str], object], clock: Callable[[], float], verb: str = "audited"
) -> Tick:
    """At most twenty lines, five seconds apart, and none for what is done sooner."""
    began = told = clock()
    share = 0

    def tick(done: int, total: int) -> None:
        nonlocal told, share
        now = clock()
        now_share = done * 100 // total
        if now - told < _EVERY or now_share < share + _SHARE or done == total:
            return
        told, share = now, now_share
        speed = done / (now - began)
        write(f"{verb} {done:,} of {total:,} entries ({share} %), {speed:,.0f} a second\n")

    return tick
