"""A bucket lets no more pass than its burst and what drained, and says exactly when more fits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.bucket import SECOND, drained, empty_at, wait
from proxy.settings.pace import Pace

TENTH = SECOND // 10


def pace(amount: int, seconds: int = 1, burst: int | None = None) -> Pace:
    return Pace(amount, seconds, amount if burst is None else burst, "")


def test_a_quiet_peer_has_the_burst_and_then_waits_for_what_drains() -> None:
    ten = pace(10)
    assert wait(ten, 9.0, 1) == 0
    assert wait(ten, 10.0, 1) == pytest.approx(0.1)
    assert drained(ten, 10.0, 0, TENTH) == pytest.approx(9.0)
    assert drained(ten, 10.0, 0, 2 * SECOND) == 0


def test_what_is_more_than_the_burst_never_fits() -> None:
    assert wait(pace(10, burst=20), 0.0, 20) == 0
    assert wait(pace(10, burst=20), 0.0, 21) == math.inf


def test_a_clock_that_stands_before_the_level_drains_nothing_and_gives_nothing_back() -> None:
    assert drained(pace(10), 7.0, SECOND, 0) == 7
    assert drained(pace(10), 7.0, SECOND, SECOND) == 7


@pytest.mark.parametrize("level", [math.nan, math.inf, -1.0])
def test_what_is_no_level_counts_as_full(level: float) -> None:
    assert drained(pace(10, burst=20), level, 0, 1000 * SECOND) == 20


def test_a_bucket_is_remembered_until_it_has_drained() -> None:
    assert empty_at(pace(10), 5.0, 3 * SECOND) == 3 * SECOND + SECOND // 2
    assert empty_at(pace(1, 86400), 1e300, 0) < 2**63


@given(
    st.integers(1, 1000),
    st.sampled_from([1, 60, 86400]),
    st.integers(1, 2000),
    st.lists(st.tuples(st.integers(0, 10**11), st.integers(1, 500)), min_size=1, max_size=60),
)
def test_over_any_time_no_more_passes_than_the_burst_and_the_pace_of_that_time(
    amount: int, seconds: int, burst: int, steps: list[tuple[int, int]]
) -> None:
    given_, level, at, now = pace(amount, seconds, burst), 0.0, 0, 0
    passed: list[tuple[int, int]] = []
    for after, wanted in steps:
        now += after
        level, at = drained(given_, level, at, now), now
        short = wait(given_, level, wanted)
        if short == 0:
            level += wanted
            passed.append((now, wanted))
        elif short < math.inf:
            later = now + math.ceil(short * SECOND) + 1000
            assert wait(given_, drained(given_, level, at, later), wanted) < 1e-3
            assert short * given_.per_second <= wanted + 1e-6
    for first in range(len(passed)):
        total = 0
        for when, wanted in passed[first:]:
            total += wanted
            bound = burst + (when - passed[first][0]) * amount / (seconds * SECOND)
            assert total <= bound * (1 + 1e-9) + 1e-6
