"""HTTP/1.1 messages over a socket, read octet for octet by a reader that is not Lockgate's own."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from proxy.receipt.header import parse_items

Fields = list[tuple[str, str]]


class Broken(Exception):
    """The message ended before its end. Holds what had come of its body."""

    def __init__(self, body: bytes = b"") -> None:
        super().__init__("the message is incomplete")
        self.body = body


@dataclass(slots=True)
class Message:
    """A request or an answer as it was on the wire. `size` and `sha256` are of the body."""

    first: str
    fields: Fields
    raw_head: bytes
    body: bytes = b""
    size: int = 0
    sha256: str = ""
    trailers: Fields = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.first.split(" ")[1])

    def values(self, name: str) -> list[str]:
        """Every value of a field, in head and trailers."""
        return [value for key, value in [*self.fields, *self.trailers] if key == name]

    def value(self, name: str) -> str:
        """The one value of a field."""
        (value,) = self.values(name)
        return value

    def receipt(self) -> tuple[bytes, bytes]:
        """Our envelope, the last one, and the key that only the sender gets."""
        return self.receipts()[-1], parse_items(self.value("transfer-receipt-key"))[-1]

    def receipts(self) -> list[bytes]:
        """The envelopes of all gateways, the last gateway's first."""
        return [item for line in self.values("transfer-receipt") for item in parse_items(line)]


class Source(Protocol):
    """Where octets come from: a socket, for one."""

    def recv(self, size: int, /) -> bytes: ...


class Reader:
    """Reads messages from a socket that may be a TLS one; a reset or truncation is `Broken`."""

    def __init__(self, sock: Source) -> None:
        self._sock = sock
        self._kept = b""
        self.octets = 0

    def _more(self) -> bool:
        try:
            data = self._sock.recv(262144)
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            data = b""
        self.octets += len(data)
        self._kept += data
        return bool(data)

    def _until(self, end: bytes) -> bytes:
        while end not in self._kept:
            if not self._more():
                raise Broken(self._kept)
        found, _, self._kept = self._kept.partition(end)
        return found + end

    def at_end(self) -> bool:
        """True when the peer has ended and nothing is left; waits for either."""
        return not self._kept and not self._more()

    def head(self) -> Message:
        raw = self._until(b"\r\n\r\n")
        first, *lines = raw[:-4].decode("latin-1").split("\r\n")
        return Message(first, [_field(line) for line in lines], raw)

    def body(self, message: Message, *, keep: bool = True, bodiless: bool = False) -> Message:
        """Read the body of `message` into it. Raises Broken."""
        digest, kept = hashlib.sha256(), []

        def take(data: bytes) -> None:
            digest.update(data)
            message.size += len(data)
            if keep:
                kept.append(data)

        try:
            if not bodiless:
                self._body(message, take)
        except Broken:
            raise Broken(b"".join(kept)) from None
        finally:
            message.body, message.sha256 = b"".join(kept), digest.hexdigest()
        return message

    def _body(self, message: Message, take: Callable[[bytes], None]) -> None:
        lengths = message.values("content-length")
        if message.values("transfer-encoding") == ["chunked"]:
            while size := int(self._until(b"\r\n"), 16):
                self._exactly(size, take)
                self._exactly(2, lambda data: None)
            while line := self._until(b"\r\n")[:-2]:
                message.trailers.append(_field(line.decode("latin-1")))
        elif lengths:
            self._exactly(int(lengths[0]), take)
        elif message.first.startswith("HTTP/"):
            while self._kept or self._more():
                take(self._kept)
                self._kept = b""

    def _exactly(self, size: int, take: Callable[[bytes], None]) -> None:
        while size:
            if not self._kept and not self._more():
                raise Broken
            data, self._kept = self._kept[:size], self._kept[size:]
            size -= len(data)
            take(data)


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip(" \t")
