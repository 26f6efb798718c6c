"""An upstream in the test process: real TLS, exact octets, and any misbehaviour that is asked for.

receiver.behave = lambda exchange: exchange.answer(503, b"no")      # for the next requests
receiver.received[-1].body                                          # what really came
"""

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from tests.accepting import accept_all
from tests.patience import PATIENCE
from tests.scenarios.client import secured
from tests.scenarios.message import Broken, Message, Reader

OK = b'{"ok": true}'
CHUNK = 65536


class Exchange:
    """One request to the receiver, which has read its head and nothing more."""

    def __init__(
        self, receiver: "Receiver", sock: socket.socket, reader: Reader, request: Message
    ) -> None:
        self.receiver = receiver
        self.sock = sock
        self._reader = reader
        self.request = request

    def read(self, *, keep: bool = True) -> Message:
        """Read the whole request and record it. Raises Broken, and records that instead."""
        try:
            self._reader.body(self.request, keep=keep)
        except Broken:
            self.receiver.note(broken=self.request)
            raise
        self.receiver.note(received=self.request)
        return self.request

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(
        self, status: int = 200, body: bytes = OK, *fields: str, kind: str = "application/json"
    ) -> None:
        """Read the request, then answer it with a length."""
        self.read()
        head = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *fields]
        if kind:
            head.append(f"Content-Type: {kind}")
        self.send("\r\n".join([*head, "", ""]).encode("latin-1") + body)

    def reset(self) -> None:
        """End so that nobody can take it for complete."""
        linger = struct.pack("ii", 1, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.sock.close()


Behaviour = Callable[[Exchange], None]


class Held:
    """An upstream that answers when it is let go."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        exchange.read()
        self.asked.set()
        self.go.wait(PATIENCE)
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        exchange.send(b"Content-Length: %d\r\n\r\n" % len(OK) + OK)


class Receiver:
    """Serves until closed. `context` None is plain HTTP; `path` is a unix socket; `port` is any."""

    def __init__(
        self, context: ssl.SSLContext | None, path: Path | None = None, port: int = 0
    ) -> None:
        self._context = context
        family = socket.AF_UNIX if path else socket.AF_INET
        self._listening = socket.socket(family, socket.SOCK_STREAM)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind(str(path) if path else ("127.0.0.1", port))
        self._listening.listen(512)
        self.path = path
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._behave: Behaviour = Exchange.answer
        self.received: list[Message] = []
        self.broken: list[Message] = []
        """Requests that were cut off before their end."""
        self.octets = 0
        """All application octets that ever came."""
        self.wire: bytearray | None = None
        """Once it is set, those octets themselves."""
        self.connections = 0
        accept_all(self._listening, self._serve)

    @property
    def endpoint(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        scheme = "https" if self._context else "http"
        return f"{scheme}://localhost:{self._listening.getsockname()[1]}"

    @property
    def behave(self) -> Behaviour:
        """What is done with each request. Who waits is woken by another one."""
        return self._behave

    @behave.setter
    def behave(self, behaviour: Behaviour) -> None:
        with self._changed:
            self._behave = behaviour
            self._changed.notify_all()

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._open)

    def note(self, received: Message | None = None, broken: Message | None = None) -> None:
        with self._changed:
            if received is not None:
                self.received.append(received)
            if broken is not None:
                self.broken.append(broken)
            self._changed.notify_all()

    def count(self, octets: int = 0, connections: int = 0) -> None:
        """One thread a connection: none may lose what another has counted."""
        with self._changed:
            self.octets += octets
            self.connections += connections

    def wait(self, happened: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Wait until `happened()`; looked at whenever something was received or cut off, and when
        `behave` is another."""
        with self._changed:
            assert self._changed.wait_for(happened, timeout), "the receiver waited in vain"

    def wait_until_broken(self, transfer_id: str) -> Message:
        """The request of this transfer, once it has been cut off before its end."""

        def found() -> list[Message]:
            return [each for each in self.broken if each.values("transfer-id") == [transfer_id]]

        self.wait(lambda: bool(found()))
        return found()[0]

    def close(self) -> None:
        """Stop listening, and cut off what is open."""
        for sock in [self._listening, *self._open]:
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # and not TLS, which others read
            except OSError:
                pass  # gone already
        self._listening.close()

    def _serve(self, plain: socket.socket) -> None:
        sock = plain
        self._open.add(plain)
        try:
            if self._context is not None:
                plain.settimeout(PATIENCE)
                sock = secured(self._context, plain, None)
                self._open.discard(plain)
                self._open.add(sock)
            sock.settimeout(120)
            if not isinstance(sock.getsockname(), str):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.count(connections=1)
            self._exchanges(sock)
        except (Broken, OSError):
            pass  # the gateway cut it off, or the behaviour did
        finally:
            self._open -= {plain, sock}
            sock.close()

    def _exchanges(self, sock: socket.socket) -> None:
        reader = _Counting(sock, self)
        while True:
            exchange = Exchange(self, sock, reader, reader.head())
            self.behave(exchange)


class _Counting(Reader):
    def __init__(self, sock: socket.socket, receiver: Receiver) -> None:
        super().__init__(sock)
        self._receiver = receiver

    def _more(self) -> bool:
        before = self.octets
        more = super()._more()
        size = self.octets - before
        if size and self._receiver.wire is not None:
            self._receiver.wire += self._kept[-size:]
        self._receiver.count(octets=size)
        return more


def server_context(folder: Path, name: str = "receiver") -> ssl.SSLContext:
    """TLS of a receiver that demands the gateway's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context
