"""A proxy under load: started on its cores, and what the kernel accounts to its processes."""

import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PATIENCE: Final = 30.0
"""Seconds that a proxy has to be ready, or to end."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """One that runs."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    receipts: str = "none"
    """none; own: a peer's, of any form; signed: ours"""
    tunnel: int = 0
    """Another port, for whatever octets."""
    started: float = 0.0
    """Seconds from start to ready."""

    def cpu(self) -> float:
        """Seconds of CPU, user and system, of its processes so far."""
        return sum(map(cpu_of, family(self.process.pid)))

    def memory(self) -> int:
        """Octets that its processes have now; what they share is counted once."""
        return sum(_kib(f"/proc/{pid}/smaps_rollup", "Pss:") for pid in self._pids()) * 1024

    def peak(self) -> int:
        """The most octets that each had since `forget_peak`, together."""
        return sum(_kib(f"/proc/{pid}/status", "VmHWM:") for pid in self._pids()) * 1024

    def forget_peak(self) -> None:
        for pid in self._pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def stop(self) -> None:
        """End it, however busy; wait until it has ended."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(PATIENCE)

    def _pids(self) -> list[int]:
        return family(self.process.pid)


def family(pid: int) -> list[int]:
    """The process and all below it."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    return [pid, *(each for child in children for each in family(child))]


def cpu_of(pid: int) -> float:
    """Seconds on the process's CPU clock, with those of threads that have ended.

    Python lacks clock_getcpuclockid(3); the number is made as glibc makes it.
    """
    return time.clock_gettime((~pid << 3) | 2)


def _kib(path: str, name: str) -> int:
    """A figure of a file under /proc, in KiB."""
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


def start(
    command: list[str], log: Path, cores: set[int], **environment: str
) -> "subprocess.Popen[bytes]":
    """The command on these cores, what it says in `log`."""
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)  # inherited, before the child's first thread
    try:
        with log.open("wb") as file:
            return subprocess.Popen(
                command,
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment},
            )
    finally:
        os.sched_setaffinity(0, ours)


def started(
    name: str, command: list[str], log: Path, port: int, cores: set[int], receipts: str = "none"
) -> Proxy:
    """The same, once it accepts at `port`. Ends the run where it does not."""
    begun = time.monotonic()
    process = start(command, log, cores)
    while time.monotonic() < begun + PATIENCE and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            seconds = time.monotonic() - begun
            return Proxy(name, port, process, receipts, port, seconds)
    process.kill()
    raise SystemExit(f"{name} did not start: {log.read_text()}")
