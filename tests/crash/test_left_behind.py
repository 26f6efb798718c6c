"""A worker that is ours no longer leaves processes behind, which hold what it held: they end."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.conftest import StartSite
from tests.crash.mutant import mutate
from tests.crash.site import Site
from tests.scenarios.client import request
from tests.scenarios.family import wait_until_whole
from tests.scenarios.gateway import wait_until

HANDED = "*listening, written, shared, rates = fds\n"
FORK = """import os
        if os.fork() == 0:
            pid = os.fork()
            if pid == 0:
                import time
                time.sleep(600)
            with open({path!r}, "a") as file:
                file.write(f"{{pid}}\\n")
            os._exit(0)
        os.wait()
        """


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Path]:
    """A file with the number of each process that a worker has left behind; nobody stays."""
    path = tmp_path / "behind"
    yield path
    for pid in left(path):
        os.kill(pid, signal.SIGKILL)


def left(path: Path) -> list[int]:
    """Those that live."""
    told = path.read_text().split() if path.exists() else []
    return [int(pid) for pid in told if Path(f"/proc/{pid}").exists()]


@pytest.fixture
def site(
    start_site: StartSite, tmp_path: Path, behind: Path, monkeypatch: pytest.MonkeyPatch
) -> Site:
    """Its workers fork when they have been handed their sockets."""
    change = ("app/worker.py", HANDED, FORK.format(path=str(behind)) + HANDED)
    monkeypatch.setenv("PYTHONPATH", str(mutate(tmp_path / "copy", *change)))
    return start_site(workers=2, seed=31)


def test_what_a_worker_has_left_behind_does_not_outlive_it(site: Site, behind: Path) -> None:
    site.receiving.failing = False
    before = left(behind)
    since = site.gateway.mark()
    for pid in site.gateway.processes("worker"):
        os.kill(pid, signal.SIGKILL)
    site.gateway.wait_for_count("worker_started", 2, since)
    wait_until(lambda: not set(before) & set(left(behind)))
    assert len(behind.read_text().split()) == 4
    site.gateway.wait_for("stray_ended", since)
    wait_until_whole(site.gateway)
    with site.gateway.connect() as client:
        assert client.ask(request("/free/1", b"{}", "Try: afterwards")).status == 200
    assert site.gateway.stop() == 0


def test_nothing_of_a_program_that_has_ended_holds_its_address(site: Site, behind: Path) -> None:
    assert site.gateway.stop() == 0
    assert len(behind.read_text().split()) == 2
    assert not left(behind)
    site.gateway.start()
    assert site.gateway.stop() == 0
