"""Questions and answers over a socketpair, descriptors beside them."""

import fcntl
import os
import socket
import struct

import pytest
import trio

from proxy.app.bundle import require_accepted
from proxy.app.control import Control, EndedError, Message

Sock = trio.socket.SocketType


def pair() -> tuple[Sock, Sock]:
    one, other = socket.socketpair()
    return trio.socket.from_stdlib_socket(one), trio.socket.from_stdlib_socket(other)


def can_write(fd: int) -> bool:
    return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY


async def test_from_who_may_be_ours_no_longer_no_frame_is_taken_that_fills_the_memory() -> None:
    for trusted in (True, False):
        one, other = pair()
        await one.send(struct.pack(">I", 16 * 2**20 + 1))
        one.close()
        end = Control(other, trusted=trusted)
        with pytest.raises(EndedError, match="gone" if trusted else "no frame"):
            await end.receive()
        end.close()


async def test_messages_arrive_whole_and_in_order() -> None:
    one, other = pair()
    sender, receiver = Control(one), Control(other)
    messages = [{"id": number, "text": "x" * number * 1000} for number in range(50)]

    async def send() -> None:
        for message in messages:
            await sender.send(message)
        sender.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        for message in messages:
            assert await receiver.receive() == (message, [])
        with pytest.raises(EndedError):
            await receiver.receive()
    receiver.close()


async def test_a_descriptor_arrives_with_its_message_and_with_no_other() -> None:
    one, other = pair()
    sender, receiver = Control(one), Control(other)
    reading, writing = os.pipe()
    await sender.send({"id": 1})
    await sender.send({"id": 2}, [writing])
    await sender.send({"id": 3})
    os.close(writing)
    assert await receiver.receive() == ({"id": 1}, [])
    message, (fd,) = await receiver.receive()
    assert message == {"id": 2}
    os.write(fd, b"through")
    os.close(fd)
    assert os.read(reading, 100) == b"through"
    os.close(reading)
    assert await receiver.receive() == ({"id": 3}, [])
    sender.close()
    receiver.close()


@pytest.mark.parametrize("count", [253, 254, 600])
async def test_more_descriptors_than_the_kernel_takes_at_once_arrive_in_order(count: int) -> None:
    one, other = pair()
    sender, receiver = Control(one), Control(other)
    ends = os.pipe()
    await sender.send({"id": 1}, [ends[each % 2] for each in range(count)])
    await sender.send({"id": 2}, [ends[1]])
    message, fds = await receiver.receive()
    after, (last,) = await receiver.receive()
    assert (message, after) == ({"id": 1}, {"id": 2})
    assert [can_write(fd) for fd in fds] == [bool(each % 2) for each in range(count)]
    for fd in (*fds, last, *ends):
        os.close(fd)
    sender.close()
    receiver.close()


async def test_a_message_that_comes_octet_by_octet_is_the_same() -> None:
    one, other = pair()
    receiver = Control(other)
    body = b'{"id":7,"fds":0}'
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            for octet in struct.pack(">I", len(body)) + body:
                await one.send(bytes([octet]))

        nursery.start_soon(send)
        assert await receiver.receive() == ({"id": 7}, [])
    one.close()
    receiver.close()


async def test_a_length_beyond_every_bound_ends_the_line() -> None:
    one, other = pair()
    receiver = Control(other)
    await one.send(b"\xff\xff\xff\xff")
    with pytest.raises(EndedError, match="no frame"):
        await receiver.receive()
    one.close()
    receiver.close()


async def test_half_a_message_is_no_message() -> None:
    one, other = pair()
    receiver = Control(other)
    await one.send(struct.pack(">I", 100) + b'{"id"')
    one.close()
    with pytest.raises(EndedError):
        await receiver.receive()
    receiver.close()


async def test_who_is_not_trusted_cannot_fill_our_table_of_descriptors() -> None:
    one, other = pair()
    sender, receiver = Control(one), Control(other, trusted=False)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        await sender.send({"id": number}, [0, 1, 2])
        assert await receiver.receive() == ({"id": number}, [])
    assert len(os.listdir("/proc/self/fd")) == before
    sender.close()
    receiver.close()


@pytest.mark.parametrize("answer", [{}, {"ok": 1}, {"ok": False}, {"ok": False, "problems": [[1]]}])
def test_an_answer_that_is_none_is_as_good_as_silence(answer: Message) -> None:
    with pytest.raises(EndedError):
        require_accepted(answer)
