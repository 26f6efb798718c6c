"""The program itself, as a process: its configuration, its log lines, its metrics, its end."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from proxy.cli import main
from tests.patience import PATIENCE
from tests.scenarios.client import Client, client_context, parse, secured
from tests.scenarios.message import Message
from tests.scenarios.usage import cpu_seconds, peak_memory
from tests.scenarios.warm import start

BIN = Path(sys.executable).parent
Config = dict[str, Any]
Line = dict[str, Any]
_SILENT = 2.0
"""Seconds for which the supervisor waits for a process to answer."""


def lockgate(*arguments: str | Path, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
    """Run another command of the program to its end: `run` as a process, others in this one."""
    words = [*map(str, arguments)]
    if words[0] == "run":
        return _run([str(BIN / "lockgate"), *words], timeout)
    out, err = _Output(), _Output()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    return subprocess.CompletedProcess(words, code, out.read_all(), err.read_all())


def _run(words: list[str], timeout: float) -> subprocess.CompletedProcess[str]:
    with start(words) as process:
        try:
            _, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(words, process.returncode, "", err)


class _Output(io.TextIOWrapper):
    """What a command writes, as text or as octets."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def read_all(self) -> str:
        self.seek(0)
        return self.read()


class Gateway:
    """One running `lockgate run`. Its log lines are read as they come."""

    def __init__(self, folder: Path, pki: Path, config: Config) -> None:
        self.folder = folder
        self.pki = pki
        self.path = folder / "gateway.yaml"
        self.lines: list[Line] = []
        self.other: list[str] = []
        """What was written that is no log line: there should be none."""
        self._changed = threading.Condition()
        self.write(config)
        self.start()

    # --- the process ---

    def write(self, config: Config) -> None:
        """Write the configuration, whole for whoever watches it: JSON, one key a line, is YAML."""
        self.config = config
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(config, indent=1))
        beside.replace(self.path)

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        self.first = len(self.lines)
        command = [str(BIN / "lockgate"), "run", str(self.path)]
        self.process = start(command)
        self._read_all = False
        self._reading = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reading.start()
        try:
            self.ready = self.wait_for("ready", since=self.first)
        except AssertionError:
            self.close()
            raise

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        with process.stderr as stream:
            for text in stream:
                self._take(text)
        with self._changed:
            if process is self.process:  # and no other was started since
                self._read_all = True
            self._changed.notify_all()

    def _take(self, text: str) -> None:
        with self._changed:
            try:
                self.lines.append(json.loads(text))
            except ValueError:
                self.other.append(text)
            self._changed.notify_all()

    def stop(self, number: int = signal.SIGTERM, timeout: float = PATIENCE) -> int:
        """End it by a signal; its exit code."""
        self.process.send_signal(number)
        return self.wait(timeout)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Its exit code, once it has ended and all that it said is among `lines`."""
        code = self.process.wait(timeout)
        self._reading.join(timeout)
        return code

    def crash(self) -> None:
        """Kill every process of it; nobody has a last word."""
        family = self.processes()
        self.process.send_signal(signal.SIGSTOP)  # it shall replace nobody
        for pid in sorted(family, key=lambda pid: (pid == self.process.pid, pid)):
            os.kill(pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._reading.join(PATIENCE)

    # --- what it says ---

    def mark(self) -> int:
        """A place in the log; lines from there on are `since` it."""
        with self._changed:
            return len(self.lines)

    def logged(self, event: str, since: int = 0, **fields: object) -> list[Line]:
        """Every line of `event` with these fields."""
        with self._changed:
            return [line for line in self.lines[since:] if _fits(line, event, fields)]

    def wait_for(
        self, event: str, since: int = 0, timeout: float = PATIENCE, **fields: object
    ) -> Line:
        """The first such line, waiting for it as long as there may be more lines."""

        def found() -> bool:
            return bool(self.logged(event, since, **fields)) or self._read_all

        with self._changed:
            self._changed.wait_for(found, timeout)
        lines = self.logged(event, since, **fields)
        assert lines, f"no {event} {fields} among {self.lines[-5:]} {self.other}"
        return lines[0]

    def wait_for_count(self, event: str, count: int, since: int = 0, **fields: object) -> None:
        """Until there are so many such lines, or more."""
        with self._changed:
            enough = self._changed.wait_for(
                lambda: len(self.logged(event, since, **fields)) >= count, PATIENCE
            )
        found = len(self.logged(event, since, **fields))
        assert enough, f"{found} lines of {event} {fields}, not {count}"

    def admin(self, path: str, *, method: str = "GET", on: str = "admin") -> tuple[int, str]:
        """Ask the admin (or metrics) listener."""
        request = urllib.request.Request(f"http://{self.ready[on]}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def samples(self, name: str) -> list[Sample]:
        """Every sample of a metric, of one scrape."""
        families = text_string_to_metric_families(self.scrape())
        return [each for family in families for each in family.samples if each.name == name]

    def scrape(self) -> str:
        """The metrics, as every process has them now, if any look finds all of them well.

        A process that does not answer in time is shown as it was, and that takes so long.
        """
        for _ in range(5):
            began = time.monotonic()
            text = self.admin("/metrics")[1]
            if time.monotonic() - began < _SILENT:
                break
        return text

    def metric(self, name: str, /, **labels: str) -> float:
        """The sum of the samples of `name` that have these labels."""
        found = self.samples(name)
        return sum(each.value for each in found if labels.items() <= each.labels.items())

    def wait_for_metric(self, wanted: float, name: str, /, **labels: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while (value := self.metric(name, **labels)) != wanted:
            assert time.monotonic() < deadline, f"{name} {labels} is {value}, not {wanted}"
            time.sleep(0.05)

    def processes(self, kind: str | None = None) -> list[int]:
        """Process ids, of one kind: `all` in one process, else supervisor, worker, notary."""
        status = json.loads(self.admin("/status")[1])
        found = [each for each in status["processes"] if kind in (None, each["kind"])]
        return [each["pid"] for each in found]

    @property
    def carriers(self) -> list[int]:
        """The processes that carry transfers."""
        return self.processes("worker") or self.processes("all")

    @property
    def log_writer(self) -> int:
        """The process that writes the log of receipts."""
        (pid,) = self.processes("notary") or self.processes("all")
        return pid

    def peak_memory(self) -> int:
        """The most that was resident in any one process, octets."""
        return max(map(peak_memory, self.processes()))

    def cpu_seconds(self) -> float:
        """User and system time of all processes so far."""
        return sum(map(cpu_seconds, self.processes()))

    # --- reaching it ---

    def address(self, listener: str = "ingest") -> tuple[str, int]:
        host, _, port = self.ready["listeners"][listener].rpartition(":")
        return host, int(port)

    def url(self, path: str, listener: str = "ingest") -> str:
        return f"https://localhost:{self.address(listener)[1]}{path}"

    def connect(self, name: str | None = "client", listener: str = "ingest") -> Client:
        """A TLS connection with the certificate of `name`, handshake done on our side."""
        sock = socket.create_connection(self.address(listener), timeout=PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Client(secured(client_context(self.pki, name), sock, "localhost"))

    def curl(self, path: str, *arguments: str | Path, name: str = "client") -> Message:
        """What curl got, read from the octets that it printed."""
        identity = ["--cert", self.pki / f"{name}.pem", "--key", self.pki / f"{name}.key"]
        command = ["curl", "-sS", "--raw", "-D", "-", "--cacert", self.pki / "ca.pem", *identity]
        done = subprocess.run(
            [*map(str, [*command, *arguments]), self.url(path)],
            capture_output=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return parse(done.stdout)


def wait_until(happened: Callable[[], bool], timeout: float = PATIENCE) -> None:
    """Poll what has no event of its own."""
    deadline = time.monotonic() + timeout
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def _fits(line: Line, event: str, fields: dict[str, object]) -> bool:
    return line["event"] == event and all(line.get(key) == fields[key] for key in fields)
