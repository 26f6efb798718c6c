"""One request to a gateway or receiver, on Lockgate's own stack: connect, send, read the answer.

A file is read twice: once for its digest, which goes ahead of it, and once to send it. An answer
that comes before the file has gone stops the sending: whoever answers early has decided.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import trio

from proxy.edge.outbound import Outbound, Pool
from proxy.errors import TlsFailure, UpstreamFailure
from proxy.model import AnswerHead, Framing, Headers
from proxy.observe.metrics import Metrics
from proxy.settings.schema import Tls, Upstream
from proxy.tls.context import client_context
from proxy.tls.credentials import load_credentials
from proxy.tls.engine import Engine
from proxy.wire.events import Data

PIECE = 128 * 1024
_LAST_WORDS = 1.0
"""Seconds to look for an answer from a server that stopped taking the file."""
_STALL = 60.0
_TARGET = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/%-]*(?:\?[A-Za-z0-9._~!$&'()*+,;=:@/%?-]*)?")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

Progress = Callable[[int], None]
"""Called with the octets sent so far."""


class UsageError(ValueError):
    """What was asked for cannot be asked for. Says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to send. `origin` is scheme, host and port; `target` the path with its query."""

    origin: str
    target: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are and whom we trust, as PEM. No certificate: we shall be refused, and shown why."""

    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)
    trust: bytes | None = None
    server_name: str | None = None
    pins: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Payload:
    """A file that is about to be sent, as it was when its digest was taken."""

    path: Path
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; of a long one, `body` holds the beginning."""

    status: int
    headers: Headers
    body: bytes
    trailers: Headers = ()
    early: bool = False
    """It came before the whole file had gone."""

    def values(self, name: bytes) -> tuple[bytes, ...]:
        """Every value of a field, in the head and in the trailers."""
        return tuple(value for key, value in (*self.headers, *self.trailers) if key == name)


def parse_url(url: str) -> Place:
    """Read https://HOST[:PORT]/PATH, or http:// on loopback. Raises UsageError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError("the URL cannot be read") from None
    if parts.scheme not in ("https", "http") or not host:
        raise UsageError("expected a URL such as https://gateway.example:8443/orders/1")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise UsageError("http:// is for loopback only; use https://")
    if parts.username is not None or parts.fragment:
        raise UsageError("a user name or a fragment has no place in this URL")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _TARGET.fullmatch(target):
        raise UsageError("percent-encode the path: it holds characters that a URL may not")
    shown = f"[{host}]" if ":" in host else host
    return Place(f"{parts.scheme}://{shown}" + (f":{port}" if port else ""), target)


def payload(path: Path) -> Payload:
    """Take the digest of a file. Raises UsageError when it is no file that can be read."""
    try:
        if not path.is_file():
            raise UsageError(f"{path}: not a file")
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").digest()
            return Payload(path, file.tell(), sha256)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def connect(place: Place, identity: Identity) -> Pool:
    """The connections to `place`. Raises UsageError and CredentialError."""
    context = None
    if place.origin.startswith("https:"):
        if identity.trust is None:
            raise UsageError("https:// needs --trust: the authorities that may vouch for the peer")
        if (identity.certificate is None) != (identity.key is None):
            raise UsageError("--cert and --key belong together")
        credentials = None
        if identity.certificate is not None and identity.key is not None:
            credentials = load_credentials(identity.certificate, identity.key)
        context = client_context(credentials, identity.trust, None, Tls(), identity.pins)
        host = urlsplit(place.origin).hostname
        try:
            Engine(context, server_name=identity.server_name or host)
        except (ValueError, TlsFailure):
            raise UsageError("the server's name is no DNS name in ASCII, and no address") from None
    settings = Upstream(zone="there", endpoints=[place.origin], server_name=identity.server_name)
    return Pool("server", settings, Path(), context, lambda peer: True, Metrics())


async def upload(
    pool: Pool,
    method: str,
    target: str,
    fields: list[tuple[bytes, bytes]],
    content: Payload,
    progress: Progress,
    on_early: Callable[[int], None],
) -> Answer:
    """Send a file and read the answer. Raises UpstreamFailure, and Refusal `overloaded`."""
    connection = await pool.acquire()
    complete = False
    try:
        headers = [(b"host", connection.endpoint.authority.encode()), *fields]
        framing = Framing(length=content.size)
        exchange = _Exchange(connection, pool.answer_timeout, on_early)
        head = await exchange.run(method, target, headers, framing, content, progress)
        answer = await _whole(connection, head, early=not exchange.sent)
        complete = exchange.sent
        return answer
    finally:
        pool.give_back(connection, complete=complete)


async def fetch(pool: Pool, target: str, limit: int = 2**20) -> Answer:
    """GET `target`, and keep up to `limit` octets. Raises UpstreamFailure."""
    connection = await pool.acquire()
    complete = False
    try:
        host = (b"host", connection.endpoint.authority.encode())
        await connection.send_whole("GET", target, [host], b"")
        answer = await _whole(connection, await connection.head(), limit=limit)
        complete = True
        return answer
    finally:
        pool.give_back(connection, complete=complete)


async def _whole(
    connection: Outbound, head: AnswerHead, *, early: bool = False, limit: int = 2**20
) -> Answer:
    """Read an answer to its end, because its trailers come last; keep `limit` octets of it."""
    body = bytearray()
    while isinstance(event := await connection.body(_STALL), Data):
        body += event.data[: limit - len(body)]
    return Answer(head.status, head.headers, bytes(body), event.trailers, early)


class _Exchange:
    """Sends, and listens for an answer at the same time."""

    def __init__(
        self, connection: Outbound, patience: float, on_early: Callable[[int], None]
    ) -> None:
        self._connection = connection
        self._patience = patience
        self._on_early = on_early
        self._answer: AnswerHead | None = None
        self._failure: UpstreamFailure | None = None
        self._sending = trio.CancelScope()
        self.sent = False

    async def run(
        self,
        method: str,
        target: str,
        headers: list[tuple[bytes, bytes]],
        framing: Framing,
        content: Payload,
        progress: Progress,
    ) -> AnswerHead:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            patience = self._patience
            with self._sending:
                try:
                    await self._connection.send_head(method, target, headers, framing)
                    await self._send(content, progress)
                    self.sent = True
                except UpstreamFailure as failure:
                    self._failure = self._failure or failure
                    patience = _LAST_WORDS
                except OSError as error:
                    self._failure = UpstreamFailure("cut-off", f"the file: {error.strerror}")
                    patience = 0
            nursery.cancel_scope.deadline = trio.current_time() + patience
        if self._answer is not None:
            return self._answer
        raise self._failure or UpstreamFailure("upstream-timeout", "no answer in time")

    async def _listen(self) -> None:
        try:
            self._answer = await self._connection.head()
        except UpstreamFailure as failure:
            self._failure = failure
        if self._answer is not None and not self.sent:
            self._on_early(self._answer.status)
        self._sending.cancel()

    async def _send(self, content: Payload, progress: Progress) -> None:
        done = 0
        with content.path.open("rb") as file:
            while done < content.size:
                piece = file.read(min(PIECE, content.size - done))
                if not piece:
                    raise OSError(0, "it became shorter")
                await self._connection.send_data(piece)
                done += len(piece)
                progress(done)
        await self._connection.send_end(b"", ())
