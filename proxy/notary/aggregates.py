"""What is only counted comes into the log: shed requests each minute, missed transfers soon."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final

import trio

from proxy.errors import LogFailure
from proxy.model import Event, Missed
from proxy.notary.health import Health
from proxy.notary.link import Waiting
from proxy.notary.rest import beat
from proxy.notary.shedding import Missing, Shedding, missed_event

_MINUTE: Final = 60.0
_SOON: Final = 1.0


class Aggregates:
    """`enter` puts an event into the queue of the log, `clock` gives aware times."""

    def __init__(
        self,
        health: Health,
        missing: Missing,
        clock: Callable[[], datetime],
        enter: Callable[[Event], Waiting],
    ) -> None:
        self._missing = missing
        self._health = health
        self._clock = clock
        self._enter = enter
        self._shedding = Shedding(clock())

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._say_shed)
            while True:
                await self._missing.counted()
                await beat(_SOON)
                self._enter_missed()

    def close(self) -> None:
        """Say what has been counted so far."""
        self._enter_shed()
        self._enter_missed()

    def shed(self, counts: Mapping[str, int]) -> None:
        """See `Link.shed`."""
        self._shedding.add(counts)

    async def missed(self, missed: Missed) -> None:
        """See `Link.missed`."""
        self._missing.add(missed)
        entered = self._enter_missed()
        if entered is not None:
            with suppress(LogFailure):  # it stays queued
                await entered.receipt()

    async def _say_shed(self) -> None:
        while True:
            await beat(_MINUTE)
            self._enter_shed()

    def _enter_shed(self) -> None:
        event = None if self._health.failing else self._shedding.event(self._clock())
        if event is not None:
            self._enter(event)

    def _enter_missed(self) -> Waiting | None:
        missed = None if self._health.failing else self._missing.take()
        return None if missed is None else self._enter(missed_event(missed))
