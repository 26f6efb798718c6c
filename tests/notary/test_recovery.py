"""What a crash leaves, at every point at which it can come, and what is made of it."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.errors import EvidenceError, LockgateError, LogFailure
from proxy.model import Intent, Outcome, Verdict
from proxy.notary import journal
from proxy.notary.disk import Disk
from proxy.notary.recovery import recover
from proxy.receipt import note
from proxy.receipt.merkle import leaf_hash
from tests.notary.disks import DyingDisk
from tests.notary.samples import (
    CLOCK,
    ORIGIN,
    RECEIPT_KEY,
    audited,
    deliver,
    intent_of,
    open_notary,
    outcome,
    pem,
    refusal,
    running,
    statements,
)


class Told:
    """What callers were told before the crash: it has to hold after it."""

    def __init__(self) -> None:
        self.intents: list[Intent] = []
        self.receipts: dict[int, bytes] = {}
        self.tried: list[Outcome] = []


async def busy(store: Path, told: Told, disk: Disk) -> None:
    """Some work of every kind; goes on as callers would when the log fails."""
    try:
        notary = open_notary(store, disk=disk)
    except LogFailure:
        return
    async with trio.open_nursery() as nursery:
        await nursery.start(notary.run)
        for found in (outcome(), refusal(), outcome(Verdict.FAILED), None, outcome()):
            try:
                await attempt(notary, found, told)
            except LogFailure:
                continue
            await notary.publish()
        await notary.close()


async def attempt(notary: Any, found: Outcome | None, told: Told) -> None:
    if found is None:  # one that never ends
        found = outcome()
        await notary.intend(intent_of(found))
        told.intents.append(intent_of(found))
        return
    told.tried.append(found)
    if found.verdict is not Verdict.REJECTED:
        await notary.intend(intent_of(found))
        told.intents.append(intent_of(found))
    receipt = await notary.conclude(found)
    told.receipts[receipt.index] = receipt.envelope


async def require_recovered(store: Path, told: Told) -> None:
    notary = open_notary(store)
    for index, envelope in told.receipts.items():
        assert notary.entry(index) == envelope, "an acknowledged receipt is gone"
    async with trio.open_nursery() as nursery:
        await nursery.start(notary.run)
        await deliver(notary)
        await notary.close()
    published, beyond = audited(store)
    assert beyond == 0
    found = statements(store)
    assert len(found) == published
    said = [(s.transfer_id, s.received) for s in found]
    assert len(set(said)) == len(said), "two statements about one attempt"
    for intent in told.intents:
        assert (intent.transfer_id, intent.started) in said, "an intent without a verdict"
    second = open_notary(store)
    assert second.interrupted == 0
    await second.close()


@pytest.mark.parametrize("part", [0.5, 1.0])
async def test_nothing_acknowledged_is_lost_wherever_the_writer_dies(
    tmp_path: Path, part: float
) -> None:
    lives, whole = 0, False
    while not whole:
        store, told = tmp_path / f"log-{lives}", Told()
        disk = DyingDisk(lives, part)
        await busy(store, told, disk)
        whole = disk.lives > 0
        await require_recovered(store, told)
        lives += 1
    assert lives > 40
    assert len(told.receipts) == 4


async def test_a_journal_cut_at_any_octet_of_its_last_records_recovers(tmp_path: Path) -> None:
    store = tmp_path / "log"
    async with running(store) as notary:
        first = await deliver(notary)
        await notary.publish()
        settled = (store / "journal").stat().st_size
        one, two = outcome(), outcome()
        await notary.intend(intent_of(one))
        await notary.intend(intent_of(two))
        await notary.conclude(one)
        shutil.copytree(store, tmp_path / "crashed")
    whole = (tmp_path / "crashed" / "journal").read_bytes()
    copy, seen = tmp_path / "copy", set()
    copy.mkdir()
    earlier = note.Checkpoint(ORIGIN, 1, leaf_hash(first))
    cuts = [*range(settled, settled + 600), *range(settled + 600, len(whole) - 60, 13)]
    for cut in [*cuts, *range(len(whole) - 60, len(whole) + 1)]:
        (copy / "journal").write_bytes(whole[:cut])
        leaves, book = recover(copy, earlier)
        seen.add((leaves.size, len(book.intents)))
    assert seen == {(1, 0), (1, 1), (1, 2), (2, 1)}
    (tmp_path / "crashed" / "journal").write_bytes(whole[:-1])
    again = open_notary(tmp_path / "crashed")
    assert (again.size, again.interrupted) == (3, 2)
    await again.close()
    assert audited(tmp_path / "crashed") == (3, 0)


async def test_interrupted_attempts_become_indeterminate(tmp_path: Path) -> None:
    store, found = tmp_path / "log", outcome()
    async with running(store) as notary:
        await deliver(notary, outcome(Verdict.FAILED, transfer_id=found.transfer_id))
        await notary.intend(intent_of(found))
    again = open_notary(store)
    assert again.interrupted == 1
    [_, closed] = statements(store)
    assert (closed.verdict, closed.transfer_id) == (Verdict.INDETERMINATE, found.transfer_id)
    assert (closed.place.attempt, closed.received) == (2, found.received_at)
    await again.close()
    assert audited(store) == (2, 0)


async def test_deliveries_are_remembered_for_as_long_as_is_asked(tmp_path: Path) -> None:
    store = tmp_path / "log"
    async with running(store) as notary:
        old = outcome()
        await deliver(notary, old)
        CLOCK.now += timedelta(hours=2)
        recent = [outcome() for _ in range(300)]
        for found in recent:
            await deliver(notary, found)
        await notary.conclude(refusal())
        await deliver(notary, outcome(Verdict.FAILED))
    again = open_notary(store)
    remembered = list(again.delivered_since(3600))
    assert [row[2] for row in remembered] == [found.transfer_id for found in recent[::-1]]
    newest = recent[-1]
    assert remembered[0] == (
        newest.sender.name,
        "orders",
        newest.transfer_id,
        newest.completed_at,
    )
    assert len(list(again.delivered_since(3 * 3600))) == 301
    await again.close()


async def test_a_store_has_one_owner_at_a_time(tmp_path: Path) -> None:
    first = open_notary(tmp_path / "log")
    with pytest.raises(LogFailure, match="in use by another process"):
        open_notary(tmp_path / "log")
    await first.close()
    await open_notary(tmp_path / "log").close()


async def _filled(store: Path, entries: int = 3) -> None:
    async with running(store) as notary:
        for _ in range(entries):
            await notary.conclude(refusal())


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


async def test_a_store_of_another_log_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "log"
    await _filled(store)
    with pytest.raises(EvidenceError):
        open_notary(store, origin="receipts.example/gateway-b")
    with pytest.raises(EvidenceError, match="not by our log key"):
        open_notary(store, log_key=pem(RECEIPT_KEY), receipt_key=pem(Ed25519PrivateKey.generate()))


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
    async with running(store, log_pq_key=None) as notary:
        await notary.conclude(refusal())
    async with running(store) as notary:
        await notary.conclude(refusal())
    assert audited(store) == (2, 0)


async def test_a_folder_that_cannot_be_made_is_a_clear_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LockgateError):
        open_notary(tmp_path / "file" / "log")
    with pytest.raises(LockgateError):
        open_notary(tmp_path / "file")
