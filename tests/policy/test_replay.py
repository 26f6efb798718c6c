"""An id that was delivered is refused for its window, and only delivery uses it up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from proxy.errors import Refusal
from proxy.policy.replay import Key, ReplayWindow

A: Key = ("spiffe://acme/etl", "orders", "a")
B: Key = ("spiffe://acme/etl", "orders", "b")
C: Key = ("spiffe://acme/crm", "orders", "c")


def refusal(window: ReplayWindow, key: Key, now: float, length: float = 10) -> Refusal | None:
    try:
        window.reserve(key, length, now)
    except Refusal as error:
        return error
    return None


def code(window: ReplayWindow, key: Key, now: float, length: float = 10) -> str:
    found = refusal(window, key, now, length)
    return found.code if found is not None else "reserved"


def test_a_delivered_id_is_refused_until_its_window_has_passed() -> None:
    window = ReplayWindow(9)
    assert code(window, A, 100) == "reserved"
    window.commit(A, 105)
    assert code(window, A, 105) == "replayed"
    assert code(window, A, 114.9) == "replayed"
    assert code(window, A, 115) == "reserved"


def test_a_released_id_may_be_used_again() -> None:
    window = ReplayWindow(9)
    assert code(window, A, 0) == "reserved"
    window.release(A)
    assert code(window, A, 0) == "reserved"


def test_an_id_on_its_way_is_refused_with_a_hint_when_to_come_again() -> None:
    window = ReplayWindow(9)
    window.reserve(A, 10, 0)
    found = refusal(window, A, 1_000_000)
    assert found is not None
    assert (found.code, found.status, found.retry_after) == ("in-flight", 409, 1)


def test_releasing_what_was_delivered_does_not_free_it() -> None:
    window = ReplayWindow(9)
    window.reserve(A, 10, 0)
    window.commit(A, 0)
    window.release(A)
    assert code(window, A, 1) == "replayed"


def test_what_was_not_reserved_cannot_be_delivered() -> None:
    with pytest.raises(KeyError):
        ReplayWindow(9).commit(A, 0)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_sender_route_and_id_tell_transfers_apart(part: int) -> None:
    window = ReplayWindow(9)
    window.reserve(A, 10, 0)
    other = (*A[:part], "other", *A[part + 1 :])
    assert code(window, (other[0], other[1], other[2]), 0) == "reserved"


def test_a_full_window_refuses_rather_than_forgets() -> None:
    window = ReplayWindow(2)
    window.reserve(A, 10, 0)
    window.commit(A, 0)
    window.reserve(C, 10, 1)
    window.commit(C, 1)
    new = ("s", "r", "new")
    found = refusal(window, new, 2)
    assert found is not None
    assert (found.code, found.status, found.retry_after) == ("overloaded", 503, 8)
    assert code(window, A, 9) == "replayed"
    assert code(window, new, 10) == "reserved"


def test_nobody_takes_more_than_half_and_so_locks_others_out() -> None:
    window = ReplayWindow(5)
    window.reserve(A, 10, 0)
    window.commit(A, 0)
    window.reserve(B, 10, 3)
    window.commit(B, 3)
    third = (A[0], "another route", "d")
    found = refusal(window, third, 4)
    assert found is not None
    assert (found.code, found.status, found.retry_after) == ("overloaded", 503, 6)
    assert code(window, C, 4) == "reserved"
    assert code(window, third, 10) == "reserved"
    again = refusal(window, (A[0], "r", "e"), 10)
    assert again is not None
    assert again.retry_after == 1
    window.release(third)
    assert code(window, (A[0], "r", "e"), 10) == "reserved"


def test_what_a_sender_took_is_forgotten_with_its_ids() -> None:
    window = ReplayWindow(4)
    for number in range(50):
        key = (f"sender {number}", "r", "a")
        window.reserve(key, 1, number)
        if number % 2:
            window.commit(key, number)
        else:
            window.release(key)
    assert code(window, A, 60) == "reserved"
    assert list(window._shares) == [A[0]]


def test_ids_on_their_way_take_room_until_they_are_released() -> None:
    window = ReplayWindow(1)
    window.reserve(A, 1, 0)
    assert code(window, B, 1000) == "overloaded"
    window.release(A)
    assert code(window, B, 1000) == "reserved"


def test_a_seeded_id_is_refused_until_it_expires_and_full_means_full() -> None:
    window = ReplayWindow(1)
    window.seed(A, 20)
    window.seed(B, 10)
    window.seed(A, 5)
    assert code(window, B, 9) == "replayed"
    assert code(window, B, 11) == "overloaded"
    assert code(window, A, 19) == "replayed"
    assert code(window, B, 20) == "reserved"
    assert len(window) == 1


KEYS = [(sender, "r", str(number)) for sender in ("s", "t") for number in range(4)]


class AgainstAModel(RuleBasedStateMachine):
    """The window and a naive model of it say the same, whatever happens in whatever order."""

    capacity = 5

    def __init__(self) -> None:
        super().__init__()
        self.window = ReplayWindow(self.capacity)
        self.now = 0.0
        self.on_their_way: dict[Key, float] = {}
        self.expires: dict[Key, float] = {}

    def live(self) -> dict[Key, float]:
        return {key: expiry for key, expiry in self.expires.items() if expiry > self.now}

    def taken_by(self, sender: str) -> int:
        return sum(key[0] == sender for key in [*self.live(), *self.on_their_way])

    @rule(seconds=st.integers(0, 8))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(key=st.sampled_from(KEYS), length=st.integers(1, 12))
    def reserve(self, key: Key, length: int) -> None:
        found = code(self.window, key, self.now, length)
        if key in self.live():
            assert found == "replayed"
        elif key in self.on_their_way:
            assert found == "in-flight"
        elif self.taken_by("s") + self.taken_by("t") >= self.capacity or (
            self.taken_by(key[0]) >= self.capacity // 2
        ):
            assert found == "overloaded"
        else:
            assert found == "reserved"
            self.on_their_way[key] = length
        # Whoever asks next pays for what has passed, so that nothing is kept that need not be.
        assert len(self.window) == len(self.live()) + len(self.on_their_way)

    @rule(key=st.sampled_from(KEYS))
    def release(self, key: Key) -> None:
        self.window.release(key)
        self.on_their_way.pop(key, None)

    @rule(key=st.sampled_from(KEYS))
    def commit(self, key: Key) -> None:
        if key in self.on_their_way:
            self.window.commit(key, self.now)
            self.expires[key] = self.now + self.on_their_way.pop(key)

    @rule(key=st.sampled_from(KEYS), ahead=st.integers(-3, 12))
    def seed(self, key: Key, ahead: int) -> None:
        if key not in self.on_their_way:
            self.window.seed(key, self.now + ahead)
            self.expires[key] = max(self.expires.get(key, 0), self.now + ahead)

    @invariant()
    def remembers_what_it_must(self) -> None:
        assert len(self.window) >= len(self.live()) + len(self.on_their_way)
        shares = self.window._shares.values()
        assert sum(map(len, shares)) == len(self.window)
        assert sum(len(share.queue) for share in shares) == len(self.window._queue)


def test_an_id_whose_window_has_passed_takes_no_memory() -> None:
    window = ReplayWindow(10)
    for number in range(5):
        window.reserve(("s", "r", str(number)), 10, 0)
        window.commit(("s", "r", str(number)), 0)
    assert len(window) == 5
    window.reserve(A, 10, 10)
    assert (len(window), len(window._queue)) == (1, 0)


TestAgainstAModel = AgainstAModel.TestCase


@given(st.lists(st.integers(0, 40), max_size=200))
def test_memory_is_bounded_by_capacity(ids: list[int]) -> None:
    window = ReplayWindow(8)
    for now, number in enumerate(ids):
        key = ("s", "r", str(number))
        if code(window, key, now, 20) == "reserved":
            window.commit(key, now)
        assert len(window) <= 8
        assert len(window._queue) <= 8
