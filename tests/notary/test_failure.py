"""A disk that fails: what callers are told, and that the log goes on whole when it works again."""

import errno
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.errors import LogFailure
from proxy.model import Verdict
from tests.notary.disks import FailingDisk
from tests.notary.samples import (
    audited,
    deliver,
    intent_of,
    open_notary,
    outcome,
    refusal,
    running,
    statements,
    until,
)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("operation", ["append", "sync"])
async def test_a_failing_commit_is_told_and_written_when_the_disk_works_again(
    tmp_path: Path, operation: str, code: int
) -> None:
    store, disk = tmp_path / "log", FailingDisk()
    async with running(store, disk=disk) as notary:
        await deliver(notary)
        found = outcome()
        await notary.intend(intent_of(found))
        disk.fail(operation, "create", code=code)
        with pytest.raises(LogFailure):
            await notary.conclude(found)
        assert not notary.ready
        assert notary.size == 1
        with pytest.raises(LogFailure):
            await notary.intend(intent_of(outcome()))
        with pytest.raises(LogFailure):
            await notary.conclude(refusal())
        disk.heal()
        await until(lambda: notary.ready)
        await deliver(notary)
    said = statements(store)
    assert [s.transfer_id for s in said][1] == found.transfer_id
    assert [s.problem for s in said] == [None, "log-unavailable", None]
    assert [s.verdict for s in said] == [Verdict.DELIVERED] * 3
    assert audited(store) == (3, 0)


async def test_an_outcome_that_comes_while_the_disk_fails_is_kept_if_something_crossed(
    tmp_path: Path,
) -> None:
    store, disk = tmp_path / "log", FailingDisk()
    async with running(store, disk=disk) as notary:
        one, two = outcome(), outcome()
        await notary.intend(intent_of(one))
        await notary.intend(intent_of(two))
        disk.fail("append", "create")
        for found in (one, two):
            with pytest.raises(LogFailure):
                await notary.conclude(found)
        with pytest.raises(LogFailure, match="already"):
            await notary.conclude(two)
        disk.heal()
        await until(lambda: notary.ready)
        await until(lambda: notary.size == 2)
    assert [s.transfer_id for s in statements(store)] == [one.transfer_id, two.transfer_id]


async def test_a_failing_intent_leaves_no_torn_record_in_the_way(tmp_path: Path) -> None:
    store, disk = tmp_path / "log", FailingDisk()
    async with running(store, disk=disk) as notary:
        kept = outcome()
        await notary.intend(intent_of(kept))
        disk.fail("append")
        with pytest.raises(LogFailure):
            await notary.intend(intent_of(outcome()))
        disk.heal()
        await until(lambda: notary.ready)
        await deliver(notary)
    again = open_notary(store)
    assert again.interrupted == 1
    await again.close()
    assert [s.transfer_id for s in statements(store)][1] == kept.transfer_id


async def test_a_disk_that_never_recovers_does_not_keep_the_notary_from_stopping(
    tmp_path: Path,
) -> None:
    store, disk = tmp_path / "log", FailingDisk()
    found = outcome()
    async with running(store, disk=disk) as notary:
        await deliver(notary)
        await notary.intend(intent_of(found))
        disk.fail("append", "sync", "create", "sync_folder")
        with pytest.raises(LogFailure):
            await notary.conclude(found)
    await open_notary(store).close()
    said = statements(store)
    assert [s.transfer_id for s in said][1:] == [found.transfer_id]
    assert audited(store) == (2, 0)


async def test_nothing_new_crosses_while_the_log_cannot_be_published(tmp_path: Path) -> None:
    store, disk = tmp_path / "log", FailingDisk()
    async with running(store, disk=disk) as notary:
        found = outcome()
        await notary.intend(intent_of(found))
        await notary.publish()
        disk.fail("create")
        await notary.conclude(found)
        await notary.publish()
        assert not notary.ready
        with pytest.raises(LogFailure, match="published"):
            await notary.intend(intent_of(outcome()))
        with pytest.raises(LogFailure, match="published"):
            await notary.conclude(refusal())
        disk.heal()
        await notary.publish()
        await deliver(notary)
    assert audited(store) == (2, 0)


_LIMITED = """
import resource, signal, sys, trio
from pathlib import Path
from proxy.errors import LogFailure
from tests.notary.samples import deliver, running, until

async def main() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    async with running(Path(sys.argv[1])) as notary:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
        told = 0
        try:
            while True:
                await deliver(notary)
                told += 1
        except LogFailure:
            print(told)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        await until(lambda: notary.ready)
        await deliver(notary)

trio.run(main)
"""


def test_the_kernel_refusing_to_grow_the_file_is_survived(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path / "log")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    told = int(done.stdout)
    assert 1 < told < 20
    assert len(statements(tmp_path / "log")) in (told + 1, told + 2)
    audited(tmp_path / "log")
