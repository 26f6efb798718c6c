"""A socket is waited for as long as it may be, on either side, and no longer."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio
import trio.testing

from proxy.edge.octets import Disconnected, Octets
from proxy.edge.patience import Stalled

MUCH = bytes(4 * 2**20)
"""More than the kernel takes between two sockets."""


@contextmanager
def pair() -> Iterator[tuple[Octets, trio.socket.SocketType]]:
    """Two ends, in the event loop that runs."""
    ours, theirs = (trio.socket.from_stdlib_socket(each) for each in socket.socketpair())
    with ours, theirs:
        yield Octets(ours), theirs


def test_who_waited_long_enough_gives_up_and_who_may_wait_longer_goes_on() -> None:
    gave_up: dict[str, float] = {}

    async def receive(octets: Octets) -> None:
        assert await octets.receive(deadline=60) == b"late"
        gave_up["received"] = trio.current_time()

    async def send(octets: Octets) -> None:
        with pytest.raises(Stalled):
            await octets.send(MUCH, deadline=5)
        gave_up["sending"] = trio.current_time()

    async def main() -> None:
        with pair() as (octets, theirs):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive, octets)
                nursery.start_soon(send, octets)
                await trio.sleep(30)
                await theirs.send(b"late")

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert gave_up["sending"] == pytest.approx(5, abs=0.1)
    assert gave_up["received"] == pytest.approx(30, abs=0.1)


@pytest.mark.parametrize("deadlines", [(1, 2, 3), (3, 2, 1), (2, 2, 2)])
def test_each_of_many_gives_up_at_its_own_time(
    deadlines: tuple[int, ...],
) -> None:
    ends: list[tuple[int, float]] = []

    async def receive(deadline: int) -> None:
        near, far = (trio.socket.from_stdlib_socket(each) for each in socket.socketpair())
        with near, far, pytest.raises(Stalled):
            await Octets(near).receive(deadline=deadline)
        ends.append((deadline, trio.current_time()))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for deadline in deadlines:
                nursery.start_soon(receive, deadline)
                await trio.sleep(0.1)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert len(ends) == len(deadlines)
    assert all(at == pytest.approx(deadline, abs=0.1) for deadline, at in ends)


def test_a_time_that_is_up_already_is_not_waited_for() -> None:
    async def main() -> None:
        with pair() as (octets, theirs):
            await theirs.send(b"here")
            with pytest.raises(Stalled):
                await octets.receive(deadline=trio.current_time())
            assert await octets.receive() == b"here"

    trio.run(main)


def test_who_is_told_to_give_up_does_and_can_receive_later() -> None:
    async def receive(octets: Octets, theirs: trio.socket.SocketType) -> None:
        with pytest.raises(Stalled):
            await octets.receive(deadline=trio.current_time() + 3600)
        await theirs.send(b"here")
        assert await octets.receive(deadline=trio.current_time() + 3600) == b"here"

    async def main() -> None:
        with pair() as (octets, theirs):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive, octets, theirs)
                await trio.testing.wait_all_tasks_blocked()
                octets.give_up()

    trio.run(main)


def test_a_socket_that_is_closed_meanwhile_is_gone_whatever_the_time() -> None:
    async def receive(octets: Octets) -> None:
        with pytest.raises(Disconnected):
            await octets.receive(deadline=trio.current_time() + 3600)

    async def main() -> None:
        with pair() as (octets, _):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive, octets)
                await trio.testing.wait_all_tasks_blocked()
                octets.sock.close()

    trio.run(main)


async def test_a_socket_that_was_closed_before_it_is_waited_for_is_gone_each_time() -> None:
    with pair() as (octets, _):
        await octets.send(b"who speaks waits for the answer, and does not ask for it first")
        octets.abort()
        for _ in range(2):
            with pytest.raises(Disconnected):
                await octets.receive(deadline=trio.current_time() + 3600)
