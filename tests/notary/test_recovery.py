"""What a crash leaves, at every point at which it can come, and what is made of it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.errors import EvidenceError, LockgateError, LogFailure, Refusal
from proxy.model import Claim, Intent, Outcome, Verdict
from proxy.notary import Notary, journal
from proxy.notary.disk import Disk
from proxy.notary.intents import IntentFile
from proxy.notary.recovery import recover
from proxy.receipt import note
from proxy.receipt.merkle import leaf_hash
from tests.notary.disks import DyingDisk
from tests.notary.samples import (
    ORIGIN,
    RECEIPT_KEY,
    audited,
    conclude,
    deliver,
    intent_of,
    intents_in,
    open_notary,
    outcome,
    refusal,
    running,
    statements,
)


def claimed(found: Outcome, window: float = 3600.0) -> Outcome:
    """The outcome of an attempt that holds its id."""
    assert found.route is not None
    claim = Claim(found.sender.name, found.route, found.transfer_id, window)
    return replace(found, claim=claim)


class Told:
    """What callers were told before the crash: it has to hold after it."""

    def __init__(self) -> None:
        self.intents: list[Intent] = []
        self.receipts: dict[int, bytes] = {}
        self.delivered: list[Claim] = []


async def busy(store: Path, told: Told, disk: Disk) -> None:
    """Some work of every kind; goes on as callers would when the log fails."""
    try:
        notary = open_notary(store, disk=disk)
    except LogFailure:
        return
    async with trio.open_nursery() as nursery:
        await nursery.start(notary.run)
        try:
            intents = intents_in(store, disk=disk)
        except LogFailure:
            await notary.close()
            return
        delivery = claimed(outcome())
        for found in (delivery, refusal(), outcome(Verdict.FAILED), None, claimed(outcome())):
            try:
                await attempt(notary, intents, found, told)
            except LogFailure:
                continue
            await notary.publish()
        await notary.close()
        intents.close()


async def attempt(notary: Notary, intents: IntentFile, found: Outcome | None, told: Told) -> None:
    crosses = found is None or found.verdict is not Verdict.REJECTED
    never_ends, found = found is None, found or claimed(outcome())
    if found.claim is not None:
        assert await notary.reserve(found.claim, found.attempt_id) is None
    if crosses:
        intents.write(intent_of(found))
        told.intents.append(intent_of(found))
    if never_ends:
        return
    receipt = await conclude(notary, found)
    told.receipts[receipt.index] = receipt.envelope
    if found.claim is not None:
        told.delivered.append(found.claim)
    intents.clear(found.attempt_id)


async def require_recovered(store: Path, told: Told) -> None:
    notary = open_notary(store)
    async with trio.open_nursery() as nursery:
        await nursery.start(notary.run)
        for index, envelope in told.receipts.items():
            assert await notary.entry(index) == envelope, "an acknowledged receipt is gone"
        for claim in told.delivered:
            earlier = await notary.reserve(claim, b"n" * 16)
            assert earlier is not None, "a delivered id is free again"
            assert told.receipts[earlier.index] == earlier.envelope
        await deliver(notary)
        await notary.close()
    published, beyond = audited(store)
    assert beyond == 0
    found = statements(store)
    assert len(found) == published
    said = [s.attempt_id for s in found if s.attempt_id is not None]
    assert len(set(said)) == len(said), "two statements about one attempt"
    for intent in told.intents:
        assert intent.attempt_id in said, "an intent without a verdict"
    assert not list((store / "intents").glob("*"))
    second = open_notary(store)
    assert (second.interrupted, second.size) == (0, published)
    await second.close()


@pytest.mark.parametrize(("part", "first"), [(0.5, 0), (1.0, 1), (0.5, 2), (1.0, 3)])
async def test_nothing_acknowledged_is_lost_wherever_the_writer_dies(
    tmp_path: Path, part: float, first: int
) -> None:
    lives, whole = first, False
    while not whole:
        store, told = tmp_path / f"log-{lives}", Told()
        disk = DyingDisk(lives, part)
        await busy(store, told, disk)
        whole = disk.lives > 0
        await require_recovered(store, told)
        shutil.rmtree(store)
        lives += 4
    assert lives > 80
    assert len(told.receipts) == 4


async def test_a_recovery_that_dies_is_repeated_by_the_next_one(tmp_path: Path) -> None:
    store, found = tmp_path / "log", claimed(outcome())
    async with running(store) as notary:
        await deliver(notary)
        intents_in(store).write(intent_of(found))
    whole, lives = False, 0
    while not whole:
        copy, disk = tmp_path / f"copy-{lives}", DyingDisk(lives, 0.5)
        shutil.copytree(store, copy)
        try:
            await open_notary(copy, disk=disk).close()
        except LogFailure:
            pass
        whole, lives = disk.lives > 0, lives + 1
        await open_notary(copy).close()
        said = [s.verdict for s in statements(copy) if s.event is None]
        assert said == [Verdict.DELIVERED, Verdict.INDETERMINATE]
        assert audited(copy) == (3, 0)
    assert lives > 8


async def test_a_journal_cut_at_any_octet_of_its_last_records_recovers(tmp_path: Path) -> None:
    store, crashed = tmp_path / "log", tmp_path / "crashed"
    async with running(store) as notary:
        first = await deliver(notary)
        await notary.publish()
        settled = (store / "journal").stat().st_size
        one, two = claimed(outcome()), outcome()
        await conclude(notary, one)
        await conclude(notary, two)
        shutil.copytree(store, crashed)
    whole = (crashed / "journal").read_bytes()
    copy, seen = tmp_path / "copy", set()
    copy.mkdir()
    earlier = note.Checkpoint(ORIGIN, 1, leaf_hash(first))
    cuts = [*range(settled, settled + 600), *range(settled + 600, len(whole) - 60, 13)]
    for cut in [*cuts, *range(len(whole) - 60, len(whole) + 1)]:
        (copy / "journal").write_bytes(whole[:cut])
        found = recover(copy, earlier)
        seen.add((found.leaves.size, len(found.memos)))
        assert found.truncated <= max(0, cut - settled)
    assert seen == {(1, 0), (2, 1), (3, 1)}
    (crashed / "journal").write_bytes(whole[:-1])
    async with running(crashed) as again:
        assert (again.size, again.interrupted) == (3, 0)
        assert one.claim is not None
        assert await again.reserve(one.claim, b"n" * 16) is not None
    said = statements(crashed)
    assert (said[2].event, said[2].details) == (
        "recovery",
        {"interrupted": "0", "truncatedOctets": str(len(whole[:-1]) - _reads(whole[:-1]))},
    )
    assert audited(crashed) == (3, 0)


def _reads(data: bytes) -> int:
    return journal.scan(data).length


async def test_interrupted_attempts_become_indeterminate_and_that_is_said(tmp_path: Path) -> None:
    store, found = tmp_path / "log", outcome()
    async with running(store) as notary:
        await deliver(notary, outcome(Verdict.FAILED, transfer_id=found.transfer_id))
        intents = intents_in(store)
        intents.write(intent_of(found))
        done = outcome(Verdict.FAILED)
        intents.write(intent_of(done))
        await deliver(notary, done)  # its slot was not cleared any more
    again = open_notary(store)
    assert again.interrupted == 1
    [*_, event, closed] = statements(store)
    assert (event.event, event.details) == (
        "recovery",
        {"interrupted": "1", "truncatedOctets": "0"},
    )
    assert (closed.verdict, closed.transfer_id) == (Verdict.INDETERMINATE, found.transfer_id)
    assert (closed.place.attempt, closed.received) == (2, found.received_at)
    assert closed.attempt_id == found.attempt_id
    await again.close()
    assert audited(store) == (4, 0)


async def test_intents_of_workers_that_live_are_left_to_them(tmp_path: Path) -> None:
    store, found = tmp_path / "log", outcome()
    async with running(store):
        intents_in(store, "alive").write(intent_of(found))
        intents_in(store, "dead").write(intent_of(outcome()))
    async with running(store, live=["alive"]) as notary:
        assert notary.interrupted == 1
        assert [path.name for path in (store / "intents").iterdir()] == ["alive"]
        receipt = await conclude(notary, found, resent=True)
        assert receipt.index == 2
        assert await notary.worker_gone("alive") == 0
    assert not list((store / "intents").iterdir())
    assert audited(store) == (3, 0)


async def test_an_interrupted_attempt_is_found_concluded_in_the_log_of_another_day(
    tmp_path: Path,
) -> None:
    store, found = tmp_path / "log", outcome()
    async with running(store) as notary:
        intents_in(store).write(intent_of(found))
        await deliver(notary, found)
        for _ in range(299):
            await conclude(notary, refusal())
    kept = tmp_path / "kept"
    shutil.copytree(store, kept)
    for missing in ("nothing", "index.sqlite"):
        shutil.rmtree(store)
        shutil.copytree(kept, store)
        (store / missing).unlink(missing_ok=True)
        for live in (["worker"], []):
            again = open_notary(store, live=live)
            assert (again.interrupted, again.size) == (0, 300)
            await again.close()


async def test_a_crash_leaves_the_id_of_an_interrupted_attempt_undecided(tmp_path: Path) -> None:
    store, found = tmp_path / "log", claimed(outcome())
    async with running(store) as notary:
        assert found.claim is not None
        assert await notary.reserve(found.claim, found.attempt_id) is None
        intents_in(store).write(intent_of(found))
    for _ in range(2):
        async with running(store) as notary:
            with pytest.raises(Refusal, match="undecided"):
                await notary.reserve(found.claim, b"n" * 16)
    async with running(store) as notary:
        forward = replace(found.claim, forward_undecided=True)
        assert await notary.reserve(forward, b"n" * 16) is None


async def test_a_store_has_one_owner_at_a_time(tmp_path: Path) -> None:
    first = open_notary(tmp_path / "log")
    with pytest.raises(LogFailure, match="in use by another process"):
        open_notary(tmp_path / "log")
    await first.close()
    await open_notary(tmp_path / "log").close()


async def _filled(store: Path, entries: int = 3) -> None:
    async with running(store) as notary:
        for _ in range(entries):
            await conclude(notary, refusal())


async def test_a_store_that_contradicts_its_checkpoint_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "log"
    await _filled(store)
    short = journal.read_file(store / "journal").items
    kept = (store / "journal").read_bytes()
    (store / "journal").write_bytes(journal.encode(short[:-1]))
    with pytest.raises(EvidenceError, match="holds 2 entries, the checkpoint 3"):
        open_notary(store)
    swapped = [short[0], short[2], short[1], *short[3:]]
    (store / "journal").write_bytes(journal.encode(swapped))
    with pytest.raises(EvidenceError):
        open_notary(store)
    doubled = [*short, short[-1]]
    (store / "journal").write_bytes(journal.encode(doubled))
    with pytest.raises(EvidenceError, match="entry 3"):
        open_notary(store)
    (store / "journal").write_bytes(kept)
    await open_notary(store).close()


async def test_a_rebuilt_journal_with_other_entries_is_refused(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    await _filled(one)
    await _filled(two)
    shutil.copy(two / "journal", one / "journal")
    with pytest.raises(EvidenceError, match="do not have the checkpoint's root"):
        open_notary(one)


async def test_a_store_that_lost_its_journal_or_checkpoint_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "log"
    await _filled(store, 300)
    await open_notary(store).close()
    (store / "journal").rename(tmp_path / "journal")
    with pytest.raises(EvidenceError, match="missing"):
        open_notary(store)
    (tmp_path / "journal").rename(store / "journal")
    (store / "checkpoint").unlink()
    with pytest.raises(EvidenceError, match="checkpoint is missing or older"):
        open_notary(store)


async def test_a_store_that_lost_its_table_of_ids_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "log"
    for _ in range(2):
        async with running(store) as notary:
            await deliver(notary, claimed(outcome()))
            notary._store._rotate = notary._store.journal.initial = 0
            await notary.publish()
            await deliver(notary)
    (store / "ids.sqlite").unlink()
    with pytest.raises(EvidenceError, match=r"ids\.sqlite"):
        open_notary(store)


async def test_a_store_of_another_log_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "log"
    await _filled(store)
    with pytest.raises(EvidenceError):
        open_notary(store, origin="receipts.example/gateway-b")
    with pytest.raises(EvidenceError, match="not by our log key"):
        open_notary(store, log=RECEIPT_KEY, receipt=Ed25519PrivateKey.generate())


async def test_a_damaged_journal_is_refused_and_not_shortened(tmp_path: Path) -> None:
    store = tmp_path / "log"
    await _filled(store)
    whole = bytearray((store / "journal").read_bytes())
    whole[len(whole) // 2] ^= 1
    (store / "journal").write_bytes(whole)
    with pytest.raises(EvidenceError, match="damaged"):
        open_notary(store)
    assert (store / "journal").read_bytes() == whole


async def test_a_post_quantum_key_may_be_added_later(tmp_path: Path) -> None:
    store = tmp_path / "log"
    async with running(store, log_pq=None) as notary:
        await conclude(notary, refusal())
    async with running(store) as notary:
        await conclude(notary, refusal())
    assert audited(store) == (2, 0)


async def test_a_folder_that_cannot_be_made_is_a_clear_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LockgateError):
        open_notary(tmp_path / "file" / "log")
    with pytest.raises(LockgateError):
        open_notary(tmp_path / "file")
