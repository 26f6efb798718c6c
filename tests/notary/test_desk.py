"""What transfers ask of the log, from a worker: intents, receipts that are owed, and readiness."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from proxy.errors import LogFailure, Refusal
from proxy.model import Earlier, Intent, Outcome, Peer, Receipt, Verdict
from proxy.notary import desk as desks
from proxy.notary.desk import Desk
from proxy.notary.intents import FOLDER, IntentFile, read_intents
from tests.notary.disks import FailingDisk, LooseDisk
from tests.notary.links import MemoryLog, attempt, claim_of
from tests.notary.samples import audited, intent_of, open_notary, outcome, refusal, statements

PATIENCE = 2.0


class Place:
    """A desk over a log in memory, and its intent file."""

    def __init__(self, path: Path, *, at_once: bool = True, disk: LooseDisk | None = None) -> None:
        self.log = MemoryLog(at_once=at_once)
        self.path = path / "intents" / "1"
        self.disk = disk or LooseDisk()
        self.desk = Desk(self.log, IntentFile.open(self.path, sync=False, disk=self.disk), PATIENCE)

    @property
    def open(self) -> list[Intent]:
        return read_intents(self.path)


@asynccontextmanager
async def waiting(*tasks: Callable[[], Coroutine[Any, Any, Any]]) -> AsyncIterator[trio.Nursery]:
    """Others wait meanwhile."""
    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(task)
        await settled()
        yield nursery


def ready(desk: Desk) -> bool:
    """Asked anew each time."""
    return desk.ready


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


def by_clock(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test whose clock jumps to the next deadline when everybody waits."""
    trio.run(test, clock=trio.testing.MockClock(autojump_threshold=0))


class Concluded:
    """Somebody who waits for a receipt."""

    def __init__(self, desk: Desk, found: Outcome) -> None:
        self.result: Receipt | LogFailure | None = None
        self.scope = trio.CancelScope()
        self._desk = desk
        self._found = found

    async def __call__(self) -> None:
        with self.scope:
            try:
                self.result = await self._desk.conclude(self._found)
            except LogFailure as failure:
                self.result = failure


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
    place, found = Place(tmp_path, at_once=False), outcome()
    await place.desk.intend(intent_of(found))
    concluded = Concluded(place.desk, found)
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


# --- when the log fails --------------------------------------------------------------------------


async def test_what_crossed_is_owed_and_says_that_the_sender_had_no_answer(tmp_path: Path) -> None:
    place, found = Place(tmp_path), outcome()
    await place.desk.intend(intent_of(found))
    place.log.failing = True
    with pytest.raises(LogFailure):
        await place.desk.conclude(found)
    assert place.open == [intent_of(found)]
    assert place.desk.waiting == 1
    place.log.mend()
    (written,) = place.log.durable.log
    assert (written.verdict, written.status) == (Verdict.DELIVERED, None)
    assert written.problem == "log-unavailable"
    assert (place.desk.waiting, place.open) == (0, [])


async def test_a_batch_that_fails_is_owed_as_well(tmp_path: Path) -> None:
    place, found = Place(tmp_path, at_once=False), outcome()
    await place.desk.intend(intent_of(found))
    concluded = Concluded(place.desk, found)
    async with waiting(concluded):
        place.log.fail()
    assert isinstance(concluded.result, LogFailure)
    assert place.open == [intent_of(found)]
    place.log.mend()
    (written,) = place.log.durable.log
    assert written.status is None
    assert (place.desk.waiting, place.open) == (0, [])


async def test_what_did_not_cross_is_not_owed_and_lets_its_id_go(tmp_path: Path) -> None:
    place, claim = Place(tmp_path), claim_of()
    found = refusal(claim=claim, attempt_id=attempt())
    assert await place.desk.reserve(claim, found.attempt_id) is None
    place.log.failing = True
    with pytest.raises(LogFailure):
        await place.desk.conclude(found)
    assert (place.desk.waiting, place.log.held) == (0, {})
    place.log.mend()
    assert place.log.durable.log == []


async def test_what_crossed_does_not_let_its_id_go(tmp_path: Path) -> None:
    place, claim = Place(tmp_path), claim_of()
    found = outcome(claim=claim, listener="\ud800")
    assert await place.desk.reserve(claim, found.attempt_id) is None
    await place.desk.intend(intent_of(found))
    with pytest.raises(LogFailure):
        await place.desk.conclude(found)
    assert len(place.log.held) == 1


async def test_while_the_link_is_not_ready_nothing_begins(tmp_path: Path) -> None:
    place, claim, found = Place(tmp_path), claim_of(), outcome()
    await place.desk.intend(intent_of(found))
    place.log.set_ready(False)
    assert not ready(place.desk)
    with pytest.raises(LogFailure):
        await place.desk.intend(intent_of(outcome()))
    with pytest.raises(LogFailure):
        await place.desk.reserve(claim, attempt())
    with pytest.raises(LogFailure):
        await place.desk.conclude(refusal())
    assert place.open == [intent_of(found)]
    assert (await place.desk.conclude(found)).index == 0, "what has begun is ended"


# --- behind --------------------------------------------------------------------------------------


def test_a_statement_that_waits_longer_than_patience_stops_what_is_new(tmp_path: Path) -> None:
    async def test() -> None:
        place = Place(tmp_path, at_once=False)
        first, second = Concluded(place.desk, refusal()), Concluded(place.desk, refusal())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first)
            await trio.sleep(PATIENCE / 2)
            nursery.start_soon(second)
            await trio.sleep(PATIENCE / 2)
            assert ready(place.desk)
            await trio.sleep(0.01)
            assert not ready(place.desk)
            with pytest.raises(LogFailure, match="behind"):
                await place.desk.intend(intent_of(outcome()))
            place.log.commit()
            assert ready(place.desk), "it recovers by itself"
            await place.desk.intend(intent_of(outcome()))

    by_clock(test)


async def test_more_statements_than_may_wait_stop_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks, "MOST", 3)
    place = Place(tmp_path, at_once=False)
    begun = outcome()
    await place.desk.intend(intent_of(begun))
    async with waiting(*(Concluded(place.desk, refusal()) for _ in range(4))) as nursery:
        assert not ready(place.desk)
        with pytest.raises(LogFailure, match="behind"):
            await place.desk.intend(intent_of(outcome()))
        with pytest.raises(LogFailure, match="behind"):
            await place.desk.conclude(refusal())
        last = Concluded(place.desk, begun)
        nursery.start_soon(last)
        await settled()
        place.log.commit()
    assert isinstance(last.result, Receipt), "what has begun is ended"
    assert ready(place.desk)
    assert len(place.log.durable.log) == 5


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
    place, found = Place(tmp_path, at_once=False), outcome()
    await place.desk.intend(intent_of(found))
    concluded = Concluded(place.desk, found)
    async with waiting(concluded) as nursery:
        nursery.start_soon(place.desk.close)
        await settled()
        assert not ready(place.desk)
        concluded.scope.cancel()
        place.log.commit()
    assert place.open == []


def test_closing_waits_no_longer_than_patience_and_leaves_the_intent(tmp_path: Path) -> None:
    async def test() -> None:
        place, found = Place(tmp_path, at_once=False), outcome()
        await place.desk.intend(intent_of(found))
        concluded = Concluded(place.desk, found)
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


# --- with the notary itself ----------------------------------------------------------------------


async def test_a_desk_in_the_notarys_own_process_leaves_an_audited_log(tmp_path: Path) -> None:
    notary = open_notary(tmp_path)
    path = tmp_path / FOLDER / "1"
    desk = Desk(notary, IntentFile.open(path, sync=False, disk=LooseDisk()), PATIENCE)
    found = [outcome() for _ in range(5)]
    async with trio.open_nursery() as nursery:
        await nursery.start(notary.run)
        assert ready(desk)
        async with trio.open_nursery() as transfers:
            for each in found:
                await desk.intend(intent_of(each))
                transfers.start_soon(desk.conclude, each)
            transfers.start_soon(desk.conclude, refusal())
        assert read_intents(path) == []
        await desk.close()
        await notary.close()
        assert not ready(desk)
    assert audited(tmp_path)[0] == 6
    ended = [each.verdict for each in statements(tmp_path)]
    assert ended.count(Verdict.DELIVERED) == 5


async def test_a_notary_whose_disk_fails_is_owed_what_crossed_and_recovers(tmp_path: Path) -> None:
    disk = FailingDisk()
    notary = open_notary(tmp_path, disk=disk, checkpoint_every=0.01)
    path = tmp_path / FOLDER / "1"
    desk = Desk(notary, IntentFile.open(path, sync=False, disk=LooseDisk()), PATIENCE)
    found = outcome()
    async with trio.open_nursery() as nursery:
        await nursery.start(notary.run)
        await desk.intend(intent_of(found))
        disk.fail("append", "create", "sync")
        with pytest.raises(LogFailure):
            await desk.conclude(found)
        assert not ready(desk)
        assert read_intents(path) == [intent_of(found)]
        disk.heal()
        with trio.fail_after(5):
            while desk.waiting or not ready(desk):
                await trio.lowlevel.checkpoint()
        assert read_intents(path) == []
        await desk.close()
        await notary.close()
    (written,) = statements(tmp_path)
    assert (written.verdict, written.status) == (Verdict.DELIVERED, None)
    assert written.attempt_id == found.attempt_id
