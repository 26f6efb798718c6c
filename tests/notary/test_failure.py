"""A disk that fails: what callers are told, and that the log goes on whole when it works again."""

import errno
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from proxy.errors import LogFailure
from proxy.model import Claim, Receipt, Verdict
from proxy.notary.ids import Ids
from proxy.receipt.statement import submission
from tests.notary.disks import FailingDisk
from tests.notary.samples import (
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
    until,
)


def missed(store: Path) -> object:
    """What the one event about transfers without a receipt counts, by the reason."""
    (event,) = [each for each in statements(store) if each.event == "refused-transfers"]
    assert event.details is not None
    return event.details["counts"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("operation", ["append", "sync"])
async def test_a_failing_commit_is_told_and_written_when_the_disk_works_again(
    tmp_path: Path, operation: str, code: int
) -> None:
    store, disk = tmp_path / "log", FailingDisk()
    async with running(store, disk=disk) as notary:
        await deliver(notary)
        found = outcome()
        disk.fail(operation, "create", code=code)
        with pytest.raises(LogFailure):
            await conclude(notary, found)
        assert not notary.ready
        assert notary.size == 1
        claim = Claim(found.sender.name, "orders", "another", 60.0)
        with pytest.raises(LogFailure):
            await notary.reserve(claim, b"n" * 16)
        with pytest.raises(LogFailure):
            await conclude(notary, refusal())
        disk.heal()
        await until(lambda: notary.ready)
        await deliver(notary)
    said = [each for each in statements(store) if each.event is None]
    assert [s.transfer_id for s in said][1] == found.transfer_id
    assert [s.problem for s in said] == [None, "log-unavailable", None]
    assert [s.status for s in said] == [201, None, 201]
    assert [s.verdict for s in said] == [Verdict.DELIVERED] * 3
    reasons = {errno.ENOSPC: "disk-full", errno.EIO: "disk-failing", errno.EROFS: "read-only"}
    assert missed(store) == {reasons[code]: "1"}
    assert audited(store) == (4, 0)


async def test_what_comes_while_the_disk_fails_is_kept_if_something_may_have_crossed(
    tmp_path: Path,
) -> None:
    store, disk = tmp_path / "log", FailingDisk()
    async with running(store, disk=disk) as notary:
        one, two = outcome(), outcome(Verdict.FAILED)
        disk.fail("append", "create")
        for found in (one, two, two):
            with pytest.raises(LogFailure):
                await conclude(notary, found)
        disk.heal()
        await until(lambda: notary.ready)
        await until(lambda: notary.size == 2)
    assert [s.transfer_id for s in statements(store)] == [one.transfer_id, two.transfer_id]


async def test_who_is_patient_waits_until_the_disk_works_again(tmp_path: Path) -> None:
    store, disk = tmp_path / "log", FailingDisk()
    told: list[Receipt | LogFailure] = []
    async with running(store, disk=disk) as notary:
        disk.fail("append", "create")
        impatient, patient = outcome(), outcome(Verdict.REJECTED, problem="cut-off")
        with pytest.raises(LogFailure):
            await conclude(notary, impatient)
        for found in (impatient, patient):
            notary.submit(submission(found), told.append, resent=True)
        for _ in range(3):
            with pytest.raises(LogFailure):
                await conclude(notary, refusal())
        assert told == []
        disk.heal()
        await until(lambda: len(told) == 2)
        assert all(isinstance(result, Receipt) for result in told)
    said = statements(store)
    assert [s.transfer_id for s in said] == [impatient.transfer_id, patient.transfer_id]
    assert [s.status for s in said] == [None, 201]


async def test_who_comes_again_patiently_before_the_disk_fails_waits_as_well(
    tmp_path: Path,
) -> None:
    disk, found = FailingDisk(), submission(outcome())
    notary = open_notary(tmp_path / "log", disk=disk)
    told: list[Receipt | LogFailure] = []
    notary.submit(found, lambda result: None)
    notary.submit(found, told.append, resent=True)
    disk.fail("append", "create")
    async with trio.open_nursery() as nursery:
        await nursery.start(notary.run)
        await until(lambda: not notary.ready)
        assert told == []
        disk.heal()
        await until(lambda: len(told) == 1)
        await notary.close()
    assert isinstance(told[0], Receipt)


async def test_who_asks_again_from_within_his_answer_is_heard(tmp_path: Path) -> None:
    store, disk = tmp_path / "log", FailingDisk()
    told: list[Receipt | LogFailure] = []
    async with running(store, disk=disk) as notary:
        found = submission(outcome())

        def again(result: Receipt | LogFailure) -> None:
            told.append(result)
            if isinstance(result, LogFailure):
                notary.submit(replace(found, status=None), again, resent=True)

        disk.fail("sync", "create")
        notary.submit(found, again)
        await until(lambda: len(told) == 1)
        disk.heal()
        await until(lambda: len(told) == 2)
    assert [type(result) for result in told] == [LogFailure, Receipt]
    assert audited(store) == (1, 0)


async def test_a_refused_statement_lets_go_of_its_id(tmp_path: Path) -> None:
    disk = FailingDisk()
    async with running(tmp_path / "log", disk=disk) as notary:
        found = refusal()
        claim = Claim(found.sender.name, "orders", found.transfer_id, 60.0)
        assert await notary.reserve(claim, found.attempt_id) is None
        disk.fail("append", "create")
        with pytest.raises(LogFailure):
            await deliver(notary)
        with pytest.raises(LogFailure):
            await conclude(notary, replace(found, claim=claim))
        disk.heal()
        await until(lambda: notary.ready)
        assert await notary.reserve(claim, b"n" * 16) is None


async def test_a_delivery_that_could_not_be_told_uses_its_id_up_all_the_same(
    tmp_path: Path,
) -> None:
    disk = FailingDisk()
    async with running(tmp_path / "log", disk=disk) as notary:
        found = outcome(answer_status=202)
        claim = Claim(found.sender.name, "orders", found.transfer_id, 60.0)
        disk.fail("append", "create")
        with pytest.raises(LogFailure):
            await conclude(notary, replace(found, claim=claim))
        disk.heal()
        await until(lambda: notary.size == 1 and notary.ready)
        earlier = await notary.reserve(claim, b"n" * 16)
        assert earlier is not None
        assert (earlier.index, earlier.status) == (0, 202)


async def test_a_disk_that_never_recovers_does_not_keep_the_notary_from_stopping(
    tmp_path: Path,
) -> None:
    store, disk = tmp_path / "log", FailingDisk()
    found = outcome()
    async with running(store, disk=disk) as notary:
        await deliver(notary)
        intents_in(store).write(intent_of(found))
        disk.fail("append", "sync", "create", "sync_folder")
        with pytest.raises(LogFailure):
            await conclude(notary, found)
    await open_notary(store).close()
    said = statements(store)
    assert [s.transfer_id for s in said if s.event is None][1:] == [found.transfer_id]
    assert said[-1].verdict is Verdict.INDETERMINATE
    assert audited(store) == (3, 0)


async def test_nothing_new_crosses_while_the_log_cannot_be_published(tmp_path: Path) -> None:
    store, disk = tmp_path / "log", FailingDisk()
    async with running(store, disk=disk) as notary:
        await notary.publish()
        told: list[bool] = []
        with notary.watching(lambda: told.append(notary.ready)):
            disk.fail("create")
            await deliver(notary)
            await notary.publish()
            assert not notary.ready
            with pytest.raises(LogFailure, match="published"):
                await notary.reserve(Claim("uid:1", "orders", "id", 60.0), b"n" * 16)
            with pytest.raises(LogFailure, match="published"):
                await conclude(notary, refusal())
            assert (await conclude(notary, outcome())).index == 1, "what crossed is still said"
            disk.heal()
            await notary.publish()
            await deliver(notary)
        assert told == [False, True]
    assert missed(store) == {"disk-full": "1"}
    assert audited(store) == (4, 0)


async def test_a_long_journal_waits_for_the_table_of_ids_and_goes_on_by_itself(
    tmp_path: Path,
) -> None:
    store = tmp_path / "log"
    async with running(store) as notary:
        inner = notary._store
        await deliver(notary)
        await notary.publish()
        inner.ids.close()
        inner._rotate = inner.journal.initial = 0  # it is too long from now on
        await deliver(notary)
        unready = not notary.ready
        with pytest.raises(LogFailure, match=r"ids\.sqlite"):
            await conclude(notary, refusal())
        assert notary.size == 2
        inner.ids = Ids.open(store, capacity=100)
        await until(lambda: notary.ready)
        assert unready
        await deliver(notary)
    assert missed(store) == {"ids-failing": "1"}
    assert audited(store) == (4, 0)


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
