"""Places are shared fairly."""

from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from proxy.edge.places import Places


async def test_one_holder_leaves_a_quarter_to_the_others() -> None:
    places = Places(8)
    for _ in range(6):
        await places.take("a")
    with pytest.raises(trio.TooSlowError), trio.fail_after(0):
        await places.take("a")
    for _ in range(2):
        await places.take("b")
    with pytest.raises(trio.TooSlowError), trio.fail_after(0):
        await places.take("b")


def test_a_place_that_is_free_is_taken_without_waiting_within_the_same_bounds() -> None:
    places = Places(4)
    assert [places.take_nowait("a") for _ in range(4)] == [True, True, True, False]
    assert [places.take_nowait("b") for _ in range(2)] == [True, False]
    places.give("b")
    for _ in range(3):
        places.give("a")
    assert (places._taken, places._crowded) == ({}, {})
    assert all(places.take_nowait(holder) for holder in "abcd")


async def test_a_place_for_which_somebody_waits_is_not_taken_by_who_does_not() -> None:
    places = Places(1)
    await places.take("a")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(places.take, "b")
        await wait_all_tasks_blocked()
        places.give("a")
        assert not places.take_nowait("c")
    places.give("b")
    assert places.take_nowait("c")


async def test_a_place_that_is_given_back_goes_to_who_waits() -> None:
    places = Places(1)
    await places.take("a")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(places.take, "b")
        await wait_all_tasks_blocked()
        places.give("a")
    places.give("b")
    await places.take("a")


async def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    places = Places(4)
    for _ in range(3):
        await places.take("a")
    await places.take("b")
    for holder in ("b", "c"):
        with pytest.raises(trio.TooSlowError), trio.fail_after(0):
            await places.take(holder)
    for _ in range(3):
        places.give("a")
    places.give("b")
    for holder in ("a", "b", "c"):
        for _ in range(3):
            await places.take(holder)
        for _ in range(3):
            places.give(holder)
    assert (places._taken, places._crowded) == ({}, {})


async def test_who_begins_to_wait_while_others_are_on_their_way_is_not_forgotten() -> None:
    for _ in range(50):  # trio's order of turns is anyone's guess
        places = Places(4)
        for _ in range(3):
            await places.take("a")

        async def give(places: Places = places) -> None:
            places.give("a")

        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(places.take, "a")
            await wait_all_tasks_blocked()
            for each in (give, partial(places.take, "a"), give):
                nursery.start_soon(each)  # so it comes when one left the crowd, and one has yet to
            await wait_all_tasks_blocked()
            places.give("a")
            await wait_all_tasks_blocked()
            waiting = len(nursery.child_tasks)
            nursery.cancel_scope.cancel()
        assert not waiting
