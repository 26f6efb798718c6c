"""How long half of a pair is waited for, and what a defect does, by a clock that runs fast."""

import functools
import io
import json
import os
import shutil
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from proxy.app.prepare import prepare_workers
from proxy.app.reloader import Reloader, Version
from proxy.errors import ConfigError
from proxy.model import Event
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from tests import pki
from tests.settings.example import loaded, put


def fast(test: Callable[[Path], Awaitable[None]]) -> Callable[[Path], None]:
    """Twenty-five seconds in one; files and threads take real time."""

    @functools.wraps(test)
    def run(folder: Path) -> None:
        trio.run(test, folder, clock=MockClock(rate=25))

    return run


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of the example."""
    pki.write(tmp_path / "made")
    names = {"c.pem": "gateway.pem", "c.key": "gateway.key", "ca.pem": "ca.pem"}
    for name, made in (names | {"p.key": "pseudonym.key"}).items():
        shutil.copy(tmp_path / "made" / made, tmp_path / name)
    return tmp_path


class Said:
    """The lines of a log, as they come."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.log = Log("json", self.stream)

    def __call__(self, event: str) -> list[dict[str, object]]:
        lines = map(json.loads, self.stream.getvalue().splitlines())
        return [line for line in lines if line["event"] == event]

    async def wait(self, event: str) -> None:
        with trio.fail_after(1000):
            while not self(event):  # noqa: ASYNC110, a log has no event
                await trio.sleep(0.5)


@asynccontextmanager
async def running(
    folder: Path, said: Said, fails: bool = False, refused: list[float] | None = None
) -> AsyncIterator[list[Version]]:
    """`refused` is when the one content of the masking key was, again and again."""
    adopted: list[Version] = []

    async def adopt(version: Version) -> None:
        if refused is not None and version.secrets["file:p.key"] == b"x" * 32:
            refused.append(trio.current_time())
            raise ConfigError([version.loaded.problem(("keys",), "no worker takes it")])
        if fails:
            raise RuntimeError("a defect")
        adopted.append(version)

    async def note(event: Event) -> None:
        await trio.lowlevel.checkpoint()

    how = put("reload", {"poll": "5s", "settle": "1s"})
    config, metrics = loaded(folder, how), Metrics()
    version = Version(config, *prepare_workers(config, metrics))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Reloader(version, adopt, note, metrics, said.log).run)
        yield adopted
        nursery.cancel_scope.cancel()


@fast
async def test_half_of_a_pair_that_stays_alone_is_told_after_ten_seconds(folder: Path) -> None:
    said = Said()
    async with running(folder, said) as adopted:
        began = trio.current_time()
        write(folder / "c.key", pki.pki().gateway.key)
        await said.wait("reload_waits")
        await said.wait("reload_refused")
        assert trio.current_time() - began > 10
        assert len(said("reload_refused")) == 1
        write(folder / "c.pem", pki.pki().gateway.certificate)
        await said.wait("reload_recovered")
        assert len(adopted) == 1
        assert len(said("reload_waits")) == 1


_READERS: list[str] = []
"""The threads in which a masking key was opened, since it was emptied."""


@functools.cache
def listen() -> None:
    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith("/p.key"):
            _READERS.append(threading.current_thread().name)

    sys.addaudithook(hear)


@fast
async def test_what_is_under_way_goes_on_while_another_configuration_is_prepared(
    folder: Path,
) -> None:
    said = Said()
    listen()
    async with running(folder, said) as adopted:
        replacement = folder / "new"
        replacement.write_bytes(b"x" * 32)
        _READERS.clear()
        replacement.rename(folder / "p.key")
        await said.wait("reloaded")
        assert adopted
    assert _READERS
    assert threading.main_thread().name not in _READERS


@fast
async def test_a_pipe_that_was_read_is_in_force_as_long_as_it_is_one(folder: Path) -> None:
    said, key = Said(), folder / "p.key"
    content = key.read_bytes()
    key.unlink()
    os.mkfifo(key)
    reading = os.open(key, os.O_RDWR)
    os.write(reading, content)
    async with running(folder, said):
        os.close(reading)
        await trio.sleep(20)
        assert not said("reload_refused")
        key.unlink()
        key.symlink_to("/dev/null")
        await said.wait("reload_refused")


@fast
async def test_a_certificate_that_is_renewed_for_the_same_key_waits_for_nothing(
    folder: Path,
) -> None:
    said = Said()
    async with running(folder, said):
        chain = (folder / "c.pem").read_bytes()
        write(folder / "c.pem", chain + pki.pki().authority.pem)
        await said.wait("reloaded")
        assert not said("reload_waits")


@fast
async def test_a_defect_in_a_reload_is_a_trouble_that_is_said_once_and_ends(folder: Path) -> None:
    said = Said()
    async with running(folder, said, fails=True) as adopted:
        write(folder / "p.key", b"x" * 32)
        await said.wait("reload_refused")
        await trio.sleep(90)
        assert not adopted
        (line,) = said("reload_refused")
        assert str(line["problem"]).endswith("a defect of Lockgate: RuntimeError")
        assert len(said("internal")) == 1, "and where it arose"
        write(folder / "p.key", (folder / "made" / "pseudonym.key").read_bytes())
        await said.wait("reload_recovered")


@fast
async def test_what_was_refused_is_not_prepared_again_before_a_file_changes_or_a_minute_passes(
    folder: Path,
) -> None:
    said, refused = Said(), list[float]()
    async with running(folder, said, refused=refused) as adopted:
        write(folder / "p.key", b"x" * 32)
        with trio.fail_after(1000):
            while len(refused) < 2:  # noqa: ASYNC110, a list has no event
                await trio.sleep(0.5)
        assert refused[1] - refused[0] > 60
        assert len(said("reload_refused")) == 1, "and it is the same trouble"
        write(folder / "p.key", b"y" * 32)
        await said.wait("reload_recovered")
        assert len(adopted) == 1
