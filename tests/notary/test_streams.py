"""Streams: as many as senders come, few of them in memory, and no number lost or given twice."""

from itertools import cycle, islice
from pathlib import Path

import pytest

from proxy.errors import EvidenceError, LogFailure
from proxy.model import Peer
from proxy.notary import Notary, streams
from proxy.notary.streams import Streams
from tests.notary.samples import (
    audited,
    conclude,
    crash_copy,
    outcome,
    refusal,
    running,
    statements,
    until,
)

WARM = 8
SENDERS = 30


@pytest.fixture(autouse=True)
def _few_are_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "WARM", WARM)


async def say(notary: Notary, senders: range) -> None:
    for number in senders:
        await conclude(notary, refusal(sender=Peer(uid=number)))


async def rotate(notary: Notary) -> None:
    """A new journal, before the next statement."""
    store = notary._store
    await notary.publish()
    store._rotate, store.journal.initial = 0, 0
    await say(notary, range(SENDERS, SENDERS + 1))
    store._rotate = 2**30


def warm(notary: Notary) -> dict[str, tuple[int, bytes]]:
    return dict(notary._store.book.streams.items())


async def test_memory_holds_the_latest_and_every_stream_goes_on(tmp_path: Path) -> None:
    store = tmp_path / "log"
    for life in range(3):
        async with running(store) as notary:
            await say(notary, range(SENDERS))
            await rotate(notary)
            assert len(warm(notary)) <= WARM + 1, f"life {life}"
            await say(notary, range(0, SENDERS, 2))
    said = [each.place for each in statements(store) if each.place.stream == "uid:4/orders"]
    assert [place.number for place in said] == list(range(1, 7))
    audited(store)


async def test_those_used_last_stay() -> None:
    found = Streams()
    names = list(islice(cycle("abcdefghijkl"), 24))
    for number, name in enumerate(names, 1):
        found.update({name: (number, bytes(32))})
    surplus = found.surplus()
    assert "".join(surplus) == "abcd"
    found.update({"b": (25, bytes(32))})
    found.chill(surplus)
    assert "".join(name for name, _ in found.items()) == "efghijklb", "b was used meanwhile"


@pytest.mark.parametrize("again", [False, True], ids=["once", "and a second time"])
async def test_a_crash_before_the_journal_forgets_finds_the_streams_where_they_were(
    tmp_path: Path, again: bool
) -> None:
    store, crashed = tmp_path / "log", tmp_path / "crashed"
    async with running(store) as notary:
        inner = notary._store
        await say(notary, range(SENDERS))
        await rotate(notary)
        await say(notary, range(SENDERS))  # the cold ones too: the journal has only this of them
        if again:
            await notary.publish()
            rows = inner.all_ids()
            assert rows is not None
            assert len(rows.streams) > WARM
            inner.secure_ids(rows)  # but no new journal
        await crash_copy(notary, store, crashed)
    async with running(crashed) as notary:
        await say(notary, range(SENDERS))
        await rotate(notary)
        await say(notary, range(SENDERS))
    audited(crashed)


async def test_a_journal_in_which_a_stream_leaps_is_refused_all_the_same(tmp_path: Path) -> None:
    async with running(tmp_path / "log") as notary:
        await say(notary, range(2))
        [first, *_] = statements(tmp_path / "log")
        with pytest.raises(EvidenceError, match="not the next of its stream"):
            notary._store.book.replay(first, 7, bytes(32))


async def test_a_stream_that_cannot_be_looked_up_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "log"

    def broken(name: str) -> None:
        raise LogFailure("the disk fails")

    async with running(store) as notary:
        await say(notary, range(SENDERS))
        await rotate(notary)
        ids = notary._store.ids
        with monkeypatch.context() as patch:
            patch.setattr(ids, "cold", broken)
            with pytest.raises(LogFailure):
                await conclude(notary, outcome(sender=Peer(uid=1)))
            assert not notary.ready
        await until(lambda: notary.ready)
        await say(notary, range(SENDERS))
    said = [each.place.number for each in statements(store) if each.place.stream == "uid:1/orders"]
    assert said == [1, 2, 3], "also what was waited for is written"
    audited(store)
