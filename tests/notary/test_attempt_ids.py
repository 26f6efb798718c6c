"""Whose attempt an id is: what a worker's name says, and what the notary makes of each id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.notary import attempts
from proxy.notary.attempts import AttemptIds, Heard, Own, name_worker, own

NAME = "1-9f8e7d6c5b4a39-700"
OCTETS = bytes.fromhex("9f8e7d6c5b4a39")


def numbered(number: int, channel: int = 0) -> bytes:
    return OCTETS + channel.to_bytes(3) + number.to_bytes(6)


def test_a_name_says_whose_attempts_are_its_own_and_since_when() -> None:
    assert own(NAME) == Own(OCTETS, 700)
    made = own(name_worker(3, 12))
    assert made is not None
    assert made.since == 12
    assert name_worker(3, 12) != name_worker(3, 12)


def test_a_name_of_another_form_says_nothing() -> None:
    names = ["", "1", "1-9f8e7d6c5b4a39", "1-9F8E7D6C5B4A39-7", "1-9f8e7d6c5b4a39-7 ", "x" + NAME]
    assert [own(name) for name in names] == [None] * len(names)


def test_ids_count_on_from_channel_to_channel() -> None:
    ids = AttemptIds(NAME)
    made = [ids(), ids()]
    ids.begin(2)
    made.append(ids())
    assert made == [numbered(0), numbered(1), numbered(2, channel=2)]


def test_a_worker_without_such_a_name_has_ids_of_its_own_all_the_same() -> None:
    assert AttemptIds("")()[:7] != AttemptIds("")()[:7]


def test_own_is_what_the_worker_made_for_this_channel_or_one_before() -> None:
    heard = Heard(OCTETS, 3)
    assert heard.is_own(numbered(5, channel=3))
    assert heard.is_own(numbered(5, channel=0))
    assert not heard.is_own(numbered(5, channel=4))
    assert not heard.is_own(bytes(16))
    assert not heard.is_own(OCTETS[::-1] + bytes(9))
    assert not heard.is_own(b"")


def test_what_was_made_for_an_earlier_channel_may_have_come_on_it() -> None:
    heard = Heard(OCTETS, 3)
    assert not heard.is_new(numbered(5, channel=2))
    assert heard.is_new(numbered(5, channel=3))


NUMBERS = st.one_of(
    st.integers(0, 40),
    st.integers(0, 2**48 - 1),
    st.integers(-2, 2).map(lambda off: 65_536 + off),
)


@given(st.lists(NUMBERS, max_size=60))
def test_no_number_is_new_twice(found: list[int]) -> None:
    heard, new = Heard(OCTETS, 0), set[int]()
    for number in found:
        if heard.is_new(numbered(number)):
            assert number not in new
            new.add(number)
        else:
            assert number in new


def test_half_a_million_under_way_at_once_are_all_new_once() -> None:
    heard, many = Heard(OCTETS, 0), range(0, 2**19, 9)
    assert all(heard.is_new(numbered(number)) for number in reversed(many))
    assert not any(heard.is_new(numbered(number)) for number in many)


def test_an_attempt_that_outlasts_millions_of_others_is_new_once() -> None:
    heard = Heard(OCTETS, 0)
    assert all(heard.is_new(numbered(number)) for number in range(7, 2**22, 5000))
    assert [heard.is_new(numbered(3)) for _ in range(2)] == [True, False]


def test_memory_is_bounded_and_what_is_forgotten_is_not_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempts, "_HOLES", 10)
    heard = Heard(OCTETS, 0)
    for number in range(1, 41, 2):
        assert heard.is_new(numbered(number))
    assert len(heard._firsts) == len(heard._lasts) == 10
    assert [number for number in range(40) if heard.is_new(numbered(number))] == [*range(20, 39, 2)]
