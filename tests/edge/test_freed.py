"""What a transfer held is freed when it ends, and not when the collector comes by.

An exception that is kept holds the frames through which it went, and these hold connections and
buffers. In a cycle they stay until Python looks for cycles, which it does the more seldom the more
there is; what OpenSSL holds for a connection it does not even count.
"""

import gc
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from proxy.edge.flow import Flow
from proxy.edge.inbound import Inbound
from proxy.edge.outbound import Outbound
from proxy.edge.transfer import Transfer
from proxy.errors import LockgateError
from tests.edge.stage import HOLD, blocking, route, stage
from tests.edge.table import Table
from tests.scenarios.client import Client, begun, chunk, request
from tests.scenarios.receiver import Exchange

OURS = (LockgateError, Inbound, Outbound, Transfer, Flow)


def cut_off(client: Client) -> None:
    """In the midst of content that is being forwarded."""
    client.send(begun("/free/1", kind="a/b") + chunk(b"x" * 5 * HOLD))


def malformed(client: Client) -> None:
    client.send(begun("/free/1", kind="a/b") + chunk(b"x" * 5 * HOLD) + b"no chunk\r\n")
    assert client.answer().status == 400


def no_request(client: Client) -> None:
    client.send(b"no request\r\n\r\n")
    assert client.answer().status == 400


def whole(client: Client) -> None:
    """What becomes of it is the upstream's to say."""
    client.send(request("/free/1", b"x" * 5 * HOLD, kind="a/b"))
    assert client.answer().status in (200, 502)


def nonsense(exchange: Exchange) -> None:
    exchange.read()
    exchange.send(b"no answer\r\n\r\n")


@pytest.mark.parametrize("behave", [Exchange.answer, Exchange.reset, nonsense])
@pytest.mark.parametrize("come", [cut_off, malformed, no_request, whole])
async def test_nothing_of_a_transfer_waits_for_the_collector(
    tmp_path: Path, come: Callable[[Client], None], behave: Callable[[Exchange], None]
) -> None:
    async with stage(tmp_path, Table(), route("free", replay={"require": "off"})) as on:
        on.receiver.behave = behave
        gc.collect()
        gc.disable()
        try:
            with on.connect() as client:
                await blocking(lambda: come(client))
            while on.keeper.clients:
                await trio.lowlevel.checkpoint()
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            waiting = [each for each in gc.garbage if isinstance(each, OURS)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
        assert waiting == []


async def test_a_connection_that_waits_keeps_nothing_of_its_last_transfer(tmp_path: Path) -> None:
    async with stage(tmp_path, Table(), route("free", replay={"require": "off"})) as on:
        with on.connect() as client:
            await blocking(lambda: whole(client))
            await trio.testing.wait_all_tasks_blocked()
            assert len(on.keeper.clients) == 1
            assert [each for each in gc.get_objects() if isinstance(each, (Transfer, Flow))] == []
