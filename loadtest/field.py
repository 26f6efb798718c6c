"""Where a measurement happens: keys, cores, an upstream, proxies beside it, and a load on one.

    sender (own process) ── mutual TLS ──▶ proxy (own core) ── mutual TLS ──▶ upstream (own process)

The proxy has the first core; sender and upstream share the others and are not counted. On a machine
with one core all share it, and the page says so.
"""

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from loadtest.gateway import Setup, start_gateway
from loadtest.peers import PEERS
from loadtest.proxies import PATIENCE, Proxy, cpu_of
from loadtest.work import Found, Work, expecting, read_found
from proxy.cli.certs import make_folder


@dataclass(frozen=True, slots=True)
class Cost:
    """What one load cost the proxy."""

    cpu: float
    """Seconds of CPU of its processes."""
    found: Found
    upstream: float
    """Seconds of CPU of the upstream."""

    @property
    def busy(self) -> float:
        """The part of the time for which the proxy had a core. Well below one: something else was
        waited for, and it could have carried more."""
        return self.cpu / self.found.seconds if self.found.seconds else 0.0


@dataclass(slots=True)
class Field:
    """All that stands while a row is measured."""

    folder: Path
    cores: list[int]
    programs: Path | None = None
    """Where peers from PyPI are installed."""
    upstream: int = 0
    _upstream: int = 0
    _folders: int = 0
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @contextlib.contextmanager
    def row(self) -> Iterator[None]:
        """What is started inside ends with it, and the disk is given back."""
        with self._stack:
            yield

    def ours(self, setup: Setup | None = None, cores: int = 1) -> Proxy:
        """Lockgate, on so many cores."""
        folder, mine = self._next(), set(self.cores[:cores])
        return self._kept(start_gateway(folder, self.pki, self.upstream, mine, setup), folder)

    def peer(self, name: str) -> Proxy | None:
        """A peer; None where it is missing."""
        program = PEERS[name].find(self.programs)
        if program is None:
            return None
        folder, mine = self._next(), set(self.cores[:1])
        return self._kept(PEERS[name].start(program, folder, self.pki, self.upstream, mine), folder)

    def straight(self, kind: str, path: str, count: int) -> Work:
        """A load on the upstream itself."""
        name = "receiver.lockgate.example"
        return Work(str(self.pki), self.upstream, kind, path, count, name=name)

    def load(self, proxy: Proxy, work: Work) -> Cost:
        """What counts begins when the sender's connections stand. Ends the run when any answer
        was wrong."""
        before = [0.0, 0.0]

        def stand() -> None:
            before[:] = proxy.cpu(), cpu_of(self._upstream)

        found = self.send(proxy.name, work, stand)
        return Cost(proxy.cpu() - before[0], found, cpu_of(self._upstream) - before[1])

    def send(self, name: str, work: Work, stand: Callable[[], None] = lambda: None) -> Found:
        """The same, to whatever is at the port, without a look at what it costs."""
        sender = subprocess.Popen(
            [sys.executable, "-m", "loadtest.client", expecting(work).text()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert sender.stdout is not None
        sender.stdout.readline()
        stand()
        told, failure = sender.communicate("go\n")
        if sender.returncode:
            raise SystemExit(f"{name}: {work.kind}: not as it should be:\n{failure}")
        return read_found(told)

    def work(self, proxy: Proxy, kind: str, path: str, count: int, **more: Any) -> Work:
        """A load for this proxy: receipts are demanded from those that give any."""
        tunnel = path == "/files/tunnel"
        port, receipts = (proxy.tunnel, "none") if tunnel else (proxy.port, proxy.receipts)
        found = Work(str(self.pki), port, kind, path, count, receipts)
        return replace(found, **more)

    def _next(self) -> Path:
        self._folders += 1
        return self.folder / f"proxy-{self._folders}"

    def _kept(self, proxy: Proxy, folder: Path) -> Proxy:
        self._stack.callback(shutil.rmtree, folder)
        self._stack.callback(proxy.stop)
        return proxy


@contextlib.contextmanager
def standing(programs: Path | None = None) -> Iterator[Field]:
    """Keys and an upstream, on other cores than the proxies will have."""
    all_cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, all_cores[1:] or all_cores)  # inherited by sender and upstream
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # inherited by all
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        found = Field(Path(name), all_cores, programs)
        make_folder(found.pki)
        command = [sys.executable, "-m", "loadtest.upstream", str(found.pki)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            found.upstream, found._upstream = int(process.stdout.readline()), process.pid
            yield found
        finally:
            process.communicate(timeout=PATIENCE)
            os.sched_setaffinity(0, all_cores)
