"""What happens between two steps of the event loop, at the very instant that a test is about."""

from collections.abc import Callable

import trio


class Before(trio.abc.Instrument):
    """Calls `then` once, before a task goes on."""

    def __init__(self, task: trio.lowlevel.Task, then: Callable[[], None]) -> None:
        self._task, self._then = task, then

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            trio.lowlevel.remove_instrument(self)
            self._then()
