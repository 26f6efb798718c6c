"""Starts of the program that cost no imports: forked from a process that has done them.

    python -P tests/scenarios/warm.py FD

Nine tenths of a start are imports, and a few hundred tests begin with one. So each process of
tests has a *stem*: executed once, with nothing but the program imported, one thread and no
descriptors beyond the standard ones and its line, FD. What it forks for a test is a process like
any other: its own standard streams and folder, an exit code, and the tests' process for a parent.
It goes on in `proxy.cli.main`, where an executed one begins.

    tests   {"words":["lockgate","run","gateway.yaml"],"folder":"/"}   with its streams 0 to 2
    stem    31337                                                      the child's process id
    stem    .                                                          and now it is ours

A child is the stem's for a moment only: it is forked twice, as `proxy.app.launcher` does it. That
a program can be started by its name is for the tests that execute it: of commands, of the README,
of the demo, and wherever a test has changed the environment, which is the stem's.
"""

import atexit
import ctypes
import functools
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_SET_CHILD_SUBREAPER = 36
"""From linux/prctl.h."""


def start(words: Sequence[str]) -> "subprocess.Popen[str]":
    """Start the program with a pipe for standard error; `words` begin with its path."""
    if _environment() != _ENVIRONMENT:
        return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    return _Forked(words, stderr=subprocess.PIPE, text=True)


def _environment() -> dict[str, str]:
    """Without what changes from test to test, and is nothing to a gateway."""
    ours = ("PYTEST_", "XDG_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


_ENVIRONMENT = _environment()


class _Forked(subprocess.Popen[str]):
    """A process whose beginning is a fork of the stem; all else is as it always is."""

    def _execute_child(self, args: Sequence[str], *how: Any) -> None:
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite = how[9:15]
        given = zip((p2cread, c2pwrite, errwrite), range(3), strict=True)
        try:
            streams = [theirs if theirs >= 0 else ours for theirs, ours in given]
            self.pid = _stem().fork(args, streams)
            self._child_created = True
        finally:
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # type: ignore[attr-defined]


class _Stem:
    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            fd = theirs.fileno()
            words = [sys.executable, "-P", __file__, str(fd)]
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, pass_fds=[fd])
        atexit.register(self._close)

    def fork(self, words: Sequence[str], streams: Sequence[int]) -> int:
        """The id of a new child of ours."""
        asked = {"words": words, "folder": str(Path.cwd())}
        prctl = ctypes.CDLL(None).prctl
        with self._turn:
            prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            try:
                socket.send_fds(self._line, [json.dumps(asked).encode()], streams)
                pid = int(self._line.recv(64))
                assert self._line.recv(64) == b"."
            finally:
                prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        return pid

    def _close(self) -> None:
        self._line.close()
        self._process.wait(30)


@functools.cache
def _stem() -> _Stem:
    return _Stem()


# --- the stem ------------------------------------------------------------------------------------


def _grow(fd: int) -> int:
    """Fork until the line ends; in each child, be the program: its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which is for whoever runs the tests
    gc.disable()
    from proxy.app import line as codecs
    from proxy.app import notary, single, supervisor, worker
    from proxy.cli import main, run

    assert all([notary, single, supervisor, worker, run])
    codecs.load_codecs()
    gc.freeze()
    gc.enable()
    with socket.socket(fileno=fd) as line:
        while True:
            asked, streams, _, _ = socket.recv_fds(line, 2**16, 3)
            if not asked:
                os._exit(0)
            if _forked(line):
                break
            for stream in streams:
                os.close(stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _become(json.loads(asked), streams)
    return main()


def _forked(line: socket.socket) -> bool:
    """True in a new child, which is no longer the stem's; False in the stem."""
    between = os.fork()
    if between == 0:
        child = os.fork()
        if child == 0:
            return True
        line.send(b"%d" % child)
        os._exit(0)
    os.waitpid(between, 0)
    line.send(b".")
    return False


def _become(asked: Mapping[str, Any], streams: Sequence[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for stream in streams:
        os.close(stream)
    os.chdir(asked["folder"])
    sys.argv = list(asked["words"])
    Path("/proc/self/comm").write_text("lockgate")


if __name__ == "__main__":
    raise SystemExit(_grow(int(sys.argv[1])))
