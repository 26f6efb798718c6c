"""Peers that have yet to show who they are: the oldest gives way."""

from contextlib import AsyncExitStack

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from proxy.edge.crowd import Crowd
from proxy.errors import TlsFailure


async def stay(crowd: Crowd, ended: list[str], name: str) -> None:
    try:
        async with crowd.place():
            await trio.sleep_forever()
    except TlsFailure as failure:
        ended.append(f"{name}: {failure.reason}")


async def crowded(crowd: Crowd, arrivals: int) -> list[str]:
    ended: list[str] = []
    async with trio.open_nursery() as nursery:
        for number in range(arrivals):
            nursery.start_soon(stay, crowd, ended, str(number))
            await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return ended


async def test_the_oldest_gives_way_to_a_new_one_at_once_where_it_has_no_chance() -> None:
    assert await crowded(Crowd(2, chance=0), 4) == ["0: timeout", "1: timeout"]


async def test_nobody_is_pushed_out_within_the_chance() -> None:
    assert await crowded(Crowd(2, chance=1000), 4) == []


def test_who_had_the_chance_is_pushed_out_when_it_is_over() -> None:
    async def scenario() -> float:
        crowd, ended = Crowd(1, chance=5), list[str]()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stay, crowd, ended, "first")
            await wait_all_tasks_blocked()
            started = trio.current_time()
            async with crowd.place():
                waited = trio.current_time() - started
        assert ended == ["first: timeout"]
        return waited

    assert trio.run(scenario, clock=MockClock(autojump_threshold=0)) == pytest.approx(5)


async def test_a_place_that_is_left_is_taken_without_pushing() -> None:
    crowd = Crowd(1, chance=1000)
    async with AsyncExitStack() as inside:
        await inside.enter_async_context(crowd.place())
    with trio.fail_after(1):
        async with crowd.place():
            pass
