"""The whole program in one process: the notary is a task beside the transfers.

Started in this order, ended in the reverse one, so that whatever a transfer needs outlives it:

    notary ─ doors ─ connections ─ listeners
"""

from functools import partial
from typing import Any, Final

import trio

from proxy.app import memory, start
from proxy.app.carrier import Carrier, in_force
from proxy.app.evidence import open_notary
from proxy.app.lastly import LAST_RITES, Lastly
from proxy.app.lists import ListWatch, warnings
from proxy.app.prepare import Prepared
from proxy.app.rates import Rates
from proxy.app.reloader import Reloader, Version
from proxy.app.room import room
from proxy.app.signals import Signals
from proxy.app.vigil import Vigil, told
from proxy.edge.admin import open_door, serve_door
from proxy.edge.binding import bind
from proxy.edge.budget import Budget
from proxy.edge.gate import Keeper
from proxy.edge.presented import table
from proxy.errors import LockgateError
from proxy.model import Event, Trouble
from proxy.notary import Notary
from proxy.notary.attempts import name_worker
from proxy.notary.desk import Desk
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.settings.secrets import resolve_path

_NAME: Final = "1"
"""Of the one worker that is the whole program."""


async def run(prepared: Prepared, metrics: Metrics, log: Log) -> int:
    """Until a signal asks to stop; the process's exit code. Raises ConfigError."""
    process = Single(prepared, metrics, log)
    start.raise_descriptor_limit()
    memory.settle()
    return await process.run()


class Single:
    """The program, and its operator's door."""

    def __init__(self, prepared: Prepared, metrics: Metrics, log: Log) -> None:
        loaded = prepared.loaded
        settings = loaded.settings
        self.metrics, self.log = metrics, log
        self.store = resolve_path(settings.receipts.store, loaded.directory)
        self._notary: Notary = open_notary(loaded, prepared.keys, metrics, log)
        name = name_worker(1, self._notary.size)
        intents = start.intents(loaded, start.intents_path(self.store, name))
        self._desk = Desk(self._notary, intents, settings.receipts.patience, name=name)
        budget = Budget(settings.memory.held)
        self._rates = Rates(loaded, log)
        self._keeper = Keeper(
            prepared.gate, self._desk, budget, metrics, log, rates=self._rates.table
        )
        self._keeper.room = room(loaded)
        in_force(self._keeper)
        self._listeners = [
            start.listener(self._keeper, name, bind(listener.bind, loaded.directory))
            for name, listener in settings.listeners.items()
        ]
        self._carrier = Carrier(self._keeper, self._listeners)
        self._lists = ListWatch(lambda: self._keeper.gate, metrics, log)
        self._lastly = Lastly(log)
        version = Version(loaded, prepared.gate, prepared.for_workers)
        self._reloader = Reloader(version, self._adopt, self._note, metrics, log)
        wanted = (("admin", settings.admin), ("metrics", settings.metrics))
        self._doors = [
            open_door(self, name, door.bind, loaded.directory) for name, door in wanted if door
        ]

    async def run(self) -> int:
        """0 when everything ended before the deadline of the drain, else 1."""
        with self._notary.watching(self._desk.stir):
            return await self._run()

    async def _run(self) -> int:
        loaded = self._keeper.gate.loaded
        async with trio.open_nursery() as house:
            await house.start(self._notary.run)
            house.start_soon(self._desk.run)
            house.start_soon(Vigil(self.log, self.trouble, self._desk.stirring).run)
            house.start_soon(partial(self._rates.run, shared=False))
            house.start_soon(self._reloader.run)
            house.start_soon(self._lists.run)
            await self._note(start.event(loaded, 1, self._notary.receipt_key))
            for door in self._doors:
                house.start_soon(serve_door, self, door)
            await house.start(Signals(self._drain, self.reload, self.log).run)
            listeners, doors = start.addresses(self._listeners), start.addresses(self._doors)
            start.announce(self.log, loaded, listeners, doors)
            on_time = await self._carrier.carry()
            await self._desk.close()
            await self._notary.close(clean=on_time)
            house.cancel_scope.cancel()
        self._rates.close()
        self._lastly.cancel()
        self.log.info("stopped", in_time=on_time)
        return 0 if on_time else 1

    def _drain(self) -> None:
        seconds = self._keeper.gate.loaded.settings.shutdown.drain
        self._carrier.drain(seconds)
        self._lastly.after(seconds + LAST_RITES)

    # --- the operator's door ---------------------------------------------------------------------

    async def trouble(self) -> Trouble | None:
        return self._keeper.trouble

    def warnings(self) -> list[tuple[str, str]]:
        return warnings(self._keeper.gate.lists)

    async def exposition(self) -> bytes:
        return self.metrics.exposition()

    async def status(self) -> dict[str, Any]:
        keeper = self._keeper
        shown = start.status(keeper.gate, keeper.loaded_at)
        return shown | {
            "ok": keeper.ready,
            "trouble": told(keeper.trouble),
            "reload": self._reloader.status(),
            "draining": keeper.draining,
            "connections": keeper.connections,
            "tunnels": len(keeper.tunnels),
            "pins": table(keeper.gate.loaded.settings, keeper.presented.rows()),
            "processes": [start.process("all", _NAME, "running")],
        }

    async def reload(self, by: str = "admin") -> bool:
        """Swap in what the files say now; on any mistake the last good stays."""
        return await self._reloader.reload(by)

    async def _adopt(self, version: Version) -> None:
        await self._carrier.adopt(version.gate)
        self._lists.adopted()

    async def _note(self, event: Event) -> None:
        """Put an event into the log of receipts; where that fails, operation goes on."""
        try:
            await self._notary.note(event)
        except LockgateError as failure:
            self.log.error("event_not_noted", kind=event.kind, reason=str(failure))
