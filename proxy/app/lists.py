"""Tells operators which revocation lists are not fresh, and of a careless key of our own.

One line when a list ceases to be fresh, or is so from the start, and one when it is replaced.
Whether peers are refused meanwhile is for `revocation.mode` to say, and for their own log lines.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from proxy.edge.gate import Gate
from proxy.model import ListInForce
from proxy.notary.rest import News, beat
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics

_EVERY: Final = 1.0


class ListWatch:
    """Looks at the lists of whatever configuration is in force."""

    def __init__(self, gate: Callable[[], Gate], metrics: Metrics, log: Log) -> None:
        self._gate = gate
        self._metrics = metrics
        self._log = log
        self._stale: set[tuple[str, str]] = set()
        self._known: Gate | None = None
        self._adopted = News()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.look(datetime.now(UTC))
            if self._gate().lists:
                await beat(_EVERY)
            else:
                await self._adopted.wait()

    def adopted(self) -> None:
        """Another configuration is in force."""
        self._adopted.tell()

    def look(self, now: datetime) -> None:
        gate = self._gate()
        if gate is not self._known:
            tell(self._metrics, self._log, gate.careless)
        self._known, lists = gate, in_force(gate.lists, now)
        self._metrics.lists(lists, now)
        before, self._stale = self._stale, set()
        for each in stale(lists, now):
            key = (each.file, each.issuer)
            if key not in before | self._stale:
                fields = described(each, now)
                self._log.error("crl_not_fresh", **fields)
            self._stale.add(key)
        for file, issuer in sorted(before - self._stale):
            self._log.info("crl_fresh", file=file, issuer=issuer)


def tell(metrics: Metrics, log: Log, careless: Iterable[tuple[str, str]]) -> None:
    """Report what `hygiene` finds of our own certificate."""
    for kind, what in careless:
        metrics.careless("identity", "", kind)
        log.once("careless_key", side="identity", name="", kind=kind, detail=what)


def in_force(lists: Iterable[Sequence[ListInForce]], now: datetime) -> tuple[ListInForce, ...]:
    """Of those that replace each other the newest whose time has come, else the next to come."""
    return tuple(
        next((each for each in reversed(some) if each.this_update <= now), some[0])
        for some in lists
    )


def stale(lists: Iterable[ListInForce], now: datetime) -> list[ListInForce]:
    """Those that cover nobody now."""
    return [each for each in lists if each.state(now) != "fresh"]


def described(each: ListInForce, now: datetime) -> dict[str, Any]:
    """What /status and the log say of a list."""
    return {
        "file": each.file,
        "issuer": each.issuer,
        "state": each.state(now),
        "this_update": each.this_update,
        "next_update": each.next_update,
    }


def warnings(lists: Iterable[Sequence[ListInForce]]) -> list[tuple[str, str]]:
    """(code, which one) of each list that is not fresh, for readiness and `check`."""
    now = datetime.now(UTC)
    found = stale(in_force(lists, now), now)
    return [(f"crl-{each.state(now)}", f"{each.file}, {each.issuer}") for each in found]
