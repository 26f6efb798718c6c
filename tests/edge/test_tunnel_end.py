"""The end of a tunnel waits for a sender that reads slowly, and not for ever."""

from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from proxy.tunnelling import _end


class Unread:
    """A sender's side whose end waits for what the sender has yet to read, as over TLS it does."""

    closed_at = 0.0

    async def end(self) -> None:
        await trio.sleep_forever()

    async def close(self) -> None:
        self.closed_at = trio.current_time()


@pytest.mark.parametrize(("idle", "left", "waits"), [(100, 7, 7), (5, 7, 5), (100, 0, 0)])
def test_who_does_not_read_to_the_end_holds_no_tunnel_beyond_its_lifetime(
    idle: float, left: float, waits: float
) -> None:
    near = Unread()

    async def main() -> float:
        began = trio.current_time()
        limits = SimpleNamespace(idle_timeout=idle)
        lane = SimpleNamespace(route=SimpleNamespace(limits=limits))
        tunnel: Any = SimpleNamespace(near=near, known_lane=lane, dies_at=began + left)
        await _end(tunnel)
        return near.closed_at - began

    assert trio.run(main, clock=MockClock(autojump_threshold=0)) == pytest.approx(waits)
