"""Content of which a digest is demanded: what is not what was sent never arrives as a whole.

Senders are on socket pairs, the upstream on real sockets; hypothesis draws what is done to the
content on its way, how it is framed, and how the octets are cut.
"""

import base64
import contextlib
import hashlib
import os
import socket
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
from hypothesis import given
from hypothesis import strategies as st

from proxy.edge.spill import BLOCK
from proxy.model import Verdict
from tests.edge.stage import HOLD, ROOM, Stage, blocking, route, stage
from tests.edge.table import Table
from tests.patience import PATIENCE
from tests.scenarios.client import Client, chunk, request
from tests.scenarios.message import Broken
from tests.scenarios.receiver import Exchange

DIGEST = {"require": "content-digest"}
LIMITS = {"hold": HOLD, "body": ROOM}
MASKED = {
    "content": ["ndjson"],
    "label": "internal",
    "mask": [{"path": "$.ssn", "action": "redact"}],
}
MORE: dict[str, dict[str, Any]] = {
    "held": {},
    "streamed": {"streaming": True},
    "masked": {"request": MASKED},
    "masked-stream": {"request": MASKED, "streaming": True},
}
ROUTES = tuple(
    route(name, replay={"require": "off"}, integrity=DIGEST, limits=LIMITS, **more)
    for name, more in MORE.items()
)
LINE = b'{"ssn": "536-90-4399", "n": 1}\n'
SIZES = st.sampled_from([1, 40, HOLD - 1, HOLD, HOLD + 1, 5 * HOLD, BLOCK + 5 * HOLD, 2 * BLOCK])


def digested(body: bytes, *names: str) -> str:
    """Content-Digest by these algorithms."""
    values = {
        name: base64.b64encode(hashlib.new(name.replace("-", ""), body).digest()).decode()
        for name in names
    }
    return "Content-Digest: " + ", ".join(f"{name}=:{value}:" for name, value in values.items())


def content(size: int) -> bytes:
    """Lines that differ, so that none can take the place of another."""
    lines = b"".join(LINE.replace(b"1", b"%d" % n) for n in range(size // len(LINE) + 1))
    return lines[: max(lines.rfind(b"\n", 0, size) + 1, len(LINE))]


def truncated(body: bytes, at: int) -> bytes:
    return body[:at]


def extended(body: bytes, at: int) -> bytes:
    return body + body[at : at + 1]


def flipped(body: bytes, at: int) -> bytes:
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


def reordered(body: bytes, at: int) -> bytes:
    return body[at:] + body[:at]


CHANGES = {each.__name__: each for each in (truncated, extended, flipped, reordered)}


@dataclass(frozen=True)
class Sending:
    """One request: what was digested, what comes, how, and whether the connection ends in it."""

    route: str
    change: str | None
    sent: bytes = field(repr=False)
    comes: bytes = field(repr=False)
    chunked: bool
    late: bool
    names: tuple[str, ...]
    cuts: tuple[int, ...]
    ends_early: bool

    @property
    def octets(self) -> bytes:
        said = digested(self.sent, *self.names)
        kind = "application/x-ndjson"
        fields = ["Trailer: Content-Digest"] if self.late else [said]
        path = f"/{self.route}/1"
        if not self.chunked:
            return request(path, self.comes, *fields, kind=kind)
        whole = request(path, list(_cut(self.comes, self.cuts)), *fields, kind=kind)
        return whole[:-2] + said.encode() + b"\r\n\r\n" if self.late else whole

    def __call__(self, sock: socket.socket) -> int | None:
        """The status of the answer; None when the connection ended without one."""
        octets = self.octets
        if self.ends_early:
            octets = octets[:-1]
        with Client(sock) as client:
            try:
                for piece in _cut(octets, self.cuts):
                    client.send(piece)
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it was refused before its end
            try:
                return client.answer().status
            except Broken:
                return None

    @property
    def whole(self) -> bool:
        return self.sent == self.comes and not self.ends_early


def _cut(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """At these places, counted from the one before; the rest is one piece."""
    pieces = []
    for size in cuts:
        pieces.append(data[:size])
        data = data[size:]
    return [piece for piece in (*pieces, data) if piece]


@st.composite
def sendings(draw: st.DrawFn) -> Sending:
    sent = content(draw(SIZES))
    change = draw(st.sampled_from([None, *CHANGES]))
    at = draw(st.integers(1 if change == "reordered" else 0, len(sent) - 1))
    chunked = draw(st.booleans())
    return Sending(
        route=draw(st.sampled_from([each["name"] for each in ROUTES])),
        change=change,
        sent=sent,
        comes=CHANGES[change](sent, at) if change else sent,
        chunked=chunked,
        late=chunked and draw(st.booleans()),
        names=draw(st.sampled_from([("sha-256",), ("sha-512",), ("sha-256", "sha-512")])),
        cuts=tuple(draw(st.lists(st.integers(1, BLOCK), max_size=4))),
        ends_early=draw(st.integers(0, 9)) == 0,
    )


@given(st.lists(sendings(), min_size=1, max_size=4))
def test_what_is_not_what_was_sent_never_arrives_whole_and_each_attempt_has_its_verdict(
    those: list[Sending],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trio.run(one_run, Path(folder), those)


async def one_run(folder: Path, those: list[Sending]) -> None:
    table = Table()
    async with stage(folder, table, *ROUTES) as on:
        for sending in those:
            with on.connect() as client:
                status = await blocking(lambda: sending(client.sock))  # noqa: B023
            await settled(on, table)
            outcome = table.outcomes.pop()
            assert table.outcomes == [], "one attempt, one verdict"
            if sending.whole:
                assert (status, outcome.verdict) == (200, Verdict.DELIVERED)
                (arrived,) = on.receiver.received
                assert arrived.body == delivered(sending)
            else:
                assert outcome.verdict in (Verdict.REJECTED, Verdict.FAILED)
                assert status != 200
                assert on.receiver.received == []
                if "stream" not in sending.route:
                    assert table.intents == [], "not even a part of it"
            on.receiver.received.clear()
            table.intents.clear()
            assert on.keeper.room is not None
            assert (on.keeper.budget.taken, on.keeper.room.taken) == (0, 0)


async def settled(on: Stage, table: Table) -> None:
    with trio.fail_after(PATIENCE):
        while not table.outcomes or on.keeper.clients:
            await trio.lowlevel.checkpoint()


def delivered(sending: Sending) -> bytes:
    if not sending.route.startswith("masked"):
        return sending.comes
    return sending.comes.replace(b'"536-90-4399"', b'"[REDACTED]"')


async def test_no_connection_to_the_upstream_is_taken_before_content_holds(tmp_path: Path) -> None:
    body = content(5 * HOLD)
    async with stage(tmp_path, Table(), *ROUTES) as on:
        with on.connect() as client:
            octets = request("/held/1", body, digested(body, "sha-256"), kind="a/b")
            client.send(octets[:-1])
            while on.keeper.room is None or not on.keeper.room.taken:
                await trio.lowlevel.checkpoint()
            assert on.receiver.connections == 0
            assert on.keeper.budget.taken < len(body)
            assert (await blocking(lambda: client.ask(octets[-1:]))).status == 200
        (arrived,) = on.receiver.received
        assert arrived.value("content-length") == str(len(body))
        assert arrived.body == body


async def test_when_the_room_is_taken_the_sender_is_told_to_come_again(tmp_path: Path) -> None:
    body, table, others = content(5 * HOLD), Table(), ((1, ROOM // 2), (2, ROOM // 2 - HOLD))
    octets = request("/held/1", body, digested(body, "sha-256"), kind="a/b")
    async with stage(tmp_path, table, *ROUTES) as on:
        room = on.keeper.room
        assert room is not None
        for count, size in others:
            room.take(count, size)
        answer = await on.ask(octets)
        assert (answer.status, answer.value("retry-after")) == (503, "1")
        assert room.taken == ROOM - HOLD
        for count, size in others:
            room.give(count, size)
        assert (await on.ask(octets)).status == 200
    verdicts = [(each.verdict, each.problem) for each in table.outcomes]
    assert verdicts == [(Verdict.FAILED, "overloaded"), (Verdict.DELIVERED, None)]


async def test_what_was_changed_on_the_disk_is_broken_off_before_its_end(tmp_path: Path) -> None:
    body, table = content(5 * HOLD), Table()
    octets = request("/held/1", body, digested(body, "sha-256"), kind="a/b")
    async with stage(tmp_path, table, *ROUTES) as on:
        with on.connect() as client:
            client.send(octets[:-1])
            while not nameless(tmp_path):
                await trio.lowlevel.checkpoint()
            for fd in nameless(tmp_path):
                os.pwrite(fd, b"what an intruder would have sent", 0)
            assert (await blocking(lambda: client.ask(octets[-1:]))).status == 500
        assert on.receiver.received == []
    (outcome,) = table.outcomes
    assert (outcome.verdict, outcome.problem) == (Verdict.REJECTED, "internal")


def nameless(folder: Path) -> list[int]:
    """The descriptors of what this process has written there in files without a name."""
    links = {}
    for fd in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):  # the one by which they were listed
            links[fd] = os.readlink(f"/proc/self/fd/{fd}")
    there = [fd for fd, link in links.items() if link.startswith(str(folder)) and "#" in link]
    return [fd for fd in there if os.fstat(fd).st_size]


async def test_a_sender_that_leaves_frees_what_it_had_on_the_disk(tmp_path: Path) -> None:
    table, body = Table(), content(5 * HOLD)
    async with stage(tmp_path, table, *ROUTES) as on:
        room = on.keeper.room
        assert room is not None
        with on.connect() as client:
            client.send(request("/held/1", [body], "Trailer: Content-Digest", kind="a/b")[:-5])
            while not room.taken:
                await trio.lowlevel.checkpoint()
        await settled(on, table)
        assert (on.keeper.budget.taken, room.taken, on.receiver.connections) == (0, 0, 0)
    assert [each.problem for each in table.outcomes] == ["request-incomplete"]


async def test_a_chunked_stream_is_broken_off_at_its_end_when_its_digest_does_not_hold(
    tmp_path: Path,
) -> None:
    body, table = content(5 * HOLD), Table()
    begun = threading.Event()

    def note(exchange: Exchange) -> None:
        begun.set()
        exchange.answer()

    async with stage(tmp_path, table, *ROUTES) as on:
        on.receiver.behave = note
        with on.connect() as client:
            head = request("/streamed/1", [], digested(body + b"x", "sha-256"), kind="a/b")
            client.send(head[:-5] + chunk(body))
            assert await blocking(lambda: begun.wait(PATIENCE))
            answer = await blocking(lambda: client.ask(b"0\r\n\r\n"))
            assert answer.status == 400
        await blocking(lambda: on.receiver.wait(lambda: bool(on.receiver.broken)))
        assert on.receiver.received == []
    (outcome,) = table.outcomes
    assert (outcome.verdict, outcome.problem) == (Verdict.REJECTED, "digest-mismatch")
