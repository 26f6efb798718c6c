"""What the notary does for workers: ids that are held, and attempts that a dead one left open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from proxy.errors import LogFailure, Refusal
from proxy.model import Claim, Outcome, Verdict
from proxy.notary import Notary
from proxy.receipt.statement import submission
from tests.notary.disks import FailingDisk
from tests.notary.samples import (
    audited,
    conclude,
    intent_of,
    intents_in,
    outcome,
    refusal,
    running,
    statements,
    until,
)

BODY = b"\x11" * 32


def claimed(found: Outcome) -> Outcome:
    assert found.route is not None
    return replace(found, claim=Claim(found.sender.name, found.route, found.transfer_id, 3600.0))


def claim_of(found: Outcome) -> Claim:
    assert found.claim is not None
    return found.claim


@asynccontextmanager
async def held(store: Path, found: Outcome, holder: str = "worker") -> AsyncIterator[Notary]:
    async with running(store) as notary:
        assert await notary.reserve(claim_of(found), found.attempt_id, holder=holder) is None
        yield notary


async def test_an_id_is_held_until_its_attempt_is_concluded(tmp_path: Path) -> None:
    found = claimed(outcome(content_sha256=BODY))
    async with held(tmp_path / "log", found) as notary:
        claim = claim_of(found)
        assert await notary.reserve(claim, found.attempt_id) is None, "asked again"
        with pytest.raises(Refusal, match="in-flight") as refused:
            await notary.reserve(claim, b"n" * 16)
        assert refused.value.retry_after == 1
        assert not await notary.matches(claim, BODY)
        receipt = await conclude(notary, found)
        earlier = await notary.reserve(claim, b"n" * 16)
        assert earlier is not None
        assert (earlier.status, earlier.index, earlier.envelope) == (201, 0, receipt.envelope)
        assert await notary.matches(claim, BODY)
        assert not await notary.matches(claim, b"\x12" * 32)


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.REJECTED])
async def test_what_was_not_delivered_does_not_use_the_id_up(
    tmp_path: Path, verdict: Verdict
) -> None:
    found = claimed(outcome(verdict))
    async with held(tmp_path / "log", found) as notary:
        await conclude(notary, found)
        assert await notary.reserve(claim_of(found), b"n" * 16) is None


async def test_an_id_that_was_let_go_is_free(tmp_path: Path) -> None:
    found = claimed(outcome())
    async with held(tmp_path / "log", found) as notary:
        notary.release(claim_of(found), found.attempt_id)
        notary.release(claim_of(found), found.attempt_id)
        assert await notary.reserve(claim_of(found), b"n" * 16) is None


async def test_an_undecided_id_is_refused_unless_the_route_forwards_it(tmp_path: Path) -> None:
    found = claimed(outcome(Verdict.INDETERMINATE))
    async with held(tmp_path / "log", found) as notary:
        await conclude(notary, found)
        claim = claim_of(found)
        with pytest.raises(Refusal, match="undecided"):
            await notary.reserve(claim, b"n" * 16)
        assert await notary.reserve(replace(claim, forward_undecided=True), b"n" * 16) is None


async def test_what_cannot_be_said_lets_go_of_its_id(tmp_path: Path) -> None:
    found = claimed(outcome())
    async with held(tmp_path / "log", found) as notary:
        with pytest.raises(LogFailure):
            await notary.conclude(replace(submission(found), details=b"{}"))
        assert await notary.reserve(claim_of(found), b"n" * 16) is None


async def test_no_id_is_given_by_a_notary_that_does_not_run(tmp_path: Path) -> None:
    found = claimed(outcome())
    async with held(tmp_path / "log", found) as notary:
        pass
    with pytest.raises(LogFailure):
        await notary.reserve(claim_of(found), b"n" * 16)


async def test_what_a_worker_held_is_held_again_by_the_next_notary(tmp_path: Path) -> None:
    found = claimed(outcome())
    async with running(tmp_path / "log") as notary:
        notary.restore(claim_of(found), found.attempt_id, holder="worker")
        with pytest.raises(Refusal, match="in-flight"):
            await notary.reserve(claim_of(found), b"n" * 16)
        await conclude(notary, found, resent=True)
        assert await notary.reserve(claim_of(found), b"n" * 16) is not None


async def test_the_open_intents_of_a_dead_worker_are_closed_and_its_ids_let_go(
    tmp_path: Path,
) -> None:
    store, open_one = tmp_path / "log", claimed(outcome())
    async with held(store, open_one) as notary:
        idle, others = claimed(refusal()), claimed(outcome())
        assert await notary.reserve(claim_of(idle), idle.attempt_id, holder="worker") is None
        assert await notary.reserve(claim_of(others), others.attempt_id, holder="other") is None
        intents, of_others = intents_in(store, "worker"), intents_in(store, "other")
        of_others.write(intent_of(others))
        concluded, coming = outcome(), outcome(Verdict.FAILED)
        for found in (open_one, concluded, coming):
            intents.write(intent_of(found))
        await conclude(notary, concluded)
        notary.submit(submission(coming), lambda result: None)
        assert await notary.worker_gone("worker") in (1, 2)
        assert [path.name for path in (store / "intents").iterdir()] == ["other"]
        assert await notary.worker_gone("worker") == 0
        with pytest.raises(Refusal, match="undecided"):
            await notary.reserve(claim_of(open_one), b"n" * 16)
        with pytest.raises(Refusal, match="in-flight"):
            await notary.reserve(claim_of(others), b"n" * 16)
        assert await notary.reserve(claim_of(idle), b"n" * 16) is None
        await conclude(notary, others)
        of_others.clear(others.attempt_id)
    said = {s.attempt_id: s.verdict for s in statements(store) if s.event is None}
    assert said == {
        concluded.attempt_id: Verdict.DELIVERED,
        coming.attempt_id: Verdict.FAILED,
        open_one.attempt_id: Verdict.INDETERMINATE,
        others.attempt_id: Verdict.DELIVERED,
    }
    assert [s.event for s in statements(store) if s.event] == ["recovery"]
    assert audited(store) == (5, 0)


async def test_a_dead_worker_without_intents_leaves_no_trace(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        assert await notary.worker_gone("nobody") == 0
        assert notary.size == 0


async def test_closing_waits_for_a_disk_that_fails(tmp_path: Path) -> None:
    store, disk, done = tmp_path / "log", FailingDisk(), []
    async with running(store, disk=disk) as notary, trio.open_nursery() as nursery:
        intents_in(store).write(intent_of(outcome()))
        disk.fail("append", "create")

        async def close() -> None:
            done.append(await notary.worker_gone("worker"))

        nursery.start_soon(close)
        await until(lambda: not notary.ready)
        assert done == []
        assert (store / "intents" / "worker").exists()
        disk.heal()
        await until(lambda: done == [1])
    assert [s.event or s.verdict for s in statements(store)] == [
        Verdict.INDETERMINATE,
        "recovery",
    ]
