"""Where the demo happens: a folder with keys, a configuration, and two processes of its own.

Processes are started in a session of their own, so that Ctrl-C reaches the demo alone, and are
ended by id whatever happens: at the end, at a failure, on SIGINT, SIGTERM and SIGHUP.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

import orjson

from proxy.cli.certs import make_folder, write_private, write_public
from proxy.cli.wording import lockgate
from proxy.tls.pki import CLIENT, issue

_START = 30.0
"""Seconds that a process has to say that it is ready."""
_STOP = 15.0
_POLL = 0.02
_COMMAND = 300.0
"""Seconds that a command may take."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class NotAsTold(Exception):
    """Something did not happen as the demo says. The message says what."""


class Interrupted(BaseException):
    """A signal asked the demo to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    command: tuple[str, ...]
    code: int
    out: str
    err: str


@dataclass(slots=True)
class Site:
    """The folder, and what runs in it."""

    folder: Path
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    gateway: str = ""
    """HOST:PORT of the gateway once it runs."""
    receiver: str = ""
    _starting: bool = False
    _signal: int = 0

    def make_keys(self) -> None:
        """`certs/`, as `lockgate certs init` makes it, and one more client: a stranger."""
        authority = make_folder(self.folder / "certs")
        stranger = issue(authority, "stranger", usages=CLIENT)
        write_public(self.folder / "certs" / "stranger.pem", stranger.certificate)
        write_private(self.folder / "certs" / "stranger.key", stranger.key)

    def start_receiver(self) -> None:
        """Run `lockgate receive inbox`."""
        options = ("--bind", "127.0.0.1:0", *_tls("receiver"))
        self.receiver = str(self._start("receiver", "receive", "inbox", *options)["bind"])

    def start_gateway(self, config: str) -> None:
        """Write `gateway.yaml` and run it."""
        (self.folder / "gateway.yaml").write_text(config)
        listeners = self._start("gateway", "run", "gateway.yaml")["listeners"]
        self.gateway = str(listeners["ingest"])

    def _start(self, name: str, *words: str) -> dict[str, Any]:
        path = self.folder / f"{name}.log"
        with path.open("wb") as log:
            self._spawn(name, [*lockgate(), *words], log, subprocess.STDOUT)
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline and self.children[name].poll() is None:
            if ready := self.logged(name, "ready", _POLL):
                return ready[0]
        last = path.read_text(errors="replace").strip().splitlines()[-3:]
        raise NotAsTold(f"the {name} did not start: " + " / ".join(last))

    def stop(self, name: str) -> int:
        """End one process and wait for it; its exit code."""
        child = self.children[name]
        if child.poll() is None:
            child.terminate()
        try:
            code = child.wait(_STOP)
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        del self.children[name]  # only now: a signal while we waited must find it
        return code

    def run(self, *command: str) -> Ran:
        """Run a command in the folder and wait for it. `lockgate` is this very program."""
        words = [*lockgate(), *command[1:]] if command[0] == "lockgate" else list(command)
        child = self._spawn("command", words, subprocess.PIPE, subprocess.PIPE)
        try:
            out, err = child.communicate(timeout=_COMMAND)
        except subprocess.TimeoutExpired:
            raise NotAsTold(f"{command[0]} did not end in {_COMMAND:.0f} seconds") from None
        finally:
            self.stop("command")
        return Ran(command, child.returncode, out.decode(), err.decode(errors="replace"))

    def _spawn(
        self, name: str, words: Sequence[str], out: int | BinaryIO, err: int
    ) -> subprocess.Popen[bytes]:
        """Start a process and note it, so that it will be ended. Signals wait until it is noted."""
        self._starting = True
        try:
            child = self.children[name] = subprocess.Popen(  # noqa: S603 (our own program, or curl)
                words,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                env={**os.environ, "XDG_STATE_HOME": str(self.folder / "state")},
            )
        finally:
            self._starting = False
        self._raise_pending()
        return child

    def logged(self, name: str, event: str, seconds: float = 5.0) -> list[dict[str, Any]]:
        """The lines of one kind in a log of ours, once there is one: a process may answer first
        and log a moment later. Empty when none has come after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            lines = [line for line in events(self.folder / f"{name}.log") if line["event"] == event]
            if lines or time.monotonic() > deadline:
                return lines
            time.sleep(_POLL)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Within, a signal raises Interrupted; at the end no process is left, whatever happened."""
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            for name in list(self.children):
                self.stop(name)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signal = number
        if not self._starting:  # else a process would run whose id nobody has noted yet
            self._raise_pending()

    def _raise_pending(self) -> None:
        if self._signal:
            raise Interrupted(self._signal)


def events(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a log that are JSON objects."""
    for line in path.read_bytes().splitlines(keepends=True):
        if line.startswith(b"{") and line.endswith(b"}\n"):
            yield orjson.loads(line)


def _tls(party: str) -> tuple[str, ...]:
    return ("--cert", f"certs/{party}.pem", "--key", f"certs/{party}.key", *TRUST)


TRUST = ("--trust", "certs/ca.pem")


def credentials(party: str | None) -> tuple[str, ...]:
    """The options of `lockgate send` by which a party shows who it is; None shows nothing."""
    return TRUST if party is None else _tls(party)


def shown(command: Sequence[str]) -> str:
    """A command as the visitor can type it: `lockgate` by its path where the shell has another."""
    words = list(command)
    if words[0] == "lockgate":
        ours = lockgate()
        found = shutil.which("lockgate")
        words[:1] = ["lockgate"] if found and Path(found).samefile(ours[0]) else ours
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    """Quoted for a shell; `$(cat FILE)` is meant to be expanded."""
    return f'"{word}"' if re.fullmatch(r"\$\(cat [\w./-]+\)", word) else shlex.quote(word)
