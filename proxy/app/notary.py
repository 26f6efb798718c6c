"""The notary as a process of its own: the only one that holds the receipt keys and writes the log.

It serves one channel for each worker. A worker that has died is `gone`: its channel is read to its
end before its open intents are closed. When the supervisor is gone, every channel ends by itself,
and then the log is closed.
"""

import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import trio

from proxy.app import bundle, memory
from proxy.app.control import Message
from proxy.app.evidence import ReceiptKeys, open_notary, prepare_notary
from proxy.app.line import answer_all, open_line
from proxy.app.vigil import told
from proxy.errors import ConfigError, LockgateError
from proxy.model import Event
from proxy.notary import Notary
from proxy.notary.bounds import Bounds
from proxy.notary.server import Hall, serve_link
from proxy.observe.log import Log
from proxy.observe.merge import snapshot
from proxy.observe.metrics import Metrics
from proxy.settings.load import Loaded

_IN_USE: Final = 5.0
"""Seconds in which the notary of a program that was killed lets go of the log."""
_GREETING: Final = 30.0
"""Seconds that a worker has to say hello after a restart: meanwhile nobody gets an id."""
_ALONE: Final = 3.0
"""Seconds that it waits then for a disk that fails: the successor closes what stays undecided."""


class NotaryProcess:
    """Answers the supervisor: start, then serve, gone, windows, note, metrics, status, stop."""

    def __init__(self, house: trio.Nursery) -> None:
        self._house = house
        self._metrics = Metrics()
        self._served: dict[str, tuple[trio.socket.SocketType, trio.Event]] = {}
        self._dropped: dict[str, str] = {}
        """Worker -> why its channel was dropped."""
        self._leaving: set[str] = set()
        """Dead workers whose intents are being closed."""
        self._left = trio.Event()
        self._log: Log
        self._notary: Notary
        self._hall: Hall
        self._greeted_by: float
        self._started = False

    async def answer(self, question: Message, fds: list[int]) -> dict[str, Any]:
        match question["do"]:
            case "start":
                return await self._start(question)
            case "serve":
                self._serve(question["name"], fds[0], question["number"])
            case "gone":
                if question["name"] not in self._leaving:  # it may be told again while we are at it
                    self._leaving.add(question["name"])
                    self._house.start_soon(self._close_intents, question["name"])
                return {"size": self._notary.size}
            case "windows":
                self._notary.bounds.allow(question["windows"])
            case "note":
                return await self._note(Event(question["kind"], question["details"]))
            case "metrics":
                return {"metrics": snapshot(self._metrics.registry)}
            case "status":
                trouble = told(self._notary.trouble)
                return {"trouble": trouble, "dropped": self._unheard()}
            case "stop":
                await self.close(clean=question["clean"])
        return {}

    async def _start(self, question: Message) -> dict[str, Any]:
        loaded, secrets = bundle.unpack(question["bundle"])
        self._log = Log(loaded.settings.log.format)
        keys, live = prepare_notary(loaded, secrets), question["live"]
        bounds = Bounds(question["windows"], question["workers"])
        self._notary = await self._open(loaded, keys, live, bounds)
        self._started = True
        if question["resumed"]:
            self._notary.resume()
        self._hall, self._greeted_by = Hall(question["live"]), trio.current_time() + _GREETING
        await self._house.start(self._notary.run)
        memory.settle()
        return {
            "interrupted": self._notary.interrupted,
            "receiptKey": dict(self._notary.receipt_key),
            "size": self._notary.size,
        }

    async def _open(
        self, loaded: Loaded, keys: ReceiptKeys, live: list[str], bounds: Bounds
    ) -> Notary:
        give_up = trio.current_time() + _IN_USE
        while True:
            try:
                return open_notary(loaded, keys, self._metrics, self._log, live=live, bounds=bounds)
            except ConfigError as error:
                if "in use" not in str(error) or trio.current_time() > give_up:
                    raise
            await trio.sleep(0.1)

    def _serve(self, name: str, fd: int, number: int) -> None:
        sock = trio.socket.from_stdlib_socket(socket.socket(fileno=fd))
        ended = trio.Event()
        self._served[name] = sock, ended

        async def serve() -> None:
            try:
                stream = trio.SocketStream(sock)
                fault = await serve_link(self._notary, name, stream, self._hall, number)
                if fault is not None:
                    self._dropped[name] = str(fault)
            finally:
                ended.set()

        self._house.start_soon(serve)

    async def _close_intents(self, name: str) -> None:
        """Close what a dead worker left open, however long the disk takes: others do not wait.

        What it said is read to its end. Whoever may hold its end of the channel still, a process
        that it left behind, adds nothing. The hall learns of the death when the intents are
        closed: until then their ids are nobody's.
        """
        if name in self._served:
            sock, ended = self._served.pop(name)
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            await ended.wait()
        self._dropped.pop(name, None)
        interrupted = await self._notary.worker_gone(name)
        if interrupted:
            self._log.warning("interrupted", name=name, count=interrupted)
        self._hall.gone(name)
        self._leaving.discard(name)
        self._left.set()

    def _unheard(self) -> dict[str, str]:
        """Workers that are of no use, and why: they spoke nonsense, or keep all others waiting."""
        late = trio.current_time() > self._greeted_by
        silent = self._hall.missing if late else frozenset[str]()
        return dict.fromkeys(silent, "it has said no hello") | self._dropped

    async def _note(self, event: Event) -> dict[str, Any]:
        try:
            await self._notary.note(event)
        except LockgateError as failure:
            return {"reason": str(failure)}
        return {}

    async def close(self, *, clean: bool = False) -> None:
        """When every channel has ended: the last batch, the last checkpoint; then it is free."""
        for _, ended in list(self._served.values()):  # who is gone is taken out meanwhile
            await ended.wait()
        while self._leaving:
            self._left = trio.Event()
            await self._left.wait()
        if self._started:
            await self._notary.close(clean=clean)
            self._log.close()


async def _main(fd: int, user: Sequence[int]) -> None:
    control = open_line("lockgate-notary", fd, user)
    async with trio.open_nursery() as house:
        process = NotaryProcess(house)
        await answer_all(control, process.answer)
        with trio.move_on_after(_ALONE):
            await process.close()
        house.cancel_scope.cancel()


def main(fd: int, user: Sequence[int]) -> int:
    """Be the notary, as `user`, and answer on the line `fd`; its exit code."""
    trio.run(_main, fd, user)
    return 0
