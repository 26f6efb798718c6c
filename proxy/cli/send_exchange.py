"""One request to a gateway or receiver, on Lockgate's own stack: send, and read the answer.

A file is read twice: once for its digest, which goes ahead of it, and once to send it. An answer
that comes before the file has gone stops the sending: whoever answers early has decided.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import trio

from proxy.cli.send_place import Payload
from proxy.edge.outbound import Outbound, Pool
from proxy.errors import UpstreamFailure
from proxy.model import AnswerHead, Framing, Headers
from proxy.wire.events import Data

PIECE = 128 * 1024
_LAST_WORDS = 1.0
"""Seconds to look for an answer from a server that stopped taking the file."""
_STALL = 60.0
"""Seconds without an octet, in either direction, after which a transfer is given up."""

Progress = Callable[[int], None]
"""Called with the octets sent so far."""


@dataclass(frozen=True, slots=True)
class Came:
    """The content of an answer: octets of it, and their digest."""

    size: int = 0
    sha256: bytes = hashlib.sha256().digest()


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; of a long one, `body` holds the beginning."""

    status: int
    headers: Headers
    body: bytes
    trailers: Headers = ()
    early: bool = False
    """It came before the whole file had gone."""
    content: Came = Came()

    def values(self, name: bytes) -> tuple[bytes, ...]:
        """Every value of a field, in the head and in the trailers."""
        return tuple(value for key, value in (*self.headers, *self.trailers) if key == name)


async def upload(
    pool: Pool,
    method: str,
    target: str,
    fields: list[tuple[bytes, bytes]],
    content: Payload,
    progress: Progress,
    on_early: Callable[[int], None],
    host: str | None = None,
) -> Answer:
    """Send a file and read the answer. Raises UpstreamFailure, and Refusal `overloaded`.

    `host` is what Host says; None: what is connected to.
    """
    connection = await pool.acquire("")
    complete = False
    try:
        headers = [_host(connection, host), *fields]
        framing = Framing(length=content.size)
        exchange = _Exchange(connection, pool.answer_timeout, on_early)
        head = await exchange.run(method, target, headers, framing, content, progress)
        answer = await _whole(connection, head, early=not exchange.sent)
        complete = exchange.sent
        return answer
    finally:
        pool.give_back(connection, complete=complete)


async def fetch(pool: Pool, target: str, limit: int = 2**20, *, host: str | None = None) -> Answer:
    """GET `target`, and keep up to `limit` octets. Raises UpstreamFailure."""
    connection = await pool.acquire("")
    complete = False
    try:
        await connection.send_whole("GET", target, [_host(connection, host)], b"")
        head = None
        with trio.move_on_after(pool.answer_timeout):
            head = await connection.head()
        if head is None:
            raise UpstreamFailure("upstream-timeout", "no answer in time")
        answer = await _whole(connection, head, limit=limit)
        complete = True
        return answer
    finally:
        pool.give_back(connection, complete=complete)


def _host(connection: Outbound, said: str | None) -> tuple[bytes, bytes]:
    return b"host", (said or connection.endpoint.authority).encode()


async def _whole(
    connection: Outbound, head: AnswerHead, *, early: bool = False, limit: int = 2**20
) -> Answer:
    """Read an answer to its end, because its trailers come last; keep `limit` octets of it."""
    body, digest, size = bytearray(), hashlib.sha256(), 0
    while isinstance(event := await connection.body(_STALL), Data):
        body += event.data[: limit - len(body)]
        digest.update(event.data)
        size += len(event.data)
    came = Came(size, digest.digest())
    return Answer(head.status, head.headers, bytes(body), event.trailers, early, came)


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
        with content.open() as file:
            while done < content.size:
                piece = file.read(min(PIECE, content.size - done))
                if not piece:
                    raise OSError(0, "it became shorter")
                with trio.move_on_after(_STALL) as waiting:
                    await self._connection.send_data(piece)
                if waiting.cancelled_caught:
                    raise UpstreamFailure("upstream-timeout", "the server does not read")
                done += len(piece)
                progress(done)
        await self._connection.send_end(b"", ())
