"""What transfers ask of the log, from a worker: intents, receipts, ids and leaves."""

from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from proxy.errors import LogFailure, Refusal
from proxy.model import Earlier, Peer, Receipt
from proxy.notary.desk import Desk
from proxy.notary.intents import IntentFile
from tests.notary.disks import FailingDisk, LooseDisk
from tests.notary.links import MemoryLog, attempt, claim_of
from tests.notary.places import PATIENCE, Concluded, Place, by_clock, owed, ready, settled, waiting
from tests.notary.samples import intent_of, outcome, refusal

# --- an attempt ----------------------------------------------------------------------------------


async def test_an_intent_stands_in_the_file_until_its_receipt_is_there(tmp_path: Path) -> None:
    place, found = Place(tmp_path, at_once=False), outcome()
    await place.desk.intend(intent_of(found))
    assert place.open == [intent_of(found)]
    concluded = Concluded(place.desk, found)
    async with waiting(concluded):
        assert place.open == [intent_of(found)], "it is not durable yet"
        place.log.commit()
    assert concluded.result == Receipt(0, b"envelope of " + found.attempt_id)
    assert place.open == []
    (written,) = place.log.durable.log
    assert (written.attempt_id, written.status) == (found.attempt_id, found.status)


async def test_a_conclude_that_is_cancelled_is_delivered_and_its_slot_cleared(
    tmp_path: Path,
) -> None:
    place, found, concluded = await owed(tmp_path)
    async with waiting(concluded):
        concluded.scope.cancel()
    assert concluded.result is None
    assert place.desk.waiting == 1
    assert place.open == [intent_of(found)]
    place.log.commit()
    assert [entry.attempt_id for entry in place.log.durable.log] == [found.attempt_id]
    assert (place.desk.waiting, place.open) == (0, [])


async def test_a_refusal_needs_no_intent(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert (await place.desk.conclude(refusal())).index == 0


async def test_an_intent_that_the_disk_refuses_is_a_log_failure(tmp_path: Path) -> None:
    place = Place(tmp_path, disk=FailingDisk())
    for _ in range(64):
        await place.desk.intend(intent_of(outcome()))
    assert isinstance(place.disk, FailingDisk)
    place.disk.fail("allocate")
    with pytest.raises(LogFailure, match="cannot be written"):
        await place.desk.intend(intent_of(outcome()))
    assert len(place.open) == 64


async def test_with_sync_an_intent_is_on_disk_before_intend_returns(tmp_path: Path) -> None:
    class Watched(LooseDisk):
        syncs = 0

        def sync(self, fd: int) -> None:
            self.syncs += 1

    disk = Watched()
    intents = IntentFile.open(tmp_path / "intents" / "1", sync=True, disk=disk)
    desk, before = Desk(MemoryLog(), intents, PATIENCE), disk.syncs
    await desk.intend(intent_of(outcome()))
    assert disk.syncs == before + 1
    await desk.close()


async def test_an_outcome_that_cannot_be_said_is_a_log_failure_and_its_intent_stays(
    tmp_path: Path,
) -> None:
    place, found = Place(tmp_path), outcome(listener="\ud800")
    await place.desk.intend(intent_of(found))
    with pytest.raises(LogFailure):
        await place.desk.conclude(found)
    assert place.open == [intent_of(found)]
    assert place.desk.waiting == 0


# --- ids and leaves ------------------------------------------------------------------------------


async def test_ids_are_reserved_once_and_answered_when_they_are_used_up(tmp_path: Path) -> None:
    place, claim = Place(tmp_path), claim_of()
    found = outcome(
        claim=claim, content_sha256=b"c" * 32, transfer_id=claim.transfer_id, sender=Peer(uid=7)
    )
    assert await place.desk.reserve(claim, found.attempt_id) is None
    with pytest.raises(Refusal, match="in-flight"):
        await place.desk.reserve(claim, attempt())
    assert place.log.released == [], "who is refused holds nothing that could be let go"
    await place.desk.intend(intent_of(found))
    receipt = await place.desk.conclude(found)
    assert await place.desk.reserve(claim, attempt()) == Earlier(201, 0, receipt.envelope)
    assert await place.desk.matches(claim, b"c" * 32)
    assert await place.desk.entry(0) == receipt.envelope
    latest = await place.desk.latest("uid:7", "orders", claim.transfer_id)
    assert latest == receipt.envelope
    place.desk.shed({"ingest:full": 1})
    assert place.log.counts == {"ingest:full": 1}


async def test_a_reservation_that_is_cancelled_is_let_go(tmp_path: Path) -> None:
    place, ours = Place(tmp_path), attempt()
    place.log.hesitate()
    async with waiting(partial(place.desk.reserve, claim_of(), ours)) as nursery:
        nursery.cancel_scope.cancel()
    assert place.log.released == [ours]


@pytest.mark.parametrize(
    "ask",
    [
        lambda desk: desk.reserve(claim_of(), bytes(16)),
        lambda desk: desk.matches(claim_of(), bytes(32)),
        lambda desk: desk.entry(0),
        lambda desk: desk.latest("uid:7", "orders", "id"),
    ],
)
def test_a_log_that_does_not_answer_is_a_log_failure(
    tmp_path: Path, ask: Callable[[Desk], Coroutine[Any, Any, object]]
) -> None:
    async def test() -> None:
        place = Place(tmp_path)
        place.log.hesitate()
        start = trio.current_time()
        with pytest.raises(LogFailure, match="slow"):
            await ask(place.desk)
        assert trio.current_time() - start == pytest.approx(PATIENCE)

    by_clock(test)


def test_an_id_that_nobody_waited_for_is_let_go(tmp_path: Path) -> None:
    async def test() -> None:
        place, claim, ours = Place(tmp_path), claim_of(), attempt()
        place.log.hesitate()
        with pytest.raises(LogFailure, match="slow"):
            await place.desk.reserve(claim, ours)
        assert place.log.released == [ours]

    by_clock(test)


# --- the end -------------------------------------------------------------------------------------


async def test_closing_waits_for_the_receipts_that_are_owed(tmp_path: Path) -> None:
    place, _, concluded = await owed(tmp_path)
    async with waiting(concluded) as nursery:
        nursery.start_soon(place.desk.close)
        await settled()
        assert not ready(place.desk)
        concluded.scope.cancel()
        place.log.commit()
    assert place.open == []


def test_closing_waits_no_longer_than_patience_and_leaves_the_intent(tmp_path: Path) -> None:
    async def test() -> None:
        place, found, concluded = await owed(tmp_path)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(concluded)
            await settled()
            start = trio.current_time()
            await place.desk.close()
            assert trio.current_time() - start == pytest.approx(PATIENCE)
            assert place.open == [intent_of(found)]
            nursery.cancel_scope.cancel()
        place.log.commit()
        with pytest.raises(LogFailure):
            await place.desk.intend(intent_of(outcome()))

    by_clock(test)
