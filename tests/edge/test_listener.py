"""What a listener turns away is counted by name and reason, and nothing else is."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import trio

from proxy.edge.binding import bind
from proxy.edge.hygiene import Examine, nothing
from proxy.edge.listener import Listener
from proxy.edge.stream import Stream
from proxy.errors import TlsFailure
from proxy.model import Certificate, Peer
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.settings.schema import ListenerLimits, ListenerTls
from proxy.tls.context import TlsContext, server_context
from proxy.tls.engine import Engine
from tests.patience import PATIENCE
from tests.pki import pki
from tests.tls.pump import client_side


class Turned:
    """What a listener tells of those whom it turned away."""

    def __init__(self, expected: int) -> None:
        self.counted = Counter[str]()
        self.all = trio.Event()
        self._expected = expected

    def __call__(self, counts: Mapping[str, int]) -> None:
        self.counted.update(counts)
        if self.counted.total() >= self._expected:
            self.all.set()


@asynccontextmanager
async def listening(
    limits: ListenerLimits,
    tls: TlsContext | None,
    turned: Turned,
    at: str = "127.0.0.1:0",
    examine: Examine = nothing,
) -> AsyncIterator[Any]:
    """A listener, until it has turned away as many as are expected; yields its address."""

    async def serve(stream: Stream, peer: Peer) -> None:
        await trio.sleep_forever()

    sock, log, metrics = bind(at, Path()), Log("json", StringIO()), Metrics()
    address = sock.getsockname()
    listener = Listener(
        "ingest", sock, limits, lambda: tls, metrics=metrics, log=log, shed=turned, examine=examine
    )
    async with trio.open_nursery() as connections:
        connections.start_soon(listener.run, connections, serve)
        with trio.fail_after(PATIENCE):
            yield address
            await turned.all.wait()
        connections.cancel_scope.cancel()
    log.close()


async def turned_away(
    limits: ListenerLimits,
    tls: TlsContext | None,
    octets: bytes,
    expected: int,
    at: str = "127.0.0.1:0",
    said: list[bytes] | None = None,
) -> Counter[str]:
    """What is told of three that come one after the other, say `octets`, and wait; by a unix socket
    they go. What the expected ones hear is `said`."""
    turned, peers = Turned(expected), []
    async with listening(limits, tls, turned, at) as address:
        for _ in range(3):
            if isinstance(address, str):
                peer = await trio.open_unix_socket(address)
                await peer.send_all(octets)
                await peer.aclose()
            else:
                peer = await trio.open_tcp_stream(*address)
                await peer.send_all(octets)
            peers.append(peer)
        if said is not None:
            said.extend([await each.receive_some() for each in peers[:expected]])
    for peer in peers:
        await peer.aclose()
    return turned.counted


async def test_handshakes_that_fail_are_counted_by_reason() -> None:
    tls = server_context(pki().gateway, pki().trust, None, ListenerTls())
    counted = await turned_away(ListenerLimits(), tls, b"GET / HTTP/1.1\r\n\r\n", 3)
    assert counted == {"ingest:plain_http": 3}


async def test_plain_http_is_counted_as_such_though_time_is_up_while_it_is_told_so() -> None:
    limits = ListenerLimits.model_validate({"handshake_timeout": "1s"})
    tls = server_context(pki().gateway, pki().trust, None, ListenerTls())
    counted = await turned_away(limits, tls, b"PURGE / HTTP/1.1\r\n\r\n", 3)
    assert counted == {"ingest:plain_http": 3}


async def test_plain_http_is_counted_as_such_though_nobody_waits_for_the_answer(
    tmp_path: Path,
) -> None:
    """A unix socket delivers what was said before its end, and breaks at the answer."""
    tls = server_context(pki().gateway, pki().trust, None, ListenerTls())
    counted = await turned_away(
        ListenerLimits(), tls, b"PURGE / HTTP/1.1\r\n\r\n", 3, at=f"unix:{tmp_path}/door"
    )
    assert counted == {"ingest:plain_http": 3}


@pytest.mark.parametrize("octets", [b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\0\1"])
async def test_who_runs_out_of_time_gets_an_alert(octets: bytes) -> None:
    limits = ListenerLimits.model_validate({"handshake_timeout": "200ms"})
    tls = server_context(pki().gateway, pki().trust, None, ListenerTls())
    said: list[bytes] = []
    counted = await turned_away(limits, tls, octets, 3, said=said)
    assert counted == {"ingest:timeout": 3}
    assert [(each[:1], each[5:6], len(each)) for each in said] == [(b"\x15", b"\2", 7)] * 3


async def test_who_is_pushed_out_gets_an_alert() -> None:
    limits = ListenerLimits.model_validate({"connections": 1})
    tls = server_context(pki().gateway, pki().trust, None, ListenerTls())
    said: list[bytes] = []
    counted = await turned_away(limits, tls, b"", 2, said=said)
    assert counted == {"ingest:timeout": 2}
    assert [each[:1] for each in said[:2]] == [b"\x15", b"\x15"]


async def test_a_peer_whose_key_is_kept_carelessly_gets_close_notify() -> None:
    def refuse(certificate: Certificate, address: str | None) -> None:
        raise TlsFailure("hygiene", "no")

    tls = server_context(pki().gateway, pki().trust, None, ListenerTls())
    client = Engine(client_side(), server_name="localhost")
    turned = Turned(1)
    async with listening(ListenerLimits(), tls, turned, examine=refuse) as address:
        peer = await trio.open_tcp_stream(*address)
        while not client.handshake():
            await peer.send_all(client.outgoing())
            client.receive(await peer.receive_some())
        await peer.send_all(client.outgoing())
        while (found := client.read()) is None:
            client.receive(await peer.receive_some())
        assert found == b"", "ended, and not broken off"
        await peer.aclose()
    assert turned.counted == {"ingest:hygiene": 1}


async def test_who_finds_no_place_is_counted() -> None:
    limits = ListenerLimits.model_validate({"connections": 1, "handshake_timeout": "50ms"})
    assert await turned_away(limits, None, b"", 2) == {"ingest:connections": 2}
