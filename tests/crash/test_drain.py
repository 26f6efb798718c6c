"""One deadline for a whole drain, whoever stands still: the program ends soon after it, says so by
its exit code, and the next start decides what was left."""

import os
import signal
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.crash.conftest import StartSite
from tests.crash.judge import Judgement, require_audited
from tests.crash.mutant import hang, mutate
from tests.crash.site import Site
from tests.crash.test_disk_trouble import require_crossing
from tests.scenarios.gateway import wait_until
from tests.scenarios.policy import opaque, route

long = pytest.mark.crash_long
SOON = 30
"""Seconds, where waits that know of no drain take a minute, or for ever."""


def loaded(site: Site) -> Site:
    site.load()
    require_crossing(site)
    return site


def require_end(site: Site, code: int) -> None:
    """It drains so, under load; nobody is left, and nothing undecided when it has been back."""
    everybody = site.processes()
    assert site.gateway.stop(timeout=SOON) == code
    require_gone(everybody)
    require_back(site)


def require_gone(pids: Collection[int]) -> None:
    """What was killed as the supervisor ended is gone when the kernel has got to it."""
    wait_until(lambda: not [pid for pid in pids if Path(f"/proc/{pid}").exists()])


def require_back(site: Site) -> None:
    site.gateway.start()
    require_crossing(site)
    site.finish()
    judged = Judgement(site)
    assert not judged.complaints, "\n".join(judged.complaints[:20])
    require_audited(site)


def stop_next(site: Site, known: Collection[int], *names: str) -> None:
    """Have the next new child of the supervisor stand still, while it is still called so."""

    def stopped() -> bool:
        for pid, name in site.children().items():
            if pid not in known and name.startswith(names):
                os.kill(pid, signal.SIGSTOP)
                return True
        return False

    wait_until(stopped)


def test_a_worker_that_does_not_start_is_not_waited_for(start_site: StartSite) -> None:
    site = loaded(start_site(workers=2, seed=21))
    known = site.children()
    os.kill(next(pid for pid, kind in site.processes().items() if kind == "worker"), signal.SIGKILL)
    stop_next(site, known, "python", "lockgate")
    require_end(site, 0)


@long
def test_a_notary_that_does_not_start_is_not_waited_for(start_site: StartSite) -> None:
    site = loaded(start_site(workers=2, seed=22, drain="1s"))
    known = site.processes()
    os.kill(site.process("notary"), signal.SIGKILL)
    stop_next(site, known, "lockgate-notary")
    os.kill(next(pid for pid, kind in known.items() if kind == "worker"), signal.SIGKILL)
    site.gateway.wait_for("worker_died")
    require_end(site, 1)


@long
def test_a_reload_that_a_worker_does_not_prepare_is_not_waited_for(start_site: StartSite) -> None:
    site = loaded(start_site(workers=2, seed=23, drain="1s"))
    os.kill(next(pid for pid, kind in site.processes().items() if kind == "worker"), signal.SIGSTOP)
    config = site.gateway.config
    site.gateway.write(
        config | {"routes": [*config["routes"], route("new", request=opaque("internal"))]}
    )
    site.gateway.process.send_signal(signal.SIGHUP)
    require_end(site, 1)


@long
def test_a_notary_that_stands_still_is_not_waited_for(start_site: StartSite) -> None:
    site = loaded(start_site(workers=2, seed=24, drain="1s"))
    os.kill(site.process("notary"), signal.SIGSTOP)
    os.kill(next(pid for pid, kind in site.processes().items() if kind == "worker"), signal.SIGKILL)
    site.gateway.wait_for("worker_died")
    require_end(site, 1)


@long
@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_hangs_is_not_waited_for(
    start_site: StartSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    slow = hang(tmp_path, monkeypatch)
    site = loaded(start_site(workers=workers, seed=25, drain="1s", patience="300ms"))
    slow.touch()
    wait_until(lambda: not site.ready)
    assert site.gateway.stop(timeout=SOON) == 1
    assert len(site.gateway.logged("ended_by_force")) == (workers == 1)
    slow.unlink()
    require_back(site)


@long
def test_a_defect_that_waits_for_ever_is_not_waited_for(
    start_site: StartSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = ("app/supervisor.py", "await family.stop_notary()", "await trio.sleep_forever()")
    monkeypatch.setenv("PYTHONPATH", str(mutate(tmp_path / "copy", *wrong)))
    site = loaded(start_site(workers=2, seed=26, drain="1s"))
    everybody = site.processes()
    assert site.gateway.stop(timeout=SOON) == 1
    assert site.gateway.logged("ended_by_force")
    require_gone(everybody)
    site.unload()
