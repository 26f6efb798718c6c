"""Servers of tests: every connection has a thread of its own."""

import socket
import threading
from collections.abc import Callable


def accept_all(listening: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    """Begin to `serve` each connection, until the socket is closed or shut down."""

    def accept() -> None:
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
