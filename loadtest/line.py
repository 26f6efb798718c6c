"""One connection of a sender, which waits for nothing: handshake, request and answer by pieces."""

import re
import socket
import ssl
import time
import uuid
from pathlib import Path
from typing import Final

from loadtest.work import ORDER, Work

_LENGTH: Final = re.compile(rb"(?i)\ncontent-length: *([0-9]+)")
_MOST: Final = 64 * 1024


def context_of(work: Work) -> ssl.SSLContext:
    """TLS 1.3 with the sender's certificate; nothing is resumed."""
    pki = Path(work.pki)
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(pki / "client.pem", pki / "client.key")
    return context


def connected(work: Work, context: ssl.SSLContext, *, shake: bool) -> ssl.SSLSocket:
    """A connection to the proxy, blocking for two minutes at most."""
    sock = socket.create_connection(("127.0.0.1", work.port), timeout=120)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(sock, server_hostname=work.name, do_handshake_on_connect=shake)


def head_of(method: str, path: str, kind: str, length: int) -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        f"Transfer-Id: {uuid.uuid4()}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


class Line:
    """Non-blocking. `begun` is when the request under way was due."""

    def __init__(self, work: Work, context: ssl.SSLContext, begun: float | None = None) -> None:
        self.begun = time.perf_counter() if begun is None else begun
        self._sock = connected(work, context, shake=False)
        self._sock.setblocking(False)
        self.number = self._sock.fileno()
        self._path = work.path
        self._shaken = False
        self._due = b""
        self._data = b""
        self._shake()

    def ask(self, due: float | None = None) -> None:
        """Send an order, now or as soon as the handshake is over."""
        request = head_of("POST", self._path, "application/json", len(ORDER)) + ORDER
        if not self._shaken:
            self._due = request
            return
        self.begun = time.perf_counter() if due is None else due
        self._sock.send(request)

    def advance(self) -> tuple[bytes, bytes] | None:
        """Take what has come; head and content of an answer that is whole.

        Raises ConnectionError when it ended before.
        """
        if not self._shaken:
            self._shake()
            return None
        try:
            piece = self._sock.recv(_MOST)
        except ssl.SSLWantReadError:
            return None
        if not piece:
            raise ConnectionError("ended without an answer")
        self._data += piece
        return self._answer()

    def close(self) -> None:
        self._sock.close()

    def _shake(self) -> None:
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            return
        self._shaken = True
        if self._due:
            self._sock.send(self._due)
            self._due = b""

    def _answer(self) -> tuple[bytes, bytes] | None:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return None
        head, length = self._data[: end + 2], _LENGTH.search(self._data, 0, end + 2)
        if length is None:
            raise ValueError(f"an answer without a length: {head[:60]!r}")
        size = end + 4 + int(length[1])
        if len(self._data) < size:
            return None
        body, self._data = self._data[end + 4 : size], self._data[size:]
        return head, body
