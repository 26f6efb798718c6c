"""The notary's end of a worker's channel: what is said on it, byte for byte."""

import pytest
import trio
import trio.testing

from proxy.errors import LogFailure, Refusal
from proxy.model import Claim, Receipt, Verdict
from proxy.notary import messages, submissions
from proxy.notary.frames import Decoder, Kind, encode
from proxy.notary.server import Hall
from tests.notary.links import MemoryLog, attempt, claim_of, claimed, statement
from tests.notary.wires import HELLO, concluding, held, reserving, served

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
        kind, number, body = await wire.hear()
        assert (kind, number, messages.unpack_trouble(body)) == (Kind.READY, 0, log.trouble)
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
        await wire.say(HELLO, encode(Kind.SHED, 0, b'{"ingest:no_certificate":2}'))
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
