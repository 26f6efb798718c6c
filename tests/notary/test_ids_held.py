"""An attempt ends another id than the one that it holds: each is left as if the other were not."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from proxy.errors import EvidenceError, Refusal
from proxy.model import Claim, Intent, Verdict
from proxy.notary.attempts import AttemptIds, name_worker
from proxy.notary.frames import Kind
from proxy.notary.ids import Delivered
from tests.notary.disks import LooseDisk
from tests.notary.samples import audited, crash_copy, intent_of, intents_in, outcome, running
from tests.notary.test_hostile_worker import claimed, wired
from tests.notary.test_ids import NOW, Log, attempt, claim, refused, submission
from tests.notary.wires import concluding, reserving

ONE = attempt(99)
CLAIMED, HELD = claim(0), claim(1)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    found = Log(tmp_path)
    yield found
    found.ids.close()


def cut_short(wish: Claim) -> Intent:
    started = datetime.fromtimestamp(NOW, UTC)
    return Intent(ONE, wish.transfer_id, wish.sender, wish.route, started, wish)


# --- the table -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [claim(1), claim(sender="spiffe://a/c"), claim(route="returns")],
    ids=["another id", "another sender", "another route"],
)
def test_no_attempt_speaks_of_another_id_than_it_holds(log: Log, other: Claim) -> None:
    assert log.ids.reserve(other, ONE, NOW) is None
    log.ids.require_held(submission(other, ONE, Verdict.DELIVERED))
    log.ids.require_held(submission(CLAIMED, attempt(1), Verdict.DELIVERED))  # holds none
    with pytest.raises(EvidenceError, match="another Transfer-Id"):
        log.ids.require_held(submission(CLAIMED, ONE, Verdict.DELIVERED))


def test_what_a_memo_says_is_about_the_id_that_is_claimed(log: Log) -> None:
    assert log.ids.reserve(HELD, ONE, NOW) is None
    index = log.conclude(CLAIMED, ONE, Verdict.DELIVERED)
    assert log.reserve(CLAIMED)[1] == Delivered(201, index)
    assert log.reserve(HELD)[1] is None


def test_an_intent_that_claims_another_id_leaves_the_one_that_was_held(log: Log) -> None:
    assert log.ids.reserve(HELD, ONE, NOW) is None
    memo = log.ids.memo(cut_short(CLAIMED), NOW)
    log.ids.settle(ONE, 0, memo, NOW)
    assert refused(log, CLAIMED) == "undecided"
    assert log.reserve(HELD)[1] is None


def test_a_delivery_is_not_undone_by_who_held_another_id_meanwhile(log: Log) -> None:
    index = log.end(CLAIMED, Verdict.DELIVERED)
    memo = log.ids.memo(submission(CLAIMED, ONE, Verdict.INDETERMINATE), NOW)
    assert log.ids.reserve(HELD, ONE, NOW) is None  # while its statement is on its way to the disk
    log.ids.settle(ONE, index + 1, memo, NOW)
    assert log.reserve(CLAIMED)[1] == Delivered(201, index)
    assert log.reserve(HELD)[1] is None


def test_an_id_that_was_kept_already_is_counted_once(log: Log) -> None:
    log.end(CLAIMED, Verdict.INDETERMINATE)
    memo = log.ids.memo(submission(CLAIMED, ONE, Verdict.DELIVERED), NOW)
    assert log.ids.reserve(HELD, ONE, NOW) is None
    log.ids.settle(ONE, 1, memo, NOW)
    assert (log.ids._shares.kept, log.ids._shares.held) == (1, 0)


# --- the notary ----------------------------------------------------------------------------------


class SlowDisk(LooseDisk):
    """While `slow`, no sync returns."""

    def __init__(self) -> None:
        self.slow = False
        self.syncing = trio.Event()
        self._go_on = trio.Event()

    def sync(self, fd: int) -> None:
        if self.slow:
            trio.from_thread.run_sync(self.syncing.set)
            trio.from_thread.run(self._go_on.wait)

    def heal(self) -> None:
        self.slow = False
        self._go_on.set()


async def test_a_hold_that_comes_while_a_statement_is_written_neither_stays_nor_counts(
    tmp_path: Path,
) -> None:
    """The worker reserves a victim's id for an attempt that is on its way to the disk already."""
    name, disk = name_worker(1, 0), SlowDisk()
    ids, victim = AttemptIds(name), Claim("spiffe://example/victim", "orders", "1", 3600.0)
    first = claimed(replace(outcome(), attempt_id=ids()))
    assert first.claim is not None
    again = replace(first, attempt_id=ids(), verdict=Verdict.INDETERMINATE)
    async with running(tmp_path / "log", disk=disk) as notary, wired(notary, name) as wire:
        await wire.say(concluding(1, first))
        assert (await wire.hear())[0] == Kind.RECEIPT
        disk.slow = True
        await wire.say(concluding(2, again))
        await disk.syncing.wait()
        await wire.say(reserving(3, victim, again.attempt_id))
        assert (await wire.hear())[:2] == (Kind.NOTHING, 3)
        disk.heal()
        assert (await wire.hear())[:2] == (Kind.RECEIPT, 2)
        for number, wish, answer in ((4, first.claim, Kind.EARLIER), (5, victim, Kind.NOTHING)):
            await wire.say(reserving(number, wish, ids()))
            assert (await wire.hear())[0] == answer
    audited(tmp_path / "log")


@pytest.mark.parametrize("alive", [True, False], ids=["the notary lives", "all died"])
async def test_an_intent_that_a_dead_worker_left_takes_no_id_that_it_held_for_another(
    tmp_path: Path, alive: bool
) -> None:
    store, copy, name = tmp_path / "log", tmp_path / "copy", name_worker(1, 0)
    one, other = AttemptIds(name)(), Claim("spiffe://example/other", "orders", "1", 3600.0)
    left = intent_of(replace(outcome(), attempt_id=one))
    left = replace(left, claim=Claim(left.sender, left.route, left.transfer_id, 3600.0))
    assert left.claim is not None
    async with running(store) as notary:
        assert await notary.reserve(other, one, holder=name) is None
        intents_in(store, name).write(left)
        if not alive:
            await crash_copy(notary, store, copy)
        assert await notary.worker_gone(name) == 1
        store = store if alive else copy
    async with running(store) as notary:
        shares = notary._store.ids._shares
        assert (shares.kept, shares.held) == (1, 0)
        assert await notary.reserve(other, attempt(1)) is None
        with pytest.raises(Refusal, match="undecided"):
            await notary.reserve(left.claim, attempt(2))
    audited(store)
