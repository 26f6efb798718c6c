"""One end of a channel: what goes out when, and what becomes of what the kernel does not take."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import trio
import trio.testing

from proxy.notary.outbox import Outbox, receive
from tests.notary.links import channel
from tests.patience import PATIENCE


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Outbox, trio.SocketStream, list[int]]]:
    """An outbox, its other end, and what waited each time that it said that less does."""
    ours, theirs = channel()
    told: list[int] = []
    outbox = Outbox(ours, lambda: told.append(outbox.octets))
    async with ours, theirs, trio.open_nursery() as nursery:
        nursery.start_soon(outbox.run)
        yield outbox, theirs, told
        nursery.cancel_scope.cancel()


async def _read(sock: trio.SocketStream, octets: int) -> bytes:
    data = b""
    with trio.fail_after(PATIENCE):
        while len(data) < octets:
            data += await receive(sock)
    return data


async def test_what_is_put_in_a_turn_goes_out_at_its_end() -> None:
    async with running() as (outbox, theirs, _):
        outbox.put(b"one")
        outbox.put(b"two")
        assert outbox.octets == 6
        await trio.lowlevel.checkpoint()
        assert outbox.octets == 0
        assert await receive(theirs) == b"onetwo"


async def test_each_of_two_outboxes_of_a_loop_sends_its_own() -> None:
    async with running() as (outbox, theirs, _), running() as (another, elsewhere, _):
        for number in range(10):
            outbox.put(b"a%d" % number)
            another.put(b"b%d" % number)
            await trio.lowlevel.checkpoint()
            assert await receive(theirs) == b"a%d" % number
            assert await receive(elsewhere) == b"b%d" % number


async def test_what_the_kernel_does_not_take_follows_in_its_order_when_it_does() -> None:
    numbers = count()
    frames = [next(numbers).to_bytes(4) * 1000 for _ in range(500)]
    async with running() as (outbox, theirs, told):
        for frame in frames:  # not read: the kernel's room is full after some fifty
            outbox.put(frame)
            await trio.lowlevel.checkpoint()
        assert outbox.octets > 0
        assert await _read(theirs, 2_000_000) == b"".join(frames)
        await trio.testing.wait_all_tasks_blocked()
        assert told[-1] == outbox.octets == 0
        outbox.put(b"and more")
        assert await _read(theirs, 8) == b"and more"


async def test_much_that_is_put_at_once_arrives_whole() -> None:
    data = bytes(range(256)) * 4096 * 4
    async with running() as (outbox, theirs, told):
        outbox.put(data)
        outbox.put(b"end")
        assert await _read(theirs, len(data) + 3) == data + b"end"
        await trio.testing.wait_all_tasks_blocked()
        assert told[-1] == outbox.octets == 0


async def test_nothing_waits_for_an_end_that_is_gone() -> None:
    async with running() as (outbox, theirs, told):
        await theirs.aclose()
        outbox.put(b"lost")
        await trio.testing.wait_all_tasks_blocked()
        outbox.put(b"lost as well")
        assert outbox.octets == 0
        assert told == [0]
