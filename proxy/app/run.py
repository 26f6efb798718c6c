"""The process: sockets, nurseries, signals, and the order of shutting down.

Started in this order, ended in the reverse one, so that whatever a transfer needs outlives it:

    notary ─ admin ─ connections ─ listeners

SIGTERM and SIGINT: listeners stop, idle connections end, transfers under way have until the one
deadline (`shutdown.drain`), what is left is cut off with its verdict, the log is closed. SIGHUP:
the configuration is read and prepared whole, and only then swapped in. Connections stay, unless
what the listeners trust has changed: then each ends after its transfer, and its peer shakes hands
again.
"""

import gc
import resource
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import trio

from proxy.app.credentials import ReceiptKeys
from proxy.app.prepare import prepare, prepare_all
from proxy.edge.admin import open_door, serve_door
from proxy.edge.budget import Budget
from proxy.edge.gate import Keeper
from proxy.edge.listener import Listener, bind
from proxy.edge.stream import Stream
from proxy.errors import ConfigError, LockgateError, LogFailure
from proxy.journey import serve
from proxy.model import Peer
from proxy.notary import Notary
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.policy.replay import ReplayWindow
from proxy.settings.load import Loaded, load
from proxy.settings.secrets import resolve_path


def run(path: Path) -> int:
    """Run the proxy in the foreground; the process's exit code. Raises ConfigError."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    return trio.run(_main, path)


async def _main(path: Path) -> int:
    loaded = load(path)
    metrics, log = Metrics(), Log(loaded.settings.log.format)
    gate, keys = prepare_all(loaded, metrics)
    notary = _open_notary(loaded, keys, metrics)
    settings = loaded.settings
    replay, budget = ReplayWindow(settings.transfer_ids.capacity), Budget(settings.memory.held)
    keeper = Keeper(gate, notary, replay, budget, metrics, log)
    _publish(keeper, reload=False)
    process = Process(keeper, notary, path)
    _raise_descriptor_limit()
    gc.collect()
    gc.freeze()
    try:
        return await process.run()
    finally:
        log.close()


class Process:
    """One running proxy."""

    def __init__(self, keeper: Keeper, notary: Notary, path: Path) -> None:
        self._keeper = keeper
        self._notary = notary
        self._path = path
        self._accepting = trio.CancelScope()

    async def run(self) -> int:
        """Until a signal asks to stop. 0 when everything ended before the deadline, else 1."""
        keeper = self._keeper
        settings = keeper.gate.loaded.settings
        listeners, doors = self._bind(), self._open_doors()
        async with trio.open_nursery() as house:
            await house.start(self._notary.run)
            self._remember_deliveries()
            for door in doors:
                house.start_soon(serve_door, keeper, door, self.reload)
            await house.start(self._watch_signals)
            on_time = await self._carry(listeners, doors, settings.shutdown.drain)
            for pool in keeper.gate.pools.values():
                await pool.retire()
            await self._notary.close()
            house.cancel_scope.cancel()
        keeper.log.info("stopped", in_time=on_time)
        return 0 if on_time else 1

    async def _carry(self, listeners: list[Listener], doors: list[Listener], drain: float) -> bool:
        """Accept and serve until a signal, then drain. False when the deadline cut any off."""
        keeper = self._keeper
        async with trio.open_nursery() as connections:
            with self._accepting:
                async with trio.open_nursery() as accepting:
                    for listener in listeners:
                        accepting.start_soon(self._accept, listener, connections)
                    self._announce(listeners, doors)
            keeper.draining = True
            for client in list(keeper.clients):
                client.drain()
            connections.cancel_scope.deadline = trio.current_time() + drain
        cut_off = connections.cancel_scope.cancelled_caught
        if cut_off:
            keeper.log.warning("drain_deadline", seconds=drain)
        return not cut_off

    async def reload(self) -> bool:
        """Swap in what the file says now; on any mistake the last good stays. True when swapped."""
        keeper = self._keeper
        try:
            loaded = load(self._path)
            _require_reloadable(keeper.gate.loaded, loaded)
            gate = prepare(loaded, keeper.metrics)
        except ConfigError as error:
            keeper.metrics.reload_failed()
            for problem in error.problems:
                keeper.log.error("reload_refused", problem=str(problem))
            return False
        old, keeper.gate = keeper.gate, gate
        _publish(keeper, reload=True)
        keeper.log.info("reloaded", config_sha256=loaded.sha256.hex())
        if old.trusted != gate.trusted:
            for client in list(keeper.clients):
                client.drain()
        for pool in old.pools.values():
            await pool.retire()
        return True

    def _bind(self) -> list[Listener]:
        keeper = self._keeper
        loaded = keeper.gate.loaded
        return [
            Listener(
                name,
                bind(listener.bind, loaded.directory),
                listener.limits,
                lambda name=name: keeper.gate.tls[name],  # type: ignore[misc]
                metrics=keeper.metrics,
                log=keeper.log,
            )
            for name, listener in loaded.settings.listeners.items()
        ]

    def _open_doors(self) -> list[Listener]:
        settings = self._keeper.gate.loaded.settings
        wanted = (("admin", settings.admin), ("metrics", settings.metrics))
        return [open_door(self._keeper, name, door.bind) for name, door in wanted if door]

    async def _accept(self, listener: Listener, connections: trio.Nursery) -> None:
        async def serve_one(stream: Stream, peer: Peer) -> None:
            await serve(self._keeper, listener.name, stream, peer)

        await listener.run(connections, serve_one)

    def _announce(self, listeners: list[Listener], doors: list[Listener]) -> None:
        bound = {listener.name: listener.address for listener in listeners}
        sha256 = self._keeper.gate.loaded.sha256.hex()
        open_doors = {door.name: door.address for door in doors}
        self._keeper.log.info("ready", listeners=bound, **open_doors, config_sha256=sha256)

    def _remember_deliveries(self) -> None:
        """Ids that were delivered before a restart stay used up for as long as their window."""
        keeper = self._keeper
        windows = {route.name: route.replay.window for route in keeper.gate.loaded.settings.routes}
        now, wall = time.monotonic(), datetime.now(UTC)
        longest = max(windows.values(), default=0)
        for sender, route, transfer_id, at in self._notary.delivered_since(longest):
            if route in windows:
                age = (wall - at).total_seconds()
                keeper.replay.seed((sender, route, transfer_id), now + windows[route] - age)

    async def _watch_signals(self, *, task_status: trio.TaskStatus[None]) -> None:
        wanted = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        with trio.open_signal_receiver(*wanted) as signals:
            task_status.started()
            async for number in signals:
                if number == signal.SIGHUP:
                    await self.reload()
                elif not self._accepting.cancel_called:
                    self._accepting.cancel()
                    self._keeper.log.info("draining", signal=signal.Signals(number).name)


def _raise_descriptor_limit() -> None:
    """As many descriptors as the system allows: the bounds on connections are ours."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _open_notary(loaded: Loaded, keys: ReceiptKeys, metrics: Metrics) -> Notary:
    receipts = loaded.settings.receipts
    receipt_key, log_key, log_pq_key = keys
    try:
        return Notary.open(
            resolve_path(receipts.store, loaded.directory),
            origin=receipts.origin,
            receipt_key=receipt_key,
            log_key=log_key,
            log_pq_key=log_pq_key,
            durability=receipts.durability,
            checkpoint_every=receipts.checkpoint_every,
            clock=lambda: datetime.now(UTC),
            on_commit=metrics.commit,
        )
    except LockgateError as error:
        reason = error.reason if isinstance(error, LogFailure) else str(error)
        raise ConfigError([loaded.problem(("receipts", "store"), reason)]) from None


def _require_reloadable(old: Loaded, new: Loaded) -> None:
    """What holds sockets and keys open cannot change under transfers. Raises ConfigError."""
    before, after = old.settings, new.settings
    problems = []
    binds = {name: listener.bind for name, listener in before.listeners.items()}
    if binds != {name: listener.bind for name, listener in after.listeners.items()}:
        problems.append(new.problem(("listeners",), "a listener or its bind changed: restart"))
    for name in ("receipts", "admin", "metrics", "memory", "transfer_ids"):
        if getattr(before, name) != getattr(after, name):
            problems.append(new.problem((name,), f"{name} changed: that takes a restart"))
    if problems:
        raise ConfigError(problems)


def _publish(keeper: Keeper, *, reload: bool) -> None:
    gate = keeper.gate
    keeper.loaded_at = datetime.now(UTC)
    keeper.metrics.ready.set_function(lambda: float(keeper.ready))
    keeper.metrics.held.set_function(lambda: float(keeper.budget.taken))
    keeper.metrics.loaded(gate.loaded.sha256, keeper.loaded_at, reload=reload)
    keeper.metrics.forget_certificates()
    for role, certificate in gate.certificates:
        keeper.metrics.certificate(role, certificate)
