"""A worker that is no longer ours cannot speak of another's attempt, nor twice of its own."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import trio

from proxy.errors import EvidenceError
from proxy.model import Claim, Submission, Verdict
from proxy.notary import Hall, Notary, book, intents, messages, server, submissions
from proxy.notary.attempts import AttemptIds, name_worker, own
from proxy.notary.frames import Kind, encode
from proxy.notary.intents import SLOT
from proxy.receipt.statement import submission
from tests.notary.links import MemoryLog, claim_of
from tests.notary.samples import audited, deliver, intent_of, outcome, running, statements
from tests.notary.test_hostile_worker import claimed, wired
from tests.notary.wires import HELLO, Wire, concluding, held, reserving, served


def said(attempt_id: bytes) -> Submission:
    return submission(replace(outcome(), attempt_id=attempt_id))


async def deliver_many(notary: Notary) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(300):
            nursery.start_soon(deliver, notary)
    await notary.publish()


async def receipt_of(wire: Wire, number: int) -> bytes:
    kind, answered, body = await wire.hear()
    assert (kind, answered) == (Kind.RECEIPT, number)
    return body


@pytest.mark.parametrize("restarts", [0, 1, 3])
async def test_an_attempt_that_is_said_again_as_new_has_one_entry_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restarts: int
) -> None:
    monkeypatch.setattr(book, "_ATTEMPTS", 256)  # it is forgotten soon
    store, name = tmp_path / "log", name_worker(1, 0)
    ids = AttemptIds(name)
    again = said(ids())
    async with running(store) as notary, wired(notary, name) as wire:
        await wire.say(concluding(1, again))
        first = await receipt_of(wire, 1)
        await deliver_many(notary)
        if not restarts:
            await wire.say(concluding(2, again))
            assert await receipt_of(wire, 2) == first
    for channel in range(1, restarts + 1):
        async with running(store) as notary, wired(notary, name, channel) as wire:
            await deliver_many(notary)
            late = replace(again, received_at=again.received_at + timedelta(days=9))
            await wire.say(concluding(1, late))
            assert await receipt_of(wire, 1) == first
    audited(store)


async def test_it_has_one_entry_also_while_nothing_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "_ATTEMPTS", 16)
    store, name = tmp_path / "log", name_worker(1, 0)
    again = said(AttemptIds(name)())
    async with running(store) as notary, wired(notary, name) as wire:
        await wire.say(concluding(1, again))
        first = await receipt_of(wire, 1)
        for _ in range(40):
            await deliver(notary)
        await wire.say(concluding(2, again))
        assert await receipt_of(wire, 2) == first
        await notary.publish()
        await deliver(notary)
        assert len(notary._store.book.attempts) == 16
    audited(store)


@pytest.mark.parametrize("whose", ["another", "a channel to come"])
async def test_the_attempt_of_another_ends_the_channel(tmp_path: Path, whose: str) -> None:
    name = name_worker(1, 0)
    ids = AttemptIds(name if whose == "a channel to come" else name_worker(1, 0))
    ids.begin(1)
    strange, claim = ids(), claim_of()
    frames = [
        concluding(1, said(strange)),
        encode(Kind.RESENT, 1, submissions.pack_submission(said(strange))),
        reserving(1, claim, strange),
        encode(Kind.RELEASE, 0, strange + messages.pack_claim(claim)),
    ]
    async with running(tmp_path / "log") as notary:
        for frame in frames:
            async with wired(notary, name) as wire:
                await wire.say(frame)
                assert isinstance(await wire.outcome(), EvidenceError)
        await deliver(notary)
    assert len(statements(tmp_path / "log")) == 1


async def test_no_hold_is_another_s() -> None:
    name = name_worker(1, 0)
    async with served(MemoryLog(), name, Hall([name])) as wire:
        await wire.say(held(claim_of(), AttemptIds(name_worker(1, 0))()))
        assert isinstance(await wire.outcome(), EvidenceError)


async def test_who_says_to_hold_more_than_can_be_under_way_is_heard_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "MOST_HELD", 3)
    log, name = MemoryLog(), name_worker(1, 0)
    ids = AttemptIds(name)
    async with served(log, name, Hall([name])) as wire:
        await wire.say(*(held(claim_of(), ids()) for _ in range(4)), HELLO)
        assert isinstance(await wire.outcome(), EvidenceError)


async def test_an_intent_of_another_and_one_with_a_verdict_close_nothing(tmp_path: Path) -> None:
    store, name = tmp_path / "log", name_worker(1, 0)
    named = own(name)
    assert named is not None
    ids = AttemptIds(name)
    over, open_still = said(ids()), ids()
    async with running(store) as notary, wired(notary, name) as wire:
        others = await deliver_as(notary_wire=wire, found=over)
        assert others
        await deliver(notary)
        await notary.publish()
    sample = intent_of(outcome())
    forged = [
        replace(sample, attempt_id=over.attempt_id, started=sample.started + timedelta(days=99)),
        replace(sample, attempt_id=AttemptIds(name_worker(1, 0))()),
        replace(sample, attempt_id=open_still),
    ]
    path = store / "intents" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(intents.encode(each).ljust(SLOT, b"\0") for each in forged))
    async with running(store) as notary:
        assert notary.interrupted == 1
    found = [each for each in statements(store) if each.verdict is Verdict.INDETERMINATE]
    assert [each.attempt_id for each in found] == [open_still]
    audited(store)


async def deliver_as(notary_wire: Wire, found: Submission) -> bytes:
    await notary_wire.say(concluding(1, found))
    return await receipt_of(notary_wire, 1)


async def test_no_id_is_remembered_for_longer_than_its_route_says(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary, wired(notary) as wire:
        notary.bounds.allow({"orders": 60.0, "other": 10.0**9})
        found = claimed(outcome(), 10.0**9)
        await wire.say(concluding(1, found))
        await receipt_of(wire, 1)
        ids = notary._store.ids
        assert found.claim is not None
        later = notary._store.now() + 61
        assert ids.reserve(found.claim, b"n" * 16, later) is None


async def test_a_window_that_was_allowed_once_stays_so(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        notary.bounds.allow({"orders": 600.0})
        notary.bounds.allow({"orders": 60.0})
        found = claimed(outcome(), 600.0)
        await notary.conclude(found)
        assert isinstance(found.claim, Claim)
        later = notary._store.now() + 300
        assert notary._store.ids.reserve(found.claim, b"n" * 16, later) is not None
