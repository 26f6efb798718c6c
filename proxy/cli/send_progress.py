"""How far `lockgate send` is: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from proxy.cli.send_plan import Item, Plan
from proxy.cli.terminal import console, moves

_BAR_FROM = 2**20
"""Octets from which a single file gets a bar."""
_EVERY = 5.0
"""Seconds between two lines, at least."""

Show = Callable[[int, int], None]
"""Called with the octets and the files that are done."""


class Meter:
    """Counts what is done; `show` is told whenever that changes."""

    def __init__(self, plan: Plan, show: Show, say: Callable[[str], None]) -> None:
        self.single = plan.single
        self.say = say
        """Writes one line about something that happened."""
        self._show = show
        self._ended = self._files = 0
        self._under_way: dict[str, int] = {}

    def of(self, item: Item) -> Callable[[int], None]:
        """What to call with the octets of an attempt at this file that have been sent."""

        def tick(done: int) -> None:
            self._under_way[item.name] = min(done, item.size)
            self._tell()

        return tick

    def end(self, item: Item) -> None:
        """The file is done with, however that went."""
        self._under_way.pop(item.name, None)
        self._ended += item.size
        self._files += 1
        self._tell()

    def _tell(self) -> None:
        self._show(self._ended + sum(self._under_way.values()), self._files)


@contextmanager
def metering(plan: Plan, *, quiet: bool) -> Iterator[Meter]:
    """A meter that people can watch, on standard error."""
    size, files = sum(item.size for item in plan.items), len(plan.items)
    screen = console(stderr=True, wrap=True)
    if quiet:
        yield Meter(plan, lambda octets, done: None, lambda line: None)
    elif not moves(screen) or (plan.single and size < _BAR_FROM):
        yield Meter(
            plan, lines(size, files, _write, time.monotonic), lambda line: _write(f"{line}\n")
        )
    else:
        with Progress(*_columns(files), console=screen, transient=True) as bar:
            task = bar.add_task("sending", total=size, files=0)
            yield Meter(
                plan,
                lambda octets, done: bar.update(task, completed=octets, files=done),
                lambda line: bar.console.print(Text(line)),
            )


def _columns(files: int) -> list[ProgressColumn]:
    counted = [TextColumn(f"{{task.fields[files]:,}} of {files:,} files")] if files > 1 else []
    bar = [BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()]
    return [TextColumn("sending"), *counted, *bar]


def lines(
    size: int, files: int, write: Callable[[str], object], clock: Callable[[], float]
) -> Show:
    """A line every five seconds, and none for what is done sooner or for its end."""
    began = told = clock()

    def show(octets: int, done: int) -> None:
        nonlocal told
        now = clock()
        if now - told < _EVERY or done == files:
            return
        told = now
        rate = octets / (now - began)
        left = f", {_duration((size - octets) / rate)} left" if rate else ""
        counted = f"{done:,} of {files:,} files, " if files > 1 else ""
        write(f"sent {counted}{decimal(octets)} of {decimal(size)}, {decimal(int(rate))}/s{left}\n")

    return show


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
