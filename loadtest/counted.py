"""`python -m loadtest.counted run CONFIG`: lockgate as it is, with a counter of what it does.

Each SIGUSR1 begins a count, or ends it; then the file that `LOCKGATE_COUNTS` names has it, as JSON.
The main thread and those that wait for the disk are counted: calls of Python functions (a coroutine
that goes on is one), of functions in C, and those of them that are calls of the system, by name.
Objects that are left in cycles are too: they stay until Python has looked at everything else.
"""

import gc
import io
import json
import os
import select
import signal
import socket
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Final

from proxy.cli import main
from proxy.notary.aio import Aio

_LIBRARY: Final = {"getpid", "fspath", "urandom", "getcwd", "sched_getaffinity"}
"""Functions of `os` that are no work, or none of the system's."""
_BOUND: Final = {
    Aio.fdatasync.__code__: "system fdatasync",
    Aio.end.__code__: "system io_getevents",
}
"""Those that are called by ctypes, of which a profile says nothing."""
_OBJECTS: Final = (socket.socket, select.epoll, io.FileIO)


def system_call(what: Any) -> bool:
    """Whether a function in C is one: of `os`, or of a socket, an epoll or a file."""
    owner = what.__self__
    if isinstance(owner, ModuleType):
        return owner.__name__ == "posix" and what.__name__ not in _LIBRARY
    return isinstance(owner, _OBJECTS) and what.__name__ not in ("fileno", "gettimeout")


class Tally:
    """What was done since the last signal but one."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._on = False
        self._counts: Counter[str] = Counter()

    def see(self, frame: FrameType, event: str, what: Any) -> None:
        """For sys.setprofile."""
        if not self._on:
            return
        if event == "call":
            self._counts["python"] += 1
            if frame.f_code in _BOUND:
                self._counts[_BOUND[frame.f_code]] += 1
        elif event == "c_call":
            self._counts["c"] += 1
            if system_call(what):
                self._counts[f"system {what.__name__}"] += 1

    def toggle(self, *_: object) -> None:
        """For signal.signal, so in the main thread."""
        sys.setprofile(None)
        told, self._on = {**self._counts, "cyclic": gc.collect()}, not self._on
        self._counts.clear()
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(told))
        part.replace(self._file)
        if self._on:
            gc.disable()  # what it finds would be missing at the end
            sys.setprofile(self.see)
        else:
            gc.enable()


if __name__ == "__main__":
    tally = Tally(Path(os.environ["LOCKGATE_COUNTS"]))
    signal.signal(signal.SIGUSR1, tally.toggle)
    threading.setprofile(tally.see)
    sys.exit(main())
