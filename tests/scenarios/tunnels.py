"""Both ends of a tunnel in the test process: sockets and TLS that tell an end from a break."""

import contextlib
import queue
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE
from tests.scenarios.client import client_context
from tests.scenarios.gateway import Config, Gateway, Line
from tests.scenarios.policy import CLIENT, opaque, policy
from tests.scenarios.proof import Predicate, receipts

_RESET = struct.pack("ii", 1, 0)


class Broken(Exception):
    """The stream was cut: it did not end as streams do."""


class End:
    """One end of a stream: a socket as it is."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(PATIENCE)

    def __enter__(self) -> "End":
        return self

    def __exit__(self, *exception: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        """Raises Broken."""
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Broken(type(error).__name__) from None

    def receive(self, most: int = 65536) -> bytes:
        """Some octets; b"" at a clean end. Raises Broken."""
        try:
            return self.sock.recv(most)
        except TimeoutError:
            raise
        except OSError as error:
            raise Broken(type(error).__name__) from None

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.receive(size - len(data))
            assert piece, f"the end after {len(data)} of {size} octets"
            data += piece
        return data

    def rest(self) -> bytes:
        """Everything until the clean end. Raises Broken."""
        pieces = []
        while piece := self.receive():
            pieces.append(piece)
        return b"".join(pieces)

    def end(self) -> None:
        """End this side, and this side alone."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.sock.close()

    def require_broken(self) -> None:
        """The other side was cut off, and this one can tell."""
        try:
            self.rest()
        except Broken:
            return
        raise AssertionError("it ended cleanly")

    def require_reset(self) -> None:
        """Wait, without reading, until the other side resets the connection."""
        poll = select.poll()
        poll.register(self.sock, select.POLLERR)
        assert poll.poll(PATIENCE * 1000), "no reset came"


class TlsEnd(End):
    """The same over TLS, whose end is close_notify and not that of the socket."""

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext, name: str = "localhost"
    ) -> None:
        super().__init__(sock)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.wrap(context, name)
        self._drive(self.tls.do_handshake)

    def wrap(self, context: ssl.SSLContext, name: str) -> ssl.SSLObject:
        return context.wrap_bio(self._in, self._out, server_hostname=name or None)

    def _drive(self, step: Callable[[], Any]) -> Any:
        while True:
            try:
                found = step()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
                continue
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                raise Broken(str(error)) from None
            self._flush()
            return found

    def _flush(self) -> None:
        data = self._out.read()
        if data:
            super().send(data)

    def _fill(self) -> None:
        data = super().receive()
        if not data:
            raise Broken("no close_notify")
        self._in.write(data)

    def send(self, data: bytes) -> None:
        for start in range(0, len(data), 65536):
            self._drive(partial(self.tls.write, data[start : start + 65536]))

    def receive(self, most: int = 65536) -> bytes:
        found: bytes = self._drive(partial(self.tls.read, most))
        return found

    def end(self) -> None:
        with contextlib.suppress(ssl.SSLError):  # it would hear the other's end, and waits for it
            self.tls.unwrap()
        self._flush()

    def leave(self) -> None:
        """End the socket without close_notify: a truncation."""
        self.sock.close()


class Backend:
    """An upstream of raw octets on loopback or a unix socket. `serve` is called for each
    connection, in a thread of its own, and what it raises is kept for the test."""

    def __init__(self, serve: Callable[[End], None], path: Path | None = None) -> None:
        self.serve = serve
        self.ends: queue.Queue[End] = queue.Queue()
        """Of connections, as they come."""
        self.count = 0
        self.errors: list[BaseException] = []
        if path is None:
            self._listening = socket.create_server(("127.0.0.1", 0))
            self.endpoint = f"tcp://127.0.0.1:{self._listening.getsockname()[1]}"
        else:
            self._listening = socket.socket(socket.AF_UNIX)
            self._listening.bind(str(path))
            self._listening.listen()
            self.endpoint = f"unix:{path}"
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            self.count += 1
            thread = threading.Thread(target=self._run, args=(End(sock),), daemon=True)
            thread.start()
            self._threads.append(thread)  # only now may anybody wait for it

    def _run(self, end: End) -> None:
        with end:
            self.ends.put(end)
            try:
                self.serve(end)
            except Broken:
                pass
            except BaseException as error:
                self.errors.append(error)

    def settle(self) -> None:
        """Wait until every connection so far has been served to its end."""
        for thread in list(self._threads):
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join(PATIENCE)
        self.settle()
        assert not self.errors, self.errors


def echo(end: End) -> None:
    """Send back what comes, and end when the other has."""
    while data := end.receive():
        end.send(data)
    end.end()


def tunnels(pki: Path, endpoint: str, *routes: Config, **changes: Any) -> Config:
    """A gateway whose `ingest` listener takes tunnels of the client to `endpoint`."""
    config = policy(pki, endpoint, **changes)
    config["listeners"]["ingest"]["protocol"] = "tcp"
    config["upstreams"]["warehouse"] = {"zone": "warehouse", "endpoints": [endpoint]}
    config["routes"] = list(routes) or [tunnel()]
    return config


def tunnel(name: str = "tunnel", **changes: Any) -> Config:
    return {
        "name": name,
        "listener": "ingest",
        "allow": [CLIENT],
        "upstream": "warehouse",
        "request": opaque("internal"),
        "response": opaque("internal"),
    } | changes


def dial(
    gateway: Gateway, name: str = "client", *, sni: str = "localhost", listener: str = "ingest"
) -> TlsEnd:
    """A TLS client of a tunnel with the certificate of `name`, handshake done."""
    context = client_context(gateway.pki, name)
    context.check_hostname = sni == "localhost"
    sock = socket.create_connection(gateway.address(listener), timeout=PATIENCE)
    try:
        return TlsEnd(sock, context, sni)
    except BaseException:
        sock.close()
        raise


def line_of(gateway: Gateway, since: int, timeout: float = PATIENCE) -> Line:
    """The one line of the one tunnel since."""
    found = gateway.wait_for("transfer", since, timeout)
    assert gateway.logged("transfer", since) == [found]
    return found


def receipt(gateway: Gateway, line: Line) -> Predicate:
    """What the log says of it; found by `lockgate receipts list`."""
    (found,) = [each for each in receipts(gateway) if each["transferId"] == line["transfer_id"]]
    assert found["kind"] == line["verdict"]
    return found
