"""However the octets are cut, and whoever leaves when, each transfer that began has one verdict.

Senders are on socket pairs, the upstream on real sockets; both do what hypothesis draws. The
evidence is in memory, so that it can be compared with what the others were told.
"""

import base64
import json
import socket
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trio
from hypothesis import given
from hypothesis import strategies as st

from proxy.edge.stream import PlainStream
from proxy.journey import serve
from proxy.model import Verdict
from tests.edge.stage import HOLD, LOCAL, Stage, blocking, route, stage
from tests.edge.table import Table
from tests.patience import PATIENCE
from tests.scenarios.client import Client, chunk, request
from tests.scenarios.message import Broken, Message
from tests.scenarios.receiver import Exchange

JSON = {"content": ["json"], "label": "internal"}
ROUTES = (
    route("free", replay={"require": "off"}),
    route("held", replay={"require": "off"}, request=JSON, response=JSON),
    route("log", replay={"require": "off"}, receipt="trailer"),
)
LARGE = b"x" * 3 * HOLD
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ANSWERS = [
    OK + b"Content-Length: 2\r\n\r\n{}",
    OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    OK + b"Content-Length: %d\r\n\r\n" % len(LARGE) + LARGE,
    OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(LARGE) * 2 + b"0\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n",
    b"HTTP/1.1 503 No\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    OK + b"\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"",
]
REQUESTS = [
    request("/free/1", b"{}"),
    request("/free/1", b"", method="GET", kind=""),
    request("/free/1", LARGE),
    request("/free/1", [LARGE, b"", LARGE][::2]),
    request("/held/1", b'{"a": 1}'),
    request("/held/1", [b'{"a"', b": 1}"]),
    request("/held/1", b"{"),
    request("/log/1", LARGE, "Connection: close"),
    request("/free/1", b"{}", "Expect: 100-continue"),
    request("/nowhere", b"{}"),
    b"GET /free/1 HTTP/1.1\nHost: x\n\n",
    b"GARBAGE",
]
CUTS = st.lists(st.integers(1, 4 * HOLD), min_size=1, max_size=5)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    while data:
        for size in sizes:
            pieces.append(data[:size])
            data = data[size:]
    return [piece for piece in pieces if piece]


@dataclass(frozen=True)
class Sender:
    """What one sender writes, in pieces, and how it goes."""

    pieces: tuple[bytes, ...]
    ending: str
    """`stays` until the gateway ends; `leaves` without reading; `reads` one answer and leaves."""

    def __call__(self, sock: socket.socket) -> list[Message]:
        answers: list[Message] = []
        with Client(sock) as client:
            try:
                for piece in self.pieces:
                    client.send(piece)
                if self.ending != "leaves":
                    sock.shutdown(socket.SHUT_WR)
                while self.ending == "stays" or (self.ending == "reads" and not answers):
                    head = client.reader.head()
                    bodiless = head.status == 204 or head.status < 200
                    answers.append(client.reader.body(head, bodiless=bodiless))
            except (Broken, OSError):
                pass  # the gateway has ended the connection
        return [each for each in answers if each.status >= 200]


@dataclass(frozen=True)
class Script:
    """What the upstream does with one request: reads all of it or its head, answers, perhaps in
    part, and goes on or goes away."""

    reads: bool
    pieces: tuple[bytes, ...]
    stays: bool

    def __call__(self, exchange: Exchange) -> None:
        if self.reads:
            exchange.read()
        for piece in self.pieces:
            exchange.send(piece)
        if not self.stays:
            exchange.reset()
            raise Broken


@st.composite
def senders(draw: st.DrawFn) -> Sender:
    data = b"".join(draw(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=3)))
    if draw(st.booleans()):
        data = data[: draw(st.integers(1, len(data)))]
    ending = draw(st.sampled_from(["stays", "stays", "leaves", "reads"]))
    return Sender(tuple(cut(data, draw(CUTS))), ending)


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    answer = draw(st.sampled_from(ANSWERS))
    whole = draw(st.booleans())
    if not whole:
        answer = answer[: draw(st.integers(0, len(answer)))]
    reads = draw(st.booleans())
    stays = whole and reads and b"Content-Length" in answer
    return Script(reads, tuple(cut(answer, draw(CUTS))), stays)


@given(st.lists(senders(), min_size=1, max_size=3), st.lists(scripts(), min_size=1, max_size=4))
def test_each_transfer_that_began_has_exactly_one_verdict(
    those: list[Sender], plan: list[Script]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trio.run(one_run, Path(folder), those, plan)


async def one_run(folder: Path, those: list[Sender], plan: list[Script]) -> None:
    table = Table()
    async with stage(folder, table, *ROUTES) as on:
        on.receiver.behave = in_turn(plan)
        told: list[Message] = []
        with trio.fail_after(2 * PATIENCE):
            async with trio.open_nursery() as nursery:
                for each in those:
                    nursery.start_soon(converse, on, each, told)
        require_one_verdict_each(on, table, those, told)


def in_turn(plan: list[Script]) -> Callable[[Exchange], None]:
    """The scripts one after the other; after the last, good answers."""
    rest = iter(plan)

    def behave(exchange: Exchange) -> None:
        script = next(rest, None)
        if script is None:
            exchange.answer()
        else:
            script(exchange)

    return behave


async def converse(on: Stage, sender: Sender, told: list[Message]) -> None:
    """One connection, until both of its ends are done with it."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(PATIENCE)

    async def served() -> None:
        with trio.socket.from_stdlib_socket(ours) as sock:
            await serve(on.keeper, "local", PlainStream(sock), LOCAL)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(served)
        told += await blocking(lambda: sender(theirs))


def require_one_verdict_each(
    on: Stage, table: Table, those: list[Sender], told: list[Message]
) -> None:
    attempts = Counter(outcome.attempt_id for outcome in table.outcomes)
    assert set(attempts.values()) == {1}
    assert {intent.attempt_id for intent in table.intents} <= set(attempts)
    assert len(attempts) >= len(those)  # each wrote an octet at least
    by_id = {outcome.transfer_id: outcome for outcome in table.outcomes}
    assert len(by_id) == len(attempts)
    for message in on.receiver.received:
        verdict = by_id[message.value("transfer-id")].verdict
        assert verdict is not Verdict.REJECTED
    for message in on.receiver.broken:
        assert by_id[message.value("transfer-id")].verdict is not Verdict.DELIVERED
    for answer in told:
        outcome = by_id[answer.value("transfer-id")]
        assert outcome.status == answer.status
        if answer.values("transfer-receipt"):
            payload = json.loads(answer.receipt()[0])["payload"]
            kind = json.loads(base64.b64decode(payload))["predicate"]["kind"]
            assert kind == outcome.verdict
    assert not on.keeper.clients
    assert on.keeper.metrics.in_flight == 0
    for pool in on.keeper.gate.pools.values():
        assert not pool._places._taken
