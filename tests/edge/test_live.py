"""Who is let go is gone in time, also where something else does not come to its end."""

import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
import trio.testing

from proxy.edge.gate import Gate
from proxy.edge.stream import PlainStream
from proxy.model import FOREVER, Outcome, Peer, Receipt
from proxy.policy.authorize import Granted
from proxy.policy.entries import Facts
from proxy.policy.routes import Routes
from proxy.tls.credentials import parse_chain
from proxy.tls.identity import identify
from tests.edge.stage import OPAQUE, Stage, blocking, route, stage
from tests.edge.table import Table
from tests.patience import PATIENCE
from tests.pki import pki
from tests.scenarios.client import Client, begun, chunk, request
from tests.scenarios.gateway import wait_until

FREE = route("free", replay={"require": "off"}, request=OPAQUE)


class Silent(Table):
    """A log that takes what is said and never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.told = trio.Event()

    async def conclude(self, outcome: Outcome) -> Receipt:
        self.outcomes.append(outcome)
        self.told.set()
        await trio.sleep_forever()
        raise AssertionError


async def uploading(place: Stage) -> Client:
    client = place.connect()
    client.send(begun("/free/1", kind="application/octet-stream") + chunk(b"x" * 9000))
    await blocking(lambda: wait_until(lambda: place.receiver.octets > 5000))
    return client


def enforce(place: Stage, within: float) -> None:
    """As a configuration does whose `revocation.enforce_within` is so many seconds."""
    loaded = place.keeper.gate.loaded
    rule = loaded.settings.revocation.model_copy(update={"enforce_within": within})
    settings = loaded.settings.model_copy(update={"revocation": rule})
    place.keeper.gate = replace(place.keeper.gate, loaded=replace(loaded, settings=settings))


async def withdraw(place: Stage) -> None:
    """As a reload does, whose configuration has no routes."""
    old = place.keeper.gate
    routes = Routes(old.loaded.settings.model_copy(update={"routes": []}))
    place.keeper.gate = replace(old, lanes={}, routes=routes)
    await place.keeper.live.rejudge(old, place.keeper.gate)


@pytest.mark.parametrize("within", [5, 60])
def test_a_connection_is_reset_in_time_though_the_log_does_not_answer(
    tmp_path: Path, within: float
) -> None:
    async def main() -> None:
        table = Silent()
        async with stage(tmp_path, table, FREE) as place:
            enforce(place, within)
            with await uploading(place) as client:
                live, now = place.keeper.live, datetime.now(UTC)
                await withdraw(place)
                with trio.fail_after(PATIENCE):
                    await table.told.wait()
                live.look(now + timedelta(seconds=within * 0.78))
                assert client.sock.send(chunk(b"x")), "the log has four fifths of the time"
                live.look(now + timedelta(seconds=within))
                assert await blocking(client.ended)
        (outcome,) = table.outcomes
        assert (outcome.verdict.value, outcome.problem) == ("rejected", "not-allowed")

    trio.run(main)


def test_whoever_was_let_go_is_no_longer_looked_at(tmp_path: Path) -> None:
    async def main() -> None:
        table = Table()
        async with stage(tmp_path, table, FREE) as place:
            with await uploading(place) as client:
                await withdraw(place)
                await withdraw(place)
                answer = await blocking(client.answer)
                assert answer.status == 403
                assert await blocking(client.ended)
            await blocking(lambda: wait_until(lambda: not place.keeper.clients))
            assert not place.keeper.live._links
        assert len(table.outcomes) == 1, "one verdict, however often it is refused"

    trio.run(main)


class Asked:
    """The trust of a route, which counts how often it is asked and accepts for ten seconds."""

    def __init__(self) -> None:
        self.times = 0

    def of(self, gate: Gate) -> Gate:
        """`gate` with a route that it narrows."""
        lane = gate.lanes["free"]

        def judge(facts: Facts, now: datetime) -> Granted:
            self.times += 1
            return replace(lane.judge(facts, now), until=now + timedelta(seconds=10))

        return replace(gate, lanes={"free": replace(lane, judge=judge)})


def test_the_trust_of_a_route_is_asked_again_only_when_its_time_has_come(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, Table(), FREE) as place:
            live, trust, now = place.keeper.live, Asked(), datetime.now(UTC)
            place.keeper.gate = trust.of(place.keeper.gate)
            with await uploading(place):
                assert trust.times == 1
                for seconds, times in ((1, 1), (9, 1), (15, 2), (16, 2), (24, 2), (26, 3)):
                    live.look(now + timedelta(seconds=seconds))
                    assert trust.times == times, seconds

    trio.run(main)


def test_a_trust_that_a_route_gets_while_something_is_under_way_has_its_clock_too(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with stage(tmp_path, Table(), FREE) as place:
            live, trust, now = place.keeper.live, Asked(), datetime.now(UTC)
            with await uploading(place):
                old, place.keeper.gate = place.keeper.gate, trust.of(place.keeper.gate)
                await live.rejudge(old, place.keeper.gate)
                assert trust.times == 1
                live.look(now + timedelta(seconds=15))
                assert trust.times == 2

    trio.run(main)


def test_a_grant_that_lets_finish_is_not_asked_again_by_the_clock(tmp_path: Path) -> None:
    async def main() -> None:
        allow = [{"networks": ["127.0.0.1/32"], "when": {"until": "2200-01-01"}}]
        routes = (
            route("cut", allow=allow, request=OPAQUE),
            route("finish", allow=allow, request=OPAQUE, on_expiry="finish"),
        )
        async with stage(tmp_path, Table(), *routes) as place:
            now, lanes = datetime.now(UTC), place.keeper.gate.lanes
            facts = Facts(Peer("127.0.0.1"), now)
            assert lanes["cut"].judge(facts, now).until == datetime(2200, 1, 1, tzinfo=UTC)
            assert lanes["finish"].judge(facts, now).until == FOREVER

    trio.run(main)


def test_what_has_lapsed_under_a_listener_that_is_no_more_is_let_go(tmp_path: Path) -> None:
    peer = Peer(certificate=identify(parse_chain(pki().client.certificate)[0]))

    async def main() -> None:
        async with stage(tmp_path, Table(), FREE) as place:
            live, now = place.keeper.live, datetime.now(UTC)
            ours, theirs = socket.socketpair()
            stream = PlainStream(trio.socket.from_stdlib_socket(ours))
            with theirs, live.sender("gone", peer, stream) as link:
                assert link.until == FOREVER
                link.until = now
                live.look(now)
                assert link.refusal is None
                live.look(now + timedelta(seconds=1))
                assert link.reason == "untrusted"
                stream.abort()

    trio.run(main)


def test_a_request_whose_head_comes_slowly_is_judged_by_what_is_in_force_when_it_has_come(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with stage(tmp_path, Table(), FREE) as place:
            head, metrics = begun("/free/1"), place.keeper.metrics
            with place.connect(Peer(uid=2000)) as client:  # who is granted nothing is not let go
                client.send(head[:20])
                await blocking(lambda: wait_until(lambda: metrics.in_flight == 1))
                await withdraw(place)
                client.send(head[20:])
                assert (await blocking(client.answer)).status == 404

    trio.run(main)


def due() -> float:
    """Seconds until anybody wakes up by the clock."""
    return trio.lowlevel.current_statistics().seconds_to_next_deadline


def test_nobody_looks_while_there_is_no_connection_and_the_first_begins_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, Table(), FREE) as place, trio.open_nursery() as nursery:
            nursery.start_soon(place.keeper.live.run)
            await trio.testing.wait_all_tasks_blocked()
            assert due() > 3600
            with place.connect() as client:
                asked = request("/free/1", kind="application/octet-stream")
                await blocking(lambda: client.ask(asked))
                assert place.keeper.live._links
                assert due() <= 1
            await gone(lambda: not place.keeper.live._links)
            assert [pool.idle for pool in place.keeper.gate.pools.values()] == [1]
            assert due() <= 1, "one to an upstream is kept"
            for pool in place.keeper.gate.pools.values():
                await pool.retire()
            await gone(lambda: place.keeper.live._resting)
            await trio.testing.wait_all_tasks_blocked()
            assert due() > 5
            nursery.cancel_scope.cancel()

    trio.run(main)


async def gone(condition: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE):
        while not condition():
            await trio.lowlevel.checkpoint()
