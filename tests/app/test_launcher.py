"""Children that a launcher forks: real ones, of which the supervisor's end is this process."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from proxy.app import spawn
from proxy.app.brood import Brood
from proxy.app.child import Child
from proxy.app.control import EndedError
from proxy.app.process import Process
from proxy.app.spawn import Launcher
from tests.patience import PATIENCE
from tests.scenarios.gateway import wait_until

_SET_CHILD_SUBREAPER = 36
KINDS = ["worker", "notary"]
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may start processes as others")

SUPERVISOR = """
import trio
from proxy.app.spawn import Launcher

async def main():
    async with Launcher([]) as launcher:
        kinds = ["worker", "notary"]
        children = [await launcher.spawn(kind, kind, ()) for kind in kinds]
        print(launcher._process.pid, *(each.pid for each in children), flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """Nobody stays, and no orphan of another test is ours."""
    before = children()
    yield
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    assert children() == before


def children() -> set[str]:
    """Ours, dead ones that nobody has waited for among them."""
    return {child for task in Path("/proc/self/task").iterdir() for child in children_of(task)}


def children_of(task: Path) -> list[str]:
    """Those that this thread has started; a thread may end while we look."""
    try:
        return (task / "children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def state(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def named(child: Child) -> bool:
    return state(child.pid)["Name"] == f"lockgate-{child.kind}"


def descriptors(pid: int | str = "self") -> dict[str, str]:
    return {fd.name: os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()}


def sockets(held: dict[str, str]) -> set[str]:
    return {each for each in held.values() if each.startswith("socket:")}


def environment(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text()


def can_read_memory(user: int, pid: int) -> bool:
    """Whether another process of that user could."""
    command = ["head", "-c0", f"/proc/{pid}/mem"]
    done = subprocess.run(command, user=user, group=user, extra_groups=[], check=False)
    return done.returncode == 0


def ending(code: int) -> Process:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", f"exit {code}"], {})
    return Process(pid, os.pidfd_open(pid))


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def pid_of(launcher: Launcher) -> int:
    assert launcher._process is not None
    return launcher._process.pid


@pytest.mark.parametrize("kind", KINDS)
async def test_a_child_is_its_own_kind_ours_and_ends_with_its_line(kind: str) -> None:
    async with Launcher([]) as launcher:
        child = await launcher.spawn(kind, "1", ())
        wait_until(lambda: named(child))
        assert state(child.pid)["PPid"] == str(os.getpid())
        assert await child.end(PATIENCE)
        assert child.process.returncode == 0
        assert not is_there(child.pid)


async def test_a_child_answers_when_the_launcher_has_ended() -> None:
    async with Launcher([]) as launcher:
        child = await launcher.spawn("worker", "1", ())
        first = pid_of(launcher)
    assert not is_there(first)
    assert await child.ask("metrics")
    assert await child.end(PATIENCE)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_child_holds_the_end_of_its_line_and_nothing_of_the_launcher(kind: str) -> None:
    async with Launcher([]) as launcher:
        others = [await launcher.spawn("worker", str(each), ()) for each in range(3)]
        child = await launcher.spawn(kind, "1", ())
        await child.ask("metrics")
        held = descriptors(child.pid)
        assert [held.pop(fd) for fd in "012"] == ["/dev/null", *(descriptors()[fd] for fd in "12")]
        assert len(sockets(held)) == 1 + 4, "its line, and what trio wakes itself up with"
        assert all(each.startswith(("socket:", "anon_inode:[event")) for each in held.values())
        for pid in (pid_of(launcher), os.getpid(), *(each.pid for each in others)):
            assert not sockets(held) & sockets(descriptors(pid))
        for each in [*others, child]:
            assert await each.end(PATIENCE)


async def test_a_launcher_is_one_thread_with_its_line() -> None:
    async with Launcher([]) as launcher:
        child = await launcher.spawn("worker", "1", ())
        found = state(pid_of(launcher))
        assert (found["Name"], found["Threads"]) == ("lockgate-launch", "1")
        assert len(descriptors(pid_of(launcher))) == 3 + 1
        assert await child.end(PATIENCE)


async def test_nobody_has_a_variable_that_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIPT_KEY", "secret")
    monkeypatch.setenv("HARMLESS", "shown")
    async with Launcher(["RECEIPT_KEY"]) as launcher:
        child = await launcher.spawn("worker", "1", ())
        for pid in (child.pid, pid_of(launcher)):
            found = environment(pid)
            assert "HARMLESS=shown" in found
            assert "RECEIPT_KEY" not in found
        assert await child.end(PATIENCE)


@ROOT
@pytest.mark.parametrize("kind", KINDS)
async def test_a_child_is_its_user_alone_and_cannot_reach_the_launcher(kind: str) -> None:
    async with Launcher([]) as launcher:
        child = await launcher.spawn(kind, "1", (65531, 65530))
        await child.ask("metrics")
        found = state(child.pid)
        assert found["Uid"].split() == ["65531"] * 4
        assert found["Gid"].split() == ["65530"] * 4
        assert (found["Groups"], int(found["CapPrm"], 16), int(found["CapEff"], 16)) == ("", 0, 0)
        for pid in (pid_of(launcher), child.pid):
            assert not can_read_memory(65531, pid), "not even its own user can"
        assert await child.end(PATIENCE)


async def test_a_death_is_told_with_its_signal_to_all_who_wait() -> None:
    async with Launcher([]) as launcher:
        child = await launcher.spawn("worker", "1", ())
        async with trio.open_nursery() as waiting:
            for _ in range(2):
                waiting.start_soon(child.process.wait)
            os.kill(child.pid, signal.SIGSEGV)
        assert await child.process.wait() == -signal.SIGSEGV
        assert not is_there(child.pid)
        child.process.kill()  # which is nobody any more
        child.close()


async def test_a_child_that_stands_still_is_killed() -> None:
    async with Launcher([]) as launcher:
        child = await launcher.spawn("notary", "1", ())
        await child.ask("metrics")
        os.kill(child.pid, signal.SIGSTOP)
        assert not await child.end(0)
        assert child.process.returncode == -signal.SIGKILL


async def test_an_exit_code_is_what_the_process_ended_with() -> None:
    process = ending(7)
    assert await process.wait() == process.returncode == 7


async def test_children_live_on_when_the_launcher_is_killed_and_another_gives_more() -> None:
    async with Launcher([]) as launcher:
        child = await launcher.spawn("worker", "1", ())
        os.kill(pid_of(launcher), signal.SIGKILL)
        with pytest.raises(EndedError, match="worker 2 cannot be started"):
            await launcher.spawn("worker", "2", ())
        with pytest.raises(EndedError, match="worker 3 cannot be started"):
            await launcher.spawn("worker", "3", ())
        assert await child.ask("metrics")
    async with Launcher([]) as launcher:
        other = await launcher.spawn("worker", "2", ())
    child.process.kill()
    assert await child.process.wait() == -signal.SIGKILL
    child.close()
    assert await other.end(PATIENCE)


async def test_a_launcher_that_is_stopped_keeps_nobody_waiting_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Launcher([]) as launcher:
        child = await launcher.spawn("worker", "1", ())
        os.kill(pid_of(launcher), signal.SIGSTOP)
        monkeypatch.setattr(spawn, "_IMPORTING", 0.1)
        with pytest.raises(EndedError, match="worker 2 cannot be started"):
            await launcher.spawn("worker", "2", ())
        assert await child.end(PATIENCE)


async def test_a_spawn_that_is_cancelled_leaves_nobody_behind() -> None:
    async with Launcher([]) as launcher:
        with trio.CancelScope() as scope:
            scope.cancel()
            await launcher.spawn("worker", "1", ())
        child = await launcher.spawn("worker", "2", ())
        assert await child.end(PATIENCE)


async def test_a_fork_that_is_cancelled_waits_for_no_launcher_and_leaves_nobody_behind() -> None:
    brood = Brood()
    async with Launcher([], brood) as launcher:
        child = await launcher.spawn("worker", "1", ())
        os.kill(pid_of(launcher), signal.SIGSTOP)
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(launcher.spawn, "worker", "2", ())
                await trio.testing.wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
        assert await child.end(PATIENCE)
    with trio.fail_after(PATIENCE):
        await brood.end_strays(30)
    assert not brood._strays()


async def test_a_launcher_without_a_supervisor_ends() -> None:
    async with Launcher([]) as launcher:
        child = await launcher.spawn("worker", "1", ())
        assert launcher._process is not None
        launcher._line.shutdown(socket.SHUT_RDWR)
        with trio.fail_after(PATIENCE):
            assert await launcher._process.wait() == 0
        assert await child.end(PATIENCE)


def test_nobody_outlives_a_supervisor_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        found = [int(pid) for pid in supervisor.stdout.readline().split()]
        assert len(found) == 3
        assert all(map(is_there, found))
        supervisor.kill()
    wait_until(lambda: not any(_runs(pid) for pid in found))


def _runs(pid: int) -> bool:
    try:
        return state(pid)["State"][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
