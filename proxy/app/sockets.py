"""The sockets of all listeners, one per worker, kept for as long as the program accepts; and the
memory in which workers say what they have taken of the room on the disk.

The kernel spreads connections over the SO_REUSEPORT sockets of one address. Any other program of
the same user could join them unnoticed, and a second gateway started by mistake would take half of
the traffic: so the address is bound alone first.
"""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from proxy.app.control import EndedError
from proxy.app.room import shared_by
from proxy.edge.binding import bind_socket, name_of
from proxy.errors import ConfigError
from proxy.settings.schema import Settings

_LETTING_GO: Final = 3.0
"""Seconds in which the workers of a program that was killed let go of its addresses."""


class Sockets:
    """Raises ConfigError when an address cannot be had."""

    def __init__(self, settings: Settings, directory: Path, count: int) -> None:
        self.count = count
        self.room = shared_by(count)
        """What they have taken of the room on the disk: theirs as long as the sockets are."""
        self._bound: dict[str, list[socket.socket]] = {}
        try:
            for name, listener in settings.listeners.items():
                self._bound[name] = _bind(listener.bind, directory, count)
        except BaseException:
            self.close()
            raise

    @property
    def addresses(self) -> dict[str, str]:
        """Listener -> what it is bound to, as HOST:PORT or unix:PATH."""
        return {name: name_of(found[0].getsockname()) for name, found in self._bound.items()}

    @contextmanager
    def lent(self, position: int) -> Iterator[dict[str, int]]:
        """Listener -> a descriptor of a worker's socket, good until the end of the context.

        Raises EndedError when they have been closed.
        """
        with ExitStack() as copies:
            lent = {}
            for name, found in self._bound.items():
                try:
                    copy = found[position % len(found)].dup()
                except OSError as error:
                    raise EndedError(f"no socket to listen on: {error.strerror}") from None
                lent[name] = copies.enter_context(copy).fileno()
            yield lent

    def close(self) -> None:
        """Accept no more: what waits in a queue is reset, unless a worker has it too."""
        if self.room >= 0:
            os.close(self.room)
            self.room = -1
        for found in self._bound.values():
            for sock in found:
                sock.close()


def _bind(address: str, directory: Path, count: int) -> list[socket.socket]:
    if address.startswith("unix:"):
        return [bind_socket(address, directory)]
    give_up = time.monotonic() + _LETTING_GO
    while True:
        try:
            alone = bind_socket(address, directory)
            break
        except ConfigError:
            if time.monotonic() > give_up:
                raise
        time.sleep(0.05)
    address = name_of(alone.getsockname())
    alone.close()
    return [bind_socket(address, directory, shared=True) for _ in range(count)]
