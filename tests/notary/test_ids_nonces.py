"""The nonce of a signature in the table of ids: used by one attempt, whatever becomes of that."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.errors import EvidenceError, LogFailure, Refusal
from proxy.model import Claim, Intent, Verdict
from proxy.notary.ids import Delivered
from tests.notary.test_ids import NOW, WINDOW, Log, attempt, claim, refused, submission


def signed(number: int = 0, nonce: int = 0, sender: str = "spiffe://a/b") -> Claim:
    return replace(claim(number, sender), nonce=hashlib.sha256(b"%d" % nonce).digest())


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    found = Log(tmp_path)
    yield found
    found.ids.close()


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_nonce_is_used_by_every_verdict_also_over_a_restart(log: Log, verdict: Verdict) -> None:
    log.end(signed(), verdict)
    for _ in range(2):
        assert refused(log, signed()) == "signature-replayed"
        log.restart()
    log.rotate()
    log.restart()
    assert log.memos == {}
    assert refused(log, signed()) == "signature-replayed"
    log.now += WINDOW
    assert log.reserve(signed())[1] is None


def test_a_nonce_is_refused_under_another_id_and_from_another_sender_too(log: Log) -> None:
    log.end(signed(1), Verdict.DELIVERED)
    for other in (signed(2), signed(1, sender="spiffe://a/c"), replace(signed(1), route="returns")):
        assert refused(log, other) == "signature-replayed"


def test_a_nonce_on_its_way_is_held_for_its_attempt_alone(log: Log) -> None:
    holder, _ = log.reserve(signed())
    assert log.ids.reserve(signed(), holder, NOW) is None
    assert refused(log, signed()) == "signature-replayed"
    assert refused(log, signed(1)) == "signature-replayed"
    assert refused(log, signed(0, nonce=1)) == "in-flight"


def test_who_is_refused_has_used_no_nonce(log: Log) -> None:
    holder, _ = log.reserve(signed(0, nonce=0))
    assert refused(log, signed(0, nonce=1)) == "in-flight"
    log.conclude(signed(0, nonce=0), holder, Verdict.INDETERMINATE)
    assert refused(log, signed(0, nonce=1)) == "undecided"
    assert log.reserve(signed(1, nonce=1))[1] is None


def test_an_attempt_that_ends_without_a_statement_gives_its_nonce_back(log: Log) -> None:
    holder, _ = log.reserve(signed())
    log.ids.release(holder)
    log.end(signed(), Verdict.DELIVERED)
    assert (log.ids._shares.kept, log.ids._shares.held) == (2, 0)


def test_what_has_been_delivered_is_asked_for_again_with_a_nonce_of_its_own(log: Log) -> None:
    index = log.end(signed(0, nonce=0), Verdict.DELIVERED)
    again, earlier = log.reserve(signed(0, nonce=1))
    assert earlier == Delivered(201, index)
    assert log.ids.reserve(signed(0, nonce=1), again, NOW) == earlier
    assert refused(log, signed(0, nonce=1)) == "signature-replayed"
    log.conclude(signed(0, nonce=1), again, Verdict.REJECTED)
    log.restart()
    assert refused(log, signed(0, nonce=1)) == "signature-replayed"
    assert log.reserve(signed(0, nonce=2))[1] == Delivered(201, index)


def test_a_crash_uses_up_the_nonce_of_what_was_being_forwarded(log: Log) -> None:
    wish = signed()
    started = datetime.fromtimestamp(NOW, UTC)
    intent = Intent(attempt(7), wish.transfer_id, wish.sender, wish.route, started, wish)
    memo = log.ids.memo(intent, NOW)
    log.ids.settle(attempt(7), 0, memo, NOW)
    assert refused(log, signed()) == "signature-replayed"
    assert refused(log, signed(0, nonce=1)) == "undecided"


def test_what_a_worker_held_is_held_again_with_its_nonce(log: Log) -> None:
    log.ids.restore(signed(), attempt(5), NOW, holder="one")
    assert refused(log, signed()) == "signature-replayed"
    log.ids.drop("one")
    assert log.reserve(signed())[1] is None


def test_a_nonce_that_is_used_is_not_taken_twice_by_who_says_to_hold_it(log: Log) -> None:
    log.end(signed(0), Verdict.REJECTED)
    log.ids.restore(signed(1), attempt(5), NOW, holder="one")
    log.ids.release(attempt(5))
    assert refused(log, signed(1)) == "signature-replayed"


def test_a_nonce_on_its_way_is_not_taken_over_by_who_says_to_hold_it(log: Log) -> None:
    holder, _ = log.reserve(signed(0))
    assert log.ids._shares.held == 2
    log.ids.restore(signed(1), attempt(5), NOW, holder="one")
    assert log.ids._shares.held == 3
    log.ids.release(attempt(5))
    assert refused(log, signed(1)) == "signature-replayed"
    log.ids.release(holder)
    assert log.ids._shares.held == 0
    assert log.reserve(signed(1))[1] is None


def test_an_attempt_may_not_end_with_another_nonce_than_it_holds(log: Log) -> None:
    holder, _ = log.reserve(signed())
    with pytest.raises(EvidenceError, match="another Transfer-Id"):
        log.ids.require_held(submission(signed(0, nonce=1), holder, Verdict.DELIVERED))
    with pytest.raises(LogFailure, match="another Transfer-Id"):
        log.ids.reserve(signed(1, nonce=1), holder, NOW)


def test_a_nonce_takes_a_place_and_a_full_table_refuses_it(tmp_path: Path) -> None:
    log = Log(tmp_path, capacity=8)
    for number in range(2):
        log.end(signed(number, number), Verdict.DELIVERED)
    with pytest.raises(Refusal, match="half of the table") as failure:
        log.reserve(signed(2, 2))
    assert failure.value.retry_after
    log.end(signed(2, 2, sender="spiffe://a/c"), Verdict.REJECTED)  # of which the nonce is kept
    assert log.ids._shares.kept == 5
    log.end(signed(3, 3, sender="spiffe://a/c"), Verdict.DELIVERED)
    with pytest.raises(Refusal, match="is full"):  # one place is left
        log.reserve(signed(4, 4, sender="spiffe://a/d"))
    assert log.reserve(claim(9, sender="spiffe://a/d"))[1] is None
    log.now += WINDOW + 16
    assert log.reserve(signed(4, 4, sender="spiffe://a/e"))[1] is None
    log.ids.close()


LENGTHS = [
    (kind, length)
    for kind, right in ((0, 0), (1, 53), (2, 33), (3, 69), (4, 0))
    for length in (1, 17, 32, 33, 34, 52, 53, 54, 68, 69, 70)
    if length != right
]


@pytest.mark.parametrize(("kind", "length"), LENGTHS)
def test_a_memo_of_the_wrong_length_is_not_taken(log: Log, kind: int, length: int) -> None:
    with pytest.raises(EvidenceError, match="malformed memo"):
        log.ids.redo(0, bytes([kind]) + bytes(length - 1), NOW)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 3),
        st.sampled_from([*Verdict, None]),
        st.sampled_from(["", "restart", "flush", "rotate"]),
    ),
    max_size=12,
)


@given(STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_nonce_is_ever_taken_twice(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, Verdict | None, str]]
) -> None:
    """Whatever ends how, restarts and flushes between: a nonce that had a verdict is refused."""
    log = Log(tmp_path_factory.mktemp("ids"))
    used: set[int] = set()
    closed: set[str] = set()
    delivered: set[str] = set()
    for number, nonce, ending, then in steps:
        wish = signed(number, nonce)
        if nonce in used:
            assert refused(log, wish) == "signature-replayed"
            continue
        if wish.transfer_id in closed:
            assert refused(log, wish) == "undecided"
            continue
        holder, earlier = log.reserve(wish)
        assert (earlier is not None) == (wish.transfer_id in delivered)
        verdict = Verdict.REJECTED if ending and earlier else ending
        if verdict is None:
            log.ids.release(holder)
        else:
            log.conclude(wish, holder, verdict)
            used.add(nonce)
            closed |= {wish.transfer_id} if verdict is Verdict.INDETERMINATE else set()
            delivered |= {wish.transfer_id} if verdict is Verdict.DELIVERED else set()
        if then:
            getattr(log, then)()
    log.ids.close()
