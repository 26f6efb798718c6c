"""Who is a child of this process and was not started by it does not stay."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from proxy.app.brood import Brood, children
from proxy.app.process import Process
from tests.notary.places import settled
from tests.scenarios.gateway import wait_until

_SET_CHILD_SUBREAPER = 36


@pytest.fixture(autouse=True)
def reaper() -> Iterator[None]:
    """This process adopts orphans, and has no children in the end that it had not before."""
    before = children()
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    left = children() - before
    for pid in left:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert not left


def orphan(command: str) -> int:
    """A process that runs `command`, whose parent has ended."""
    script = f"{command} >&2 & echo $!"
    pid = int(subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, check=True).stdout)
    wait_until(lambda: pid in children())
    return pid


def children_of(pid: int) -> set[int]:
    return {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def child() -> Process:
    pid = os.posix_spawn("/bin/sleep", ["sleep", "600"], {})
    return Process(pid, os.pidfd_open(pid))


async def end(*processes: Process) -> None:
    for each in processes:
        each.kill()
        await each.wait()


async def test_a_stray_is_killed_and_reaped() -> None:
    brood = Brood()
    stray = orphan("sleep 600")
    assert await brood.end_strays(30) == {stray}
    assert stray not in children()


async def test_what_a_stray_leaves_behind_in_its_turn_is_killed_too() -> None:
    brood = Brood()
    stray = orphan("sh -c 'sleep 600 & sleep 600 & wait'")
    wait_until(lambda: len(children_of(stray)) == 2)
    below = children_of(stray)
    assert await brood.end_strays(30) == {stray, *below}


async def test_one_that_has_ended_is_reaped_and_not_spoken_of() -> None:
    brood = Brood()
    stray = orphan("sleep 600")
    os.kill(stray, signal.SIGKILL)
    wait_until(lambda: Path(f"/proc/{stray}/cmdline").read_text() == "")
    assert await brood.end_strays(30) == set()
    assert stray not in children()


async def test_who_is_known_and_who_was_there_before_lives() -> None:
    before = child()
    brood = Brood()
    known = child()
    brood.know(known)
    assert await brood.end_strays(30) == set()
    assert (before.returncode, known.returncode) == (None, None)
    await end(before, known)


async def test_nobody_is_judged_while_there_may_be_one_that_is_not_known_yet() -> None:
    brood = Brood()
    async with trio.open_nursery() as nursery:
        with brood.forking():
            young = child()
            nursery.start_soon(brood.end_strays, 30)
            await settled()
            brood.know(young)
    assert young.returncode is None
    await end(young)


async def test_who_cannot_be_judged_is_not_waited_for_for_ever() -> None:
    brood = Brood()
    with brood.forking():
        assert await brood.end_strays(0.05) == set()
