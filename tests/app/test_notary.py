"""The notary as a process: what a worker that is no longer ours cannot keep it from."""

import socket
from typing import Any

import pytest
import trio

from proxy.app import notary
from proxy.app.notary import NotaryProcess
from proxy.notary.server import Hall
from tests.notary.links import MemoryLog, statement
from tests.notary.places import by_clock, settled
from tests.notary.wires import HELLO, concluding
from tests.patience import PATIENCE


class Log(MemoryLog):
    closed = 0
    """How often the intents of somebody were."""

    async def worker_gone(self, name: str) -> int:
        self.closed += 1
        return 0

    @property
    def size(self) -> int:
        return len(self.durable.log)


async def begun(house: trio.Nursery, log: Log, *live: str) -> NotaryProcess:
    process: Any = NotaryProcess(house)
    process._notary, process._hall = log, Hall(live)
    process._greeted_by = trio.current_time() + notary._GREETING
    found: NotaryProcess = process
    return found


async def test_a_channel_that_outlives_its_worker_keeps_nobody_waiting() -> None:
    log, said = Log(), [statement() for _ in range(3)]
    ours, theirs = socket.socketpair()
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as house:
            process = await begun(house, log, "1")
            await process.answer({"do": "serve", "name": "1", "number": 0}, [theirs.detach()])
            ours.sendall(HELLO + b"".join(concluding(n, each) for n, each in enumerate(said)))
            gone = await process.answer({"do": "gone", "name": "1"}, [])
            assert gone.keys() == {"size"}
            while "1" in process._leaving:
                await trio.lowlevel.checkpoint()
            assert log.durable.log == said, "it was read to its end"
            with pytest.raises(OSError, match="pipe"):
                ours.sendall(HELLO)
            house.cancel_scope.cancel()
    ours.close()


async def test_a_death_that_is_told_twice_closes_nothing_before_the_channel_has_ended() -> None:
    log, said = Log(at_once=False), [statement() for _ in range(3)]
    ours, theirs = socket.socketpair()
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as house:
            process = await begun(house, log, "1")
            await process.answer({"do": "serve", "name": "1", "number": 0}, [theirs.detach()])
            ours.sendall(HELLO + b"".join(concluding(n, each) for n, each in enumerate(said)))
            ours.close()
            for _ in range(2):
                assert (await process.answer({"do": "gone", "name": "1"}, [])).keys() == {"size"}
                await settled()
            assert log.closed == 0, "what it said last is not yet in the log"
            log.commit()
            await settled()
            assert (log.durable.log, log.closed) == (said, 1)
            house.cancel_scope.cancel()


def test_who_says_no_hello_is_named_when_it_keeps_the_others_waiting() -> None:
    async def test() -> None:
        async with trio.open_nursery() as house:
            process = await begun(house, Log(), "1", "2")
            assert (await process.answer({"do": "status"}, []))["dropped"] == {}
            await process.answer({"do": "gone", "name": "1"}, [])
            await trio.sleep(notary._GREETING + 1)
            told = (await process.answer({"do": "status"}, []))["dropped"]
            assert told == {"2": "it has said no hello"}
            house.cancel_scope.cancel()

    by_clock(test)
