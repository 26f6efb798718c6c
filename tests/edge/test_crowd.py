"""Peers that have yet to show who they are: the oldest gives way."""

from contextlib import AsyncExitStack

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from proxy.edge.crowd import Crowd, Sources, source_of
from proxy.errors import TlsFailure
from tests.patience import PATIENCE


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
    with trio.fail_after(PATIENCE):
        async with crowd.place():
            pass


async def test_who_has_left_is_not_pushed_out_while_his_task_goes_on() -> None:
    crowd = Crowd(1, chance=0)
    async with crowd.place() as first:
        first.leave()
        async with crowd.place():
            assert len(crowd) == 1
            await trio.lowlevel.checkpoint()


async def test_the_oldest_gives_way_when_it_is_asked_to_and_nobody_does_where_nobody_is() -> None:
    crowd, ended = Crowd(5, chance=1000), list[str]()
    assert not crowd.push_out()
    async with trio.open_nursery() as nursery:
        for name in ("first", "second"):
            nursery.start_soon(stay, crowd, ended, name)
            await wait_all_tasks_blocked()
        assert crowd.push_out()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert ended == ["first: timeout"]


async def arrive(crowd: Crowd | Sources, arrivals: list[str]) -> list[str]:
    """Who gave way, when they came one after the other, from these sources."""
    ended: list[str] = []

    async def come(source: str, name: str) -> None:
        try:
            async with crowd.place(source):
                await trio.sleep_forever()
        except TlsFailure:
            ended.append(name)

    async with trio.open_nursery() as nursery:
        for number, source in enumerate(arrivals):
            nursery.start_soon(come, source, f"{number}{source}")
            await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert not len(crowd)
    return ended


async def test_the_source_that_has_the_most_gives_way() -> None:
    assert await arrive(Crowd(4, chance=0), list("abbbbbc")) == ["1b", "2b", "3b"]


async def test_a_source_pushes_out_its_own_and_nobody_elses() -> None:
    assert await arrive(Sources(2, chance=0), list("abaaac")) == ["0a", "2a"]


async def test_who_is_of_a_full_source_waits_and_nobody_else_does() -> None:
    sources = Sources(1, chance=1000)
    async with sources.place("a"), sources.place("b"):
        with trio.move_on_after(0) as waiting:
            async with sources.place("a"):
                pass
        assert waiting.cancelled_caught
        assert len(sources) == 2
    assert not len(sources)


def test_a_source_is_an_ipv4_address_or_the_64_bits_of_an_ipv6_network() -> None:
    assert source_of("192.0.2.1") == "192.0.2.1"
    assert source_of("192.0.2.2") == "192.0.2.2"
    assert source_of(None) == ""
    assert source_of("2001:db8:0:1::1") == source_of("2001:db8:0:1:ffff::2") == "2001:db8:0:1::/64"
    assert source_of("2001:db8:0:2::1") != source_of("2001:db8:0:1::1")
