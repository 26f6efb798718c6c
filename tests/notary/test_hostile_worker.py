"""A worker that is no longer ours: nothing that it says or leaves stops the log or spoils it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import trio
import trio.testing

from proxy.errors import EvidenceError, LogFailure
from proxy.model import Claim, Outcome, Submission, Verdict
from proxy.notary import Hall, Notary, drafts, intents, serve_link, server
from proxy.notary.frames import Kind, encode
from proxy.notary.intents import SLOT, IntentFile, read_intents
from proxy.receipt import dsse
from proxy.receipt.statement import submission
from proxy.receipt.words import describe
from tests.notary.links import MemoryLog, attempt, channel, statement
from tests.notary.samples import (
    ORIGIN,
    audited,
    deliver,
    intent_of,
    outcome,
    running,
    statements,
)
from tests.notary.wires import HELLO, Wire, concluding, reserving, served


@asynccontextmanager
async def wired(notary: Notary, name: str = "1", number: int = 0) -> AsyncIterator[Wire]:
    ours, theirs = channel()
    wire = Wire(ours)

    async def serve() -> None:
        wire.reason = await serve_link(notary, name, theirs, Hall(), number)
        wire.ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await wire.hear()
        await wire.say(HELLO)
        yield wire
        await trio.aclose_forcefully(ours)
        nursery.cancel_scope.cancel()


def claimed(found: Outcome, window: float = 3600.0) -> Submission:
    assert found.route is not None
    claim = Claim(found.sender.name, found.route, found.transfer_id, window)
    return replace(submission(found), claim=claim)


def forged(found: Submission, **parts: Any) -> Submission:
    """The same, with other details."""
    return replace(found, details=orjson.dumps(orjson.loads(bytes(found.details)) | parts))


@pytest.mark.parametrize("window", [1e18, 1e300])
async def test_no_window_is_longer_than_a_table_can_say(tmp_path: Path, window: float) -> None:
    async with running(tmp_path / "log") as notary, wired(notary) as wire:
        await wire.say(concluding(1, claimed(outcome(), window)))
        assert isinstance(await wire.outcome(), EvidenceError)
        await deliver(notary)
    audited(tmp_path / "log")


@pytest.mark.parametrize("window", [1e18, 1e300, float("inf"), float("nan"), -1e10])
async def test_no_intent_with_such_a_window_keeps_a_notary_from_starting(
    tmp_path: Path, window: float
) -> None:
    store = tmp_path / "log"
    async with running(store) as notary:
        await deliver(notary)
    found = intent_of(outcome())
    claim = Claim(found.sender, found.route, found.transfer_id, window)
    path = store / "intents" / "1"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(intents.encode(replace(found, claim=claim)).ljust(SLOT, b"\0"))
    async with running(store):
        assert not path.exists()
    audited(store)


async def test_no_intent_that_cannot_be_said_ends_the_notary(tmp_path: Path) -> None:
    store, found = tmp_path / "log", intent_of(outcome())
    long = replace(found, attempt_id=b"l" * 16, transfer_id="x" * 200)
    event = replace(found, attempt_id=b"e" * 16, sender=ORIGIN, route="log")
    async with running(store) as notary:
        path = store / "intents" / "1"
        path.parent.mkdir(exist_ok=True)
        slots = [intents.encode(each).ljust(SLOT, b"\0") for each in (long, event, found)]
        path.write_bytes(b"".join(slots))
        await notary.worker_gone("1")
        assert not path.exists()
        await deliver(notary)
    kinds = [each.verdict for each in statements(store)]
    assert kinds.count(Verdict.INDETERMINATE) == 1
    audited(store)


async def test_no_name_however_long_is_remembered(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        before = drafts._stream_of.cache_info().currsize
        assert await notary.latest("x" * 2**20, "orders", "a") is None
        assert drafts._stream_of.cache_info().currsize == before


async def test_no_receipt_takes_a_place_among_the_events(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        found = submission(outcome())
        told = orjson.loads(bytes(found.details))
        parts = {
            "request": told["request"] | {"route": "log"},
            "sender": told["sender"] | {"name": ORIGIN},
            "policy": told["policy"] | {"route": "log"},
        }
        with pytest.raises(LogFailure):
            await notary.conclude(replace(forged(found, **parts), sender=ORIGIN, route="log"))
        await deliver(notary)
    audited(tmp_path / "log")


async def test_no_status_that_is_none_spoils_the_answer_about_an_id(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary, wired(notary) as wire:
        found = claimed(replace(outcome(), status=None))
        told = orjson.loads(bytes(found.details))
        found = forged(found, answer=told["answer"] | {"status": 10**6})
        assert found.claim is not None
        await wire.say(concluding(1, found))
        assert (await wire.hear())[0] == Kind.RECEIPT
        await wire.say(reserving(2, found.claim, b"n" * 16))
        assert (await wire.hear())[0] == Kind.EARLIER


def test_no_length_of_a_file_of_intents_fills_the_memory(tmp_path: Path) -> None:
    path, kept = tmp_path / "1", intent_of(outcome())
    with path.open("wb") as file:
        file.write(intents.encode(kept).ljust(SLOT, b"\0"))
        file.truncate(2**40)
    assert read_intents(path) == [kept]


def test_no_more_intents_of_one_worker_are_read_than_it_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intents, "_MOST", 256)
    file, found = IntentFile.open(tmp_path / "1", sync=False), outcome()
    for _ in range(256):
        file.write(intent_of(replace(found, attempt_id=attempt())))
    with pytest.raises(LogFailure):
        file.write(intent_of(replace(found, attempt_id=attempt())))
    with (tmp_path / "1").open("ab") as beyond:
        beyond.write(intents.encode(intent_of(outcome())).ljust(SLOT, b"\0"))
    assert len(read_intents(tmp_path / "1")) == 256


async def test_what_waits_is_bounded_by_its_octets_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_SAID", 2**20)
    log, long = MemoryLog(at_once=False), bytes(2**18)
    async with served(log) as wire:
        told = trio.Event()

        async def say() -> None:
            await wire.say(HELLO, *(concluding(n, statement(details=long)) for n in range(40)))
            told.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(say)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert not told.is_set()
            assert len(log.queue) < 10
            while not told.is_set() or log.queue:
                log.commit()
                await trio.testing.wait_all_tasks_blocked(0.01)
    assert len(log.durable.log) == 40


@pytest.mark.parametrize("name", ["x" * 46_000, "ingest:full\n", "ingest full"])
async def test_nothing_that_it_counts_silences_what_others_counted(
    tmp_path: Path, name: str
) -> None:
    store = tmp_path / "log"
    async with running(store) as notary, wired(notary, "1") as one, wired(notary, "2") as two:
        await two.say(encode(Kind.SHED, 0, b'{"ingest:full":7}'))
        await one.say(encode(Kind.SHED, 0, orjson.dumps({name: 2**63})))
        assert isinstance(await one.outcome(), EvidenceError)
        await two.end()
    [event] = [each for each in statements(store) if each.event == "refused-handshakes"]
    assert event.details is not None
    assert event.details["counts"] == {"ingest:full": "7"}


async def test_what_it_makes_up_about_a_peer_is_shown_all_the_same(tmp_path: Path) -> None:
    found = submission(outcome())
    async with running(tmp_path / "log") as notary:
        receipt = await notary.conclude(forged(found, receiver={"sans": 7, "spkiSha256": []}))
    shown = describe(orjson.loads(dsse.parse(receipt.envelope).payload))
    assert [line.split()[0] for line in shown][:3] == ["verdict", "ended", "transfer"]
