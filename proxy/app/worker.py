"""A worker: carries transfers on sockets that it is handed, and has no receipt keys.

It starts when it is told the configuration, drains when it is told to, and ends at once, each
transfer with its verdict, when the supervisor is gone.
"""

import socket
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import trio
from trio.to_thread import run_sync as aside

from proxy.app import bundle, memory, start
from proxy.app.carrier import Carrier, in_force
from proxy.app.control import Control, Message
from proxy.app.line import answer_all, open_line
from proxy.app.prepare import prepare
from proxy.app.room import room
from proxy.app.vigil import told
from proxy.edge.budget import Budget
from proxy.edge.gate import Gate, Keeper
from proxy.edge.rates import Table
from proxy.notary.desk import Desk
from proxy.notary.remote import RemoteLink
from proxy.observe.log import Log
from proxy.observe.merge import snapshot
from proxy.observe.metrics import Metrics


class Worker:
    """Answers the supervisor: start, then channel, prepare, commit, metrics, status, drain."""

    def __init__(self, control: Control, house: trio.Nursery) -> None:
        self._control = control
        self._house = house
        self._metrics = Metrics()
        self._link = RemoteLink()
        self._next: Gate | None = None
        self._ended = trio.Event()
        self._on_time = True

    async def run(self) -> bool:
        """Until it is drained. True when nothing was cut off."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._answer, nursery)
            await self._ended.wait()
            nursery.cancel_scope.cancel()
        return self._on_time

    async def _answer(self, nursery: trio.Nursery) -> None:
        await answer_all(self._control, partial(self.answer, nursery))
        if hasattr(self, "_carrier"):
            self._carrier.drain(0)
            await self._ended.wait()
        else:
            self._ended.set()

    async def answer(
        self, nursery: trio.Nursery, question: Message, fds: list[int]
    ) -> dict[str, Any]:
        match question["do"]:
            case "start":
                await self._start(nursery, question, fds)
            case "channel":
                sock = trio.socket.from_stdlib_socket(socket.socket(fileno=fds[0]))
                self._desk.attempt_id.begin(question["number"])
                await self._link.attach(trio.SocketStream(sock))
            case "prepare":
                loaded, secrets = bundle.unpack(question["bundle"])
                self._next = await aside(prepare, loaded, self._metrics, secrets)
            case "commit":
                if self._next is not None:
                    await self._carrier.adopt(self._next)
                self._next = None
            case "abort":
                self._next = None
            case "drain":
                self._carrier.drain(max(0.0, question["until"] - time.monotonic()))
            case asked:
                return self._report(asked)
        return {}

    def _report(self, asked: str) -> dict[str, Any]:
        match asked:
            case "metrics":
                return {"metrics": snapshot(self._metrics.registry)}
            case "pins":
                return {"pins": self._keeper.presented.rows()}
            case "status":
                keeper = self._keeper
                return {
                    "trouble": told(keeper.trouble),
                    "connections": keeper.connections,
                    "tunnels": len(keeper.tunnels),
                }
        return {}

    async def _start(self, nursery: trio.Nursery, question: Message, fds: list[int]) -> None:
        *listening, written, shared, rates = fds
        loaded, secrets = bundle.unpack(question["bundle"])
        settings = loaded.settings
        gate = prepare(loaded, self._metrics, secrets)
        log = Log(settings.log.format)
        intents = start.intents(loaded, written)
        patience, name = settings.receipts.patience, question["name"]
        self._desk = desk = Desk(self._link, intents, patience, name=name)
        budget = Budget(question["held"])
        self._keeper = keeper = Keeper(gate, desk, budget, self._metrics, log, rates=Table(rates))
        keeper.room = room(loaded, shared, question["place"])
        in_force(keeper)
        listeners = [
            start.listener(keeper, name, _socket(fd))
            for name, fd in zip(question["listeners"], listening, strict=True)
        ]
        self._carrier = Carrier(keeper, listeners)
        start.raise_descriptor_limit()
        await self._house.start(self._link.run)
        self._house.start_soon(desk.run)
        await nursery.start(self._carry)
        memory.settle()

    async def _carry(self, *, task_status: trio.TaskStatus[None]) -> None:
        self._on_time = await self._carrier.carry(task_status)
        await self._desk.close()
        self._keeper.log.close()
        self._ended.set()


def _socket(fd: int) -> trio.socket.SocketType:
    sock = socket.socket(fileno=fd)
    sock.setblocking(False)
    return trio.socket.from_stdlib_socket(sock)


async def _main(fd: int, user: Sequence[int]) -> int:
    control = open_line("lockgate-worker", fd, user)
    async with trio.open_nursery() as house:
        on_time = await Worker(control, house).run()
        house.cancel_scope.cancel()
    return 0 if on_time else 1


def main(fd: int, user: Sequence[int]) -> int:
    """Be a worker, as `user`, that answers on the line `fd`; its exit code."""
    return trio.run(_main, fd, user)
