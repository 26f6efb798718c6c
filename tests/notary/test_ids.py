"""The table of ids: what a repeat is answered, across restarts, and what it refuses to guess."""

import hashlib
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.errors import EvidenceError, LogFailure, Refusal
from proxy.model import Claim, Intent, Submission, Verdict
from proxy.notary.ids import Delivered, Ids
from proxy.notary.ids_table import IDS
from proxy.notary.sieve import Sieve
from proxy.notary.storekey import STORE_KEY
from tests.notary.disks import no_room

NOW = 1_780_000_000.0
LONG = bytes(range(100, 116))
WINDOW = 300.0
CONTENT = bytes(range(32))
OTHER = bytes(32)


def claim(
    number: int = 0, sender: str = "spiffe://a/b", route: str = "orders", *, forward: bool = False
) -> Claim:
    return Claim(sender, route, f"00000000-0000-4000-8000-{number:012}", WINDOW, forward)


def attempt(number: int) -> bytes:
    return number.to_bytes(16)


def submission(
    wish: Claim, attempt_id: bytes, verdict: Verdict, content: bytes | None = CONTENT
) -> Submission:
    return Submission(
        attempt_id=attempt_id,
        transfer_id=wish.transfer_id,
        verdict=verdict,
        status=201,
        problem=None,
        sender=wish.sender,
        route=wish.route,
        received_at=datetime.fromtimestamp(NOW, UTC),
        details=b"{}",
        claim=wish,
        content_sha256=content,
    )


@dataclass
class Log:
    """A store with its ids: what the notary and its journal do for them."""

    folder: Path
    capacity: int = 1000
    memos: dict[int, bytes] = field(default_factory=dict)
    size: int = 0
    since: int = 0
    now: float = NOW
    attempts: int = 0

    def __post_init__(self) -> None:
        self.ids = Ids.open(self.folder, capacity=self.capacity)

    def reserve(self, wish: Claim) -> tuple[bytes, Delivered | None]:
        self.attempts += 1
        return attempt(self.attempts), self.ids.reserve(wish, attempt(self.attempts), self.now)

    def conclude(
        self, wish: Claim, attempt_id: bytes, verdict: Verdict, content: bytes | None = CONTENT
    ) -> int:
        memo = self.ids.memo(submission(wish, attempt_id, verdict, content), self.now)
        index, self.size = self.size, self.size + 1
        if memo is not None:
            self.memos[index] = memo
        self.ids.settle(attempt_id, index, memo, self.now)
        return index

    def end(self, wish: Claim, verdict: Verdict, content: bytes | None = CONTENT) -> int:
        """A whole attempt that holds the id."""
        attempt_id, earlier = self.reserve(wish)
        assert earlier is None
        return self.conclude(wish, attempt_id, verdict, content)

    def flush(self, *, durable: bool = False) -> None:
        batch = self.ids.batch(self.size, self.now, all_of_it=True)
        assert batch is not None
        self.ids.flush(batch, durable=durable)
        self.ids.flushed(batch)

    def rotate(self) -> None:
        """A new journal, which needs no memo any more."""
        self.flush(durable=True)
        self.memos, self.since = {}, self.size

    def restart(self) -> None:
        self.ids.close()
        self.ids = Ids.open(self.folder, capacity=self.capacity)
        self.ids.require_reach(self.since, self.size)
        for index, memo in self.memos.items():
            self.ids.redo(index, memo, self.now)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    found = Log(tmp_path)
    yield found
    found.ids.close()


def refused(log: Log, wish: Claim) -> str:
    with pytest.raises(Refusal) as failure:
        log.reserve(wish)
    return failure.value.code


# --- what a repeat is answered -------------------------------------------------------------------


def test_an_id_on_its_way_is_held_for_its_attempt_alone(log: Log) -> None:
    holder, earlier = log.reserve(claim())
    assert earlier is None
    assert log.ids.reserve(claim(), holder, NOW) is None
    with pytest.raises(Refusal) as failure:
        log.reserve(claim())
    assert (failure.value.code, failure.value.retry_after) == ("in-flight", 1)


def test_a_delivered_id_names_its_status_and_leaf_until_its_window_has_passed(log: Log) -> None:
    log.end(claim(1), Verdict.DELIVERED)
    index = log.end(claim(), Verdict.DELIVERED)
    assert log.reserve(claim())[1] == Delivered(201, index)
    log.now += WINDOW - 1
    assert log.reserve(claim())[1] == Delivered(201, index)
    log.now += 1
    assert log.reserve(claim())[1] is None


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.REJECTED])
def test_what_did_not_cross_does_not_burn_the_id(log: Log, verdict: Verdict) -> None:
    log.end(claim(), verdict)
    assert log.memos == {}
    log.end(claim(), Verdict.DELIVERED)


def test_an_undecided_id_is_refused_unless_the_route_forwards_it_again(log: Log) -> None:
    log.end(claim(), Verdict.INDETERMINATE)
    assert refused(log, claim()) == "undecided"
    index = log.end(claim(forward=True), Verdict.DELIVERED)
    assert log.reserve(claim())[1] == Delivered(201, index)


def test_an_undecided_id_stays_so_when_the_next_attempt_fails(log: Log) -> None:
    log.end(claim(), Verdict.INDETERMINATE)
    log.end(claim(forward=True), Verdict.FAILED)
    assert refused(log, claim()) == "undecided"
    log.now += WINDOW
    assert log.reserve(claim())[1] is None


def test_an_intent_that_a_crash_left_makes_its_id_undecided(log: Log) -> None:
    started = datetime.fromtimestamp(NOW, UTC)
    wish = claim()
    intent = Intent(attempt(7), wish.transfer_id, wish.sender, wish.route, started, wish)
    memo = log.ids.memo(intent, NOW)
    assert memo is not None
    log.ids.settle(intent.attempt_id, 0, memo, NOW)
    assert refused(log, wish) == "undecided"


def test_delivery_is_not_undone_by_a_later_doubt(log: Log) -> None:
    late, _ = log.reserve(claim())
    log.ids.release(late)
    index = log.end(claim(), Verdict.DELIVERED)
    log.conclude(claim(), late, Verdict.INDETERMINATE)
    assert log.reserve(claim())[1] == Delivered(201, index)


def test_an_id_belongs_to_one_sender_and_one_route(log: Log) -> None:
    log.end(claim(), Verdict.DELIVERED)
    assert log.reserve(claim(sender="spiffe://a/c"))[1] is None
    assert log.reserve(claim(route="reports"))[1] is None
    assert log.reserve(claim(1))[1] is None
    log.end(Claim("a", "b\0c", "d", WINDOW), Verdict.DELIVERED)


def test_content_is_compared_and_unknown_content_never_matches(log: Log) -> None:
    log.end(claim(), Verdict.DELIVERED)
    log.end(claim(1), Verdict.DELIVERED, content=None)
    log.end(claim(2), Verdict.INDETERMINATE)
    assert log.ids.matches(claim(), CONTENT)
    assert not log.ids.matches(claim(), OTHER)
    assert not log.ids.matches(claim(1), CONTENT)
    assert not log.ids.matches(claim(1), bytes(32))
    assert not log.ids.matches(claim(2), CONTENT)
    assert not log.ids.matches(claim(3), CONTENT)


def test_content_is_the_same_although_the_window_passes_while_it_is_read(log: Log) -> None:
    log.end(claim(), Verdict.DELIVERED)
    assert log.reserve(claim())[1] is not None
    log.now += WINDOW + 1
    assert log.reserve(claim())[1] is None
    assert log.ids.matches(claim(), CONTENT)


def test_a_worker_that_is_gone_holds_nothing_and_the_others_keep_theirs(log: Log) -> None:
    log.ids.reserve(claim(1), attempt(101), NOW, holder="w1")
    log.ids.reserve(claim(2), attempt(102), NOW, holder="w2")
    log.ids.drop("w1")
    assert log.reserve(claim(1))[1] is None
    assert refused(log, claim(2)) == "in-flight"


def test_what_a_worker_held_is_held_again_but_never_over_a_delivery(log: Log) -> None:
    log.end(claim(1), Verdict.DELIVERED)
    log.ids.restore(claim(), attempt(101), NOW, holder="w1")
    log.ids.restore(claim(1), attempt(102), NOW, holder="w1")
    assert refused(log, claim()) == "in-flight"
    assert log.reserve(claim(1))[1] == Delivered(201, 0)
    log.ids.restore(claim(), attempt(103), NOW, holder="w2")
    log.ids.drop("w2")
    assert refused(log, claim()) == "in-flight"


# --- bounds --------------------------------------------------------------------------------------


def test_a_full_table_refuses_new_ids_until_windows_pass(tmp_path: Path) -> None:
    log = Log(tmp_path, capacity=4)
    for number in range(4):
        log.end(claim(number, sender=f"s{number}"), Verdict.DELIVERED)
    with pytest.raises(Refusal) as failure:
        log.reserve(claim(9, sender="s9"))
    assert failure.value.code == "overloaded"
    hint = failure.value.retry_after
    assert hint is not None
    assert WINDOW <= hint <= WINDOW + 16
    assert log.reserve(claim(1, sender="s1"))[1] == Delivered(201, 1)
    log.now += hint
    assert log.reserve(claim(9, sender="s9"))[1] is None
    log.ids.close()


def test_one_sender_has_half_of_the_places_held_ones_counted(tmp_path: Path) -> None:
    log = Log(tmp_path, capacity=6)
    log.end(claim(0), Verdict.DELIVERED)
    log.end(claim(1), Verdict.INDETERMINATE)
    held, _ = log.reserve(claim(2))
    assert refused(log, claim(3)) == "overloaded"
    assert log.reserve(claim(3, sender="another"))[1] is None
    log.conclude(claim(2), held, Verdict.FAILED)
    log.end(claim(3), Verdict.FAILED)
    log.end(claim(1, forward=True), Verdict.DELIVERED)
    held, _ = log.reserve(claim(4))
    assert refused(log, claim(5)) == "overloaded"
    log.rotate()
    log.restart()
    log.end(claim(5), Verdict.DELIVERED)
    assert refused(log, claim(6)) == "overloaded"
    log.ids.close()


def test_expired_ids_are_swept_out_of_the_file(log: Log) -> None:
    for number in range(60):
        log.end(claim(number), Verdict.DELIVERED)
    log.flush()
    log.now += WINDOW + 16
    log.end(claim(100), Verdict.DELIVERED)
    log.flush(durable=True)
    with sqlite3.connect(log.folder / IDS) as found:
        assert found.execute("SELECT count(*) FROM ids").fetchone() == (1,)
    found.close()


# --- restarts ------------------------------------------------------------------------------------


def test_flushes_wait_until_they_are_worth_it_but_can_be_demanded(log: Log) -> None:
    log.end(claim(), Verdict.DELIVERED)
    assert log.ids.batch(log.size, log.now) is None
    log.flush()
    assert log.ids.watermark == 1
    log.size = 5
    log.flush()
    assert log.ids.watermark == 5


VERDICTS = (Verdict.DELIVERED, Verdict.FAILED, Verdict.REJECTED, Verdict.INDETERMINATE)
Step = tuple[str, int, Verdict]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["try", "hold", "flush", "lose", "rotate", "restart", "wait"]),
        st.integers(0, 5),
        st.sampled_from(VERDICTS),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_whenever_it_stops_it_goes_on_with_what_it_knew(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    log = Log(tmp_path_factory.mktemp("ids"))
    known: dict[int, tuple[Verdict, int, float]] = {}
    for what, number, verdict in steps:
        state, index, expires = known.get(number, (None, 0, 0.0))
        live = state if expires > log.now else None
        if what == "try" and live is Verdict.DELIVERED:
            assert log.reserve(claim(number))[1] == Delivered(201, index)
        elif what == "try" and live is Verdict.INDETERMINATE:
            assert refused(log, claim(number)) == "undecided"
        elif what == "try":
            index = log.end(claim(number), verdict)
            if verdict in (Verdict.DELIVERED, Verdict.INDETERMINATE):
                known[number] = (verdict, index, log.now + WINDOW)
        elif what == "hold" and live is None:
            log.reserve(claim(number))
            log.restart()
        elif what == "lose":
            log.ids.batch(log.size, log.now, all_of_it=True)
        elif what == "wait":
            log.now += WINDOW / 4
        else:
            {"flush": log.flush, "rotate": log.rotate}.get(what, log.restart)()
    log.ids.close()


def test_a_batch_that_could_not_be_written_is_in_the_next_one(log: Log) -> None:
    log.end(claim(), Verdict.DELIVERED)
    first = log.ids.batch(log.size, log.now, all_of_it=True)
    assert first is not None
    with no_room(), pytest.raises(LogFailure):
        log.ids.flush(first)
    assert log.reserve(claim())[1] == Delivered(201, 0)
    log.end(claim(1), Verdict.DELIVERED)
    assert log.ids.watermark == 0
    log.rotate()
    log.restart()
    assert log.reserve(claim())[1] == Delivered(201, 0)
    assert log.reserve(claim(1))[1] == Delivered(201, 1)


def test_an_older_batch_that_ends_later_undoes_nothing(log: Log) -> None:
    log.end(claim(), Verdict.INDETERMINATE)
    older = log.ids.batch(log.size, log.now, all_of_it=True)
    index = log.end(claim(forward=True), Verdict.DELIVERED)
    newer = log.ids.batch(log.size, log.now, all_of_it=True)
    assert older is not None
    assert newer is not None
    for batch in (newer, older):
        log.ids.flush(batch)
        log.ids.flushed(batch)
    assert log.ids.watermark == 2
    log.memos = {}
    log.restart()
    assert log.reserve(claim())[1] == Delivered(201, index)


def test_what_only_the_newer_batch_has_is_known_when_the_older_is_written(log: Log) -> None:
    log.end(claim(), Verdict.DELIVERED)
    older = log.ids.batch(log.size, log.now, all_of_it=True)
    log.end(claim(1), Verdict.DELIVERED)
    assert older is not None
    assert log.ids.batch(log.size, log.now, all_of_it=True) is not None
    log.ids.flush(older)
    log.ids.flushed(older)
    assert log.reserve(claim(1))[1] == Delivered(201, 1)


def test_ids_are_answered_while_a_thread_writes_them(log: Log) -> None:
    for number in range(200):
        log.end(claim(number), Verdict.DELIVERED)
    batch = log.ids.batch(log.size, log.now, all_of_it=True)
    assert batch is not None
    writer = threading.Thread(target=log.ids.flush, args=(batch,), kwargs={"durable": True})
    writer.start()
    answers = [log.reserve(claim(number))[1] for number in range(200)]
    writer.join()
    log.ids.flushed(batch)
    assert answers == [Delivered(201, number) for number in range(200)]
    assert [log.reserve(claim(number))[1] for number in range(200)] == answers


# --- what it refuses to guess --------------------------------------------------------------------


def test_a_table_that_lags_behind_the_journal_is_refused(log: Log) -> None:
    log.end(claim(), Verdict.DELIVERED)
    shutil.copy(log.folder / IDS, log.folder / "older")
    log.rotate()
    log.ids.close()
    for left in ("-wal", "-shm"):
        (log.folder / f"{IDS}{left}").unlink(missing_ok=True)
    (log.folder / "older").replace(log.folder / IDS)
    with pytest.raises(EvidenceError, match="older than the log, or lost"):
        log.restart()


def test_a_lost_table_is_refused_where_the_journal_cannot_tell_all_of_it(log: Log) -> None:
    log.end(claim(), Verdict.DELIVERED)
    log.ids.close()
    (log.folder / IDS).unlink()
    log.restart()
    assert log.reserve(claim())[1] == Delivered(201, 0)
    log.rotate()
    log.ids.close()
    (log.folder / IDS).unlink()
    with pytest.raises(EvidenceError, match="older than the log, or lost"):
        log.restart()


def test_a_table_of_a_longer_log_is_refused(log: Log) -> None:
    log.end(claim(), Verdict.DELIVERED)
    log.rotate()
    log.size, log.since = 0, 0
    with pytest.raises(EvidenceError, match="of a longer log"):
        log.restart()


def _without(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _noise(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + os.urandom(4096) + data[8192:])


def _foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE ids (key, value)")
    made.close()


def _short_row(path: Path) -> None:
    with sqlite3.connect(path) as found:
        found.execute("UPDATE ids SET value = substr(value, 1, 20)")
    found.close()


@pytest.mark.parametrize("damage", [_empty, _halved, _noise, _foreign, _short_row])
def test_a_damaged_table_is_told_and_not_begun_anew(
    log: Log, damage: Callable[[Path], None]
) -> None:
    for number in range(400):
        log.end(claim(number), Verdict.DELIVERED)
    log.rotate()
    log.ids.close()
    damage(log.folder / IDS)
    with pytest.raises((EvidenceError, LogFailure)):
        log.restart()
    with pytest.raises((EvidenceError, LogFailure)):
        log.restart()


@pytest.mark.parametrize("damage", [_without, _empty, _halved])
def test_without_its_key_the_table_is_refused(log: Log, damage: Callable[[Path], None]) -> None:
    log.end(claim(), Verdict.DELIVERED)
    log.rotate()
    damage(log.folder / STORE_KEY)
    with pytest.raises(EvidenceError, match=r"store\.key"):
        log.restart()


def test_another_key_or_one_that_everybody_reads_is_refused(log: Log) -> None:
    (log.folder / STORE_KEY).chmod(0o604)
    with pytest.raises(EvidenceError, match="open to every user"):
        log.restart()
    (log.folder / STORE_KEY).chmod(0o600)
    (log.folder / STORE_KEY).write_bytes(bytes(32))
    with pytest.raises(EvidenceError, match="not written under this store's key"):
        log.restart()


def test_an_id_that_cannot_be_looked_up_is_refused(log: Log) -> None:
    for number in range(400):
        log.end(claim(number), Verdict.DELIVERED)
    log.rotate()
    _noise_beyond_the_first_page(log.folder / IDS)
    wishes = map(claim, range(400))
    with pytest.raises(LogFailure):
        list(map(log.reserve, wishes))


def _noise_beyond_the_first_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))


def test_a_memo_that_is_not_one_is_told(log: Log) -> None:
    log.end(claim(), Verdict.DELIVERED)
    for memo in (b"", log.memos[0][:-1], log.memos[0] + b"\0", b"\x02" + log.memos[0][1:]):
        with pytest.raises(EvidenceError, match="entry 0: malformed memo"):
            log.ids.redo(0, memo, NOW)


# --- files ---------------------------------------------------------------------------------------


def test_the_files_say_nothing_of_names_ids_and_content(log: Log) -> None:
    log.end(claim(), Verdict.DELIVERED)
    log.flush(durable=True)
    data = (log.folder / IDS).read_bytes()
    for secret in (b"spiffe", b"orders", b"00000000-0000", CONTENT, CONTENT[:16]):
        assert secret not in data
        assert secret not in log.memos[0]


def test_files_are_as_open_as_they_may_be(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        log = Log(tmp_path)
        log.end(claim(), Verdict.DELIVERED)
        log.flush()
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes.pop(STORE_KEY) == 0o600
    assert set(modes.values()) == {0o640}
    log.ids.close()


# --- the sieve -----------------------------------------------------------------------------------


def test_a_key_of_a_long_window_outlives_those_of_shorter_ones_that_came_after_it() -> None:
    """Of the same generation, and where many generations have been laid over one another."""
    for short in (1, 5, 20_000):
        sieve = Sieve(4096)
        sieve.add(LONG, 500)
        for number in range(short):
            sieve.add(hashlib.sha256(b"%d" % number).digest(), 30)
        sieve.expire(499)
        assert sieve.may_have(LONG)
        sieve.expire(500)
        assert not sieve.may_have(LONG)


def test_a_nonce_of_a_long_window_is_known_after_those_of_shorter_ones_have_passed(
    log: Log,
) -> None:
    nonces = [replace(claim(n), nonce=hashlib.sha256(b"%d" % n).digest()) for n in range(3)]
    long, *brief = (
        replace(wish, window=window)
        for wish, window in zip(nonces, (3600.0, 30.0, 30.0), strict=True)
    )
    for wish in (long, *brief):
        log.end(wish, Verdict.DELIVERED)
    log.now += 60.0
    log.rotate()
    assert refused(log, long) == "signature-replayed"
    assert log.reserve(brief[0])[1] is None
    log.restart()
    assert refused(log, long) == "signature-replayed"


def test_the_sieve_misses_nothing_that_has_not_expired_and_passes_few_others() -> None:
    sieve, now, windows = Sieve(4096), 0, (30, 30, 30, 500)
    live: dict[bytes, int] = {}
    for number in range(40_000):
        now = number // 100
        key, expires = hashlib.sha256(b"%d" % number).digest()[:16], now + windows[number % 4]
        sieve.add(key, expires)
        live[key] = expires
        if number % 2000 == 0:
            sieve.expire(now)
            assert all(sieve.may_have(key) for key, expires in live.items() if expires > now)
    assert len(sieve._generations) <= 8
    sieve.expire(now + 500)
    new = [hashlib.sha256(b"new %d" % number).digest() for number in range(2000)]
    assert not any(map(sieve.may_have, new))
    for key in new[:1000]:
        sieve.add(key, now + 1000)
    assert sum(map(sieve.may_have, new[1000:])) < 60
