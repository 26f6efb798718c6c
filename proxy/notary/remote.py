"""The worker's end of the channel to the notary: a link that outlives the notary.

Theory
- One task reads; what was queued in a turn of the loop goes out as one write. Whoever asks waits
  for its answer; who submits a statement is called back.
- Nothing that the notary has not answered is forgotten. When it dies, `ready` is False and new
  questions fail at once, so that nothing begins that could not be ended; statements are taken all
  the same, and those who wait for an answer go on waiting.
- With the channel to the next notary comes `attach`, which says in this order: every id that an
  attempt of ours holds; every statement without a receipt, oldest first, as `resent`; hello; the
  questions that are open. The notary lets nobody have an id before all have said hello, so no id is
  given twice.
- What is kept is bounded: `QUESTIONS` open questions, and no more statements than there are
  attempts under way and verdicts that `proxy.notary.desk` lets wait.
- A notary that says what does not read is not listened to any more. Fails closed: not ready.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import orjson
import trio

from proxy.errors import EvidenceError, LogFailure, Refusal
from proxy.model import Claim, Earlier, Missed, Receipt, Submission, Trouble, named_trouble
from proxy.notary import messages, submissions
from proxy.notary.frames import Decoder, Kind, encode
from proxy.notary.link import OnDone, Waiting
from proxy.notary.outbox import Outbox, receive

QUESTIONS: Final = 4096
"""More than these at once are refused."""
_AWAY: Final = named_trouble("notary-away")

_READ: Final[dict[int, Callable[[bytes], Any]]] = {
    Kind.FLAG: messages.unpack_flag,
    Kind.EARLIER: messages.unpack_earlier,
    Kind.LEAF: bytes,
    Kind.NOTHING: lambda body: None,
    Kind.REFUSED: messages.unpack_refusal,
}


@dataclass(slots=True, eq=False)
class _Statement:
    attempt_id: bytes
    body: bytes
    on_done: OnDone


@dataclass(slots=True, eq=False)
class _Question:
    kind: Kind
    body: bytes
    fits: tuple[int, ...]
    """The kinds that answer it, beside a refusal."""
    done: trio.Event = field(default_factory=trio.Event)
    answer: Any = None


class RemoteLink:
    """`run` it in a nursery, `attach` each channel; the rest is `proxy.notary.link.Link`."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._statements: dict[int, _Statement] = {}
        self._questions: dict[int, _Question] = {}
        self._held: dict[bytes, bytes] = {}
        """Attempt id -> body of the hold that says so."""
        self._counts: Counter[str] = Counter()
        """Shed while there was no notary."""
        self._out: Outbox | None = None
        """None while there is no notary."""
        self._trouble: Trouble | None = _AWAY
        self._next: trio.SocketStream | None = None
        self._arrived = trio.Event()
        self._talk = trio.CancelScope()
        self._over = False

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Speak on one channel after the other, until it is cancelled."""
        task_status.started()
        try:
            while True:
                await self._arrived.wait()
                self._arrived = trio.Event()
                sock, self._next = self._next, None
                if sock is not None:
                    with trio.CancelScope() as self._talk:
                        await self._converse(sock)
        finally:
            self._over = True
            self._let_go()

    async def attach(self, sock: trio.SocketStream) -> None:
        """Speak on `sock` from now on: the notary at its other end is a new one."""
        self._let_go()
        self._next = sock
        if self._over:
            self._let_go()
        self._talk.cancel()
        self._arrived.set()

    def _let_go(self) -> None:
        """Close the channel that was attached and not spoken on."""
        if self._next is not None:
            self._next.socket.close()
            self._next = None

    # --- what the desk asks ----------------------------------------------------------------------

    @property
    def trouble(self) -> Trouble | None:
        """None while there is a notary, and it says that intents may be taken."""
        return self._trouble

    @property
    def ready(self) -> bool:
        """True while there is none."""
        return self._trouble is None

    async def reserve(self, claim: Claim, attempt_id: bytes, *, holder: str = "") -> Earlier | None:
        """As `Link`. The notary knows by the channel who holds."""
        body = attempt_id + messages.pack_claim(claim)
        found = await self._ask(Kind.RESERVE, body, Kind.EARLIER, Kind.NOTHING)
        return found if isinstance(found, Earlier) else None

    def release(self, claim: Claim, attempt_id: bytes) -> None:
        self._held.pop(attempt_id, None)
        self._say(encode(Kind.RELEASE, 0, attempt_id + messages.pack_claim(claim)))

    async def matches(self, claim: Claim, content_sha256: bytes) -> bool:
        body = content_sha256 + messages.pack_claim(claim)
        return await self._ask(Kind.MATCHES, body, Kind.FLAG) is True

    async def entry(self, index: int) -> bytes | None:
        return await self._ask_leaf(Kind.ENTRY, messages.pack_index(index))

    async def latest(self, sender: str, route: str, transfer_id: str) -> bytes | None:
        return await self._ask_leaf(Kind.LATEST, messages.pack_texts(sender, route, transfer_id))

    def shed(self, counts: Mapping[str, int]) -> None:
        self._counts.update(counts)
        if self._out is not None:
            self._out.put(self._shed())

    async def missed(self, missed: Missed) -> None:
        await self._ask(Kind.MISSED, messages.pack_missed(missed), Kind.NOTHING)

    async def conclude(self, submission: Submission, *, resent: bool = False) -> Receipt:
        waiting = Waiting()
        self.submit(submission, waiting, resent=resent)
        return await waiting.receipt()

    def submit(self, submission: Submission, on_done: OnDone, *, resent: bool = False) -> None:
        number = next(self._numbers)
        try:
            body = submissions.pack_submission(submission)
            frame = encode(Kind.RESENT if resent else Kind.CONCLUDE, number, body)
        except EvidenceError as error:
            on_done(LogFailure(str(error)))
            return
        self._statements[number] = _Statement(submission.attempt_id, body, on_done)
        self._say(frame)

    # --- the channel -----------------------------------------------------------------------------

    def _say(self, frame: bytes) -> None:
        """Send, or leave it to the next hello."""
        if self._out is not None:
            self._out.put(frame)

    async def _ask_leaf(self, kind: Kind, body: bytes) -> bytes | None:
        found = await self._ask(kind, body, Kind.LEAF, Kind.NOTHING)
        return found if isinstance(found, bytes) else None

    async def _ask(self, kind: Kind, body: bytes, *fits: int) -> object:
        """What the notary answers. Raises `Refusal`, `LogFailure`."""
        if self._out is None:
            raise LogFailure(_AWAY.text)
        if len(self._questions) >= QUESTIONS:
            raise LogFailure("too many questions wait for the notary")
        number = next(self._numbers)
        question = self._questions[number] = _Question(kind, body, fits)
        self._say(encode(kind, number, body))
        try:
            await question.done.wait()
        finally:
            self._questions.pop(number, None)
        if isinstance(question.answer, Refusal):
            raise question.answer
        return question.answer

    async def _converse(self, sock: trio.SocketStream) -> None:
        """Until the channel ends, or is replaced."""
        self._out = Outbox(sock)
        self._out.put(self._hello())
        try:
            async with sock, trio.open_nursery() as nursery:
                nursery.start_soon(self._out.run)
                await self._read(sock)
                nursery.cancel_scope.cancel()
        finally:
            self._out, self._trouble = None, _AWAY

    def _hello(self) -> bytes:
        holds = [encode(Kind.HOLD, 0, body) for body in self._held.values()]
        again = [encode(Kind.RESENT, n, each.body) for n, each in self._statements.items()]
        asked = [encode(each.kind, n, each.body) for n, each in self._questions.items()]
        shed = [self._shed()] if self._counts else []
        return b"".join([*holds, *again, encode(Kind.HELLO), *asked, *shed])

    def _shed(self) -> bytes:
        counts, self._counts = self._counts, Counter()
        return encode(Kind.SHED, 0, orjson.dumps(counts))

    async def _read(self, sock: trio.SocketStream) -> None:
        decoder = Decoder()
        try:
            while data := await receive(sock):
                for kind, number, body in decoder.feed(data):
                    self._hear(kind, number, body)
        except (trio.BrokenResourceError, EvidenceError):
            pass  # the same as its end: there will be another, or this worker stays not ready

    def _hear(self, kind: int, number: int, body: bytes) -> None:
        """Raises `EvidenceError` for what is no answer to what was asked."""
        if kind == Kind.RECEIPT:
            receipt = messages.unpack_receipt(body)
            statement = self._statements.pop(number, None)
            if statement is not None:
                self._held.pop(statement.attempt_id, None)
                statement.on_done(receipt)
        elif kind == Kind.READY:
            self._trouble = messages.unpack_trouble(body)
        else:
            self._answer(kind, number, body)

    def _answer(self, kind: int, number: int, body: bytes) -> None:
        read, question = _READ.get(kind), self._questions.get(number)
        if read is None or (question and kind not in (*question.fits, Kind.REFUSED)):
            raise messages.malformed("answer")
        found = read(body)
        if question is not None:
            if question.kind == Kind.RESERVE and found is None:
                self._held[question.body[: messages.ID]] = question.body
            del self._questions[number]
            question.answer = found
            question.done.set()
        elif number in self._statements and isinstance(found, LogFailure):
            self._statements.pop(number).on_done(found)
