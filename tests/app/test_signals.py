"""What signals ask for: a reload is one at a time, and never in the way of a drain."""

import io
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from proxy.app.signals import Signals
from proxy.observe.log import Log
from tests.notary.places import settled


class Program:
    """Counts what is asked of it. A reload lasts until it is let go."""

    def __init__(self) -> None:
        self.drains = self.reloads = 0
        self.go = trio.Event()
        self.failing = False
        self.said = io.StringIO()

    def drain(self) -> None:
        self.drains += 1

    async def reload(self, by: str) -> None:
        assert by == "signal"
        self.reloads += 1
        await self.go.wait()
        if self.failing:
            raise RuntimeError


@asynccontextmanager
async def signalled(program: Program) -> AsyncIterator[None]:
    log = Log("json", program.said)
    async with trio.open_nursery() as nursery:
        await nursery.start(Signals(program.drain, program.reload, log).run)
        yield
        nursery.cancel_scope.cancel()
    log.close()


async def say(*numbers: int) -> None:
    for number in numbers:
        os.kill(os.getpid(), number)
        await settled()


async def test_a_drain_begins_while_a_reload_is_under_way() -> None:
    program = Program()
    async with signalled(program):
        await say(signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGTERM)
        assert (program.reloads, program.drains) == (1, 1)


async def test_signals_during_a_reload_ask_for_one_more_after_it() -> None:
    program = Program()
    async with signalled(program):
        await say(signal.SIGHUP, signal.SIGHUP, signal.SIGHUP)
        assert program.reloads == 1
        program.go.set()
        await settled()
        assert program.reloads == 2
        await say(signal.SIGHUP)
        assert program.reloads == 3


async def test_a_defect_in_a_reload_is_logged_and_the_next_one_is_tried() -> None:
    program = Program()
    program.failing = True
    program.go.set()
    async with signalled(program):
        await say(signal.SIGHUP, signal.SIGHUP, signal.SIGTERM)
        assert (program.reloads, program.drains) == (2, 1)
    assert program.said.getvalue().count('"event":"internal"') == 2
