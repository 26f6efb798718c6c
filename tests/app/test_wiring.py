"""What the notary is told of the workers, where it does not answer at once."""

import os
import socket

import trio

from proxy.app.child import Child
from proxy.app.control import Control
from proxy.app.process import Process
from proxy.app.wiring import Wiring
from proxy.observe.log import Log
from tests.notary.places import by_clock
from tests.patience import PATIENCE


def _control(sock: socket.socket) -> Control:
    sock.setblocking(False)
    return Control(trio.socket.from_stdlib_socket(sock))


class Notary:
    """A process, and on its line somebody who hears everything, and answers while it is `well`."""

    def __init__(self) -> None:
        pid = os.posix_spawn("/bin/sleep", ["sleep", "600"], {})
        ours, self._line = (_control(sock) for sock in socket.socketpair())
        self.child = Child("notary", "notary", Process(pid, os.pidfd_open(pid)), ours)
        self.gone: list[str] = []
        self.well = True

    async def run(self) -> None:
        while True:
            question, _ = await self._line.receive()
            assert question["do"] == "gone"
            self.gone.append(question["name"])
            if self.well:
                await self._line.send({"id": question["id"], "ok": True, "size": 7})

    async def end(self) -> None:
        await self.child.end(0)
        self._line.close()


def test_a_death_that_is_not_answered_is_told_again() -> None:
    async def test() -> None:
        found, notary = Wiring(Log("json")), Notary()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(notary.run)
            async with found.lock:
                await found.appoint(notary.child, 0, [])
            notary.well = False
            found.gone("1")
            await found.tell()
            assert (notary.gone, found.size) == (["1"], 0)
            notary.well = True
            found.gone("2")
            await found.tell()
            assert (notary.gone, found.size) == (["1", "1", "2"], 7)
            await found.tell()
            assert notary.gone == ["1", "1", "2"], "what was answered is not told again"
            nursery.cancel_scope.cancel()
        await notary.end()

    by_clock(test)


async def test_who_sees_a_death_does_not_wait_for_the_notary_to_be_told() -> None:
    found, notary = Wiring(Log("json")), Notary()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(found.run)
        async with found.lock:  # as while a notary starts
            found.gone("0")
            found.told(["1"])
            found.gone("1")
            await found.appoint(notary.child, 0, [])
        nursery.start_soon(notary.run)
        with trio.fail_after(PATIENCE):
            while notary.gone != ["1"]:
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    await notary.end()
