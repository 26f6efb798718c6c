"""The end that comes whatever happens: a drain has a deadline, and nothing here may outlast it.

A disk that hangs keeps whoever waits for it: a thread of ours, or a child that not even SIGKILL
ends before the disk answers. So that the end waits for nobody, a thread brings it.
"""

import os
import threading
from collections.abc import Callable
from typing import Final

from proxy.observe.log import Log

LAST_RITES: Final = 8.0
"""Seconds beyond the drain's deadline for the last verdicts, and to close the log."""


class Lastly:
    """Ends this process, with exit code 1, unless it is `cancel`led in time."""

    def __init__(self, log: Log, before: Callable[[], None] = lambda: None) -> None:
        """`before`: what is to be done first, by a thread of its own."""
        self._log = log
        self._before = before
        self._timer: threading.Timer | None = None

    def after(self, seconds: float) -> None:
        """What is said first holds."""
        if self._timer is not None:
            return
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        self._log.error("ended_by_force")
        self._log.close(0.5)
        self._before()
        os._exit(1)
