"""A sender: TLS connections, requests octet for octet, answers as they come."""

import os
import socket
import ssl
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.scenarios.message import Message, Reader


def client_context(pki: Path, name: str | None) -> ssl.SSLContext:
    """TLS of a sender with the certificate of `name`."""
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    if name is not None:
        context.load_cert_chain(pki / f"{name}.pem", pki / f"{name}.key")
    return context


def secured(context: ssl.SSLContext, sock: socket.socket, name: str | None) -> ssl.SSLSocket:
    """TLS over `sock`, handshake done: a client's that asks for `name`, or without one a server's.

    Where that fails nothing stays open: `wrap_socket` leaves its own half behind where the peer is
    gone before it begins.
    """
    try:
        if name is None:
            return context.wrap_socket(sock, server_side=True)
        return context.wrap_socket(sock, server_hostname=name)
    except BaseException as error:
        sock.close()
        for frame, _ in traceback.walk_tb(error.__traceback__):
            left = frame.f_locals.get("self")
            if isinstance(left, ssl.SSLSocket):
                left.close()
        raise


class Client:
    """A sender that writes octets as they are and reads answers as they come."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reader = Reader(sock)
        self.interim: list[Message] = []
        """Interim answers (1xx) that came before the last final one."""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self, *, keep: bool = True, bodiless: bool = False) -> Message:
        """The next final answer, whole. Raises Broken."""
        self.interim = []
        while (head := self.reader.head()).status < 200:
            self.interim.append(head)
        return self.reader.body(head, keep=keep, bodiless=bodiless)

    def ask(self, data: bytes) -> Message:
        self.send(data)
        return self.answer()

    def vanish(self) -> None:
        """Be gone without a word: the TCP connection ends, TLS does not."""
        sock, self.sock = self.sock, socket.socket()
        os.close(sock.detach())

    def ended(self) -> bool:
        """True when the gateway ends the connection without another octet."""
        return self.reader.at_end()


TAKES_TRAILERS = ("TE: trailers", "Connection: TE")
"""Fields of a sender that reads what comes after an answer."""


def request(
    path: str = "/orders/1",
    body: bytes | Sequence[bytes] | None = b"{}",
    *fields: str,
    method: str = "POST",
    kind: str = "application/json",
) -> bytes:
    """A request. A sequence of bodies is sent chunked, one chunk each."""
    head = [f"{method} {path} HTTP/1.1", "Host: gate.example", *fields]
    if kind and body is not None:
        head.append(f"Content-Type: {kind}")
    content = b""
    if isinstance(body, bytes):
        head.append(f"Content-Length: {len(body)}")
        content = body
    elif body is not None:
        head.append("Transfer-Encoding: chunked")
        content = b"".join(map(chunk, body)) + b"0\r\n\r\n"
    return "\r\n".join([*head, "", ""]).encode("latin-1") + content


def begun(path: str, *fields: str, kind: str = "application/json") -> bytes:
    """The head of a chunked request, whose chunks are the caller's."""
    return request(path, [], *fields, kind=kind).removesuffix(b"0\r\n\r\n")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class _Octets:
    """A socket from which these octets come, and then the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def recv(self, size: int) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        return data


def parse(data: bytes) -> Message:
    """The last message in what curl printed (an interim answer may come before it)."""
    reader = Reader(_Octets(data))
    message = reader.head()
    while message.status < 200:
        message = reader.head()
    return reader.body(message)
