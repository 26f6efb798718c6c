"""The notary's end of one worker's channel, and the hall in which the workers gather.

Rules
- One task reads. All statements of one read go to the notary together, so that they share a batch;
  their receipts are queued by its callbacks and go out as one write. Questions are answered by a
  second task, in their order: most of them wait for nothing.
- After a restart nobody gets an id before every living worker has said what it holds, for else an
  id that one has on its way could be given to another. What a worker holds counts past any bound.
- When the worker dies everything that it wrote is still read, and every statement of it is in the
  log, or has failed, before `serve_link` returns. Its questions die with it.
- What does not read ends the channel, for nothing after it can be trusted, and so do the attempt of
  another worker, see `proxy.notary.attempts`, and a hold that the table cannot keep. Fails closed:
  that worker is not ready until it has another channel.
- A statement that may have come before is looked up in the log, whatever the worker says of it.
- Before its hello a worker says what it owes, and no more: what it holds, if it is older than the
  notary, and statements again. Nobody names a route that there never was.
- Bounded: nothing is read while `MOST` statements and questions, `MOST_SAID` octets of them, or
  `MOST_OCTETS` of answers wait.
"""

from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final

import trio

from proxy.errors import EvidenceError, LogFailure, Refusal
from proxy.model import Claim, Earlier, Receipt
from proxy.notary import messages, submissions
from proxy.notary.attempts import Heard, own
from proxy.notary.frames import Decoder, Kind, encode
from proxy.notary.link import Served
from proxy.notary.outbox import Outbox, receive

MOST: Final = 8192
MOST_OCTETS: Final = 8 * 2**20
MOST_SAID: Final = 64 * 2**20
MOST_HELD: Final = 65_536
"""Ids that one worker may say to hold after a restart."""

_READ: Final[dict[int, Callable[[bytes], Any]]] = {
    Kind.MATCHES: messages.unpack_compared,
    Kind.ENTRY: messages.unpack_index,
    Kind.LATEST: partial(messages.unpack_texts, count=3),
    Kind.MISSED: messages.unpack_missed,
}
_HOLDING: Final = (Kind.RESERVE, Kind.RELEASE)
_OWED: Final = (Kind.HOLD, Kind.RESENT, Kind.HELLO)


class Hall:
    """The workers that lived when the notary started: they are waited for, once.

    Each says hello, or is `gone`: dead, and its open intents closed.
    """

    def __init__(self, expected: Collection[str] = ()) -> None:
        self._missing = set(expected)
        self._complete = trio.Event()
        self._look()

    def arrived(self, name: str) -> None:
        self._missing.discard(name)
        self._look()

    gone = arrived

    @property
    def missing(self) -> frozenset[str]:
        """Who has said nothing yet."""
        return frozenset(self._missing)

    def _look(self) -> None:
        if not self._missing:
            self._complete.set()

    async def complete(self) -> None:
        """Return when nobody is missing."""
        if not self._complete.is_set():
            await self._complete.wait()


async def serve_link(
    notary: Served, name: str, sock: trio.SocketStream, hall: Hall, channel: int = 0
) -> EvidenceError | LogFailure | None:
    """Serve the worker `name` until its channel ends; then everything it said has been dealt with.

    `channel`: how many it has had before. Returns why the channel was dropped, None where the
    worker ended it.
    """
    return await _Channel(notary, name, sock, hall, channel).run()


class _Channel:
    def __init__(
        self, notary: Served, name: str, sock: trio.SocketStream, hall: Hall, channel: int
    ) -> None:
        self._notary = notary
        self._name = name
        self._sock = sock
        self._hall = hall
        named = own(name)
        self._heard = None if named is None else Heard(named.octets, channel)
        self._since = 0 if named is None else named.since
        self._greeted = False
        self._bounds = notary.bounds
        self._holds = MOST_HELD if name in hall.missing else 0  # so many more may it say
        self._told: bytes | None = None
        self._questions: deque[tuple[int, int, int, Any]] = deque()
        """Kind, number, octets, what is asked."""
        self._asked = trio.Event()
        self._owed = 0
        """Statements that the notary has, and has not answered."""
        self._said = 0
        """Octets of them and of the questions."""
        self._room = trio.lowlevel.ParkingLot()
        """Who waits for less to wait."""
        self._out = Outbox(sock, self._room.unpark_all)

    async def run(self) -> EvidenceError | LogFailure | None:
        with self._notary.watching(self._tell_ready):
            async with self._sock, trio.open_nursery() as nursery:
                nursery.start_soon(self._out.run)
                nursery.start_soon(self._answer_all)
                self._tell_ready()
                reason = await self._read()
                if reason is not None:
                    await trio.aclose_forcefully(self._sock)
                while self._owed:
                    await self._room.park()
                nursery.cancel_scope.cancel()
        for kind, _, _, found in self._questions:
            if kind == Kind.RELEASE:
                self._release(*found)
        return reason

    # --- what comes ------------------------------------------------------------------------------

    async def _read(self) -> EvidenceError | LogFailure | None:
        decoder = Decoder()
        while True:
            while self._full:
                await self._room.park()
            try:
                data = await receive(self._sock)
            except trio.BrokenResourceError:
                return None  # it died before it had read our answers; we have read all of it
            if not data:
                return None
            try:
                for kind, number, body in decoder.feed(data):
                    self._hear(kind, number, body)
            except (EvidenceError, LogFailure) as error:
                return error

    @property
    def _full(self) -> bool:
        many = self._owed + len(self._questions) >= MOST
        return many or self._said >= MOST_SAID or self._out.octets >= MOST_OCTETS

    def _hear(self, kind: int, number: int, body: bytes) -> None:
        """Raises `EvidenceError`, and `LogFailure` where a hold cannot be kept."""
        if not self._greeted and kind not in _OWED:
            raise messages.malformed("frame before its hello")
        if kind in (Kind.CONCLUDE, Kind.RESENT):
            found = submissions.unpack_submission(body)
            self._bounds.require_route(found.route)
            again = not self._is_new(found.attempt_id) or kind == Kind.RESENT
            self._owed += 1
            self._said += len(body)
            on_done = partial(self._concluded, number, len(body))
            self._notary.submit(found, on_done, resent=again, since=self._since)
        elif kind in _HOLDING or kind in _READ:
            asked = self._held(body) if kind in _HOLDING else _READ[kind](body)
            self._questions.append((kind, number, len(body), asked))
            self._said += len(body)
            self._asked.set()
        elif kind == Kind.SHED:
            self._notary.shed(messages.unpack_counts(body))
        elif kind == Kind.HOLD and not self._greeted and self._holds > 0:
            self._holds -= 1
            attempt_id, claim = self._held(body)
            self._notary.restore(claim, attempt_id, holder=self._name)
        elif kind == Kind.HELLO and not (self._greeted or body):
            self._greeted = True
            self._hall.arrived(self._name)
        else:
            raise messages.malformed("frame")

    def _is_new(self, attempt_id: bytes) -> bool:
        """Whether it surely has no statement yet. Raises `EvidenceError` for another's attempt."""
        self._require_own(attempt_id)
        return self._heard is None or self._heard.is_new(attempt_id)

    def _held(self, body: bytes) -> tuple[bytes, Claim]:
        """Attempt id and claim. Raises `EvidenceError`."""
        self._require_own(body)
        attempt_id, claim = messages.unpack_held(body)
        self._bounds.require_route(claim.route)
        return attempt_id, claim

    def _require_own(self, body: bytes) -> None:
        """Raises `EvidenceError` where the attempt id that begins it is not this worker's."""
        if self._heard is not None and not self._heard.is_own(body[: messages.ID]):
            raise EvidenceError("the channel holds the attempt of another worker")

    # --- what goes -------------------------------------------------------------------------------

    def _say(self, kind: Kind, number: int, body: bytes = b"") -> None:
        self._out.put(encode(kind, number, body))

    def _tell_ready(self) -> None:
        found = messages.pack_trouble(self._notary.trouble)
        if found != self._told:
            self._told = found
            self._say(Kind.READY, 0, found)

    def _concluded(self, number: int, octets: int, result: Receipt | LogFailure) -> None:
        self._owed -= 1
        self._said -= octets
        if self._room:
            self._room.unpark_all()
        if isinstance(result, Receipt):
            self._out.put(messages.receipt_frame(number, result))
        else:
            self._say(Kind.REFUSED, number, messages.pack_refusal(result))

    # --- questions -------------------------------------------------------------------------------

    async def _answer_all(self) -> None:
        while True:
            while self._questions:
                while self._out.octets >= MOST_OCTETS:
                    await self._room.park()
                kind, number, octets, found = self._questions.popleft()
                self._said -= octets
                try:
                    await self._answer(kind, number, found)
                except Refusal as refusal:
                    self._say(Kind.REFUSED, number, messages.pack_refusal(refusal))
                self._room.unpark_all()
            self._asked = trio.Event()
            await self._asked.wait()

    async def _answer(self, kind: int, number: int, found: Any) -> None:
        """Raises `Refusal`, `LogFailure`."""
        if kind == Kind.RESERVE:
            await self._reserve(number, *found)
        elif kind == Kind.RELEASE:
            self._release(*found)
        elif kind == Kind.MATCHES:
            content_sha256, claim = found
            matches = await self._notary.matches(claim, content_sha256)
            self._say(Kind.FLAG, number, bytes([matches]))
        elif kind == Kind.MISSED:
            await self._notary.missed(found)
            self._say(Kind.NOTHING, number)
        elif kind == Kind.ENTRY:
            self._say_leaf(number, await self._notary.entry(found))
        else:
            self._say_leaf(number, await self._notary.latest(*found))

    async def _reserve(self, number: int, attempt_id: bytes, claim: Claim) -> None:
        await self._hall.complete()
        earlier: Earlier | None = await self._notary.reserve(claim, attempt_id, holder=self._name)
        if earlier is None:
            self._say(Kind.NOTHING, number)
        else:
            self._say(Kind.EARLIER, number, messages.pack_earlier(earlier))

    def _release(self, attempt_id: bytes, claim: Claim) -> None:
        self._notary.release(claim, attempt_id)

    def _say_leaf(self, number: int, leaf: bytes | None) -> None:
        if leaf is None:
            self._say(Kind.NOTHING, number)
        else:
            self._say(Kind.LEAF, number, leaf)
