"""The notary's end of a worker's channel: what is said on it, byte for byte, and how it ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from proxy.errors import EvidenceError, LogFailure, Refusal
from proxy.model import Claim, Receipt, Submission, Verdict
from proxy.notary import messages, server, submissions
from proxy.notary.frames import Decoder, Frame, Kind, encode
from proxy.notary.server import Hall, serve_link
from tests.notary.links import Durable, MemoryLog, attempt, channel, claim_of, claimed, statement

HELLO = encode(Kind.HELLO)


class Wire:
    """A worker that is nothing but its end of a channel, and what `serve_link` returned."""

    def __init__(self, sock: trio.SocketStream) -> None:
        self.sock = sock
        self.ended = trio.Event()
        self.reason: Exception | None = None
        self._decoder = Decoder()
        self._heard: list[Frame] = []

    async def say(self, *frames: bytes) -> None:
        await self.sock.send_all(b"".join(frames))

    async def hear(self) -> Frame:
        """The next frame."""
        with trio.fail_after(5):
            while not self._heard:
                data = await self.sock.receive_some(65_536)
                assert data, "the channel has ended"
                self._heard += self._decoder.feed(bytes(data))
        return self._heard.pop(0)

    async def silent(self) -> bool:
        """True where nothing more is said until everybody waits."""
        await trio.testing.wait_all_tasks_blocked(0.01)
        with trio.move_on_after(0):
            self._heard += self._decoder.feed(bytes(await self.sock.receive_some(65_536)))
        return not self._heard

    async def end(self) -> Exception | None:
        """Close, and wait for the other end to have dealt with everything."""
        await self.sock.aclose()
        return await self.outcome()

    async def outcome(self) -> Exception | None:
        with trio.fail_after(5):
            await self.ended.wait()
        return self.reason


@asynccontextmanager
async def served(log: MemoryLog, name: str = "1", hall: Hall | None = None) -> AsyncIterator[Wire]:
    """A channel on which the notary has said that it is ready."""
    ours, theirs = channel()
    wire = Wire(ours)

    async def serve() -> None:
        wire.reason = await serve_link(log, name, theirs, hall or Hall())
        wire.ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        assert await wire.hear() == (Kind.READY, 0, bytes([log.ready]))
        yield wire
        await trio.aclose_forcefully(ours)
        nursery.cancel_scope.cancel()


def concluding(number: int, found: Submission) -> bytes:
    return encode(Kind.CONCLUDE, number, submissions.pack_submission(found))


def reserving(number: int, claim: Claim, attempt_id: bytes) -> bytes:
    return encode(Kind.RESERVE, number, attempt_id + messages.pack_claim(claim))


def held(claim: Claim, attempt_id: bytes) -> bytes:
    return encode(Kind.HOLD, 0, attempt_id + messages.pack_claim(claim))


# --- statements ----------------------------------------------------------------------------------


async def test_a_statement_gets_its_receipt() -> None:
    log, found = MemoryLog(), statement()
    async with served(log) as wire:
        await wire.say(HELLO, concluding(7, found))
        kind, number, body = await wire.hear()
        receipt = Receipt(0, b"envelope of " + found.attempt_id)
        assert (kind, number, messages.unpack_receipt(body)) == (Kind.RECEIPT, 7, receipt)
    assert log.durable.log == [found]


async def test_statements_of_one_read_share_a_batch_and_their_receipts_a_write() -> None:
    log = MemoryLog(at_once=False)
    async with served(log) as wire:
        await wire.say(HELLO, *(concluding(n, statement()) for n in range(1, 41)))
        await trio.testing.wait_all_tasks_blocked()
        log.commit()
        await trio.testing.wait_all_tasks_blocked()
        written = bytes(await wire.sock.receive_some(65_536))
        assert [number for _, number, _ in Decoder().feed(written)] == list(range(1, 41))
    assert log.batches == [40]


async def test_a_statement_that_cannot_be_written_is_told_why() -> None:
    log = MemoryLog()
    async with served(log) as wire:
        log.failing = True
        await wire.say(HELLO, concluding(7, statement()))
        kind, number, body = await wire.hear()
        assert (kind, number) == (Kind.REFUSED, 7)
        assert isinstance(messages.unpack_refusal(body), LogFailure)


async def test_a_resent_statement_waits_for_a_failing_disk() -> None:
    log, found = MemoryLog(), statement()
    async with served(log) as wire:
        log.failing = True
        await wire.say(HELLO, encode(Kind.RESENT, 7, submissions.pack_submission(found)))
        assert await wire.silent()
        log.mend()
        assert (await wire.hear())[:2] == (Kind.RECEIPT, 7)


async def test_the_worker_learns_when_intents_may_be_taken() -> None:
    log = MemoryLog()
    async with served(log) as wire:
        log.set_ready(False)
        assert await wire.hear() == (Kind.READY, 0, b"\0")
        log.set_ready(False)
        log.set_ready(True)
        assert await wire.hear() == (Kind.READY, 0, b"\1")
        assert await wire.silent()


# --- questions -----------------------------------------------------------------------------------


async def test_an_id_is_held_for_the_worker_that_asked() -> None:
    log, claim, ours = MemoryLog(), claim_of(), attempt()
    async with served(log, "worker 3") as wire:
        await wire.say(HELLO, reserving(1, claim, ours), reserving(2, claim, attempt()))
        assert await wire.hear() == (Kind.NOTHING, 1, b"")
        kind, number, body = await wire.hear()
        refusal = messages.unpack_refusal(body)
        assert (kind, number, refusal.code) == (Kind.REFUSED, 2, "in-flight")
        assert refusal.retry_after == 1
        assert list(log.held.values()) == [(ours, "worker 3")]
        await wire.say(encode(Kind.RELEASE, 0, ours + messages.pack_claim(claim)))
        await wire.say(reserving(3, claim, attempt()))
        assert await wire.hear() == (Kind.NOTHING, 3, b"")


async def test_a_delivered_id_is_answered_with_its_receipt_and_compared() -> None:
    log, claim = MemoryLog(), claim_of()
    found = claimed(claim, content_sha256=b"c" * 32)
    async with served(log) as wire:
        await wire.say(HELLO, concluding(1, found), reserving(2, claim, attempt()))
        _, _, receipt = await wire.hear()
        kind, _, body = await wire.hear()
        earlier = messages.unpack_earlier(body)
        assert (kind, earlier.status) == (Kind.EARLIER, 201)
        assert earlier.envelope == messages.unpack_receipt(receipt).envelope
        for number, content, same in ((3, b"c" * 32, b"\1"), (4, b"d" * 32, b"\0")):
            await wire.say(encode(Kind.MATCHES, number, content + messages.pack_claim(claim)))
            assert await wire.hear() == (Kind.FLAG, number, same)


async def test_leaves_are_found_by_index_and_by_transfer() -> None:
    log, found = MemoryLog(), statement()
    leaf = b"envelope of " + found.attempt_id
    latest = messages.pack_texts("uid:7", "orders", found.transfer_id)
    other = messages.pack_texts("uid:8", "orders", found.transfer_id)
    async with served(log) as wire:
        await wire.say(HELLO, concluding(1, found))
        await wire.hear()
        for number, kind, body, answer in (
            (2, Kind.ENTRY, messages.pack_index(0), (Kind.LEAF, 2, leaf)),
            (3, Kind.ENTRY, messages.pack_index(1), (Kind.NOTHING, 3, b"")),
            (4, Kind.LATEST, latest, (Kind.LEAF, 4, leaf)),
            (5, Kind.LATEST, other, (Kind.NOTHING, 5, b"")),
        ):
            await wire.say(encode(kind, number, body))
            assert await wire.hear() == answer


async def test_what_was_shed_is_counted() -> None:
    log = MemoryLog()
    async with served(log) as wire:
        await wire.say(encode(Kind.SHED, 0, b'{"ingest:no_certificate":2}'))
        await wire.say(encode(Kind.SHED, 0, b'{"ingest:no_certificate":3,"ingest:full":1}'))
        await wire.end()
    assert log.counts == {"ingest:no_certificate": 5, "ingest:full": 1}


# --- the hall ------------------------------------------------------------------------------------


async def test_nobody_gets_an_id_before_all_have_said_what_they_hold() -> None:
    log, hall, claim, theirs = MemoryLog(), Hall(["1", "2"]), claim_of(), attempt()
    async with served(log, "1", hall) as one, served(log, "2", hall) as two:
        await one.say(HELLO, reserving(1, claim, attempt()), concluding(2, statement()))
        assert (await one.hear())[:2] == (Kind.RECEIPT, 2), "statements do not wait"
        assert await one.silent()
        await two.say(held(claim, theirs), HELLO)
        kind, number, body = await one.hear()
        assert (kind, number) == (Kind.REFUSED, 1)
        assert messages.unpack_refusal(body).code == "in-flight"
    assert list(log.held.values()) == [(theirs, "2")]


async def test_a_worker_that_is_gone_is_not_waited_for() -> None:
    log, hall = MemoryLog(), Hall(["1", "2"])
    async with served(log, "1", hall) as one:
        await one.say(HELLO, reserving(1, claim_of(), attempt()))
        assert await one.silent()
        hall.gone("2")
        assert (await one.hear())[:2] == (Kind.NOTHING, 1)


async def test_a_channel_that_ends_before_hello_does_not_open_the_hall() -> None:
    log, hall = MemoryLog(), Hall(["1", "2"])
    async with served(log, "1", hall) as one:
        await one.say(HELLO, reserving(1, claim_of(), attempt()))
        async with served(log, "2", hall) as two:
            await two.say(held(claim_of(), attempt()))
            assert await two.end() is None
        assert await one.silent(), "its intents are not closed yet"


async def test_a_hold_that_cannot_be_kept_ends_the_channel_and_opens_no_hall(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken(MemoryLog):
        def restore(self, claim: Claim, attempt_id: bytes, *, holder: str) -> None:
            raise LogFailure("the table of ids cannot be read")

    log, hall = Broken(), Hall(["1", "2"])
    async with served(log, "1", hall) as one, served(log, "2", hall) as two:
        await one.say(HELLO, reserving(1, claim_of(), attempt()))
        await two.say(held(claim_of(), attempt()), HELLO)
        assert isinstance(await two.outcome(), LogFailure)
        assert await one.silent()


# --- the end -------------------------------------------------------------------------------------


async def test_at_its_end_everything_that_was_read_is_in_the_log() -> None:
    log = MemoryLog(at_once=False)
    found = [statement() for _ in range(30)]
    async with served(log) as wire:
        await wire.say(HELLO, *(concluding(n, each) for n, each in enumerate(found)))
        await wire.sock.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert not wire.ended.is_set(), "they are not concluded"
        log.commit()
        assert await wire.outcome() is None
    assert log.durable.log == found


async def test_what_a_worker_wrote_is_read_though_it_died_without_reading() -> None:
    log, first = MemoryLog(), statement()
    rest = [statement() for _ in range(200)]
    async with served(log) as wire:
        await wire.say(HELLO, concluding(1, first))
        await trio.testing.wait_all_tasks_blocked(0.01)  # its receipt waits to be read: ECONNRESET
        await wire.say(*(concluding(n, each) for n, each in enumerate(rest)))
        assert await wire.end() is None
    assert log.durable.log == [first, *rest]


async def test_a_frame_that_the_end_cuts_off_was_never_said() -> None:
    log, found = MemoryLog(), statement()
    async with served(log) as wire:
        await wire.say(HELLO, concluding(1, found), concluding(2, statement())[:-1])
        assert await wire.end() is None
    assert log.durable.log == [found]


async def test_questions_die_with_their_worker_but_what_it_lets_go_is_let_go() -> None:
    log, hall, claim, ours = MemoryLog(), Hall(["2"]), claim_of(), attempt()
    async with served(log, "1", hall) as wire:
        await wire.say(HELLO, reserving(1, claim_of(), attempt()), reserving(2, claim, ours))
        await wire.say(encode(Kind.RELEASE, 0, ours + messages.pack_claim(claim)))
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert await wire.end() is None
    assert log.held == {}
    assert log.released == [ours]


@pytest.mark.parametrize(
    "malformed",
    [
        b"\xff" * 13,
        encode(Kind.RECEIPT, 1, bytes(8)),
        encode(Kind.CONCLUDE, 1, b"short"),
        encode(Kind.HELLO, 0, b"more"),
        held(claim_of(), attempt()),
        encode(Kind.ENTRY, 1, b"short"),
        encode(Kind.SHED, 0, b"[]"),
        b"\0\0\0\x09\x7f" + bytes(8),
    ],
)
async def test_what_does_not_read_ends_the_channel_but_not_what_was_said_before(
    malformed: bytes,
) -> None:
    log, before = MemoryLog(at_once=False), statement()
    async with served(log) as wire:
        await wire.say(HELLO, concluding(1, before), malformed, concluding(2, statement()))
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert not wire.ended.is_set()
        log.commit()
        assert isinstance(await wire.outcome(), EvidenceError)
        assert await wire.sock.receive_some(10) == b""
    assert log.durable.log == [before]


async def test_a_question_before_hello_ends_the_channel() -> None:
    async with served(MemoryLog()) as wire:
        await wire.say(reserving(1, claim_of(), attempt()), HELLO)
        assert isinstance(await wire.outcome(), EvidenceError)


async def test_no_more_is_read_than_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST", 50)
    log = MemoryLog(at_once=False)
    async with served(log) as wire, trio.open_nursery() as nursery:
        many = [concluding(n, statement(details=b"x" * 40_000)) for n in range(200)]
        nursery.start_soon(wire.say, HELLO, *many)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert 50 <= len(log.queue) < 53
        log.at_once = True
        log.commit()
        for n in range(200):
            assert (await wire.hear())[:2] == (Kind.RECEIPT, n)


async def test_a_worker_that_reads_nothing_is_not_answered_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "MOST_OCTETS", 100_000)
    durable = Durable()
    log = MemoryLog(durable)
    await log.conclude(statement())
    monkeypatch.setattr(durable, "envelope", lambda index: b"x" * 60_000)
    asked = encode(Kind.ENTRY, 1, messages.pack_index(0))
    async with served(log) as wire:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.say, HELLO, asked * 100_000)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert log.asked < 20, "it is not answered any more"
            nursery.cancel_scope.cancel()
        assert await wire.end() is None, "its death is seen all the same"


async def test_refusals_of_the_table_reach_the_worker_as_they_are() -> None:
    class Full(MemoryLog):
        async def reserve(self, claim: Claim, attempt_id: bytes, *, holder: str = "") -> None:
            raise Refusal("overloaded", "no place for another id", retry_after=5)

    async with served(Full()) as wire:
        await wire.say(HELLO, reserving(1, claim_of(), attempt()))
        refusal = messages.unpack_refusal((await wire.hear())[2])
        assert (refusal.code, refusal.retry_after) == ("overloaded", 5)


async def test_a_failed_statement_frees_its_id() -> None:
    log, claim, ours = MemoryLog(), claim_of(), attempt()
    async with served(log) as wire:
        await wire.say(HELLO, reserving(1, claim, ours))
        await wire.hear()
        await wire.say(concluding(2, claimed(claim, Verdict.FAILED, attempt_id=ours)))
        await wire.hear()
        await wire.say(reserving(3, claim, attempt()))
        assert await wire.hear() == (Kind.NOTHING, 3, b"")
