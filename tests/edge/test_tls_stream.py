"""What goes over a TLS stream, as the wire has it."""

import socket

import pytest
import trio
import trio.testing

from proxy.edge.stream import Stalled, TlsStream
from proxy.tls.records import RECORD
from tests.edge.steps import Before
from tests.patience import PATIENCE
from tests.tls.pump import connected


def records(ciphertext: bytes) -> list[int]:
    """The length of each TLS record (RFC 8446, 5.1)."""
    found, at = [], 0
    while at < len(ciphertext):
        found.append(int.from_bytes(ciphertext[at + 3 : at + 5]))
        at += 5 + found[-1]
    return found


async def sent(pieces: list[bytes]) -> tuple[list[int], bytes]:
    """The records in which the pieces go out, and what they say."""
    server, client = connected()
    near, far = socket.socketpair()
    with far:
        stream = TlsStream(trio.socket.from_stdlib_socket(near), server)
        await stream.send(pieces)
        ciphertext = far.recv(1 << 20)
        stream.abort()
    client.receive(ciphertext)
    return records(ciphertext), client.read(1 << 20) or b""


async def test_what_goes_together_and_fits_one_record_goes_in_one() -> None:
    lengths, said = await sent([b"head", b"body" * 1000, b"", b"end"])
    assert len(lengths) == 1
    assert said == b"head" + b"body" * 1000 + b"end"


async def test_what_fits_no_record_goes_in_order_all_the_same() -> None:
    lengths, said = await sent([b"head", b"x" * RECORD, b"end"])
    assert len(lengths) == 3
    assert said == b"head" + b"x" * RECORD + b"end"


async def test_what_is_read_after_nothing_was_there_is_what_came_since() -> None:
    server, client = connected()
    near, far = socket.socketpair()
    with far:
        stream = TlsStream(trio.socket.from_stdlib_socket(near), server)
        assert stream.quiet()
        for said in (b"once", b"again"):
            client.write(said)
            far.sendall(client.outgoing())
            assert not stream.quiet()
            assert await stream.receive() == said
            assert stream.quiet()
        client.close()
        far.sendall(client.outgoing())
        assert await stream.receive() == b""
        stream.abort()


async def test_what_came_beyond_what_was_asked_for_is_read_next() -> None:
    content = bytes(range(256)) * 400
    server, client = connected()
    near, far = socket.socketpair()
    with far:
        stream = TlsStream(trio.socket.from_stdlib_socket(near), server)
        client.write(content)
        client.close()
        far.sendall(client.outgoing())
        came = [await stream.receive(1000)]
        assert not stream.quiet(), "the engine has a part, and this side of it another"
        while came[-1]:
            came.append(await stream.receive(1000))
        stream.abort()
    assert max(map(len, came)) == 1000
    assert b"".join(came) == content


async def test_who_is_told_to_give_up_while_a_part_of_a_record_comes_waits_for_no_other() -> None:
    server, client = connected()
    near, far = socket.socketpair()
    stream = TlsStream(trio.socket.from_stdlib_socket(near), server)
    client.write(b"a record")
    part = client.outgoing()[:-1]

    async def receive() -> None:
        with trio.fail_after(PATIENCE), pytest.raises(Stalled):
            await stream.receive(deadline=trio.current_time() + 3600)

    with far:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            (task,) = nursery.child_tasks
            trio.lowlevel.add_instrument(Before(task, stream.give_up))
            far.sendall(part)
        stream.abort()
