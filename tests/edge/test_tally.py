"""Who is turned away at the door is handed on together, now and then."""

from collections.abc import Mapping
from itertools import pairwise

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from proxy.edge.tally import Tally


class Told:
    def __init__(self) -> None:
        self.at: list[tuple[float, dict[str, int]]] = []

    def __call__(self, counts: Mapping[str, int]) -> None:
        self.at.append((round(trio.current_time() - self.started, 3), dict(counts)))

    def begin(self) -> None:
        self.started = trio.current_time()


def test_counts_are_told_at_most_once_a_second_and_none_is_lost() -> None:
    told = Told()

    async def scenario() -> None:
        tally = Tally("ingest", told)
        told.begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tally.run)
            await trio.sleep(10)
            for number in range(25):
                tally.count("untrusted" if number % 5 else "no_certificate")
                await trio.sleep(0.1)
            nursery.cancel_scope.cancel()

    trio.run(scenario, clock=MockClock(autojump_threshold=0))
    times = [at for at, _ in told.at]
    assert times[0] == 10
    assert all(later - sooner >= 1 for sooner, later in pairwise(times[:-1]))
    assert len(times) == 4
    assert sum(counts.get("ingest:untrusted", 0) for _, counts in told.at) == 20
    assert sum(counts.get("ingest:no_certificate", 0) for _, counts in told.at) == 5


async def test_what_was_counted_last_is_told_at_the_end() -> None:
    told = Told()
    told.begin()
    tally = Tally("ingest", told, every=1000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tally.run)
        tally.count("timeout")
        await wait_all_tasks_blocked()
        tally.count("garbage")
        await wait_all_tasks_blocked()
        assert [counts for _, counts in told.at] == [{"ingest:timeout": 1}]
        nursery.cancel_scope.cancel()
    assert told.at[-1][1] == {"ingest:garbage": 1}


async def test_nobody_is_told_of_nothing() -> None:
    told = Told()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Tally("ingest", told, every=0).run)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert not told.at
