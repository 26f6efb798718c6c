"""How a task rests that looks at something now and then: until the beat of the process while there
is anything to look at, and without waking up while there is not. An idle sidecar does nothing."""

import trio

from proxy.model.beat import next_beat


class News:
    """That there is something again. Ask whether there is before waiting: nothing is remembered."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: trio.Event | None = None

    def tell(self) -> None:
        """Wake whoever waits."""
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self) -> None:
        """Return when somebody tells."""
        if self._event is None:
            self._event = trio.Event()
        await self._event.wait()


async def beat(every: float) -> None:
    """Wait for the next instant at which what is done every so many seconds is due."""
    await trio.sleep_until(next_beat(trio.current_time(), every))
