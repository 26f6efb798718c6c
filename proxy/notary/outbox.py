"""What waits to be written to a channel: one task sends all of it at once."""

from collections.abc import Callable

import trio


class Outbox:
    def __init__(self) -> None:
        self.octets = 0
        """Put, and not sent yet."""
        self._frames: list[bytes] = []
        self._wake = trio.Event()
        self._over = False

    def put(self, frame: bytes) -> None:
        """Send it with the next write; nowhere, once the other end reads no more."""
        if not self._over:
            self._frames.append(frame)
            self.octets += len(frame)
            self._wake.set()

    async def send_to(
        self, sock: trio.SocketStream, on_sent: Callable[[], object] = lambda: None
    ) -> None:
        """Until the channel breaks. Calls `on_sent` when fewer octets wait."""
        try:
            while True:
                data = b"".join(self._frames)
                self._frames.clear()
                if data:
                    await sock.send_all(data)
                    self.octets -= len(data)
                    on_sent()
                else:
                    self._wake = trio.Event()
                    await self._wake.wait()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._over, self.octets = True, 0
            self._frames.clear()
            on_sent()
