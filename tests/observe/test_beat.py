"""Periodic work is due at the same instants, whenever each of it began to wait."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.model.beat import next_beat

EVERY = st.sampled_from([0.05, 0.1, 0.3, 0.5, 1.0, 1.25, 60.0])
INSTANT = st.floats(0, 1e7)


@given(INSTANT, EVERY)
def test_the_next_instant_is_ahead_and_no_further_than_one_period(now: float, every: float) -> None:
    assert now < next_beat(now, every) <= now + every * 1.001


@given(st.integers(0, 10**7), st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_who_waits_in_the_same_second_wakes_up_at_the_same_instant(
    second: int, one: float, other: float
) -> None:
    assert next_beat(second + one, 1.0) == next_beat(second + other, 1.0) == second + 1
    assert next_beat(second + one, 0.5) <= second + 1
