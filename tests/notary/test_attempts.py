"""One statement an attempt, in sequence, whoever says it and how often."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import trio
import trio.lowlevel
import trio.testing

from proxy.errors import CredentialError, LogFailure
from proxy.model import Peer, Receipt, Verdict
from proxy.notary import keys
from proxy.receipt import dsse, reading
from proxy.receipt.statement import submission
from tests.notary.disks import CountingDisk
from tests.notary.samples import (
    LOG_KEY,
    PQ_KEY,
    RECEIPT_KEY,
    START,
    Ticking,
    audited,
    conclude,
    deliver,
    open_notary,
    outcome,
    pem,
    refusal,
    running,
    statements,
    until,
)


async def test_statements_are_numbered_and_chained_within_their_stream(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        envelopes = [await deliver(notary) for _ in range(3)]
        await conclude(notary, refusal(sender=Peer(uid=1000), route=None))
        envelopes.append(await deliver(notary))
    found = statements(tmp_path / "log")
    orders = [s.place for s in found if s.route == "orders"]
    assert [place.number for place in orders] == [1, 2, 3, 4]
    digests = [hashlib.sha256(envelope).digest() for envelope in envelopes]
    assert [place.previous for place in orders] == [None, *digests[:3]]
    assert (found[3].place.stream, found[3].place.number) == ("uid:1000/-", 1)


async def test_attempts_of_a_transfer_are_counted_and_a_repeat_names_the_delivery(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "log") as notary:
        await deliver(notary)
        failed = outcome(Verdict.FAILED, status=502, problem="upstream-closed")
        await conclude(notary, failed)
        again = await conclude(notary, outcome(transfer_id=failed.transfer_id))
        repeat = refusal("id-reused", transfer_id=failed.transfer_id, duplicate_of=again.index)
        receipt = await conclude(notary, repeat)
        assert await notary.entry(receipt.index) == receipt.envelope
    found = statements(tmp_path / "log")
    assert [(s.place.attempt, s.duplicate_of) for s in found] == [
        (1, None),
        (1, None),
        (2, None),
        (3, 2),
    ]


async def test_every_statement_of_a_batch_is_numbered_on_its_own(tmp_path: Path) -> None:
    notary = open_notary(tmp_path / "log")
    same = [refusal(transfer_id="0b7a36a2-9f0e-4d5f-8f0e-1a2b3c4d5e6f") for _ in range(40)]
    async with trio.open_nursery() as nursery:
        for found in same:
            nursery.start_soon(conclude, notary, found)
        await trio.testing.wait_all_tasks_blocked()
        await nursery.start(notary.run)
        await notary.close()
    places = [s.place for s in statements(tmp_path / "log")]
    assert [place.attempt for place in places] == list(range(1, 41))
    assert [place.number for place in places] == list(range(1, 41))
    assert audited(tmp_path / "log") == (40, 0)


async def test_an_attempt_has_one_statement_and_whoever_comes_again_gets_its_receipt(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "log") as notary:
        for verdict in Verdict:
            found = outcome(verdict)
            first = await conclude(notary, found)
            again = await conclude(notary, found)
            other = replace(found, verdict=Verdict.REJECTED)
            assert again == await conclude(notary, other, resent=True) == first
        assert notary.size == len(Verdict)


async def test_that_is_so_even_while_the_first_is_being_written(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        found, results = outcome(), []

        async def again(resent: bool) -> None:
            results.append(await conclude(notary, found, resent=resent))

        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(again, number % 2 == 1)
        assert len(results) == 6
        assert set(results) == {results[0]}
        assert notary.size == 1


async def test_that_is_so_when_the_first_is_written_while_the_log_is_searched_for_it(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "log") as notary:
        for number in range(1, 51):
            found = submission(outcome())
            searched: list[Receipt | LogFailure] = []
            notary.submit(found, searched.append, resent=True)
            receipt = await notary.conclude(found)
            await until(lambda searched=searched: len(searched) == 1)  # type: ignore[misc]
            assert searched == [receipt]
            assert notary.size == number


async def test_that_is_so_when_the_first_is_long_published_and_forgotten(tmp_path: Path) -> None:
    store, found = tmp_path / "log", outcome()
    async with running(store) as notary:
        first = await conclude(notary, found)
        for _ in range(300):
            notary.submit(submission(refusal()), lambda result: None)
    async with running(store) as notary:
        assert notary.size == 301
        assert await conclude(notary, found, resent=True) == first
        new = outcome(received_at=found.received_at)
        assert (await conclude(notary, new, resent=True)).index == 301
    (store / "index.sqlite").unlink()
    async with running(store) as notary:
        assert await conclude(notary, found, resent=True) == first
    assert audited(store) == (302, 0)


async def test_time_never_goes_back_in_a_log(tmp_path: Path) -> None:
    clock = Ticking()
    async with running(tmp_path / "log", clock=clock) as notary:
        await deliver(notary)
        clock.now = START - timedelta(days=1)
        await deliver(notary)
        clock.now = START + timedelta(days=1)
        await deliver(notary)
    clock.now = START
    async with running(tmp_path / "log", clock=clock) as notary:
        await deliver(notary)
    times = [s.completed for s in statements(tmp_path / "log")]
    assert times == sorted(times)
    assert times[0] < times[2]


async def test_a_batch_shares_one_append_and_one_fdatasync(tmp_path: Path) -> None:
    disk, batches = CountingDisk(), []
    notary = open_notary(
        tmp_path / "log", disk=disk, on_commit=lambda size, seconds: batches.append((size, seconds))
    )
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(conclude, notary, refusal())
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
            await conclude(notary, refusal())
        assert disk.syncs == 0
        await notary.publish()
        assert disk.syncs == 1
    assert audited(tmp_path / "log") == (5, 0)


async def test_an_outcome_is_written_though_its_waiter_was_cancelled(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        found = outcome()
        with trio.CancelScope() as scope:
            scope.cancel()
            await conclude(notary, found)
        assert scope.cancelled_caught
    assert [s.transfer_id for s in statements(tmp_path / "log")] == [found.transfer_id]


async def test_a_cancelled_notary_still_writes_what_is_queued_and_publishes(tmp_path: Path) -> None:
    notary = open_notary(tmp_path / "log")
    results: list[Receipt | LogFailure] = []
    async with trio.open_nursery() as nursery:
        notary.submit(submission(refusal()), results.append)
        await nursery.start(notary.run)
        nursery.cancel_scope.cancel()
    assert [type(result) for result in results] == [Receipt]
    assert audited(tmp_path / "log") == (1, 0)
    for resent in (False, True):
        with pytest.raises(LogFailure, match="stopped"):
            await conclude(notary, refusal(), resent=resent)


async def test_who_waits_for_a_look_into_the_log_is_told_when_the_notary_stops(
    tmp_path: Path,
) -> None:
    notary = open_notary(tmp_path / "log")
    results: list[Receipt | LogFailure] = []
    notary.submit(submission(refusal()), results.append, resent=True)
    await notary.close()
    assert [type(result) for result in results] == [LogFailure]


async def test_readiness_is_that_of_a_running_notary_and_changes_are_told(tmp_path: Path) -> None:
    notary = open_notary(tmp_path / "log")
    told: list[bool] = []
    with notary.watching(lambda: told.append(notary.ready)):
        ready = [notary.ready]
        async with trio.open_nursery() as nursery:
            await nursery.start(notary.run)
            ready.append(notary.ready)
            await notary.close()
        ready.append(notary.ready)
        await notary.close()
    assert ready == [False, True, False]
    assert told == [True, False]


async def test_only_durable_entries_are_read_back(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        envelopes = [(await conclude(notary, refusal())).envelope for _ in range(300)]
        await notary.publish()
        envelopes += [(await conclude(notary, refusal())).envelope for _ in range(5)]
        assert [await notary.entry(index) for index in range(305)] == envelopes
        assert await notary.entry(305) is None
        assert await notary.entry(-1) is None
        assert reading.summarise(dsse.parse(envelopes[0]).payload).place.number == 1


async def test_the_latest_statement_about_a_transfer_is_found(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        found = outcome(Verdict.FAILED)
        await deliver(notary, found)
        latest = await deliver(notary, outcome(transfer_id=found.transfer_id))
        await deliver(notary)
        asked = found.sender.name, "orders", found.transfer_id
        assert await notary.latest(*asked) == latest
        assert await notary.latest("uid:1", *asked[1:]) is None


async def test_what_cannot_be_said_fails_alone(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        good, bad = submission(refusal()), submission(refusal())
        with pytest.raises(LogFailure):
            await notary.conclude(replace(bad, details=good.details.replace(b"{", b"[", 1)))
        with pytest.raises(LogFailure):
            await notary.conclude(replace(bad, sender="spiffe://example/another"))
        await notary.conclude(bad)
        await notary.conclude(good)
        assert notary.ready
    assert audited(tmp_path / "log") == (2, 0)


def test_keys_that_are_not_what_they_should_be_are_refused() -> None:
    receipt, log, pq = pem(RECEIPT_KEY), pem(LOG_KEY), pem(PQ_KEY)
    for wrong in (
        (b"no key", log, pq),
        (pq, log, pq),
        (receipt, pq, pq),
        (receipt, log, log),
        (receipt, receipt, pq),
    ):
        with pytest.raises(CredentialError) as caught:
            keys.load("receipts.example/gateway-a", *wrong)
        assert "BEGIN" not in str(caught.value)
