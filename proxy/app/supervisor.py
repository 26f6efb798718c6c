"""Many processes as one program: workers that carry transfers, and the notary that writes the log.

    supervisor ─┬─ notary            the receipt keys, the log
                ├─ worker 1 … N      sockets, TLS, transfers; a channel to the notary each
                └─ doors             health, metrics of all, reload, the log's files

Rules
- Who dies is replaced while the others go on, see `family.py`.
- A reload is prepared by all and committed only when all could; a child that dies meanwhile is
  started under whatever is in force then.
- One deadline for the whole drain. The notary ends last.
- A defect here ends the program in order: everybody is left alone, and so ends with every verdict.
- Nobody outlives the program, nor a worker those that it has forked, see `brood.py`.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import trio

from proxy.app import start
from proxy.app.child import Child, ask_all
from proxy.app.control import Message
from proxy.app.family import Family
from proxy.app.lastly import LAST_RITES, Lastly
from proxy.app.lists import ListWatch, warnings
from proxy.app.prepare import Prepared
from proxy.app.privileges import require_users
from proxy.app.reloader import Reloader, Version
from proxy.app.signals import Signals
from proxy.app.system import require_pidfds
from proxy.app.vigil import Vigil, told
from proxy.edge.admin import open_door, serve_door
from proxy.edge.listener import Listener
from proxy.edge.presented import table
from proxy.errors import TROUBLES
from proxy.model import Trouble, named_trouble
from proxy.observe.log import Log
from proxy.observe.merge import Ledger
from proxy.observe.metrics import Metrics
from proxy.settings.secrets import resolve_path

_SNAPSHOT_EVERY: Final = 5.0
_ANSWER: Final = 2.0
"""Seconds in which a child that is well says how it is."""
_PAUSE: Final = 0.01
"""Seconds between two looks at who is ready, while not all are."""
_REASON: Final = 300
_DYING: Final = 2.0
"""Seconds for those to die who were killed at the very last."""


async def run(prepared: Prepared, metrics: Metrics, log: Log) -> int:
    """Until a signal asks to stop; the process's exit code. Raises ConfigError."""
    require_pidfds(prepared.loaded)
    require_users(prepared.loaded)
    start.raise_descriptor_limit()
    return await Supervisor(prepared, metrics, log).run()


class Supervisor:
    """The program, and its operator's door."""

    def __init__(self, prepared: Prepared, metrics: Metrics, log: Log) -> None:
        loaded = prepared.loaded
        settings = loaded.settings
        self.metrics, self.log = metrics, log
        self.store = resolve_path(settings.receipts.store, loaded.directory)
        self._count = start.worker_count(settings)
        self._family = Family(prepared, log)
        self._family.on_death = self._bury
        self._loaded_at = datetime.now(UTC)
        self._ledger = Ledger(metrics.registry)
        version = Version(loaded, prepared.gate, prepared.for_workers)
        self._reloader = Reloader(version, self._adopt, self._family.note, metrics, log)
        self._lists = ListWatch(lambda: self._family.prepared.gate, metrics, log)
        self._lastly = Lastly(log, self._family.brood.kill_all)
        self._draining = trio.Event()
        self._doors: list[Listener] = []

    async def run(self) -> int:
        """0 when everything ended before the deadline of the drain, else 1."""
        family, last_rites = self._family, 0.0
        try:
            self._doors = self._open_doors()
            await family.start(self._count)
            last_rites = LAST_RITES  # there may be transfers, even where a defect of ours ends us
            self._in_force()
            return await self._serve()
        finally:
            self._lastly.after(last_rites + _DYING)
            with trio.CancelScope(shield=True):
                await family.kill(last_rites)
                await family.brood.clear(self.log)
            self._lastly.cancel()

    async def _serve(self) -> int:
        family = self._family
        async with trio.open_nursery() as house:
            for door in self._doors:
                house.start_soon(serve_door, self, door)
            house.start_soon(self._take_snapshots)
            house.start_soon(family.keep_notary)
            house.start_soon(family.tell_deaths)
            house.start_soon(family.brood.run, self.log)
            house.start_soon(Vigil(self.log, self.trouble).run)
            house.start_soon(self._reloader.run)
            house.start_soon(family.rates.run)
            house.start_soon(self._lists.run)
            await house.start(Signals(self._drain, self.reload, self.log).run)
            async with trio.open_nursery() as workers:
                for position in range(self._count):
                    workers.start_soon(family.keep_worker, position)
                house.start_soon(self._announce)
                await self._draining.wait()
                await family.drain()
            await family.stop_notary()
            house.cancel_scope.cancel()
        self.log.info("stopped", in_time=family.on_time)
        return 0 if family.on_time else 1

    def _open_doors(self) -> list[Listener]:
        loaded = self._family.prepared.loaded
        wanted = (("admin", loaded.settings.admin), ("metrics", loaded.settings.metrics))
        return [open_door(self, name, door.bind, loaded.directory) for name, door in wanted if door]

    async def _announce(self) -> None:
        family, loaded = self._family, self._family.prepared.loaded
        await family.note(start.event(loaded, self._count, family.receipt_key))
        await self._until_answered()
        if not self._draining.is_set():
            doors = start.addresses(self._doors)
            start.announce(self.log, loaded, family.sockets.addresses, doors)

    async def _until_answered(self) -> None:
        """Until every worker says that it has heard from the notary, for before that it refuses
        all; or until a drain begins."""
        while not self._draining.is_set():
            workers = [each for each in self._family.children if each.kind == "worker"]
            answers = await ask_all(workers, "status", _ANSWER)
            found = [_trouble(answer) for answer in answers.values()]
            heard = all(each is None or each.code != "notary-away" for each in found)
            if heard and len(found) == len(workers):
                return
            await trio.sleep(_PAUSE)

    def _drain(self) -> None:
        seconds = self._family.prepared.loaded.settings.shutdown.drain
        self._family.begin_drain(seconds)
        self._lastly.after(seconds + LAST_RITES + _DYING)
        self._draining.set()

    def _in_force(self) -> None:
        gate = self._family.prepared.gate
        self._loaded_at = datetime.now(UTC)
        self.metrics.loaded(gate.loaded.sha256, self._loaded_at)
        self.metrics.certificates(gate.certificates)

    # --- the operator's door ---------------------------------------------------------------------

    async def trouble(self) -> Trouble | None:
        """None while the notary and any worker take transfers."""
        if self._draining.is_set():
            return named_trouble("draining")
        return self._judge(await ask_all(self._family.children, "status", _ANSWER))

    def warnings(self) -> list[tuple[str, str]]:
        return warnings(self._family.prepared.gate.lists)

    def _judge(self, answers: Mapping[Child, Message]) -> Trouble | None:
        found = {each: _trouble(answer) for each, answer in answers.items()}
        workers = [trouble for each, trouble in found.items() if each.kind == "worker"]
        if all(each.kind != "notary" for each in self._family.children):
            return named_trouble("notary-away")
        for each, trouble in found.items():
            if each.kind == "notary" and trouble is not None:
                return trouble
        if all(each.kind != "notary" for each in found):
            return next(filter(None, workers), named_trouble("notary-silent"))
        return None if None in workers else next(iter(workers), named_trouble("no-worker"))

    async def exposition(self) -> bytes:
        await self._snapshot()
        self.metrics.ready.set(await self.trouble() is None)
        return self._ledger.exposition(self.metrics.registry)

    async def _take_snapshots(self) -> None:
        while True:
            await trio.sleep(_SNAPSHOT_EVERY)
            await self._snapshot()
            await self._family.look_after()

    async def _snapshot(self) -> None:
        answers = await ask_all(self._family.children, "metrics", _ANSWER)
        for each, answer in answers.items():
            try:
                if each.process.returncode is None:
                    self._ledger.record(each.name, answer["metrics"])
            except (KeyError, ValueError) as error:  # it is not to be believed any more
                self.log.defect(error, process=each.name)
                each.process.kill()

    def _bury(self, dead: Child) -> None:
        self._ledger.bury(dead.name)
        self.metrics.restarted(dead.kind)
        self._family.brood.look()

    async def status(self) -> dict[str, Any]:
        answers = await ask_all(self._family.children, "status", _ANSWER)
        processes = [start.process("supervisor", "supervisor", "running")]
        for each in self._family.children:
            answer = answers.get(each)
            ready = answer is not None and _trouble(answer) is None
            state = "silent" if answer is None else "ready" if ready else "not ready"
            processes.append(start.process(each.kind, each.name, state, each.pid))
        shown = start.status(self._family.prepared.gate, self._loaded_at)
        trouble = named_trouble("draining") if self._draining.is_set() else self._judge(answers)
        return shown | {
            "ok": trouble is None,
            "trouble": told(trouble),
            "reload": self._reloader.status(),
            "draining": self._draining.is_set(),
            "connections": sum(_count(each, "connections") for each in answers.values()),
            "tunnels": sum(_count(each, "tunnels") for each in answers.values()),
            "pins": await self._pins(),
            "processes": processes,
        }

    async def _pins(self) -> list[dict[str, Any]]:
        workers = [each for each in self._family.children if each.kind == "worker"]
        answers = await ask_all(workers, "pins", _ANSWER)
        found = [answer.get("pins") for answer in answers.values()]
        rows = [row for each in found if isinstance(each, list) for row in each]
        return table(self._family.prepared.loaded.settings, rows)

    async def reload(self, by: str = "admin") -> bool:
        """Swap in what the files say now, everywhere or nowhere; on any mistake the last good
        stays."""
        return await self._reloader.reload(by)

    async def _adopt(self, version: Version) -> None:
        new = replace(
            self._family.prepared,
            loaded=version.loaded,
            gate=version.gate,
            for_workers=version.secrets,
        )
        await self._family.adopt(new)
        self._in_force()
        self._lists.adopted()


def _trouble(answer: Message) -> Trouble | None:
    """What a child says is wrong; one that says what is no such thing takes no transfers."""
    match answer:
        case {"trouble": None}:
            return None
        case {"trouble": {"code": str(code), "reason": str(reason)}} if code in TROUBLES:
            return Trouble(code, reason[:_REASON])
    return named_trouble("no-worker")


def _count(answer: Message, name: str) -> int:
    """How many a worker says that it has; none where it says what is no number."""
    found = answer.get(name)
    return found if type(found) is int and found > 0 else 0
