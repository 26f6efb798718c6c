"""The static files: what lies where, for how long, and what a new journal carries over."""

from dataclasses import replace
from pathlib import Path

import trio
import trio.testing

from proxy.model import Claim, Outcome
from proxy.notary.book import decode_snapshot
from proxy.notary.drafts import Pending
from proxy.notary.journal import read_file
from proxy.notary.keys import Keys
from proxy.notary.link import Waiting
from proxy.notary.store import Store
from proxy.notary.writer import Writer
from proxy.receipt import note
from proxy.receipt.statement import submission
from tests.notary.disks import CountingDisk, FailingDisk, LooseDisk
from tests.notary.samples import (
    CLOCK,
    LOG_KEY,
    ORIGIN,
    PQ_KEY,
    RECEIPT_KEY,
    audited,
    conclude,
    deliver,
    open_notary,
    outcome,
    refusal,
    running,
    statements,
    until,
)

KEYS = Keys(ORIGIN, RECEIPT_KEY, LOG_KEY, PQ_KEY)
KEPT = {"checkpoint", "journal", "reserve", "store.key", "ids.sqlite", "index.sqlite"}


def files(store: Path) -> set[str]:
    """All but the write-ahead logs of the tables, which come and go."""
    found = {str(p.relative_to(store)) for p in store.rglob("*") if p.is_file()}
    return {name for name in found if not name.endswith(("-wal", "-shm"))}


async def test_an_empty_log_has_a_checkpoint_and_no_tiles(tmp_path: Path) -> None:
    async with running(tmp_path / "log"):
        pass
    assert files(tmp_path / "log") == KEPT
    assert audited(tmp_path / "log") == (0, 0)


async def test_unfinished_tiles_go_when_two_checkpoints_have_superseded_them(
    tmp_path: Path,
) -> None:
    store = tmp_path / "log"
    async with running(store) as notary:
        for _ in range(4):
            await conclude(notary, refusal())
            await notary.publish()
        kept = {"tile/0/000.p/3", "tile/0/000.p/4", "tile/entries/000.p/3", "tile/entries/000.p/4"}
        assert files(store) - KEPT == kept
        async with trio.open_nursery() as nursery:
            for _ in range(256):
                nursery.start_soon(conclude, notary, refusal())
        await notary.publish()
        full = [(store / name).stat().st_ino for name in ("tile/0/000", "tile/entries/000")]
        await conclude(notary, refusal())
        await notary.publish()
        again = [(store / name).stat().st_ino for name in ("tile/0/000", "tile/entries/000")]
        assert again == full, "a full tile is written once"
    assert files(store) - KEPT == {
        "tile/0/000",
        "tile/0/001.p/4",
        "tile/0/001.p/5",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/4",
        "tile/entries/001.p/5",
    }
    assert audited(store) == (261, 0)


async def test_unfinished_tiles_of_an_earlier_run_go_as_well(tmp_path: Path) -> None:
    store = tmp_path / "log"
    for _ in range(4):
        async with running(store) as notary:
            await conclude(notary, refusal())
            await notary.publish()
    assert {name for name in files(store) if name.startswith("tile/0")} == {
        "tile/0/000.p/3",
        "tile/0/000.p/4",
    }


async def test_the_checkpoint_is_written_once_for_each_size(tmp_path: Path) -> None:
    store = tmp_path / "log"
    async with running(store) as notary:
        await conclude(notary, refusal())
        await notary.publish()
        before = (store / "checkpoint").stat().st_ino
        await notary.publish()
        assert (store / "checkpoint").stat().st_ino == before
        checkpoint = note.parse_checkpoint(note.parse((store / "checkpoint").read_bytes()).text)
        assert (checkpoint.origin, checkpoint.size) == (ORIGIN, 1)


async def test_the_checkpoint_comes_by_itself(tmp_path: Path) -> None:
    store = tmp_path / "log"
    async with running(store, checkpoint_every=0.01) as notary:
        await deliver(notary)
        await until(lambda: "tile/0/000.p/1" in files(store))


async def test_what_a_publication_left_that_did_not_end_goes_at_the_next_start(
    tmp_path: Path,
) -> None:
    store = tmp_path / "log"
    async with running(store):
        pass
    for name in (".publishing", ".publishing0", ".publishing31"):
        (store / name).write_bytes(b"x")
    async with running(store):
        pass
    assert files(store) == KEPT


async def test_a_publication_that_fails_takes_no_space(tmp_path: Path) -> None:
    store, disk = tmp_path / "log", FailingDisk()
    async with running(store, disk=disk) as notary:
        await conclude(notary, refusal())
        for step in ("append", "sync", "sync_folder"):
            disk.fail(step)
            await notary.publish()
            assert not list(store.glob(".publishing*"))
            assert not (store / "tile").exists() or step == "sync_folder"
        disk.heal()
        await notary.publish()
    assert audited(store) == (1, 0)


async def test_nobody_else_reads_the_files(tmp_path: Path) -> None:
    store = tmp_path / "log"
    async with running(store) as notary:
        await deliver(notary)
    for path in (store, *store.rglob("*")):
        assert path.stat().st_mode & 0o777 & ~(0o750 if path.is_dir() else 0o640) == 0


def test_a_publication_is_owed_until_all_of_it_has_succeeded(tmp_path: Path) -> None:
    store = Store(tmp_path / "log", KEYS, LooseDisk(), CLOCK, capacity=1000)
    batch = store.begin()
    store.draft(batch, [Pending(submission(refusal()), patient=True)])
    store.append(batch)
    store.settle(batch)
    for _ in range(2):
        found = store.unpublished()
        assert found is not None
        edition, rows = store.publish(*found), found[1]
    store.published(edition, rows)
    assert store.unpublished() is None
    store.release()


def test_the_journal_is_durable_before_the_table_of_ids_says_what_it_holds(tmp_path: Path) -> None:
    disk = CountingDisk()
    store = Store(tmp_path / "log", KEYS, disk, CLOCK, capacity=1000)
    disk.syncs = 0
    store.secure_ids(store.all_ids())
    assert disk.syncs == 1
    store.release()


async def test_a_long_journal_is_begun_anew_and_carries_everything_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    store = Store(path, KEYS, LooseDisk(), CLOCK, capacity=1000, rotate=20_000)
    writer = Writer(store, 3600.0, lambda size, seconds: None, sync_batches=True)
    claimed, beginnings = [], set()
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        for number in range(600):
            again = refusal(transfer_id="again")
            if number % 9 == 0:
                found = outcome()
                claimed.append(Claim(found.sender.name, "orders", found.transfer_id, 3600.0))
                await entered(writer, replace(found, claim=claimed[-1]))
            await entered(writer, again)
            beginnings.add(store.journal.initial)
            if number % 7 == 0:
                await writer.publish()
        await writer.close()
    assert len(beginnings) > 3
    beginning = decode_snapshot(read_file(path / "journal").items[0][1])
    assert beginning.base > 0
    assert beginning.since > 0
    async with running(path) as notary:
        assert notary.size == 667
        for claim in claimed:
            earlier = await notary.reserve(claim, b"n" * 16)
            assert earlier is not None
            assert earlier.status == 201
    assert audited(path) == (667, 0)
    said = [s.place.attempt for s in statements(path) if s.transfer_id == "again"]
    assert said == list(range(1, 601))


async def entered(writer: Writer, found: Outcome) -> None:
    waiting = Waiting()
    writer.submit(Pending(submission(found), patient=False, waiters=[waiting]))
    await waiting.receipt()


async def test_a_large_batch_is_committed_in_parts_of_bounded_size(tmp_path: Path) -> None:
    sizes: list[int] = []
    notary = open_notary(
        tmp_path / "log", disk=CountingDisk(), on_commit=lambda size, _: sizes.append(size)
    )
    async with trio.open_nursery() as nursery:
        for _ in range(600):
            nursery.start_soon(conclude, notary, refusal())
        await trio.testing.wait_all_tasks_blocked()
        await nursery.start(notary.run)
        await notary.close()
    assert sum(sizes) == 600
    assert max(sizes) == 256
