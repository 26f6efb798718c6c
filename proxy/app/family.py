"""The supervisor's children: started, wired to each other, replaced when they die, drained.

Rules
- One SO_REUSEPORT socket per listener and worker, all of them kept here: a worker
  that dies leaves its accept queue to its successor. A unix socket is one, shared by all.
- A child that dies is replaced, with back-off, while the others go on. A worker's successor has
  another name, so that its intents are never taken for those of the dead one.
- What the notary has to know of the workers, and they of it, is the business of `wiring.py`.
- A drain has one deadline. Whoever has not ended soon after it is killed, the notary too.
"""

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import trio

from proxy.app import bundle, launch, privileges
from proxy.app.backoff import BackOff
from proxy.app.brood import Brood
from proxy.app.child import Child
from proxy.app.control import EndedError
from proxy.app.evidence import windows
from proxy.app.lastly import LAST_RITES
from proxy.app.prepare import Prepared
from proxy.app.rates import Rates
from proxy.app.sockets import Sockets
from proxy.app.spawn import Launcher
from proxy.app.wiring import Wiring
from proxy.errors import ConfigError
from proxy.model import Event
from proxy.notary.attempts import name_worker
from proxy.observe.log import Log

_CLOSING: Final = 2.0
"""Seconds of the last rites that are the notary's alone, to close the log."""


class Family:
    def __init__(self, prepared: Prepared, log: Log) -> None:
        self.prepared = prepared
        """What is in force: who is started is started with it."""
        self.sockets: Sockets
        self.rates: Rates
        self.on_time = True
        self.on_death: Callable[[Child], None] = lambda dead: None
        self.receipt_key: Mapping[str, str] = {}
        self.brood = Brood()
        self._log = log
        self._workers: dict[int, Child] = {}
        self._count = 0
        self._windows = windows(prepared.loaded)
        """Of every route that was in force: a transfer may have begun under it."""
        self._wiring = Wiring(log)
        self._draining, self._stopping = trio.Event(), trio.Event()
        self._deadline = math.inf
        """Of the drain."""
        self._starts: set[trio.CancelScope] = set()
        """Successors of workers that are being started, of which a drain has no need."""

    @property
    def children(self) -> list[Child]:
        return [each for each in (self._wiring.notary, *self._workers.values()) if each is not None]

    # --- beginning -------------------------------------------------------------------------------

    async def start(self, count: int) -> None:
        """The notary, then all workers at once, on sockets bound before. Raises ConfigError."""
        loaded, self._count = self.prepared.loaded, count
        self.sockets = Sockets(loaded.settings, loaded.directory, count)
        privileges.make_store(loaded)
        async with launch.launcher(self.prepared, self.brood) as source:
            await launch.all_begun(loaded, [partial(self._start_notary, source)])
            self.rates = Rates(loaded, self._log)
            workers = [partial(self._start_worker, source, each) for each in range(count)]
            await launch.all_begun(loaded, workers)

    async def _start_notary(self, source: Launcher) -> None:
        """Raises ConfigError and EndedError."""
        async with self._wiring.lock:
            async with self._wiring.naming:
                live = sorted(self._wiring.living)
                notary, answer = await launch.notary(
                    source,
                    self.prepared,
                    live=live,
                    resumed=bool(self.receipt_key),
                    windows=self._windows,
                    workers=self._count,
                )
                self._wiring.told(live)
            self.receipt_key = answer["receiptKey"]
            self._log.info("notary_started", pid=notary.pid, interrupted=answer["interrupted"])
            workers = list(self._workers.values())  # some may die meanwhile
            await self._wiring.appoint(notary, answer["size"], workers)

    async def _start_worker(self, source: Launcher, position: int) -> None:
        """Raises ConfigError and EndedError."""
        prepared = self.prepared
        async with self._wiring.naming:
            name = name_worker(position + 1, self._wiring.size)
            self._wiring.living.add(name)
        try:
            worker = await launch.worker(
                source, prepared, self.sockets, position, name, self.rates.table.fd
            )
        except BaseException:
            self._wiring.gone(name)
            raise
        self._workers[position] = worker
        if self.prepared is not prepared:
            worker.process.kill()  # a reload came in between
        self._log.info("worker_started", name=name, pid=worker.pid)
        await self._wiring.wire(worker)

    # --- going on --------------------------------------------------------------------------------

    async def keep_worker(self, position: int) -> None:
        """Replace the worker whenever it dies; returns at its end in a drain."""
        back_off, too_late = BackOff(), False
        while True:
            worker, born = self._workers[position], trio.current_time()
            code = await worker.process.wait()
            del self._workers[position]
            worker.close()
            self._wiring.gone(worker.name)
            if self._draining.is_set():
                self.on_time = self.on_time and (code == 0 or too_late)
                return
            self._log.error("worker_died", name=worker.name, pid=worker.pid, code=code)
            self.on_death(worker)
            back_off.lived(trio.current_time() - born)
            while position not in self._workers:
                await back_off.pause(self._draining)
                if self._draining.is_set():
                    return
                await self._replace_worker(position)
            if self._draining.is_set():
                too_late = True  # to be told of the drain, or to take anything
                self._workers[position].process.kill()

    async def _replace_worker(self, position: int) -> None:
        """Try to, until a drain begins."""
        with trio.CancelScope() as scope:
            self._starts.add(scope)
            try:
                async with launch.launcher(self.prepared, self.brood) as source:
                    await self._start_worker(source, position)
            except (ConfigError, EndedError) as error:
                self._log.error("worker_not_started", reason=str(error))
            finally:
                self._starts.discard(scope)

    async def keep_notary(self) -> None:
        """Replace the notary whenever it dies, in a drain too, until one has closed the log."""
        back_off = BackOff()
        while True:
            notary, born = self._wiring.notary, trio.current_time()
            if notary is None:
                return
            code = await notary.process.wait()
            self._wiring.notary = None
            notary.close()
            if self._stopping.is_set():
                return
            self._log.error("notary_died", pid=notary.pid, code=code)
            self.on_death(notary)
            back_off.lived(trio.current_time() - born)
            while not self._stopping.is_set():
                await back_off.pause(self._stopping)
                try:
                    async with launch.launcher(self.prepared, self.brood) as source:
                        await self._start_notary(source)
                    break
                except (ConfigError, EndedError) as error:
                    self._log.error("notary_not_started", reason=str(error))

    async def tell_deaths(self) -> None:
        """See `Wiring.run`."""
        await self._wiring.run()

    async def look_after(self) -> None:
        """See `Wiring.look_after`."""
        await self._wiring.look_after(list(self._workers.values()))

    # --- all together ----------------------------------------------------------------------------

    async def note(self, event: Event) -> None:
        """Put an event into the log of receipts; where that fails, operation goes on."""
        reason = "no notary"
        if self._wiring.notary is not None:
            try:
                details = dict(event.details)
                answer = await self._wiring.notary.ask("note", kind=event.kind, details=details)
                reason = answer.get("reason", "")
            except EndedError as error:
                reason = str(error)
        if reason:
            self._log.error("event_not_noted", kind=event.kind, reason=reason)

    async def adopt(self, new: Prepared) -> None:
        """Prepare everywhere, then commit everywhere. Raises ConfigError, and nothing changed."""
        await self._allow(windows(new.loaded))
        workers = list(self._workers.values())
        problem = await launch.prepare_everywhere(workers, bundle.pack(new.loaded, new.for_workers))
        if problem is None:
            self.prepared = new
            for late in set(self._workers.values()) - set(workers):
                late.process.kill()
        for worker in workers:
            await worker.tell("commit" if problem is None else "abort")
        if problem is not None:
            raise problem

    async def _allow(self, found: Mapping[str, float]) -> None:
        """Have the notary, and those after it, know these routes before any worker does."""
        async with self._wiring.lock:
            self._windows |= {at: max(s, self._windows.get(at, 0.0)) for at, s in found.items()}
            if self._wiring.notary is not None:
                await self._wiring.notary.tell("windows", windows=self._windows)

    # --- ending ----------------------------------------------------------------------------------

    def begin_drain(self, seconds: float) -> None:
        """From now on everything has so long, and no successor is waited for."""
        self._deadline = trio.current_time() + seconds
        self._draining.set()
        for scope in self._starts:
            scope.cancel()
        self.sockets.close()

    async def drain(self) -> None:
        """Workers end their transfers; who has not ended long after the deadline is killed."""
        until = time.monotonic() + self._deadline - trio.current_time()
        with trio.move_on_at(self._deadline + LAST_RITES - _CLOSING) as scope:
            async with trio.open_nursery() as telling:
                for worker in self._workers.values():
                    telling.start_soon(partial(worker.tell, "drain", until=until))
            while self._workers:
                await next(iter(self._workers.values())).process.wait()
                await trio.lowlevel.checkpoint()
        if scope.cancelled_caught:
            for worker in self._workers.values():
                worker.process.kill()

    async def stop_notary(self) -> None:
        """Have the log closed by whoever is the notary: one that dies before has a successor.

        One that does not answer by the deadline is killed; the next start closes the log then.
        """
        notary, limit = None, self._deadline + LAST_RITES
        with trio.move_on_at(limit):
            while not self._stopping.is_set():
                notary = await self._wiring.notary_after(notary)
                await self._wiring.tell()
                try:
                    await notary.ask("stop", timeout=math.inf, clean=self.on_time)
                    self._stopping.set()
                except EndedError:
                    notary.process.kill()  # dead already, or of no more use
        closed = self._stopping.is_set()
        self._stopping.set()
        if notary is not None:
            await notary.end(max(0.0, limit - trio.current_time()) if closed else 0)
        self.on_time = self.on_time and closed

    async def kill(self, seconds: float) -> None:
        """Nobody stays behind; who ends by itself has so long."""
        self._stopping.set()
        if hasattr(self, "sockets"):
            self.sockets.close()
        async with trio.open_nursery() as nursery:
            for each in self.children:
                nursery.start_soon(each.end, seconds)
        if hasattr(self, "rates"):
            self.rates.close()
