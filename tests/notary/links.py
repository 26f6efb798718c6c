"""A log in memory behind the channel, and the channels to it: a `Served`, without disk and keys."""

import hashlib
import itertools
import socket
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import trio

from proxy.errors import LogFailure, Refusal
from proxy.model import Claim, Earlier, Missed, Receipt, Submission, Trouble, Verdict
from proxy.notary.bounds import Bounds
from proxy.notary.link import OnDone, Waiting

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
_NUMBERS = itertools.count(1)
Key = tuple[str, str, str]


def key_of(claim: Claim) -> Key:
    return claim.sender, claim.route, claim.transfer_id


def claim_of(transfer_id: str = "", sender: str = "uid:7") -> Claim:
    return Claim(sender, "orders", transfer_id or str(uuid.uuid4()), 300.0)


def attempt() -> bytes:
    return next(_NUMBERS).to_bytes(16)


def statement(verdict: Verdict = Verdict.DELIVERED, **changes: object) -> Submission:
    values: dict[str, object] = {
        "attempt_id": attempt(),
        "transfer_id": str(uuid.uuid4()),
        "verdict": verdict,
        "status": 201,
        "problem": None,
        "sender": "uid:7",
        "route": "orders",
        "received_at": START,
        "details": b'{"request":{}}',
        "delivered_sha256": hashlib.sha256(b"masked").digest(),
    }
    return Submission(**(values | changes))  # type: ignore[arg-type]


def claimed(claim: Claim, verdict: Verdict = Verdict.DELIVERED, **changes: object) -> Submission:
    return statement(
        verdict,
        claim=claim,
        transfer_id=claim.transfer_id,
        sender=claim.sender,
        route=claim.route,
        **changes,
    )


@dataclass
class Durable:
    """What outlives a notary."""

    log: list[Submission] = field(default_factory=list)
    ids: dict[Key, tuple[Earlier, bytes | None]] = field(default_factory=dict)

    def envelope(self, index: int) -> bytes:
        return b"envelope of " + self.log[index].attempt_id

    def find(self, attempt_id: bytes) -> Receipt | None:
        for index, entry in enumerate(self.log):
            if entry.attempt_id == attempt_id:
                return Receipt(index, self.envelope(index))
        return None


class MemoryLog:
    """One notary's life. What is submitted waits for `commit`, or is in the log `at_once`."""

    def __init__(self, durable: Durable | None = None, *, at_once: bool = True) -> None:
        self.durable = durable or Durable()
        self.at_once = at_once
        self.failing = False
        self.dead = False
        self.bounds = Bounds()
        self.queue: dict[bytes, tuple[Submission, bool, list[OnDone]]] = {}
        self.batches: list[int] = []
        self.held: dict[Key, tuple[bytes, str]] = {}
        self.counts: Counter[str] = Counter()
        self.missing: list[Missed] = []
        self.released: list[bytes] = []
        self.asked = 0
        """How many leaves were asked for."""
        self.hesitant = trio.Event()
        """Answers wait for it, where `hesitate` has cleared it."""
        self.hesitant.set()
        self._ready = True
        self._watchers: set[Callable[[], None]] = set()

    # --- what tests do ---------------------------------------------------------------------------

    def set_ready(self, ready: bool) -> None:
        self._ready = ready
        for on_change in self._watchers:
            on_change()

    def hesitate(self) -> None:
        self.hesitant = trio.Event()

    def fail(self) -> None:
        """The disk fails: whoever is not patient is told, and the statement stays."""
        self.failing = True
        for attempt_id, (found, patient, waiters) in self.queue.items():
            if not patient:
                told = list(waiters)
                waiters.clear()
                self.queue[attempt_id] = (replace(found, status=None), True, waiters)
                for on_done in told:
                    on_done(LogFailure("the disk is full"))
        self.set_ready(False)

    def mend(self) -> None:
        self.failing = False
        self.commit()
        self.set_ready(True)

    def commit(self) -> None:
        """Everything that waits, in one batch."""
        if self.dead:
            return
        queue, self.queue = self.queue, {}
        if queue:
            self.batches.append(len(queue))
        for found, _, waiters in queue.values():
            receipt = self.durable.find(found.attempt_id) or self._write(found)
            for on_done in waiters:
                on_done(receipt)

    def _write(self, found: Submission) -> Receipt:
        index = len(self.durable.log)
        self.durable.log.append(found)
        receipt = Receipt(index, self.durable.envelope(index))
        if found.claim is not None:
            self.release(found.claim, found.attempt_id)
            if found.verdict is Verdict.DELIVERED:
                earlier = Earlier(found.status or 0, index, receipt.envelope)
                self.durable.ids[key_of(found.claim)] = earlier, found.content_sha256
        return receipt

    # --- what the channel asks -------------------------------------------------------------------

    @property
    def trouble(self) -> Trouble | None:
        return None if self._ready else Trouble("disk-full", "the disk is full")

    @contextmanager
    def watching(self, on_change: Callable[[], None]) -> Iterator[None]:
        self._watchers.add(on_change)
        try:
            yield
        finally:
            self._watchers.discard(on_change)

    async def reserve(self, claim: Claim, attempt_id: bytes, *, holder: str = "") -> Earlier | None:
        await self.hesitant.wait()
        key = key_of(claim)
        if key in self.durable.ids:
            return self.durable.ids[key][0]
        if self.held.setdefault(key, (attempt_id, holder))[0] != attempt_id:
            raise Refusal("in-flight", "another attempt has it", retry_after=1)
        return None

    def restore(self, claim: Claim, attempt_id: bytes, *, holder: str) -> None:
        if key_of(claim) not in self.durable.ids:
            self.held.setdefault(key_of(claim), (attempt_id, holder))

    def release(self, claim: Claim, attempt_id: bytes) -> None:
        self.released.append(attempt_id)
        if self.held.get(key_of(claim), (b"", ""))[0] == attempt_id:
            del self.held[key_of(claim)]

    async def matches(self, claim: Claim, content_sha256: bytes) -> bool:
        await self.hesitant.wait()
        found = self.durable.ids.get(key_of(claim))
        return found is not None and found[1] == content_sha256

    def submit(
        self, submission: Submission, on_done: OnDone, *, resent: bool = False, since: int = 0
    ) -> None:
        if self.dead:
            return
        if self.failing and not resent:
            on_done(LogFailure("the disk is full"))
            return
        waiting = self.queue.setdefault(submission.attempt_id, (submission, resent, []))
        waiting[2].append(on_done)
        if self.at_once and not self.failing:
            self.commit()

    async def conclude(self, submission: Submission, *, resent: bool = False) -> Receipt:
        waiting = Waiting()
        self.submit(submission, waiting, resent=resent)
        return await waiting.receipt()

    async def entry(self, index: int) -> bytes | None:
        self.asked += 1
        await self.hesitant.wait()
        return self.durable.envelope(index) if index < len(self.durable.log) else None

    async def latest(self, sender: str, route: str, transfer_id: str) -> bytes | None:
        await self.hesitant.wait()
        wanted = (sender, route, transfer_id)
        for index, entry in reversed(list(enumerate(self.durable.log))):
            if (entry.sender, entry.route, entry.transfer_id) == wanted:
                return self.durable.envelope(index)
        return None

    def shed(self, counts: Mapping[str, int]) -> None:
        self.counts.update(counts)

    async def missed(self, missed: Missed) -> None:
        await self.hesitant.wait()
        self.missing.append(missed)


def channel() -> tuple[trio.SocketStream, trio.SocketStream]:
    """(worker's end, notary's end) of a unix socket pair, as the supervisor makes it."""
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    worker, notary = (trio.SocketStream(trio.socket.from_stdlib_socket(end)) for end in pair)
    return worker, notary
