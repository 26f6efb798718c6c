"""What happens to the gateway itself stands in its log: starts, stops, keys, crowds at the door."""

from datetime import timedelta
from functools import partial
from pathlib import Path

import orjson
import pytest
import trio
import trio.testing
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.errors import CredentialError, LogFailure
from proxy.model import Event, Missed, Verdict
from proxy.notary import Notary
from proxy.notary.folder import Folder
from proxy.notary.frames import Kind, encode
from proxy.notary.shedding import Missing, Shedding, missed_event
from proxy.receipt import dsse, keychain
from proxy.receipt.reading import Summary, summarise
from tests.notary.disks import DyingDisk, FailingDisk
from tests.notary.samples import (
    ORIGIN,
    RECEIPT_KEY,
    START,
    audited,
    conclude,
    crash_copy,
    deliver,
    intent_of,
    intents_in,
    open_notary,
    outcome,
    pem,
    refusal,
    running,
    statements,
    until,
)
from tests.notary.test_hostile_worker import wired

BEGIN = Event("start", {"version": "1", "policySha256": "00" * 32, "workers": "1"})
NEW_KEY = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)


async def test_starts_reloads_and_stops_are_a_stream_of_their_own(tmp_path: Path) -> None:
    store = tmp_path / "log"
    async with running(store) as notary:
        assert (await notary.note(BEGIN)).index == 0
        await deliver(notary)
        await notary.note(Event("reload", {"from": "00" * 32, "to": "11" * 32}))
    found = statements(store)
    assert [s.event for s in found] == ["start", None, "reload", "stop"]
    events = [s for s in found if s.event is not None]
    assert [s.place.number for s in events] == [1, 2, 3]
    assert {s.place.stream for s in events} == {f"{ORIGIN}/log"}
    assert events[2].details == {"clean": True}
    assert audited(store) == (4, 0)
    async with running(store) as notary:
        await notary.note(BEGIN)
        await notary.close(clean=False)
    events = [s for s in statements(store) if s.event is not None]
    assert [s.place.number for s in events] == [1, 2, 3, 4, 5]
    assert events[4].details == {"clean": False}


async def test_a_notary_that_was_not_started_says_nothing_of_a_stop(tmp_path: Path) -> None:
    async with running(tmp_path / "log"):
        pass
    assert statements(tmp_path / "log") == []


async def test_a_start_has_one_stop_wherever_the_notary_that_closes_dies(tmp_path: Path) -> None:
    """Also where it dies when all is written, and nobody has heard of it."""
    died, lives = True, 0
    while died:
        store, disk = tmp_path / str(lives), DyingDisk(1000, 0.5)
        async with running(store, disk=disk) as notary:
            await notary.note(BEGIN)
            disk.lives = lives
        died, lives = disk.lives < 0, lives + 1
        for _ in range(2):
            async with running(store) as notary:
                notary.resume()
        found = [each.event for each in statements(store)]
        assert [each for each in found if each != "recovery"] == ["start", "stop"]
        audited(store)
    assert lives > 3


async def test_what_was_begun_is_known_however_often_its_notary_dies(tmp_path: Path) -> None:
    async with running(tmp_path / "0") as notary:
        await notary.note(BEGIN)
        await crash_copy(notary, tmp_path / "0", tmp_path / "1")
    for life in (1, 2):
        async with running(tmp_path / f"{life}") as notary:
            notary.resume()
            await deliver(notary)
            await crash_copy(notary, tmp_path / f"{life}", tmp_path / f"{life + 1}")
    for _ in range(2):
        async with running(tmp_path / "3") as notary:
            notary.resume()
    assert [each.event for each in statements(tmp_path / "3")] == ["start", None, None, "stop"]


async def test_no_stop_is_noted_of_a_start_that_never_was(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        notary.resume()
        await deliver(notary)
    assert [each.event for each in statements(tmp_path / "log")] == [None]


async def test_an_event_that_cannot_be_said_or_written_is_told(tmp_path: Path) -> None:
    disk = FailingDisk()
    async with running(tmp_path / "log", disk=disk) as notary:
        with pytest.raises(LogFailure):
            await notary.note(Event("party", {}))
        with pytest.raises(LogFailure):
            await notary.note(Event("reload", {"from": object()}))
        disk.fail("append", "create")
        with pytest.raises(LogFailure):
            await notary.note(BEGIN)
        disk.heal()
        await until(lambda: notary.size == 1)
    with pytest.raises(LogFailure, match="stopped"):
        await notary.note(BEGIN)


# --- receipt keys --------------------------------------------------------------------------------


def by(store: Path, *keys: Ed25519PrivateKey) -> list[Summary]:
    """The statements, each verified with the key that is to have signed it."""
    entries = [envelope for _, envelope in Folder(store).entries()]
    return [
        summarise(dsse.verify(envelope, key.public_key()))
        for envelope, key in zip(entries, keys, strict=True)
    ]


async def test_a_new_receipt_key_is_named_by_the_one_before_it(tmp_path: Path) -> None:
    store = tmp_path / "log"
    async with running(store) as notary:
        await deliver(notary)
    with pytest.raises(CredentialError, match="previous_key"):
        open_notary(store, receipt=NEW_KEY)
    strange = pem(Ed25519PrivateKey.generate())
    with pytest.raises(CredentialError, match="previous_key must be that one, and it is another"):
        open_notary(store, receipt=NEW_KEY, previous_key=strange)
    for _ in range(2):
        async with running(store, receipt=NEW_KEY, previous_key=pem(RECEIPT_KEY)) as notary:
            assert notary.receipt_key == keychain.describe(NEW_KEY.public_key())
            await deliver(notary)
    found = by(store, RECEIPT_KEY, RECEIPT_KEY, NEW_KEY, NEW_KEY)
    assert [s.event for s in found] == [None, "key", None, None]
    old, new = RECEIPT_KEY.public_key(), NEW_KEY.public_key()
    assert found[1].details == keychain.handover(old, new)
    async with running(store, receipt=NEW_KEY) as notary:
        await deliver(notary)
    with pytest.raises(CredentialError):
        open_notary(store)


async def test_a_new_key_comes_before_what_it_signs_of_a_crash(tmp_path: Path) -> None:
    store = tmp_path / "log"
    async with running(store) as notary:
        await deliver(notary)
        intents_in(store).write(intent_of(outcome()))
    keys = {"receipt": NEW_KEY, "previous_key": pem(RECEIPT_KEY)}
    lives, whole = 0, False
    while not whole:
        disk = DyingDisk(lives, 0.5)
        try:
            await open_notary(store, disk=disk, **keys).close()
        except LogFailure:
            pass
        whole, lives = disk.lives > 0, lives + 1
    found = by(store, RECEIPT_KEY, RECEIPT_KEY, NEW_KEY, NEW_KEY)
    assert [s.event for s in found] == [None, "key", "recovery", None]
    assert found[3].verdict is Verdict.INDETERMINATE
    assert audited(store) == (4, 0)


# --- the crowd at the door -----------------------------------------------------------------------


def test_what_is_turned_away_is_one_event_a_minute() -> None:
    shedding = Shedding(START)
    later = START + timedelta(minutes=1)
    assert shedding.event(START) is None
    shedding.add({"ingest:no_certificate": 7, "ingest:shed": 1})
    shedding.add({"ingest:no_certificate": 5})
    event = shedding.event(later)
    assert event is not None
    assert event.details == {
        "since": "2026-05-01T12:00:00.000000Z",
        "until": "2026-05-01T12:01:00.000000Z",
        "counts": {"ingest:no_certificate": "12", "ingest:shed": "1"},
    }
    assert shedding.event(later) is None


def test_kinds_without_end_are_counted_together() -> None:
    shedding = Shedding(START)
    shedding.add({f"ingest:{number}": 1 for number in range(1000)})
    event = shedding.event(START)
    assert event is not None
    counts = event.details["counts"]
    assert isinstance(counts, dict)
    assert len(counts) == 257
    assert sum(map(int, counts.values())) == 1000


def test_no_count_is_more_than_any_reader_can_say() -> None:
    shedding, missing, most = Shedding(START), Missing(), str(2**53 - 1)
    for _ in range(2):
        shedding.add({"ingest:untrusted": 2**63, "ingest:crowded": 1})
        missing.add(Missed({"disk-full": 2**63, "log-unavailable": 1}, START, START))
    shed, missed = shedding.event(START), missing.take()
    assert shed is not None
    assert missed is not None
    assert shed.details["counts"] == {"ingest:crowded": "2", "ingest:untrusted": most}
    assert missed_event(missed).details["counts"] == {"disk-full": most, "log-unavailable": "2"}


async def test_many_kinds_and_counts_without_end_stand_in_the_log_as_one_event(
    tmp_path: Path,
) -> None:
    store = tmp_path / "log"
    async with running(store) as notary, wired(notary) as wire:
        for number in range(300):
            await wire.say(encode(Kind.SHED, 0, orjson.dumps({f"{number:0>99}": 2**63})))
        assert await wire.end() is None
    [event] = statements(store)
    assert event.event == "refused-handshakes"
    assert event.details is not None
    counts = event.details["counts"]
    assert isinstance(counts, dict)
    assert len(counts) == 257
    assert set(counts.values()) == {str(2**53 - 1)}
    audited(store)


async def test_it_comes_by_itself_and_at_the_end(tmp_path: Path) -> None:
    store = tmp_path / "log"
    async with running(store) as notary:
        notary.shed({"ingest:untrusted": 3})
        notary.shed({"ingest:untrusted": 4})
        await conclude(notary, refusal())
        assert notary.size == 1
    [_, event] = statements(store)
    assert event.event == "refused-handshakes"
    assert event.details is not None
    assert event.details["counts"] == {"ingest:untrusted": "7"}


def has(notary: Notary, size: int) -> bool:
    return notary.size == size


def test_it_comes_every_minute(tmp_path: Path) -> None:
    async def two_minutes() -> None:
        async with running(tmp_path / "log") as notary:
            for number in (1, 2):
                notary.shed({"ingest:untrusted": 1})
                await trio.sleep(61)
                await until(partial(has, notary, number))
                notary.shed({"ingest:untrusted": 1})
                await trio.sleep(1)
                assert notary.size == number

    trio.run(two_minutes, clock=trio.testing.MockClock(autojump_threshold=0.005))
    assert len(statements(tmp_path / "log")) == 3
