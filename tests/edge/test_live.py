"""Who is let go is gone in time, also where something else does not come to its end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trio

from proxy.model import Outcome, Receipt
from proxy.policy.routes import Routes
from tests.edge.stage import OPAQUE, Stage, blocking, route, stage
from tests.edge.table import Table
from tests.scenarios.client import Client, begun, chunk
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


async def withdraw(place: Stage) -> None:
    """As a reload would, whose configuration has no routes."""
    gate = place.keeper.gate
    routes = Routes(gate.loaded.settings.model_copy(update={"routes": []}))
    await place.keeper.live.rejudge(gate, replace(gate, lanes={}, routes=routes))


def test_a_connection_is_reset_in_time_though_the_log_does_not_answer(tmp_path: Path) -> None:
    async def main() -> None:
        table = Silent()
        async with stage(tmp_path, table, FREE) as place:
            with await uploading(place) as client:
                live, now = place.keeper.live, datetime.now(UTC)
                await withdraw(place)
                with trio.fail_after(10):
                    await table.told.wait()
                live.look(now + timedelta(seconds=3.9))
                assert client.sock.send(chunk(b"x")), "the log has four seconds of five"
                live.look(now + timedelta(seconds=5))
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
