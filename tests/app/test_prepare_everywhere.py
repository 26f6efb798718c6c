"""A reload is refused by all workers or by none: a single one has no veto."""

import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from proxy.app.child import Child
from proxy.app.control import Control, Message
from proxy.app.launch import prepare_everywhere
from proxy.app.line import answer_all
from proxy.app.process import Process
from proxy.errors import ConfigError, Problem
from tests.patience import PATIENCE

REFUSED = ConfigError([Problem("lockgate.yaml", 7, 3, "receipts.store", "no")])


def asleep() -> Process:
    pid = os.posix_spawn("/bin/sleep", ["sleep", "600"], {})
    return Process(pid, os.pidfd_open(pid))


@asynccontextmanager
async def worker(*, takes: bool) -> AsyncIterator[Child]:
    """A process, and on its line somebody who takes a configuration or refuses it."""
    ours, theirs = (_control(sock) for sock in socket.socketpair())
    child = Child("worker", "1", asleep(), ours)

    async def answer(question: Message, fds: list[int]) -> dict[str, Any]:
        if not takes:
            raise REFUSED
        return {}

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_all, theirs, answer)
        yield child
        await child.end(0)
        nursery.cancel_scope.cancel()
    theirs.close()


def _control(sock: socket.socket) -> Control:
    sock.setblocking(False)
    return Control(trio.socket.from_stdlib_socket(sock))


@pytest.mark.parametrize("steps", range(8))
async def test_a_question_that_is_given_up_at_any_step_does_no_harm(steps: int) -> None:
    async with worker(takes=True) as one:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.ask, "prepare")
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert (await one.ask("prepare"))["ok"] is True
        assert one.process.returncode is None


async def test_what_every_worker_refuses_is_refused() -> None:
    async with worker(takes=False) as one, worker(takes=False) as other:
        found = await prepare_everywhere([one, other], {})
        assert found is not None
        assert str(found) == str(REFUSED)
        assert one.process.returncode is None


async def test_a_lone_worker_that_refuses_what_another_takes_is_replaced() -> None:
    async with worker(takes=True) as one, worker(takes=False) as other:
        assert await prepare_everywhere([one, other], {}) is None
        with trio.fail_after(PATIENCE):
            assert await other.process.wait() == -signal.SIGKILL
        assert one.process.returncode is None


async def test_what_all_take_is_taken() -> None:
    async with worker(takes=True) as one, worker(takes=True) as other:
        assert await prepare_everywhere([one, other], {}) is None
        assert one.process.returncode is None
        assert other.process.returncode is None
