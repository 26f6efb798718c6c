"""The disk full, read-only or slow under the running program: transfers are refused before they are
forwarded, readiness says so, nothing is lost, and it goes on by itself."""

import os
import resource
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.conftest import StartSite
from tests.crash.judge import Judgement, require_audited
from tests.crash.load import connector
from tests.crash.mutant import hang
from tests.crash.site import Site
from tests.patience import PATIENCE
from tests.scenarios.client import request
from tests.scenarios.family import states_of
from tests.scenarios.gateway import wait_until

Mount = Callable[..., None]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """`mount(*arguments, folder)`; undone at the end."""
    mounted: list[Path] = []

    def run(*arguments: str | Path) -> None:
        command = ["mount", *map(str, arguments)]
        patience = time.monotonic() + PATIENCE
        while True:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if "busy" not in done.stderr or time.monotonic() > patience:
                break  # else a file is just being written there
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
        mounted.append(Path(arguments[-1]))

    yield run
    for folder in reversed(mounted):
        subprocess.run(["umount", "--lazy", folder], check=False, capture_output=True)


def require_refused(site: Site) -> str:
    """A new transfer gets 503 with `Retry-After`, and the receiver sees nothing of it; its id."""
    name = f"{uuid.uuid4()}.0"
    fields = (f"Transfer-Id: {name[:-2]}", f"Try: {name}")
    with connector(site.pki, site.port)() as client:
        answer = client.ask(request("/once/1", b"{}", *fields))
    assert answer.status == 503
    assert b"urn:lockgate:problem:log-unavailable" in answer.body
    assert int(answer.value("retry-after")) >= 1
    assert name not in site.ledger.arrived
    return name[:-2]


def require_crossing(site: Site) -> None:
    """Transfers are acknowledged again."""
    before = site.ledger.acknowledged
    wait_until(lambda: site.ledger.acknowledged > before + 20)


def all_refuse(site: Site) -> bool:
    """It is not ready; and no worker is, once a notary that speaks has told them why."""
    if site.ready:
        return False
    states = states_of(site.gateway)
    return ("notary", "not ready") not in states or ("worker", "ready") not in states


def endure(site: Site, trouble: Callable[[], None], mend: Callable[[], None]) -> None:
    """Trouble under load, and the end of it, nobody helping the gateway."""
    site.load()
    require_crossing(site)
    trouble()
    wait_until(lambda: all_refuse(site))
    for _ in range(3):
        require_refused(site)
    assert site.gateway.process.poll() is None
    assert not site.ready
    mend()
    wait_until(lambda: site.ready)
    require_crossing(site)
    site.finish()
    judged = Judgement(site)
    assert not judged.complaints, "\n".join(judged.complaints[:20])
    require_audited(site)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk(start_site: StartSite, tmp_path: Path, mount: Mount, workers: int) -> None:
    folder, filler = tmp_path / "full", tmp_path / "full/filler"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=24m", "tmpfs", folder)
    site = start_site(workers=workers, seed=2, store=str(folder / "receipts"))

    def fill() -> None:
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass  # full

    endure(site, fill, filler.unlink)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_size_limit(start_site: StartSite, workers: int) -> None:
    site = start_site(workers=workers, seed=3)
    pid = site.process("notary")
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)

    def limit() -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1000, before[1]))

    def lift() -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)

    endure(site, limit, lift)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_store_that_becomes_read_only(start_site: StartSite, mount: Mount, workers: int) -> None:
    """What is open stays so, as a kernel has it; nothing new can be made."""
    site = start_site(workers=workers, seed=4)

    def seal() -> None:
        mount("--bind", site.store, site.store)
        mount("-o", "remount,bind,ro", site.store)

    def open_up() -> None:
        subprocess.run(["umount", site.store], check=True)

    endure(site, seal, open_up)


def test_a_store_that_is_read_only_from_the_start(
    start_site: StartSite, tmp_path: Path, mount: Mount
) -> None:
    site = start_site(workers=1, seed=5)
    assert site.gateway.stop() == 0
    mount("--bind", site.store, site.store)
    mount("-o", "remount,bind,ro", site.store)
    with pytest.raises(AssertionError):
        site.gateway.start()
    assert site.gateway.wait() == 1
    assert "Read-only file system" in "".join(site.gateway.other)
    site.gateway.other.clear()
    subprocess.run(["umount", site.store], check=True)
    site.gateway.start()
    assert site.ready
    site.finish()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_slow_disk(
    start_site: StartSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """A copy of the program whose syncs do not return for as long as a file is there."""
    slow = hang(tmp_path, monkeypatch)
    site = start_site(workers=workers, seed=7, patience="300ms")
    endure(site, slow.touch, slow.unlink)


def test_a_notary_that_stands_still(start_site: StartSite) -> None:
    """To a worker the slowest of disks, and no better: it cannot know."""
    site = start_site(workers=2, seed=6, patience="300ms")
    pid = site.process("notary")
    endure(site, lambda: os.kill(pid, signal.SIGSTOP), lambda: os.kill(pid, signal.SIGCONT))


def test_a_notary_that_is_left_alone_with_a_failing_disk_lets_go_of_the_log(
    start_site: StartSite,
) -> None:
    site = start_site(workers=2, seed=8)
    site.load()
    require_crossing(site)
    pid = site.process("notary")
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1000, most))
    wait_until(lambda: not site.ready)
    site.gateway.stop(signal.SIGKILL)
    site.gateway.start()
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    require_crossing(site)
    site.finish()
    judged = Judgement(site)
    assert not judged.complaints, "\n".join(judged.complaints[:20])
    require_audited(site)
