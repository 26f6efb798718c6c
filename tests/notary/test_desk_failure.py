"""A log that fails or falls behind: what crossed is owed, and nothing new begins."""

from datetime import timedelta
from pathlib import Path

import pytest
import trio
import trio.testing

from proxy.errors import LogFailure
from proxy.model import Missed, Receipt, Verdict
from proxy.notary import desk as desks
from proxy.notary.desk import Desk
from proxy.notary.intents import FOLDER, IntentFile, read_intents
from proxy.notary.remote import RemoteLink
from tests.notary.disks import FailingDisk, LooseDisk
from tests.notary.houses import attached
from tests.notary.links import MemoryLog, attempt, claim_of
from tests.notary.places import PATIENCE, Concluded, Place, by_clock, ready, settled, waiting
from tests.notary.samples import (
    START,
    audited,
    intent_of,
    open_notary,
    outcome,
    refusal,
    statements,
)

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


# --- what gets no statement ----------------------------------------------------------------------


def test_what_the_log_does_not_take_is_counted_by_the_reason_and_told_when_it_does(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        place, at = Place(tmp_path), [START + timedelta(seconds=n) for n in (3, 1, 2)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(place.desk.run)
            place.log.set_ready(False)
            for when in at:
                with pytest.raises(LogFailure):
                    await place.desk.conclude(refusal(received_at=when))
            await trio.sleep(60)
            assert place.log.missing == [], "the log still takes nothing"
            place.log.set_ready(True)
            await trio.sleep(60)
            assert place.log.missing == [Missed({"disk-full": 3}, at[1], at[0])]
            nursery.cancel_scope.cancel()

    by_clock(test)


async def test_what_has_its_statement_or_will_have_it_is_not_counted(tmp_path: Path) -> None:
    place, found = Place(tmp_path), outcome()
    await place.desk.intend(intent_of(found))
    place.log.fail()
    with pytest.raises(LogFailure):
        await place.desk.conclude(found)
    place.log.mend()
    await place.desk.conclude(refusal())
    await place.desk.close()
    assert place.log.missing == []


async def test_a_desk_that_closes_tells_what_it_has_counted(tmp_path: Path) -> None:
    place, found = Place(tmp_path), refusal(listener="\ud800")
    with pytest.raises(LogFailure):
        await place.desk.conclude(found)
    await place.desk.close()
    when = found.received_at
    assert place.log.missing == [Missed({"unsayable": 1}, when, when)]


def test_what_nobody_takes_is_not_forgotten(tmp_path: Path) -> None:
    async def test() -> None:
        link = RemoteLink()
        desk = Desk(link, IntentFile.open(tmp_path / "1", sync=False, disk=LooseDisk()), PATIENCE)
        found = refusal()
        with pytest.raises(LogFailure):
            await desk.conclude(found)
        await desk.close()
        when = found.received_at
        assert desk._missing.take() == Missed({"notary-away": 1}, when, when)

    by_clock(test)


def test_what_a_closing_desk_has_counted_waits_for_the_next_notary(tmp_path: Path) -> None:
    """Longer than any receipt."""

    async def test() -> None:
        link, log = RemoteLink(), MemoryLog()
        desk = Desk(link, IntentFile.open(tmp_path / "1", sync=False, disk=LooseDisk()), PATIENCE)
        found = refusal()
        async with trio.open_nursery() as nursery:
            await nursery.start(link.run)
            with pytest.raises(LogFailure):
                await desk.conclude(found)
            async with trio.open_nursery() as closing:
                closing.start_soon(desk.close)
                await trio.sleep(3 * PATIENCE)
                await attached(nursery, link, log)
            when = found.received_at
            assert log.missing == [Missed({"notary-away": 1}, when, when)]
            nursery.cancel_scope.cancel()

    by_clock(test)


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
        with trio.fail_after(60):
            while desk.waiting or not ready(desk):
                await trio.lowlevel.checkpoint()
        assert read_intents(path) == []
        await desk.close()
        await notary.close()
    (written,) = statements(tmp_path)
    assert (written.verdict, written.status) == (Verdict.DELIVERED, None)
    assert written.attempt_id == found.attempt_id
