"""Longer and longer pauses while deaths follow each other."""

from typing import Final

import trio

_LEAST: Final = 0.1
_MOST: Final = 5.0
_SETTLED: Final = 10.0
"""Seconds of life after which a death is not one of a series."""


class BackOff:
    """Longer and longer pauses while deaths follow each other."""

    def __init__(self) -> None:
        self._pause = _LEAST

    def lived(self, seconds: float) -> None:
        if seconds > _SETTLED:
            self._pause = _LEAST

    async def pause(self, end: trio.Event) -> None:
        with trio.move_on_after(self._pause):
            await end.wait()
        self._pause = min(2 * self._pause, _MOST)
