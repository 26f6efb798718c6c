"""No clock that leaps makes the notary forget early, and a clock that is put right is followed."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from proxy.model import Claim
from proxy.notary.bounds import Bounds
from proxy.notary.steady import Steady
from tests.notary.samples import START, Ticking, conclude, outcome, running

LONGEST = 300.0
DAY = 86_400.0


@dataclass
class Times:
    """A wall clock that anybody sets, and the kernel's."""

    kernel: float = 1000.0
    ahead: float = START.timestamp()

    def __post_init__(self) -> None:
        bounds = Bounds({"short": 30.0, "long": LONGEST})
        self.steady = Steady(self.wall, bounds, lambda: self.kernel)

    def wall(self) -> datetime:
        return datetime.fromtimestamp(self.kernel + self.ahead, UTC)

    def behind(self) -> float:
        """By how much less than the wall has come for sure, in whole seconds."""
        return round(self.wall().timestamp() - self.steady.sure())


def test_a_clock_that_nobody_sets_is_the_wall() -> None:
    times = Times()
    for passed in (0.0, 1.0, LONGEST, 10 * LONGEST, DAY):
        times.kernel += passed
        assert times.behind() == 0
        assert times.steady() == times.wall()


def test_a_leap_ahead_counts_when_it_has_lasted_for_the_longest_window() -> None:
    times = Times()
    times.kernel += LONGEST / 2
    assert times.behind() == 0
    times.ahead += DAY
    for _ in range(10):
        assert times.behind() == DAY
        times.kernel += LONGEST / 10
    times.kernel += LONGEST
    assert times.behind() == 0


def test_a_leap_back_counts_at_once() -> None:
    times = Times()
    times.ahead -= DAY
    assert times.behind() == 0
    times.ahead += DAY
    assert times.behind() == DAY


@given(
    st.lists(
        st.tuples(
            st.floats(0, 2 * LONGEST), st.sampled_from([0, 0, 0, DAY, -DAY, 7, -7]), st.booleans()
        ),
        max_size=40,
    )
)
def test_what_is_remembered_stays_for_its_window_by_both_clocks(
    steps: list[tuple[float, float, bool]],
) -> None:
    times = Times()
    remembered: list[tuple[float, float]] = []
    for passed, leap, delivers in steps:
        times.kernel += passed
        times.ahead += leap
        sure = times.steady.sure()
        for since, expires in remembered:
            if sure >= expires:
                assert times.kernel - since >= LONGEST - 0.001
                assert times.wall().timestamp() >= expires
        if delivers:
            remembered.append((times.kernel, times.steady().timestamp() + LONGEST))


async def test_a_clock_that_leaps_and_is_put_right_admits_nothing_again(tmp_path: Path) -> None:
    clock, found = Ticking(), outcome()
    wish = Claim(found.sender.name, found.route or "", found.transfer_id, LONGEST)
    bounds = Bounds({wish.route: LONGEST})
    async with running(tmp_path / "log", clock=clock, bounds=bounds, checkpoint_every=0.01) as log:
        assert await log.reserve(wish, found.attempt_id) is None
        first = await conclude(log, replace(found, claim=wish))
        clock.now += timedelta(days=10)
        for number in range(3):
            again = await log.reserve(wish, bytes([number]) * 16)
            assert again is not None
            assert again.index == first.index
            await conclude(log, outcome())
        clock.now -= timedelta(days=10)
        assert await log.reserve(wish, bytes(16)) is not None
