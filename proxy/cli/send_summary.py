"""What `lockgate send` says of many files at the end: how many arrived, which did not, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from proxy.cli.send_crew import Crew
from proxy.cli.send_plan import Item, Plan
from proxy.cli.send_result import Result, printable
from proxy.cli.terminal import console
from proxy.cli.wording import count


@dataclass(slots=True)
class Tally:
    """How many were delivered."""

    delivered: int = 0
    before: int = 0
    octets: int = 0

    def add(self, result: Result) -> None:
        """Count one that has ended."""
        if result.delivered:
            self.delivered += 1
            self.before += result.before
            self.octets += result.content.size if result.content and not result.before else 0


def tell(plan: Plan, crew: Crew, tally: Tally, seconds: float) -> None:
    """Say it, on standard output."""
    screen = console()
    missing = list(_not_arrived(plan, crew))
    total = len(plan.items) + len(plan.unread)
    rate = decimal(int(tally.octets / max(seconds, 1e-3)))
    before = f", {tally.before:,} of them before and not again" if tally.before else ""
    head = f"{tally.delivered:,} of {count(total, 'file')} delivered{before}"
    took = f"{decimal(tally.octets)} in {seconds:.2f} s, {rate}/s"
    screen.print(Text(f"{head}; {took}", style=f"bold {'red' if missing else 'green'}"))
    _list(screen, "did not arrive:", missing)


def untold(plan: Plan, crew: Crew) -> Iterator[Result]:
    """The results of what never came to an end: what could not be read, or was not tried."""
    for name, why in plan.unread:
        nowhere = Item(name, Path(name), "", Path(name))
        yield Result(nowhere, has_key=False, unready=why, ended=True)
    yield from (result for result in crew.results if not result.ended)


def _not_arrived(plan: Plan, crew: Crew) -> Iterator[str]:
    """A line for every file that is not known to have been delivered."""
    ended = (result for result in crew.results if result.ended and not result.delivered)
    for result in (*ended, *untold(plan, crew)):
        yield f"{result.item.name}: {_why(result)}"


def _why(result: Result) -> str:
    code = f" ({result.problem_code})" if result.problem_code else ""
    reason = result.doubt or result.unsaved or getattr(result.failure, "reason", None)
    told = [f"{result.headline}{code}", reason, result.next]
    tried = f" [{result.attempts} attempts]" if result.attempts > 1 else ""
    return "; ".join(each for each in told if each) + tried


def _list(screen: Console, heading: str, entries: list[str]) -> None:
    if entries:
        screen.print(Text(heading))
    for entry in entries:
        screen.print(Text(f"  {printable(entry)}"))
