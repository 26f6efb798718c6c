"""An attempt id that comes twice is found, however many there are, and with little memory."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import EvidenceError
from proxy.receipt.attempts import Attempts


def attempt(number: int) -> bytes:
    return number.to_bytes(16)


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 200))
def test_the_first_entry_about_a_known_attempt_is_named(numbers: list[int], buffer: int) -> None:
    attempts = Attempts(io.BytesIO(), buffer=buffer * 24)
    firsts: dict[int, int] = {}
    twice = None
    for index, number in enumerate(numbers):
        attempts.add(attempt(number), index)
        if number in firsts and twice is None:
            twice = f"entry {index}: is about the attempt that entry {firsts[number]} is about"
        firsts.setdefault(number, index)
    if twice is None:
        attempts.require_distinct()
    else:
        with pytest.raises(EvidenceError, match=f"^{twice}$"):
            attempts.require_distinct()


def test_it_may_be_asked_again_after_more_has_come() -> None:
    attempts = Attempts(io.BytesIO(), buffer=240)
    for index in range(1000):
        attempts.add(attempt(index), index)
    attempts.require_distinct()
    attempts.add(attempt(5), 1000)
    with pytest.raises(EvidenceError, match="entry 1000: is about the attempt that entry 5"):
        attempts.require_distinct()


def test_what_does_not_fit_into_the_buffer_goes_to_the_file() -> None:
    spill = io.BytesIO()
    attempts = Attempts(spill, buffer=24 * 100)
    for index in range(1050):
        attempts.add(attempt(index), index)
    assert len(spill.getvalue()) == 24 * 1000
