"""The index, and the search through it: the answers of a log that is read, only sooner."""

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.errors import EvidenceError
from proxy.model import Event, Peer, Verdict
from proxy.notary import query as queries
from proxy.notary.folder import Folder
from proxy.notary.index import INDEX, Index
from proxy.notary.query import Query, page
from proxy.notary.rows import Row, published_rows
from proxy.notary.search import Found, Search
from tests.notary.disks import no_room
from tests.notary.samples import (
    CERTIFICATE,
    ORIGIN,
    START,
    conclude,
    outcome,
    refusal,
    running,
    until,
)

SIZE = 560
UNPUBLISHED = 5
IDS = [f"00000000-0000-4000-8000-{number:012}" for number in range(60)] + ["not-a-uuid"]
STEP = timedelta(seconds=97)


class Minutes:
    """A clock that moves by more than a minute and a half whenever it is read."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += STEP
        return self.now


def sender(number: int) -> Peer:
    name = f"spiffe://example/etl/{number}"
    return Peer(certificate=replace(CERTIFICATE, spiffe=name, uris=(name,)))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of three bundles with events in between; the last entries are in the journal alone."""
    folder = tmp_path_factory.mktemp("site") / "log"

    async def make() -> None:
        async with running(folder, clock=Minutes()) as notary:
            await notary.note(Event("start", {"version": "1"}))
            for number in range(1, SIZE):
                values = {
                    "transfer_id": IDS[number * 7 % len(IDS)],
                    "sender": sender(number % 5),
                    "route": ("orders", "reports", None)[number % 3],
                }
                if number % 100 == 50:
                    await notary.note(Event("reload", {"from": "a", "to": "b"}))
                elif number % 4 == 1:
                    await conclude(notary, refusal("no-route", **values))
                elif number % 4 == 2:
                    code = ("not-allowed", "undecided")[number % 8 == 2]
                    await conclude(notary, refusal(code, **values))
                else:
                    verdict = (Verdict.DELIVERED, Verdict.FAILED)[number % 8 == 3]
                    await conclude(notary, outcome(verdict, **values))
                if number == SIZE - UNPUBLISHED - 1:
                    await notary.publish()
            shutil.copytree(folder, folder.with_name("copy"))

    trio.run(make)
    return folder.with_name("copy")


@pytest.fixture(scope="module")
def everything(site: Path) -> list[Found]:
    """All of its entries."""
    found = list(Search(Folder(site), by_index=False).oldest(Query()))
    assert [entry.index for entry in found] == list(range(SIZE))
    return found


@pytest.fixture
def log(site: Path, tmp_path: Path) -> Path:
    """A copy of one's own."""
    return Path(shutil.copytree(site, tmp_path / "log"))


def found(entries: Iterator[Found]) -> list[int]:
    return [entry.index for entry in entries]


def indexes(folder: Path, query: Query, *, by_index: bool = True) -> list[int]:
    return found(Search(Folder(folder), by_index=by_index).oldest(query))


def times(number: int) -> datetime:
    return START + STEP * number


QUERIES = st.builds(
    Query,
    since=st.none() | st.integers(0, SIZE + 20).map(times),
    until=st.none() | st.integers(0, SIZE + 20).map(times),
    peer=st.none()
    | st.sampled_from(
        ["spiffe://example/etl/3", "spiffe://*", "*/4", "*[3]", "*?*", "nobody", "*"]
    ),
    route=st.none() | st.sampled_from(["orders", "reports", "other"]),
    kind=st.none() | st.sampled_from([*Verdict, "event:*", "event:reload", "event:stop"]),
    problem=st.none() | st.sampled_from(["no-route", "undecided", "in-flight"]),
    transfer_id=st.none() | st.sampled_from([*IDS[::9], "not-a-uuid", "nothing"]),
    digest=st.none() | st.sampled_from([bytes(32), bytes.fromhex(64 * "0")]),
)


# --- the same answers ----------------------------------------------------------------------------


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(QUERIES, st.integers(1, 9))
def test_the_index_finds_what_reading_the_log_finds(
    site: Path, everything: list[Found], query: Query, few: int
) -> None:
    expected = [entry.index for entry in everything if query.matches(entry.summary)]
    for by_index in (True, False):
        search = Search(Folder(site), by_index=by_index)
        assert found(search.oldest(query)) == expected
        assert found(search.newest(query)) == expected[::-1]
        assert found(search.latest(query, few)) == expected[-few:]
        assert found(search.latest(query, few, newest_first=True)) == expected[::-1][:few]


def test_it_asks_for_what_a_query_says(site: Path, everything: list[Found]) -> None:
    assert everything[0].summary.event == "start"
    assert indexes(site, Query(kind="event:reload")) == list(range(50, SIZE, 100))
    digest = everything[4].summary.delivered_sha256
    assert digest is not None
    assert 4 in indexes(site, Query(digest=digest))
    assert indexes(site, Query(digest=digest[:-1] + b"\0")) == []
    last = everything[40].summary.completed
    query = Query(peer="spiffe://example/etl/2", route="reports", since=START, until=last)
    assert indexes(site, query) == [7, 22, 37]
    assert indexes(site, replace(query, since=last)) == []
    assert indexes(site, Query(since=last, until=last)) == [40]
    assert indexes(site, Query(transfer_id=IDS[7])) == [
        number for number in range(1, SIZE, 61) if number % 100 != 50
    ]
    assert indexes(site, Query(transfer_id="not-a-uuid")) == [
        number for number in range(SIZE) if number and number * 7 % 61 == 60 and number % 100 != 50
    ]


def test_a_query_by_time_reads_far_enough_at_the_edges_of_bundles(
    site: Path, everything: list[Found]
) -> None:
    for number in (0, 1, 255, 256, 257, 511, 512, SIZE - UNPUBLISHED - 1, SIZE - 1):
        moment = everything[number].summary.completed
        for by_index in (True, False):
            search = Search(Folder(site), by_index=by_index)
            assert found(search.oldest(Query(since=moment, until=moment))) == [number]
            assert found(search.newest(Query(since=moment, until=moment))) == [number]


def test_pages_join_without_gap_and_without_repeat(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = list(range(SIZE))
    for size in (1, 7, 256, SIZE - UNPUBLISHED):
        monkeypatch.setattr(queries, "PAGE", size)
        monkeypatch.setattr("proxy.notary.search.PAGE", size)
        assert indexes(site, Query()) == everything
        assert found(Search(Folder(site)).newest(Query())) == everything[::-1]


def test_it_reads_few_bundles_of_the_log(site: Path, everything: list[Found]) -> None:
    class Counting(Folder):
        def load(self, name: str) -> bytes | None:
            loaded.append(name)
            return super().load(name)

    loaded: list[str] = []
    search = Search(Counting(site))
    query = Query(transfer_id=IDS[7], until=everything[70].summary.completed)
    assert found(search.oldest(query)) == [1, 62]
    assert [name for name in loaded if "entries" in name] == ["tile/entries/000"]
    loaded.clear()
    assert len(list(islice(search.newest(Query(since=everything[552].summary.completed)), 3))) == 3
    assert not [name for name in loaded if "entries/00" in name and "p/" not in name]


# --- how it is written ---------------------------------------------------------------------------


def rows(folder: Path, start: int, stop: int) -> list[Row]:
    return list(published_rows(Folder(folder).load, start, stop, SIZE - UNPUBLISHED))


def test_rows_that_follow_are_added_and_what_is_missing_comes_from_the_log(log: Path) -> None:
    (log / INDEX).unlink()
    size, load = SIZE - UNPUBLISHED, Folder(log).load
    index = Index.open(log, ORIGIN, 0)
    assert not index.advance(rows(log, 0, 10), load, 20)
    assert index.size == 10
    assert index.advance(rows(log, 5, 20), load, 20)
    assert index.advance(rows(log, 500, size), load, size)
    assert (index.size, index.fault) == (size, None)
    index.close()
    assert indexes(log, Query()) == list(range(SIZE))


def test_an_index_that_lags_is_level_after_some_calls(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (log / INDEX).unlink()
    monkeypatch.setattr("proxy.notary.index._STEP", 300)
    index, load = Index.open(log, ORIGIN, 0), Folder(log).load
    sizes = []
    while not index.advance([], load, SIZE - UNPUBLISHED):
        sizes.append(index.size)
        assert indexes(log, Query(kind="event:*")) == [0, *range(50, SIZE, 100)]
        assert found(Search(Folder(log)).newest(Query())) == list(reversed(range(SIZE)))
    assert sizes == [300]
    index.close()


def test_reading_sees_what_the_notary_has_written_and_not_yet_put_away(log: Path) -> None:
    (log / INDEX).unlink()
    index, load = Index.open(log, ORIGIN, 0), Folder(log).load
    for size in range(100, 600, 100):
        index.advance(rows(log, size - 100, size), load, size)
        answer = page(log, ORIGIN, Query(), low=0, high=SIZE, newest_first=True)
        assert answer is not None
        assert answer.size == size
        assert answer.indexes == tuple(reversed(range(size)))
    index.close()


def test_an_index_that_was_deleted_under_the_notary_is_made_anew(log: Path) -> None:
    index, load = Index.open(log, ORIGIN, SIZE), Folder(log).load
    for left in log.glob(f"{INDEX}*"):
        left.unlink()
    while not index.advance([], load, SIZE - UNPUBLISHED):
        assert index.fault is None
    index.close()
    answer = page(log, ORIGIN, Query(), low=0, high=SIZE, newest_first=False)
    assert answer is not None
    assert answer.size == SIZE - UNPUBLISHED


async def test_a_lost_index_is_made_anew_while_nothing_comes(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (log / INDEX).unlink()
    monkeypatch.setattr("proxy.notary.index._STEP", 100)
    async with running(log, clock=Minutes()) as notary:
        await until(lambda: notary._store.index.size == SIZE)
        answer = page(log, ORIGIN, Query(kind="event:*"), low=0, high=SIZE, newest_first=False)
        assert answer is not None
        assert (answer.size, answer.indexes) == (SIZE, (0, *range(50, SIZE, 100)))


async def test_one_that_cannot_be_made_is_tried_again(log: Path) -> None:
    (log / INDEX).unlink()
    (log / INDEX).mkdir()
    async with running(log, clock=Minutes()) as notary:
        await until(lambda: notary._store.index.fault is not None)
        (log / INDEX).rmdir()
        await until(lambda: notary._store.index.size == SIZE)


def test_attempts_are_found_in_the_index_and_beyond_it(log: Path, everything: list[Found]) -> None:
    load = Folder(log).load
    by_number = {number: everything[number].summary.attempt_id or b"" for number in (1, 300, 552)}
    known = {attempt_id: number for number, attempt_id in by_number.items()}
    wanted, size = [*known, bytes(16), b"x" * 16], SIZE - UNPUBLISHED
    index = Index.open(log, ORIGIN, size)
    assert index.attempts(wanted, 0, load, size) == known
    later = index.attempts(wanted, 300, load, size)
    assert set(later.values()) == {300, 552}
    assert index.attempts(wanted, 0, load, 300) == {by_number[1]: 1}
    index.close()
    (log / INDEX).unlink()
    index = Index.open(log, ORIGIN, size)
    index.advance(rows(log, 0, 310), load, 310)
    assert index.attempts(wanted, 0, load, size) == known
    assert set(index.attempts(wanted, 552, load, size).values()) == {552}
    index.close()


def test_classes_have_one_number_however_few_are_in_memory(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = indexes(log, Query(route="reports"))
    assert before
    (log / INDEX).unlink()
    monkeypatch.setattr("proxy.notary.index._CLASSES", 2)
    index, load = Index.open(log, ORIGIN, 0), Folder(log).load
    for size in range(100, SIZE - UNPUBLISHED, 100):
        assert index.advance(rows(log, size - 100, size), load, size)
        assert len(index._classes) <= 2
    assert index._file is not None
    classes = index._file.execute("SELECT sender, route, kind, problem FROM classes").fetchall()
    assert len(classes) == len(set(classes)) > 2
    index.close()
    assert indexes(log, Query(route="reports")) == before


def test_the_index_is_closed_to_others(site: Path) -> None:
    assert stat.S_IMODE((site / INDEX).stat().st_mode) == 0o640


# --- what may become of it -----------------------------------------------------------------------


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20_000])


def _noise(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + os.urandom(len(data) - 4096))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("this is no index\n" * 1000)


def _missing(path: Path) -> None:
    path.unlink()


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as found:
        found.execute("UPDATE about SET origin = 'another.example/log'")
    found.close()


def _version(path: Path) -> None:
    with sqlite3.connect(path) as found:
        found.execute("PRAGMA user_version = 77")
    found.close()


def _tables(path: Path) -> None:
    with sqlite3.connect(path) as found:
        found.execute("DROP TABLE classes")
    found.close()


DAMAGE = [_cut, _noise, _empty, _text, _missing, _foreign, _version, _tables]


@pytest.mark.parametrize("damage", DAMAGE)
def test_without_a_sound_index_the_log_is_read(log: Path, damage: Callable[[Path], None]) -> None:
    damage(log / INDEX)
    if damage not in (_cut, _noise, _tables):  # of which something may still read
        assert page(log, ORIGIN, Query(), low=0, high=SIZE, newest_first=True) is None
    wanted = Query(route="orders", kind="delivered", until=times(400))
    assert indexes(log, wanted) == indexes(log, wanted, by_index=False)
    search = Search(Folder(log))
    assert found(search.newest(wanted)) == indexes(log, wanted, by_index=False)[::-1]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_index_is_made_anew(log: Path, damage: Callable[[Path], None]) -> None:
    damage(log / INDEX)
    size, load = SIZE - UNPUBLISHED, Folder(log).load
    index = Index.open(log, ORIGIN, size)
    calls = 0
    while not index.advance([], load, size):
        calls += 1
        assert calls < 4
    index.close()
    answer = page(log, ORIGIN, Query(), low=0, high=SIZE, newest_first=False)
    assert answer is not None
    assert answer.indexes == tuple(range(size))


def test_an_index_of_a_longer_log_is_made_anew(log: Path) -> None:
    index = Index.open(log, ORIGIN, 300)
    assert index.advance(rows(log, 0, 300), Folder(log).load, 300)
    assert index.size == 300
    index.close()


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_octet_of_the_index_makes_it_say_what_the_log_does_not(
    site: Path,
    everything: list[Found],
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("flip")
    shutil.copytree(site, folder / "log")
    path = folder / "log" / INDEX
    octets = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(octets)
    query = Query(kind="delivered")
    truth = {entry.index for entry in everything if query.matches(entry.summary)}
    assert set(indexes(folder / "log", query)) <= truth
    assert set(found(Search(Folder(folder / "log")).newest(query))) <= truth
    shutil.rmtree(folder)


def test_a_log_that_is_damaged_is_told_with_its_entry(log: Path) -> None:
    (log / INDEX).unlink()
    bundle = log / "tile" / "entries" / "001"
    data = bytearray(bundle.read_bytes())
    data[2:5] = b"nil"
    bundle.write_bytes(data)
    with pytest.raises(EvidenceError, match="entry 256: "):
        indexes(log, Query())
    index = Index.open(log, ORIGIN, 0)
    assert not index.advance([], Folder(log).load, SIZE - UNPUBLISHED)
    assert index.fault is not None
    assert "entry 256" in index.fault
    index.close()


def test_a_full_disk_stops_the_index_until_there_is_room(log: Path) -> None:
    (log / INDEX).unlink()
    size, load = SIZE - UNPUBLISHED, Folder(log).load
    index = Index.open(log, ORIGIN, 0)
    assert index.advance(rows(log, 0, 2), load, 2)
    with no_room():
        assert not index.advance(rows(log, 2, size), load, size)
    assert index.fault is not None
    assert index.advance(rows(log, 2, size), load, size)
    assert not index.fault
    index.close()
    for wanted in (Query(route="reports"), Query(problem="undecided"), Query(peer="*/3")):
        answer = page(log, ORIGIN, wanted, low=0, high=size, newest_first=False)
        assert answer is not None
        read = indexes(log, wanted, by_index=False)
        assert list(answer.indexes) == [number for number in read if number < size]


def test_an_index_that_cannot_be_made_stops_nothing_else(log: Path) -> None:
    index = Index.open(log / "nowhere", ORIGIN, 0)
    assert not index.advance([], Folder(log).load, SIZE - UNPUBLISHED)
    assert index.fault is not None
    with pytest.raises(EvidenceError):
        index.attempts([bytes(16)], 0, Folder(log / "tile").load, 5)


# --- whoever may only read -----------------------------------------------------------------------


@pytest.mark.parametrize("live", [False, True])
def test_who_may_only_read_the_folder_is_served_by_the_index(site: Path, *, live: bool) -> None:
    """As another user, where the tests run as root: permissions do not bind root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        log = Path(shutil.copytree(site, folder / "log"))
        index = Index.open(log, ORIGIN, SIZE)
        if not live:
            index.close()
        for path in (log, *log.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = {path.name for path in log.iterdir()}
        assert as_nobody(lambda: _served(log)) == 0
        assert {path.name for path in log.iterdir()} == before
        index.close()
        for path in (log, *log.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


def _served(log: Path) -> bool:
    answer = page(log, ORIGIN, Query(kind="event:*"), low=0, high=SIZE, newest_first=False)
    return answer is not None and answer.indexes == (0, *range(50, SIZE - UNPUBLISHED, 100))


def as_nobody(check: Callable[[], bool]) -> int:
    """0 when the check holds in a process of its own, without privileges."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
