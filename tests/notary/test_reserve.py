"""What is under way when the disk fills gets its statement; nothing new begins until then."""

from pathlib import Path

import pytest

from proxy.errors import LogFailure
from proxy.model import Claim
from tests.notary.disks import SmallDisk
from tests.notary.samples import audited, deliver, running, until

RESERVE = 200_000
CLAIM = Claim("spiffe://example/etl/orders", "orders", "an id", 60.0)


async def test_the_reserve_is_kept_while_the_notary_runs(tmp_path: Path) -> None:
    async with running(tmp_path / "log", disk=SmallDisk(10**7), reserve=RESERVE) as notary:
        assert notary.ready
        assert (tmp_path / "log" / "reserve").stat().st_size == RESERVE


async def test_who_is_under_way_when_the_disk_fills_gets_a_receipt_and_nobody_new_begins(
    tmp_path: Path,
) -> None:
    disk = SmallDisk(10**7)
    async with running(tmp_path / "log", disk=disk, reserve=RESERVE) as notary:
        await deliver(notary)
        await notary.publish()
        taken, disk.room = disk.room, 0
        receipts = [await deliver(notary) for _ in range(3)]
        assert len(receipts) == 3
        assert not notary.ready
        assert not (tmp_path / "log" / "reserve").exists()
        disk.room += taken
        await until(lambda: notary.ready)
        assert (tmp_path / "log" / "reserve").exists()
        assert notary.size == 4
    assert audited(tmp_path / "log") == (4, 0)


async def test_without_a_reserve_nothing_is_taken_and_the_notary_waits_for_it(
    tmp_path: Path,
) -> None:
    disk = SmallDisk(RESERVE // 2)
    async with running(tmp_path / "log", disk=disk, reserve=RESERVE) as notary:
        assert not notary.ready
        with pytest.raises(LogFailure, match="no disk space in reserve"):
            await notary.reserve(CLAIM, b"a" * 16)
        disk.room = 10**7
        await until(lambda: notary.ready)
        assert await notary.reserve(CLAIM, b"a" * 16) is None


async def test_a_disk_that_stays_full_beyond_the_reserve_loses_nothing(tmp_path: Path) -> None:
    disk = SmallDisk(10**7)
    async with running(tmp_path / "log", disk=disk, reserve=4096) as notary:
        await deliver(notary)
        await notary.publish()
        taken, disk.room = disk.room, 0
        failed = 0
        for _ in range(4):
            try:
                await deliver(notary)
            except LogFailure:
                failed += 1
        assert failed
        disk.room += taken
        await until(lambda: notary.size >= 2)
        await until(lambda: notary.ready)
    entries, beyond = audited(tmp_path / "log")
    assert beyond == 0
    assert entries == notary.size
