"""What a process that carries transfers does: accept, serve, change its configuration, drain.

The same in the one process of `workers: 1` and in each worker of many.
"""

from datetime import UTC, datetime

import trio

from proxy.edge.gate import Gate, Keeper
from proxy.edge.listener import Listener
from proxy.edge.stream import Stream
from proxy.journey import serve
from proxy.model import Peer
from proxy.tunnelling import carry


class Carrier:
    """Listeners, and the transfers that come in by them."""

    def __init__(self, keeper: Keeper, listeners: list[Listener]) -> None:
        self.keeper = keeper
        self.listeners = listeners
        self._accepting = trio.CancelScope()
        self._seconds = 0.0
        self._deadline = 0.0

    async def carry(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> bool:
        """Accept and serve until `drain`. False when its deadline cut a transfer off."""
        async with trio.open_nursery() as house:
            house.start_soon(self.keeper.live.run)
            on_time = await self._carry(task_status)
            house.cancel_scope.cancel()
        return on_time

    async def _carry(self, task_status: trio.TaskStatus[None]) -> bool:
        keeper = self.keeper
        async with trio.open_nursery() as connections:
            with self._accepting:
                async with trio.open_nursery() as accepting:
                    for listener in self.listeners:
                        accepting.start_soon(self._accept, listener, connections)
                    task_status.started()
            keeper.draining = True
            for client in list(keeper.clients):
                client.drain()
            connections.cancel_scope.deadline = self._deadline
        cut_off = connections.cancel_scope.cancelled_caught
        if cut_off:
            keeper.log.warning("drain_deadline", seconds=round(self._seconds, 1))
        for pool in keeper.gate.pools.values():
            await pool.retire()
        return not cut_off

    def drain(self, seconds: float) -> None:
        """Accept nothing more; what is under way may take so long and no longer."""
        if not self._accepting.cancel_called:
            self._seconds, self._deadline = seconds, trio.current_time() + seconds
            self._accepting.cancel()

    @property
    def draining(self) -> bool:
        return self._accepting.cancel_called

    async def adopt(self, gate: Gate) -> None:
        """Go on under another configuration. Whoever is not acceptable to it is let go. The others
        stay, unless whom the listeners trust has changed: then each connection ends after its
        transfer, a new one after its first, and its peer shakes hands again."""
        keeper = self.keeper
        old, keeper.gate = keeper.gate, gate
        in_force(keeper)
        await keeper.live.rejudge(old, gate)
        if old.trusted != gate.trusted:
            for client in list(keeper.clients):
                client.drain(spare_new=True)
        for pool in old.pools.values():
            await pool.retire()

    async def _accept(self, listener: Listener, connections: trio.Nursery) -> None:
        async def serve_one(stream: Stream, peer: Peer) -> None:
            protocol = self.keeper.gate.loaded.settings.listeners[listener.name].protocol
            run = carry if protocol == "tcp" else serve
            await run(self.keeper, listener.name, stream, peer)

        await listener.run(connections, serve_one)


def in_force(keeper: Keeper) -> None:
    """Show in the metrics what the keeper's configuration is, and let its pools speak."""
    gate, metrics = keeper.gate, keeper.metrics
    keeper.loaded_at = datetime.now(UTC)
    keeper.presented.keep(gate.loaded.settings)
    metrics.ready.set_function(lambda: float(keeper.ready))
    metrics.held.set_function(lambda: float(keeper.budget.taken))
    metrics.spilled.set_function(lambda: float(keeper.room.taken if keeper.room else 0))
    metrics.tasks.set_function(lambda: float(trio.lowlevel.current_statistics().tasks_living))
    metrics.loaded(gate.loaded.sha256, keeper.loaded_at)
    metrics.certificates(gate.certificates)
    for own in [each for role, each in gate.certificates if role == "identity"][:1]:
        keeper.hygiene.know(own)
    for name, pool in gate.pools.items():
        pool.report_to(keeper.log, keeper.hygiene.of("upstream", name))
