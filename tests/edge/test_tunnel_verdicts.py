"""Whoever ends, leaves or is cut off when: a tunnel has one verdict, and it is true of both."""

import json
import math
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from proxy.app.prepare import prepare
from proxy.edge.budget import Budget
from proxy.edge.gate import Keeper
from proxy.edge.stream import PlainStream
from proxy.errors import LogFailure, Refusal
from proxy.model import Intent, Outcome, Peer, Receipt, Verdict
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.settings.load import load
from proxy.tunnelling import carry
from tests.edge.stage import OPAQUE, config
from tests.edge.table import Table
from tests.patience import PATIENCE

SENDER = Peer(address="127.0.0.1")
IDLE, LIFETIME = 1000, 10_000
RESET = struct.pack("ii", 1, 0)


class End:
    """One end of a tunnel: what it sent, what it heard, and how that ended for it."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self.sock = sock
        self.sent = b""
        self.heard = b""
        self.ended = False
        """It has heard the end."""
        self.broken = False
        """It has heard that it is cut off."""

    async def say(self, data: bytes) -> None:
        try:
            await self.sock.send(data)
        except OSError:
            self.broken = True
        self.sent += data

    async def hear(self, size: int) -> None:
        while len(self.heard) < size:
            assert await self._hear(), "the end came first"

    async def hear_out(self) -> None:
        """Everything, until the end or the cut."""
        while await self._hear():
            pass

    async def _hear(self) -> bool:
        try:
            piece = await self.sock.recv(65536)
        except OSError:
            self.broken = True
            return False
        self.heard += piece
        self.ended = not piece
        return bool(piece)

    def end(self) -> None:
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.broken = True

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.sock.close()


class Line:
    """A tunnel that is open, and both of its ends."""

    def __init__(self, keeper: Keeper, table: Table, sender: End, upstream: End) -> None:
        self.keeper = keeper
        self.table = table
        self.sender = sender
        self.upstream = upstream
        (self.tunnel,) = keeper.tunnels
        self.over = trio.Event()

    @property
    def outcome(self) -> Outcome:
        (found,) = self.table.outcomes
        return found


@asynccontextmanager
async def keeping(folder: Path, table: Table) -> AsyncIterator[tuple[Keeper, socket.socket]]:
    """A keeper of one route for tunnels, and the socket where its upstream listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = config(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        said["listeners"]["local"]["protocol"] = "tcp"
        said["routes"] = [
            {
                "name": "tunnel",
                "listener": "local",
                "allow": [{"networks": ["127.0.0.1/32"]}],
                "upstream": "up",
                "request": OPAQUE,
                "response": OPAQUE,
                "limits": {"idle_timeout": f"{IDLE}s", "lifetime": f"{LIFETIME}s"},
            }
        ]
        path = folder / "gateway.yaml"
        path.write_text(json.dumps(said, indent=1))
        metrics, log = Metrics(), Log("json", StringIO())
        yield Keeper(prepare(load(path), metrics), table, Budget(2**20), metrics, log), server
        log.close()


def pair() -> tuple[trio.socket.SocketType, trio.socket.SocketType]:
    """The two sides of a connection over loopback, the sender's first."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    return trio.socket.from_stdlib_socket(theirs), trio.socket.from_stdlib_socket(ours)


@asynccontextmanager
async def line(
    folder: Path, table: Table | None = None, patience: float = PATIENCE
) -> AsyncIterator[Line]:
    table = table or Table()
    async with keeping(folder, table) as (keeper, server), trio.open_nursery() as nursery:
        theirs, ours = pair()
        over = trio.Event()

        async def run() -> None:
            await carry(keeper, "local", PlainStream(ours), SENDER)
            over.set()

        nursery.start_soon(run)
        listening = trio.socket.from_stdlib_socket(server.dup())
        with listening, trio.fail_after(patience):
            far, _ = await listening.accept()
            with theirs, far:
                found = Line(keeper, table, End(theirs), End(far))
                found.over = over
                yield found
                nursery.cancel_scope.cancel()


# --- any order -----------------------------------------------------------------------------------

SENDER_DOES = st.sampled_from(["say", "end", "reset"])
STEPS = st.lists(st.tuples(st.sampled_from(["sender", "upstream"]), SENDER_DOES), max_size=6)


@given(steps=STEPS)
def test_whatever_the_ends_do_there_is_one_verdict_and_it_is_true_of_both(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    trio.run(_play, tmp_path_factory.getbasetemp(), steps)


async def _play(folder: Path, steps: list[tuple[str, str]]) -> None:
    async with line(folder) as on:
        ends = {"sender": on.sender, "upstream": on.upstream}
        done: dict[str, str] = {}
        for who, what in [*steps, ("sender", "end"), ("upstream", "end")]:
            if who in done:
                continue
            if what == "say":
                await ends[who].say(b"some octets of " + who.encode())
                continue
            done[who] = what
            getattr(ends[who], what)()
        for who, end in ends.items():
            if done[who] != "reset":
                await end.hear_out()
        await on.over.wait()
        _require_true(on, done)


def _require_true(on: Line, done: dict[str, str]) -> None:
    outcome, sender, upstream = on.outcome, on.sender, on.upstream
    if "reset" not in done.values():
        assert outcome.verdict is Verdict.DELIVERED
    if outcome.verdict is Verdict.DELIVERED:
        assert "reset" not in done.values()
        assert (upstream.heard, sender.heard) == (sender.sent, upstream.sent)
        assert (upstream.ended, sender.ended) == (True, True)
    elif outcome.verdict is Verdict.FAILED:
        assert not upstream.ended
    else:
        assert outcome.verdict is Verdict.INDETERMINATE
        assert outcome.request.delivered is not None
        assert outcome.request.delivered.size == len(sender.sent)
    assert outcome.problem != "internal"
    reached = [] if outcome.problem == "upstream-unreachable" else [outcome.attempt_id]
    assert [each.attempt_id for each in on.table.intents] == reached
    assert on.keeper.tunnels == set()


# --- ended from outside --------------------------------------------------------------------------


async def test_a_live_tunnel_that_is_refused_is_rejected_with_the_reason_and_reset(
    tmp_path: Path,
) -> None:
    async with line(tmp_path) as on:
        await on.sender.say(b"hello")
        await on.upstream.hear(5)
        on.tunnel.refuse(Refusal("not-allowed", "the certificate was revoked"))
        await on.sender.hear_out()
        await on.upstream.hear_out()
        await on.over.wait()
        assert (on.sender.broken, on.upstream.broken) == (True, True)
        outcome = on.outcome
        assert (outcome.verdict, outcome.problem) == (Verdict.REJECTED, "not-allowed")
        assert outcome.request.delivered is not None
        assert outcome.request.delivered.size == 5


async def test_both_sides_are_reset_before_the_log_has_the_reason(tmp_path: Path) -> None:
    table = Waits()
    async with line(tmp_path, table) as on:
        await on.sender.say(b"hello")
        await on.upstream.hear(5)
        on.tunnel.refuse(Refusal("not-allowed", "the certificate was revoked"))
        await table.asked_for.wait()
        await on.sender.hear_out()
        await on.upstream.hear_out()
        assert (on.sender.broken, on.upstream.broken) == (True, True)
        assert not table.outcomes


async def test_the_first_reason_stands(tmp_path: Path) -> None:
    async with line(tmp_path) as on:
        on.tunnel.refuse(Refusal("not-allowed", "first"))
        on.tunnel.refuse(Refusal("overloaded", "second"))
        await on.over.wait()
        assert on.outcome.problem == "not-allowed"


async def test_what_is_refused_after_the_upstream_had_it_all_is_undecided(tmp_path: Path) -> None:
    async with line(tmp_path) as on:
        on.sender.end()
        await on.upstream.hear_out()
        assert on.upstream.ended
        on.tunnel.refuse(Refusal("not-allowed", "the certificate was revoked"))
        await on.over.wait()
        assert on.outcome.verdict is Verdict.INDETERMINATE
        assert on.outcome.problem == "not-allowed"


async def test_what_is_refused_in_the_instant_of_its_end_is_not_delivered(tmp_path: Path) -> None:
    async with line(tmp_path) as on:
        on.sender.end()
        await on.upstream.hear_out()
        on.upstream.end()  # Lockgate has not read this yet
        on.tunnel.refuse(Refusal("not-allowed", "the certificate was revoked"))
        on.tunnel.answer.ended = True  # or has, in the same instant
        await on.sender.hear_out()
        assert on.sender.broken
        await on.over.wait()
        assert on.outcome.verdict is Verdict.INDETERMINATE


async def test_a_refusal_after_the_end_changes_nothing(tmp_path: Path) -> None:
    table = Waits()
    async with line(tmp_path, table) as on:
        on.sender.end()
        on.upstream.end()
        await table.asked_for.wait()
        on.tunnel.refuse(Refusal("not-allowed", "the certificate was revoked"))
        table.durable.set()
        await on.over.wait()
        assert (on.outcome.verdict, on.outcome.problem) == (Verdict.DELIVERED, None)


# --- time ----------------------------------------------------------------------------------------


def test_a_tunnel_in_which_something_moves_either_way_is_not_idle(tmp_path: Path) -> None:
    clock = MockClock()
    trio.run(_idle, tmp_path, clock, clock=clock)


async def _idle(folder: Path, clock: MockClock) -> None:
    async with line(folder, patience=math.inf) as on:
        for turn in range(1, 6):
            await on.sender.say(b"x") if turn % 2 else await on.upstream.say(b"x")
            await on.upstream.hear((turn + 1) // 2)
            await on.sender.hear(turn // 2)
            await trio.testing.wait_all_tasks_blocked()
            clock.jump(0.9 * IDLE)
            await trio.testing.wait_all_tasks_blocked()
            assert on.tunnel.refusal is None
        clock.jump(IDLE)
        await on.over.wait()
        assert on.outcome.problem == "tunnel-idle"


def test_a_tunnel_ends_with_its_lifetime_however_busy_it_is(tmp_path: Path) -> None:
    clock = MockClock()
    trio.run(_lifetime, tmp_path, clock, clock=clock)


async def _lifetime(folder: Path, clock: MockClock) -> None:
    async with line(folder, patience=math.inf) as on:
        for turn in range(1, LIFETIME // IDLE + 1):
            await on.sender.say(b"x")
            await on.upstream.hear(turn)
            await trio.testing.wait_all_tasks_blocked()
            clock.jump(0.9 * IDLE)
        await on.sender.say(b"x")
        await on.upstream.hear(LIFETIME // IDLE + 1)
        clock.jump(0.2 * LIFETIME)
        await on.over.wait()
        assert on.outcome.problem == "tunnel-lifetime"


# --- the log -------------------------------------------------------------------------------------


class Waits(Table):
    """A log that is slow to make the receipt durable, or never does."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_for = trio.Event()
        self.durable = trio.Event()

    async def conclude(self, outcome: Outcome) -> Receipt:
        self.asked_for.set()
        await self.durable.wait()
        return await super().conclude(outcome)


async def test_the_sender_has_the_end_of_the_tunnel_only_when_the_receipt_is_durable(
    tmp_path: Path,
) -> None:
    table = Waits()
    async with line(tmp_path, table) as on:
        on.sender.end()
        await on.upstream.hear_out()
        await on.upstream.say(b"bye")
        on.upstream.end()
        await on.sender.hear(3)
        await table.asked_for.wait()
        with pytest.raises(BlockingIOError):
            socket.socket.recv(on.sender.sock._sock, 1)  # type: ignore[attr-defined]
        table.durable.set()
        await on.sender.hear_out()
        assert on.sender.ended


async def test_a_tunnel_whose_receipt_cannot_be_had_does_not_end_cleanly(tmp_path: Path) -> None:
    table = Table()
    table.fault = LogFailure("the disk is full")
    async with line(tmp_path, table) as on:
        on.sender.end()
        await on.upstream.hear_out()
        on.upstream.end()
        await on.sender.hear_out()
        assert on.sender.broken


class Full(Table):
    async def intend(self, intent: Intent) -> None:
        raise LogFailure("the disk is full")


async def test_without_an_intent_on_record_not_an_octet_goes_out(tmp_path: Path) -> None:
    table = Full()
    async with line(tmp_path, table) as on:
        await on.sender.say(b"hello")
        await on.upstream.hear_out()
        assert (on.upstream.heard, on.upstream.broken) == (b"", True)
        await on.over.wait()
        assert (on.outcome.verdict, on.outcome.problem) == (Verdict.REJECTED, "log-unavailable")


async def test_a_tunnel_that_comes_while_the_program_drains_is_not_begun(tmp_path: Path) -> None:
    table = Table()
    async with keeping(tmp_path, table) as (keeper, _):
        keeper.draining = True
        theirs, ours = pair()
        with theirs:
            await carry(keeper, "local", PlainStream(ours), SENDER)
            with pytest.raises(ConnectionResetError):
                await theirs.recv(1)
    assert (table.intents, table.outcomes) == ([], [])
