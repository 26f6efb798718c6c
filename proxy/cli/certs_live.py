"""`lockgate certs inspect HOST:PORT`: what a server presents, and whether we would believe it."""

import argparse
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.errors import CredentialError, TlsFailure
from proxy.settings.schema import Tls
from proxy.tls.context import client_context
from proxy.tls.credentials import Credentials, load_credentials
from proxy.tls.engine import Engine
from proxy.tls.look import Look, Seen

_PLACE = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})")
_SECONDS = 10.0
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Place:
    """A server, and what it is asked with."""

    host: str
    port: int
    name: str
    credentials: Credentials | None
    trust: bytes | None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def place(text: str, arguments: argparse.Namespace) -> Place | None:
    """The server that `text` means; None where it is the name of a file.

    Raises `CredentialError` and OSError for what is to be shown to it.
    """
    match = _PLACE.fullmatch(text)
    if match is None or Path(text).exists():
        return None
    if int(match[3]) > _LAST_PORT:
        raise CredentialError(f"there is no port {match[3]}")
    host, credentials = match[1] or match[2], None
    if arguments.cert is not None or arguments.key is not None:
        if arguments.cert is None or arguments.key is None:
            raise CredentialError("--cert and --key go together")
        credentials = load_credentials(arguments.cert.read_bytes(), arguments.key.read_bytes())
    trust = arguments.trust.read_bytes() if arguments.trust is not None else None
    return Place(host, int(match[3]), arguments.server_name or host, credentials, trust)


def look(at: Place) -> tuple[Seen, dict[str, Any]]:
    """What it says, and as JSON what that comes to. Raises `TlsFailure` and OSError."""
    first = Look(at.name, at.credentials)
    _shake_hands(at, first.handshake, first.receive, first.outgoing)
    seen = first.seen()
    said: dict[str, Any] = {
        "endpoint": str(at),
        "server_name": at.name,
        "version": seen.version,
        "cipher": seen.cipher,
        "group": seen.group,
        "asks_for_certificates_of": list(seen.authorities),
    }
    if at.trust is not None:
        said["verdict"] = _verdict(at, at.trust)
    return seen, said


def lines(said: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    yield f"  handshake   {said['version']}, {said['cipher']}, {said['group']}"
    for name in said["asks_for_certificates_of"]:
        yield f"  asks for    a certificate of {name!r}"
    if "verdict" in said:
        yield f"  verdict     {said['verdict']}"


def _verdict(at: Place, trust: bytes) -> str:
    """What a handshake of ours would say: `accepted`, or reason and detail."""
    engine = Engine(client_context(at.credentials, trust, None, Tls(), None), server_name=at.name)
    try:
        _shake_hands(at, engine.handshake, engine.receive, engine.outgoing)
    except TlsFailure as failure:
        return f"{failure.reason}: {failure.detail}"
    return "accepted"


def _shake_hands(
    at: Place,
    handshake: Callable[[], bool],
    receive: Callable[[bytes], None],
    outgoing: Callable[[], bytes],
) -> None:
    with socket.create_connection((at.host, at.port), timeout=_SECONDS) as sock:
        while not handshake():
            sock.sendall(outgoing())
            receive(sock.recv(65536))
        sock.sendall(outgoing())
