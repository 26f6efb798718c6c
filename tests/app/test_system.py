"""On a system that lacks what it takes the program does not start, and says so in one line."""

import errno
import json
import os
import platform
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.app.run import run
from proxy.app.system import require_pidfds
from proxy.errors import ConfigError
from proxy.settings.load import load
from tests.scenarios.parties import make_parties
from tests.scenarios.policy import policy


def fails(code: int) -> Callable[..., Any]:
    def call(*words: object) -> None:
        raise OSError(code, os.strerror(code))

    return call


@pytest.fixture(autouse=True)
def called_as_before() -> Iterator[None]:
    """`run` gives the process a name, and lets it ignore SIGHUP."""
    name, before = Path("/proc/self/comm"), signal.getsignal(signal.SIGHUP)
    called = name.read_text()
    yield
    name.write_text(called.strip())
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_parties(tmp_path_factory.mktemp("pki"))


def configured(folder: Path, parties: Path, workers: int) -> Path:
    """It is refused all the same, but later: there are no such users."""
    path, users = folder / "lockgate.yaml", {"worker": "nobody-1", "notary": "nobody-2"}
    config = policy(parties, "https://localhost:1", workers=workers, users=users)
    path.write_text(json.dumps(config))
    return path


def test_this_system_is_good_enough(tmp_path: Path, parties: Path) -> None:
    before = os.listdir("/proc/self/fd")
    require_pidfds(load(configured(tmp_path, parties, 2)))
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize(
    ("module", "name", "code", "reason"),
    [
        (os, "pidfd_open", errno.ENOSYS, "Function not implemented"),
        (os, "pidfd_open", errno.EPERM, "Operation not permitted"),
        (signal, "pidfd_send_signal", errno.ENOSYS, "Function not implemented"),
        (os, "waitid", errno.EINVAL, "Invalid argument"),
    ],
    ids=["before 5.3", "a sandbox", "before 5.1", "before 5.4"],
)
def test_an_older_kernel_is_told_before_anything_is_opened(
    tmp_path: Path,
    parties: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    code: int,
    reason: str,
) -> None:
    path = configured(tmp_path, parties, 2)
    monkeypatch.setattr(module, name, fails(code))
    with pytest.raises(ConfigError) as error:
        run(path)
    (problem,) = error.value.problems
    assert problem.path == "workers"
    assert "Linux 5.4 or newer" in problem.message
    assert f"({reason})" in problem.message
    assert "`workers: 1`" in problem.message
    assert os.listdir(tmp_path) == ["lockgate.yaml"]


@pytest.mark.parametrize("name", ["pidfd_open", "P_PIDFD"])
def test_so_is_a_python_that_was_built_without(
    tmp_path: Path, parties: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delattr(os, name)
    with pytest.raises(ConfigError, match="takes Linux 5"):
        require_pidfds(load(configured(tmp_path, parties, 2)))


@pytest.mark.parametrize("workers", [1, 2])
def test_another_system_is_named(
    tmp_path: Path, parties: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    path = configured(tmp_path, parties, workers)
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(ConfigError, match="this is Darwin, and takes Linux"):
        run(path)
