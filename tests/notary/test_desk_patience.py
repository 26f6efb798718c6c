"""A log that says nothing: nobody waits for ever, and nothing is both counted and receipted."""

from pathlib import Path

import pytest
import trio

from proxy.errors import LogFailure
from proxy.model import Outcome, Receipt, Verdict
from proxy.notary.desk import Desk
from proxy.notary.folder import Folder
from proxy.receipt import dsse
from tests.notary.disks import FailingDisk
from tests.notary.places import PATIENCE, Place, by_clock, owed, ready
from tests.notary.samples import (
    RECEIPT_KEY,
    audited,
    intent_of,
    intents_in,
    open_notary,
    outcome,
    refusal,
    statements,
    until,
)

CROSSED = 5 * PATIENCE
LOOK = PATIENCE / 4 + 1e-6
"""Between two looks at what waits."""


async def _waited_in_vain(desk: Desk, found: Outcome) -> float:
    """Seconds until the desk gave the sender of `found` up."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.run)
        started = trio.current_time()
        with trio.fail_after(2 * CROSSED), pytest.raises(LogFailure, match="behind"):
            await desk.conclude(found)
        nursery.cancel_scope.cancel()
        return trio.current_time() - started


def test_what_owes_nothing_waits_no_longer_than_patience_and_is_written_later(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        place, found = Place(tmp_path, at_once=False), refusal()
        waited = await _waited_in_vain(place.desk, found)
        assert PATIENCE <= waited <= PATIENCE + LOOK
        assert place.desk.waiting == 1
        place.log.commit()
        (written,) = place.log.durable.log
        assert (written.attempt_id, place.desk.waiting) == (found.attempt_id, 0)
        assert ready(place.desk)
        await place.desk.close()
        assert place.log.missing == [], "what has its receipt is not missing"

    by_clock(test)


def test_what_crossed_waits_longer_but_not_for_ever_and_stays_owed(tmp_path: Path) -> None:
    async def test() -> None:
        place, found = Place(tmp_path, at_once=False), outcome()
        await place.desk.intend(intent_of(found))
        waited = await _waited_in_vain(place.desk, found)
        assert CROSSED <= waited <= CROSSED + LOOK
        assert place.open == [intent_of(found)]
        place.log.commit()
        (written,) = place.log.durable.log
        assert (written.attempt_id, written.verdict) == (found.attempt_id, Verdict.DELIVERED)
        assert (place.desk.waiting, place.open) == (0, [])

    by_clock(test)


def test_a_notary_that_takes_no_counts_keeps_nobody_waiting(tmp_path: Path) -> None:
    async def test() -> None:
        place, found = Place(tmp_path, at_once=False), refusal()
        place.log.set_ready(False)
        with pytest.raises(LogFailure):
            await place.desk.conclude(refusal())
        place.log.set_ready(True)
        place.log.hesitate()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(place.desk.run)
            await trio.sleep(2 * PATIENCE)
            started = trio.current_time()
            with trio.fail_after(CROSSED), pytest.raises(LogFailure, match="behind"):
                await place.desk.conclude(found)
            assert trio.current_time() - started <= PATIENCE + LOOK
            nursery.cancel_scope.cancel()

    by_clock(test)


def test_what_crossed_gets_a_receipt_that_is_late(tmp_path: Path) -> None:
    async def test() -> None:
        place, _, concluded = await owed(tmp_path)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(concluded)
            await trio.sleep(2 * PATIENCE)
            assert not ready(place.desk)
            place.log.commit()
        assert isinstance(concluded.result, Receipt)

    by_clock(test)


@pytest.mark.parametrize("begun", [True, False])
async def test_a_refusal_is_counted_or_has_a_receipt_and_never_both(
    tmp_path: Path, begun: bool
) -> None:
    """In mid-stream there is an intent, so that it is owed; before the first octet there is none,
    and while the disk fails it is counted only. The disk fails without the desk knowing it yet."""
    disk, found = FailingDisk(), refusal()
    notary = open_notary(tmp_path, disk=disk, checkpoint_every=0.01)
    desk = Desk(notary, intents_in(tmp_path), PATIENCE)
    async with trio.open_nursery() as nursery:
        await nursery.start(notary.run)
        if begun:
            await desk.intend(intent_of(found))
        disk.fail("append", "create", "sync")
        with pytest.raises(LogFailure):
            await desk.conclude(outcome())  # fails with its batch, and stays queued
        with pytest.raises(LogFailure):
            await desk.conclude(found)
        disk.heal()
        await until(lambda: desk.waiting == 0 and ready(desk))
        await desk.close()
        await notary.close()
    audited(tmp_path)
    mine = [each for each in statements(tmp_path) if each.attempt_id == found.attempt_id]
    assert [each.verdict for each in mine] == [Verdict.REJECTED] * begun
    said = [dsse.verify(entry, RECEIPT_KEY.public_key()) for _, entry in Folder(tmp_path).entries()]
    assert sum(b"refused-transfers" in each for each in said) == (not begun)
