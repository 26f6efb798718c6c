"""A worker that is no longer ours cannot take the table of ids from the others."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.errors import EvidenceError
from proxy.model import Claim, Verdict
from proxy.notary import Hall, Notary, intents, messages, submissions
from proxy.notary.attempts import AttemptIds, name_worker
from proxy.notary.bounds import Bounds
from proxy.notary.frames import Kind, encode
from proxy.notary.intents import SLOT
from proxy.receipt.statement import submission
from tests.notary.links import MemoryLog, attempt, claim_of, statement
from tests.notary.samples import audited, deliver, intent_of, outcome, running, statements
from tests.notary.test_hostile_worker import claimed, wired
from tests.notary.wires import HELLO, Wire, concluding, held, reserving, served

CAPACITY = 16
SHARE = 12
UNHELD = 2


@asynccontextmanager
async def shared(store: Path) -> AsyncIterator[Notary]:
    """A notary whose table two workers share."""
    bounds = Bounds({"orders": 3600.0}, workers=2)
    async with running(store, capacity=CAPACITY, bounds=bounds) as notary:
        yield notary


def strange(number: int) -> Claim:
    """Of a sender that never came."""
    return Claim(f"spiffe://example/{number}", "orders", f"{number}", 3600.0)


async def taken(wire: Wire, ids: AttemptIds) -> int:
    """How many ids a worker gets that wants as many as there are."""
    await wire.say(*(reserving(n, claim_of(sender=f"uid:{n}"), ids()) for n in range(40)))
    answers = [await wire.hear() for _ in range(40)]
    refused = [body for kind, _, body in answers if kind == Kind.REFUSED]
    assert {messages.unpack_refusal(body).code for body in refused} == {"overloaded"}
    return sum(kind == Kind.NOTHING for kind, _, _ in answers)


async def has_room(notary: Notary, claim: Claim | None = None) -> bool:
    name = name_worker(2, 0)
    return await notary.reserve(claim or claim_of(), AttemptIds(name)(), holder=name) is None


# --- hello ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [
        concluding(1, statement()),
        reserving(1, claim_of(), attempt()),
        encode(Kind.RELEASE, 0, attempt() + messages.pack_claim(claim_of())),
        encode(Kind.MATCHES, 1, bytes(32) + messages.pack_claim(claim_of())),
        encode(Kind.ENTRY, 1, messages.pack_index(0)),
        encode(Kind.LATEST, 1, messages.pack_texts("a", "b", "c")),
        encode(Kind.SHED, 0, b'{"ingest:full":1}'),
        encode(Kind.MISSED, 1, b"{}"),
        HELLO + HELLO,
    ],
    ids=["conclude", "reserve", "release", "matches", "entry", "latest", "shed", "missed", "twice"],
)
async def test_nothing_new_is_said_before_hello_and_hello_is_said_once(frame: bytes) -> None:
    log, hall = MemoryLog(), Hall(["1"])
    async with served(log, "1", hall) as wire:
        await wire.say(frame)
        assert isinstance(await wire.outcome(), EvidenceError)
    assert not log.durable.log
    assert not log.held
    assert not log.counts


async def test_who_is_younger_than_the_notary_holds_nothing_from_before_it() -> None:
    log = MemoryLog()
    async with served(log, "2", Hall(["1"])) as wire:
        await wire.say(held(claim_of(), attempt()))
        assert isinstance(await wire.outcome(), EvidenceError)
    assert not log.held


# --- routes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.CONCLUDE, Kind.RESENT, Kind.RESERVE, Kind.RELEASE])
async def test_a_route_that_there_never_was_is_not_spoken_of(tmp_path: Path, kind: Kind) -> None:
    found = claimed(outcome())
    assert found.claim is not None
    body = submissions.pack_submission(found)
    if kind in (Kind.RESERVE, Kind.RELEASE):
        body = found.attempt_id + messages.pack_claim(found.claim)
    async with running(tmp_path / "log") as notary:
        notary.bounds.allow({"others": 60.0})
        async with wired(notary) as wire:
            await wire.say(encode(kind, 1, body))
            assert isinstance(await wire.outcome(), EvidenceError)
        assert notary.size == 0
        notary.bounds.allow({"orders": 60.0})
        notary.bounds.allow({"others": 60.0})  # it went with a reload, not what began on it
        async with wired(notary) as wire:
            await wire.say(concluding(1, found))
            assert (await wire.hear())[0] == Kind.RECEIPT


async def test_an_intent_on_a_route_that_there_never_was_is_not_spoken_of(tmp_path: Path) -> None:
    store, name = tmp_path / "log", name_worker(1, 0)
    begun = AttemptIds(name)
    left = [replace(intent_of(outcome()), attempt_id=begun(), route=at) for at in ("orders", "no")]
    async with running(store) as notary:
        notary.bounds.allow({"orders": 60.0})
        path = store / "intents" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"".join(intents.encode(each).ljust(SLOT, b"\0") for each in left))
        assert await notary.worker_gone(name) == 1
    said = [each for each in statements(store) if each.verdict is Verdict.INDETERMINATE]
    assert [each.attempt_id for each in said] == [left[0].attempt_id]


async def test_no_name_that_is_too_long_is_held(tmp_path: Path) -> None:
    name = name_worker(1, 0)
    longest = Claim("s" * 2048, "r" * 64, str(uuid.uuid4()), 60.0)
    too_long = replace(longest, sender="s" * 2100)
    async with running(tmp_path / "log") as notary:
        begun = AttemptIds(name)
        async with wired(notary, name) as wire:
            await wire.say(reserving(1, longest, begun()))
            assert (await wire.hear())[0] == Kind.NOTHING
            await wire.say(reserving(2, too_long, begun()))
            assert isinstance(await wire.outcome(), EvidenceError)


async def test_what_is_refused_before_its_route_is_known_has_none(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        notary.bounds.allow({"orders": 60.0})
        async with wired(notary) as wire:
            told = outcome(Verdict.REJECTED, route=None, upstream=None)
            await wire.say(concluding(1, submission(told)))
            assert (await wire.hear())[0] == Kind.RECEIPT


# --- shares --------------------------------------------------------------------------------------


async def test_a_worker_that_wants_all_ids_leaves_some_to_the_others(tmp_path: Path) -> None:
    name, successor = name_worker(1, 0), name_worker(1, 0)
    async with shared(tmp_path / "log") as notary:
        async with wired(notary, name) as wire:
            assert await taken(wire, AttemptIds(name)) == SHARE
        async with wired(notary, successor) as wire:
            assert await taken(wire, AttemptIds(successor)) == 0, "the place has the share"
        assert await has_room(notary)
        await notary.worker_gone(name)
        async with wired(notary, successor) as wire:
            assert await taken(wire, AttemptIds(successor)) == SHARE


async def test_ids_that_it_delivered_count_too(tmp_path: Path) -> None:
    name = name_worker(1, 0)
    ids = AttemptIds(name)
    async with shared(tmp_path / "log") as notary, wired(notary, name) as wire:
        for number in range(SHARE):
            found = claimed(replace(outcome(), attempt_id=ids()))
            assert found.claim is not None
            await wire.say(reserving(number, found.claim, found.attempt_id))
            answer = await wire.hear()
            if answer[0] == Kind.REFUSED:
                assert number == CAPACITY // 2, "the sender's half"
                break
            await wire.say(concluding(number, found))
            assert (await wire.hear())[0] == Kind.RECEIPT
        assert await taken(wire, ids) == SHARE - CAPACITY // 2
        assert await has_room(notary)


async def test_one_worker_alone_may_fill_the_table(tmp_path: Path) -> None:
    name = name_worker(1, 0)
    async with running(tmp_path / "log", capacity=CAPACITY) as notary, wired(notary, name) as wire:
        assert await taken(wire, AttemptIds(name)) == CAPACITY


async def test_what_it_concludes_without_having_held_it_fills_no_table(tmp_path: Path) -> None:
    name = name_worker(1, 0)
    ids = AttemptIds(name)
    async with shared(tmp_path / "log") as notary, wired(notary, name) as wire:
        found = [claimed(replace(outcome(), attempt_id=ids())) for _ in range(30)]
        await wire.say(*(concluding(n, each) for n, each in enumerate(found)))
        assert [(await wire.hear())[0] for _ in found] == [Kind.RECEIPT] * 30
        assert notary._store.ids._shares.kept == UNHELD
        assert await has_room(notary)
    assert len(statements(tmp_path / "log")) == 30, "it stands in the log, all of it"


@pytest.mark.parametrize("alive", [True, False], ids=["the notary lives", "all died"])
async def test_the_intents_that_it_leaves_behind_fill_no_table(tmp_path: Path, alive: bool) -> None:
    store, name = tmp_path / "log", name_worker(1, 0)
    ids, path = AttemptIds(name), store / "intents" / name
    left = []
    for number in range(40):
        claim = strange(number)
        found = replace(outcome(), attempt_id=ids(), transfer_id=claim.transfer_id)
        left.append(replace(intent_of(found), sender=claim.sender, claim=claim))
    async with shared(store) as notary:
        await deliver(notary)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"".join(intents.encode(each).ljust(SLOT, b"\0") for each in left))
        if alive:
            assert await notary.worker_gone(name) == 40
            assert notary._store.ids._shares.kept == SHARE + UNHELD
            assert await has_room(notary)
    async with shared(store) as notary:
        assert await has_room(notary)
    said = [each.verdict for each in statements(store)]
    assert said.count(Verdict.INDETERMINATE) == 40, "each has its verdict"
    audited(store)


async def test_an_attempt_that_holds_an_id_gets_no_other_so_that_its_end_frees_all(
    tmp_path: Path,
) -> None:
    name = name_worker(1, 0)
    one = AttemptIds(name)()
    async with shared(tmp_path / "log") as notary:
        async with wired(notary, name) as wire:
            await wire.say(*(reserving(n, strange(n), one) for n in range(3)))
            answers = [(await wire.hear())[0] for _ in range(3)]
            assert answers == [Kind.NOTHING, Kind.REFUSED, Kind.REFUSED]
        await notary.worker_gone(name)
        assert await has_room(notary, strange(0))
        assert await has_room(notary, strange(1))
        assert notary._store.ids._shares.held == 2


async def test_no_id_is_answered_with_the_receipt_of_another_transfer(tmp_path: Path) -> None:
    name = name_worker(1, 0)
    one, victim = AttemptIds(name)(), strange(1)
    async with shared(tmp_path / "log") as notary:
        async with wired(notary, name) as wire:
            await wire.say(reserving(1, victim, one))
            assert (await wire.hear())[0] == Kind.NOTHING
            await wire.say(concluding(2, claimed(replace(outcome(), attempt_id=one))))
            assert (await wire.hear())[0] == Kind.REFUSED
            assert notary.size == 0
        await notary.worker_gone(name)
        assert await has_room(notary, victim)
