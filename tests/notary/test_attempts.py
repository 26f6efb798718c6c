"""One statement an attempt, in sequence, and nothing that crosses without an intent."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.lowlevel
import trio.testing

from proxy.errors import CredentialError, LogFailure
from proxy.model import Peer, Verdict
from proxy.receipt import dsse, reading
from tests.notary.disks import CountingDisk
from tests.notary.samples import (
    LOG_KEY,
    PQ_KEY,
    RECEIPT_KEY,
    audited,
    crash_copy,
    deliver,
    intent_of,
    open_notary,
    outcome,
    pem,
    refusal,
    running,
    statements,
)


async def test_statements_are_numbered_and_chained_within_their_stream(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        envelopes = [await deliver(notary) for _ in range(3)]
        other = refusal(sender=Peer(uid=1000), route=None)
        await notary.conclude(other)
        envelopes.append(await deliver(notary))
    found = statements(tmp_path / "log")
    orders = [s.place for s in found if s.route == "orders"]
    assert [place.number for place in orders] == [1, 2, 3, 4]
    digests = [hashlib.sha256(envelope).digest() for envelope in envelopes]
    assert [place.previous for place in orders] == [None, *digests[:3]]
    assert (found[3].place.stream, found[3].place.number) == ("uid:1000/-", 1)


async def test_attempts_of_a_transfer_are_counted_and_a_replay_names_the_delivery(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "log") as notary:
        await deliver(notary)
        failed = outcome(Verdict.FAILED, status=502, problem="upstream-closed")
        await deliver(notary, failed)
        await deliver(notary, outcome(transfer_id=failed.transfer_id))
        replayed = refusal("replayed", transfer_id=failed.transfer_id)
        receipt = await notary.conclude(replayed)
        assert notary.entry(receipt.index) == receipt.envelope
    places = [s.place for s in statements(tmp_path / "log")]
    assert [(place.attempt, place.duplicate_of) for place in places] == [
        (1, None),
        (1, None),
        (2, None),
        (3, 2),
    ]


async def test_a_delivery_without_its_intent_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        for verdict in (Verdict.DELIVERED, Verdict.INDETERMINATE):
            with pytest.raises(LogFailure, match="no open intent"):
                await notary.conclude(outcome(verdict))
        assert notary.size == 0


async def test_an_attempt_is_concluded_once(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        for verdict in Verdict:
            found = outcome(verdict)
            await deliver(notary, found)
            with pytest.raises(LogFailure, match="already"):
                await notary.conclude(found)
            with pytest.raises(LogFailure, match="already"):
                await notary.conclude(replace(found, verdict=Verdict.REJECTED))
        assert notary.size == len(Verdict)


async def test_an_attempt_is_concluded_once_even_while_it_is_being_written(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        found, results = outcome(), []
        await notary.intend(intent_of(found))

        async def conclude() -> None:
            try:
                results.append(bool(await notary.conclude(found)))
            except LogFailure:
                results.append(False)

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(conclude)
        assert sorted(results) == [False] * 4 + [True]
        assert notary.size == 1


async def test_an_intent_is_open_once(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        found = outcome()
        await notary.intend(intent_of(found))
        with pytest.raises(LogFailure, match="open intent already"):
            await notary.intend(intent_of(found))
        await notary.conclude(found)


async def test_a_refused_repetition_does_not_close_the_attempt_that_is_in_flight(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "log") as notary:
        found = outcome()
        await notary.intend(intent_of(found))
        twin = refusal("in-flight", transfer_id=found.transfer_id, received_at=found.received_at)
        await notary.conclude(twin)
        await crash_copy(notary, tmp_path / "log", tmp_path / "crashed")
        await notary.conclude(found)
    kinds = [s.verdict for s in statements(tmp_path / "log")]
    assert kinds == [Verdict.REJECTED, Verdict.DELIVERED]
    for store, interrupted in (("log", 0), ("crashed", 1)):
        reopened = open_notary(tmp_path / store)
        assert reopened.interrupted == interrupted
        await reopened.close()


async def test_a_batch_shares_one_append_and_one_fdatasync(tmp_path: Path) -> None:
    disk, batches = CountingDisk(), []
    notary = open_notary(
        tmp_path / "log", disk=disk, on_commit=lambda size, seconds: batches.append((size, seconds))
    )
    found = [refusal() for _ in range(50)]
    async with trio.open_nursery() as nursery:
        for one in found:
            nursery.start_soon(notary.conclude, one)
        await trio.testing.wait_all_tasks_blocked()
        assert notary.size == 0
        await nursery.start(notary.run)
        while notary.size == 0:
            await trio.testing.wait_all_tasks_blocked()
            await trio.lowlevel.checkpoint()
        assert (disk.appends, disk.syncs) == (1, 1)
        assert [size for size, _ in batches] == [50]
        assert batches[0][1] > 0
        await notary.close()
    assert audited(tmp_path / "log") == (50, 0)


async def test_with_durability_write_the_sync_comes_with_the_checkpoint(tmp_path: Path) -> None:
    disk = CountingDisk()
    async with running(tmp_path / "log", disk=disk, durability="write") as notary:
        await trio.testing.wait_all_tasks_blocked()
        await notary.publish()
        disk.syncs = 0
        for _ in range(5):
            await notary.conclude(refusal())
        assert disk.syncs == 0
        await notary.publish()
        assert disk.syncs == 1
    assert audited(tmp_path / "log") == (5, 0)


async def test_an_outcome_is_written_though_its_waiter_was_cancelled(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        found = outcome()
        await notary.intend(intent_of(found))
        with trio.CancelScope() as scope:
            scope.cancel()
            await notary.conclude(found)
        assert scope.cancelled_caught
    assert [s.transfer_id for s in statements(tmp_path / "log")] == [found.transfer_id]


async def test_a_cancelled_notary_still_writes_what_is_queued_and_publishes(tmp_path: Path) -> None:
    notary, failures = open_notary(tmp_path / "log"), []
    found = refusal()

    async def conclude() -> None:
        try:
            await notary.conclude(found)
        except LogFailure as failure:
            failures.append(failure)

    async with trio.open_nursery() as outer:
        outer.start_soon(conclude)
        async with trio.open_nursery() as nursery:
            await nursery.start(notary.run)
            nursery.cancel_scope.cancel()
    assert failures == []
    assert audited(tmp_path / "log") == (1, 0)
    with pytest.raises(LogFailure, match="stopped"):
        await notary.conclude(refusal())
    with pytest.raises(LogFailure, match="stopped"):
        await notary.intend(intent_of(outcome()))


async def test_readiness_is_that_of_a_running_notary(tmp_path: Path) -> None:
    notary = open_notary(tmp_path / "log")
    ready = [notary.ready]
    async with trio.open_nursery() as nursery:
        await nursery.start(notary.run)
        ready.append(notary.ready)
        await notary.close()
    ready.append(notary.ready)
    await notary.close()
    assert ready == [False, True, False]


async def test_only_durable_entries_are_read_back(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        envelopes = [(await notary.conclude(refusal())).envelope for _ in range(300)]
        await notary.publish()
        envelopes += [(await notary.conclude(refusal())).envelope for _ in range(5)]
        assert [notary.entry(index) for index in range(305)] == envelopes
        assert notary.entry(305) is None
        assert notary.entry(-1) is None
        assert reading.summarise(dsse.parse(envelopes[0]).payload).place.number == 1


async def test_what_cannot_be_said_fails_alone(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        with pytest.raises(LogFailure):
            await notary.conclude(refusal(method="\ud800"))
        await notary.conclude(refusal())
        assert notary.ready
    assert audited(tmp_path / "log") == (1, 0)


def test_keys_that_are_not_what_they_should_be_are_refused(tmp_path: Path) -> None:
    for wrong in (
        {"receipt_key": b"no key"},
        {"receipt_key": pem(PQ_KEY)},
        {"log_key": pem(PQ_KEY)},
        {"log_pq_key": pem(LOG_KEY)},
        {"log_key": pem(RECEIPT_KEY)},
    ):
        with pytest.raises(CredentialError) as caught:
            open_notary(tmp_path / "log", **wrong)
        assert "BEGIN" not in str(caught.value)
