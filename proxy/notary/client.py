"""Asks one place over HTTP/1.1, from a thread: answers and silence are bounded, no redirects.

The connection is kept for the next time. Where that one turns out to be closed, a fresh one is
tried: what is asked here may arrive twice. `https://` is verified against the system's trust
(or what SSL_CERT_FILE and SSL_CERT_DIR name).
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from proxy.errors import EvidenceError

_KINDS: Final[dict[str, Callable[..., HTTPConnection]]] = {
    "http": HTTPConnection,
    "https": HTTPSConnection,
}


class Unreachable(EvidenceError):
    """No answer came, or none that is HTTP."""


class Client:
    """One place. Not for two threads at once, but for `close`."""

    def __init__(self, prefix: str, *, timeout: float, most: int) -> None:
        """`timeout`: seconds of silence; `most`: octets of an answer.

        Raises `EvidenceError` unless `prefix` is http:// or https://, a host, and a path at most.
        """
        self._most = most
        self._prefix, self._connect = _place(prefix, timeout)
        self._connection: HTTPConnection | None = None
        self._asking = self._closed = False

    def ask(self, method: str, path: str, data: bytes | None = None) -> tuple[int, str, bytes]:
        """Status, content type without parameters, and content. Raises `Unreachable`."""
        self._asking = True
        try:
            while True:
                reused = self._connection is not None
                try:
                    return self._exchange(method, path, data)
                except (OSError, HTTPException, ValueError) as error:
                    if not reused or self._closed:
                        raise Unreachable(_why(error)) from None
        finally:
            self._asking = False
            if self._closed:
                self._drop()

    def close(self) -> None:
        """End the connection. Where another thread asks something just now, that fails."""
        self._closed = True
        if not self._asking:
            self._drop()
        elif self._connection is not None and self._connection.sock is not None:
            with suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _exchange(self, method: str, path: str, data: bytes | None) -> tuple[int, str, bytes]:
        connection = self._connection = self._connection or self._connect()
        keep = False
        try:
            headers = {} if data is None else {"Content-Type": "text/plain; charset=utf-8"}
            connection.request(method, self._prefix + path, data, headers)
            answer = connection.getresponse()
            body = answer.read(self._most + 1)
            if len(body) > self._most:
                raise Unreachable(f"its answer is larger than {self._most} octets")
            keep = answer.isclosed() and not answer.will_close
            return answer.status, answer.headers.get_content_type(), body
        finally:
            if not keep:
                self._drop()


def _place(prefix: str, timeout: float) -> tuple[str, Callable[[], HTTPConnection]]:
    try:
        url = urlsplit(prefix)
        kind, host, port = _KINDS[url.scheme], url.hostname, url.port
        prefix.encode("ascii")
    except (ValueError, KeyError):
        raise EvidenceError("a URL begins with http:// or https:// and a host") from None
    if not host or url.username is not None or url.query or url.fragment:
        raise EvidenceError("a URL has a host and a path: no user, no query, no fragment")
    return url.path.rstrip("/"), lambda: kind(host, port, timeout=timeout)


def _why(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else ""
    return text or type(error).__name__
