"""Clients of the field behind one face, so that each can be asked for the same things.

send(place, Ask("POST", "/orders/1", b"{}"), times=3) -> three answers, of one connection

A client that cannot do what is asked (ab sends no chunks) says so in its `Sender`; the rest it has
to do. A program that is missing fails the test: `make programs` installs it.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.scenarios.message import Fields, Message

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Place:
    """Where to send to, and with what."""

    pki: Path
    url: str
    """Of the gateway, without a path."""
    folder: Path
    """Empty, for what the client writes."""
    name: str = "client"

    @property
    def certificate(self) -> Path:
        return self.pki / f"{self.name}.pem"

    @property
    def key(self) -> Path:
        return self.pki / f"{self.name}.key"

    @property
    def trust(self) -> Path:
        return self.pki / "ca.pem"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    method: str
    path: str
    body: bytes | None = None
    kind: str = JSON
    chunked: bool = False
    expect: bool = False
    """Wait for 100 Continue before the body is sent."""

    @property
    def fields(self) -> dict[str, str]:
        return {} if self.body is None else {"Content-Type": self.kind}


Send = Callable[[Place, Ask, int], list[Message]]


@dataclass(frozen=True, slots=True)
class Sender:
    """One client, and what it can."""

    name: str
    send: Send
    chunks: bool = True
    expects: bool = False
    bodies: bool = True
    """Shows its user the content of an answer."""
    keeps: bool = True
    """Speaks HTTP/1.1, and so has several requests on one connection."""


def program(name: str) -> str:
    """Where a program is. It has to be there: fails otherwise."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found, f"{name} is not installed: make programs"
    return found


def answer(status: int, fields: Fields, body: bytes = b"") -> Message:
    """What a client made of an answer, in the form that checks of receipts take."""
    lower = [(name.lower(), value) for name, value in fields]
    return Message(f"HTTP/1.1 {status} Said", lower, b"", body, len(body))
