"""What a listener turns away is counted by name and reason, and nothing else is."""

from collections import Counter
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import trio

from proxy.edge.binding import bind
from proxy.edge.listener import Listener
from proxy.edge.stream import Stream
from proxy.model import Peer
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.settings.schema import ListenerLimits, ListenerTls
from proxy.tls.context import TlsContext, server_context
from tests.pki import pki


async def turned_away(
    limits: ListenerLimits,
    tls: TlsContext | None,
    octets: bytes,
    expected: int,
    at: str = "127.0.0.1:0",
) -> Counter[str]:
    """What is told of three that come one after the other, say `octets`, and wait; by a unix socket
    they go."""
    counted, told = Counter[str](), trio.Event()

    def shed(counts: Mapping[str, int]) -> None:
        counted.update(counts)
        if counted.total() >= expected:
            told.set()

    async def serve(stream: Stream, peer: Peer) -> None:
        await trio.sleep_forever()

    sock, log = bind(at, Path()), Log("json", StringIO())
    address = sock.getsockname()
    listener = Listener("ingest", sock, limits, lambda: tls, metrics=Metrics(), log=log, shed=shed)
    peers = []
    async with trio.open_nursery() as connections:
        connections.start_soon(listener.run, connections, serve)
        for _ in range(3):
            if isinstance(address, str):
                peer = await trio.open_unix_socket(address)
                await peer.send_all(octets)
                await peer.aclose()
            else:
                peer = await trio.open_tcp_stream(*address)
                await peer.send_all(octets)
            peers.append(peer)
        with trio.fail_after(10):
            await told.wait()
        connections.cancel_scope.cancel()
    for peer in peers:
        await peer.aclose()
    log.close()
    return counted


async def test_handshakes_that_fail_are_counted_by_reason() -> None:
    tls = server_context(pki().gateway, pki().trust, None, ListenerTls())
    counted = await turned_away(ListenerLimits(), tls, b"GET / HTTP/1.1\r\n\r\n", 3)
    assert counted == {"ingest:plain_http": 3}


async def test_plain_http_is_counted_as_such_though_time_is_up_while_it_is_told_so() -> None:
    limits = ListenerLimits.model_validate({"handshake_timeout": "200ms"})
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


async def test_who_finds_no_place_is_counted() -> None:
    limits = ListenerLimits.model_validate({"connections": 1, "handshake_timeout": "50ms"})
    assert await turned_away(limits, None, b"", 2) == {"ingest:connections": 2}
