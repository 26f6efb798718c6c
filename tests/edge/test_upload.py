"""What happens when both sides speak at once: instants that no socket can be made to hit."""

import math
import socket
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest
import trio
import trio.testing

from proxy.edge.stream import RECEIVE_SIZE, PlainStream, Stream
from proxy.journey import serve
from proxy.model import Verdict
from tests.edge.stage import HOLD, LOCAL, Stage, blocking, route, stage
from tests.edge.table import Table
from tests.patience import PATIENCE
from tests.scenarios.client import Client, chunk, request
from tests.scenarios.message import Broken
from tests.scenarios.receiver import Exchange

ROUTES = (route("free", replay={"require": "off"}),)
LAST = b"the last octets"
BODIES = {
    "sized": (request("/free/1", b"x" * 5 * HOLD + LAST, kind="a/b"), LAST),
    "chunked": (request("/free/1", [b"x" * 5 * HOLD, LAST], kind="a/b"), b"0\r\n\r\n"),
}
"""A request that streams, and the octets that complete it."""


class Slow:
    """A stream on which what holds `octets` goes out only when `may` lets it; before that, it tells
    `begun`."""

    def __init__(self, stream: Stream, octets: bytes, may: Callable[[], Awaitable[None]]) -> None:
        self._stream = stream
        self._octets = octets
        self._may = may
        self.begun = trio.Event()
        self.heard = trio.Event()
        """Something came after that."""

    async def send(self, pieces: Iterable[bytes], deadline: float = math.inf) -> None:
        data = b"".join(pieces)
        if self._octets in data:
            self.begun.set()
            await self._may()
        await self._stream.send([data], deadline)

    async def receive(self, size: int = RECEIVE_SIZE, deadline: float = math.inf) -> bytes:
        data = await self._stream.receive(size, deadline)
        if self.begun.is_set():
            self.heard.set()
        return data

    def give_up(self) -> None:
        self._stream.give_up()

    async def end(self) -> None:
        await self._stream.end()

    async def close(self) -> None:
        await self._stream.close()

    async def linger(self, seconds: float) -> None:
        await self._stream.linger(seconds)

    def abort(self) -> None:
        self._stream.abort()

    def quiet(self) -> bool:
        return self._stream.quiet()

    @property
    def socket(self) -> trio.socket.SocketType:
        return self._stream.socket


def pair() -> tuple[Client, trio.socket.SocketType]:
    """A sender's end, and ours."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(PATIENCE)
    return Client(theirs), trio.socket.from_stdlib_socket(ours)


async def slow_upstream(on: Stage, end: bytes, may: Callable[[], Awaitable[None]]) -> Slow:
    """Make the next connection to the upstream one on which the end of a message waits, and let the
    upstream answer as soon as it does."""
    pool = on.keeper.gate.pools["up"]
    connection = await pool.acquire("somebody")
    slow = connection.stream = Slow(connection.stream, end, may)
    pool.give_back(connection, complete=True)

    def answer_then(exchange: Exchange) -> None:
        trio.from_thread.run(slow.begun.wait, trio_token=token)
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        exchange.read()

    token = trio.lowlevel.current_trio_token()
    on.receiver.behave = answer_then
    return slow


@pytest.mark.parametrize("framing", BODIES)
async def test_an_answer_that_comes_while_the_end_goes_out_is_one_to_the_whole(
    tmp_path: Path, framing: str
) -> None:
    table = Table()
    body, end = BODIES[framing]

    async def when_it_is_heard() -> None:
        await slow.heard.wait()
        await trio.testing.wait_all_tasks_blocked()

    async with stage(tmp_path, table, *ROUTES) as on:
        slow = await slow_upstream(on, end, when_it_is_heard)
        answer = await on.ask(body)
        assert (answer.status, answer.body) == (200, b"ok")
    assert [each.verdict for each in table.outcomes] == [Verdict.DELIVERED]


async def test_an_end_that_does_not_go_out_while_the_answer_is_here_is_not_waited_for_long(
    tmp_path: Path,
) -> None:
    table = Table()
    body, end = BODIES["sized"]
    async with stage(tmp_path, table, *ROUTES) as on:
        await slow_upstream(on, end, trio.sleep_forever)
        answer = await on.ask(body)
        assert (answer.status, answer.body) == (200, b"ok")
    assert [each.verdict for each in table.outcomes] == [Verdict.FAILED]


async def test_a_sender_in_the_middle_of_an_interim_answer_is_sent_nothing_after_its_half(
    tmp_path: Path,
) -> None:
    """The refusal comes while a 103 goes out: what would come next could not be told from it."""
    table = Table()

    def hint(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        exchange.read()

    async with stage(tmp_path, table, *ROUTES) as on:
        on.receiver.behave = hint

        async def served(stream: Stream) -> None:
            with sock:
                await serve(on.keeper, "local", stream, LOCAL)

        client, sock = pair()
        slow = Slow(PlainStream(sock), b" 103 ", trio.sleep_forever)
        on.connections.start_soon(served, slow)
        head, _, _ = request("/free/1", [], kind="a/b").partition(b"0\r\n")
        with client:
            client.send(head + chunk(b"x" * 5 * HOLD))
            await slow.begun.wait()
            client.send(b"no chunk\r\n")
            with pytest.raises(Broken) as caught:
                await blocking(client.answer)
            assert caught.value.body == b""
    assert [(each.verdict, each.problem) for each in table.outcomes] == [
        (Verdict.REJECTED, "malformed-request")
    ]
