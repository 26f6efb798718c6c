"""The upstream of a load test: mutual TLS, reads everything, keeps nothing, says what it got.

    python -m loadtest.upstream PKI      prints its port; ends with its standard input

POST: 201 and `{"octets": N, "digest": "ALGORITHM:HEX"}`; below /files/ the digest is CRC-32.
GET /files/N: N octets of bulk. An order or records that still bear what should be masked get 500:
the beginning of everything under /orders/ and /records/ is looked into, once for each content. One
process, one thread, a generator a connection: as little as Python can do for a request.
"""

import hashlib
import json
import re
import resource
import select
import socket
import ssl
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Final

from isal import isal_zlib

from loadtest.work import pieces

_BUFFER: Final = 256 * 1024
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")
_CHUNKED: Final = re.compile(rb"(?i)\r\ntransfer-encoding: *chunked")
_KEEP: Final = 4096
"""Octets of content that are kept to be looked into."""
_UNMASKED: Final = re.compile(rb'"078-05-|@example\.com"|"4711-0815-42"')

Waiting = Generator[None, None, int]


class Ended(Exception):
    """The proxy has closed the connection."""


class Digest:
    """Of one content, as it comes."""

    def __init__(self, path: bytes) -> None:
        self._sha = None if path.startswith(b"/files/") else hashlib.sha256()
        self._crc = self.octets = 0
        self.begin = b""

    def update(self, data: memoryview) -> None:
        self.octets += len(data)
        if self._sha is None:
            self._crc = isal_zlib.crc32(data, self._crc)
            return
        self._sha.update(data)
        if len(self.begin) < _KEEP:
            self.begin += bytes(data[:_KEEP])

    def text(self) -> str:
        return f"crc32:{self._crc:08x}" if self._sha is None else f"sha256:{self._sha.hexdigest()}"


class Conversation:
    """One connection. It yields when it has to wait for the socket."""

    def __init__(self, sock: ssl.SSLSocket, masked: set[str]) -> None:
        self.sock = sock
        self._masked = masked
        self._view = memoryview(bytearray(_BUFFER))
        self._waiting = self._view[:0]
        """What was read and is not used up."""

    def run(self) -> Waiting:
        yield from self._shake()
        while True:
            head = yield from self._head()
            path = head.split(b" ", 2)[1]
            digest = Digest(path)
            yield from self._content(head, digest)
            if head.startswith(b"GET /files/"):
                self._send(int(path[7:]))
            else:
                self._answer(path, digest)
            if not self._waiting:
                yield

    def _shake(self) -> Waiting:
        while True:
            try:
                self.sock.do_handshake()
                return 0
            except ssl.SSLWantReadError:
                yield

    def _head(self) -> Generator[None, None, bytes]:
        data = bytes(self._waiting)
        while (end := data.find(b"\r\n\r\n")) < 0:
            count = yield from self._receive()
            data += self._view[:count]
        rest = data[end + 4 :]
        self._view[: len(rest)] = rest
        self._waiting = self._view[: len(rest)]
        return data[: end + 2]

    def _content(self, head: bytes, digest: Digest) -> Waiting:
        if _CHUNKED.search(head):
            while size := int((yield from self._line()), 16):
                yield from self._take(size, digest)
                yield from self._line()
            while (yield from self._line()):
                pass  # trailers
        elif found := _LENGTH.search(head):
            yield from self._take(int(found[1]), digest)
        return 0

    def _take(self, size: int, digest: Digest) -> Waiting:
        while size:
            if not self._waiting:
                count = yield from self._receive()
                self._waiting = self._view[:count]
            digest.update(self._waiting[:size])
            size, self._waiting = (
                max(0, size - len(self._waiting)),
                self._waiting[min(size, len(self._waiting)) :],
            )
        return 0

    def _line(self) -> Generator[None, None, bytes]:
        data = bytes(self._waiting[:1024])
        while (end := data.find(b"\r\n")) < 0:
            rest = bytes(self._waiting)
            count = yield from self._receive_after(rest)
            self._waiting = self._view[:count]
            data = bytes(self._waiting[:1024])
        self._waiting = self._waiting[end + 2 :]
        return data[:end]

    def _receive_after(self, rest: bytes) -> Waiting:
        """Read on, what is left standing before it."""
        count = yield from self._receive()
        both = rest + bytes(self._view[:count])
        self._view[: len(both)] = both
        return len(both)

    def _receive(self) -> Waiting:
        while True:
            try:
                count = self.sock.recv_into(self._view[: _BUFFER // 2])
            except ssl.SSLWantReadError:
                yield
                continue
            if not count:
                raise Ended
            return count

    def _send(self, size: int) -> None:
        """Bulk goes down one connection at a time, so it may block."""
        self.sock.settimeout(120)
        self.sock.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Length: %d\r\n\r\n" % size
        )
        for piece in pieces(size):
            self.sock.sendall(piece)
        self.sock.settimeout(0)

    def _answer(self, path: bytes, digest: Digest) -> None:
        said, status = digest.text(), b"201 Created"
        if path.startswith((b"/orders/", b"/records/")) and said not in self._masked:
            if _UNMASKED.search(digest.begin):
                status = b"500 Not Masked"
            else:
                self._masked.add(said)
        body = json.dumps({"octets": digest.octets, "digest": said}).encode()
        self.sock.sendall(
            b"HTTP/1.1 %b\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (status, len(body), body)
        )


def serve(door: socket.socket, context: ssl.SSLContext) -> None:
    """Until standard input ends."""
    poll, masked = select.epoll(), set[str]()
    talks: dict[int, tuple[Conversation, Waiting]] = {}
    poll.register(door, select.EPOLLIN)
    poll.register(sys.stdin, select.EPOLLIN)
    while True:
        for number, _ in poll.poll():
            if number == sys.stdin.fileno():
                return
            if number == door.fileno():
                talk = _accepted(door, context, masked)
                number = talk.sock.fileno()
                talks[number] = talk, talk.run()
                poll.register(number, select.EPOLLIN)
            try:
                next(talks[number][1])
            except (OSError, Ended):
                talks.pop(number)[0].sock.close()


def _accepted(door: socket.socket, context: ssl.SSLContext, masked: set[str]) -> Conversation:
    sock, _ = door.accept()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    secure = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
    secure.setblocking(False)
    return Conversation(secure, masked)


def main() -> None:
    """Serve until standard input ends."""
    pki = Path(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki / "ca.pem"))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(pki / "receiver.pem", pki / "receiver.key")
    door = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(door.getsockname()[1], flush=True)
    serve(door, context)


if __name__ == "__main__":
    main()
