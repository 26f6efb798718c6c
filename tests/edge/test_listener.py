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
    limits: ListenerLimits, tls: TlsContext | None, octets: bytes, expected: int
) -> Counter[str]:
    """What is told of three that come one after the other, say `octets` and wait."""
    counted, told = Counter[str](), trio.Event()

    def shed(counts: Mapping[str, int]) -> None:
        counted.update(counts)
        if counted.total() >= expected:
            told.set()

    async def serve(stream: Stream, peer: Peer) -> None:
        await trio.sleep_forever()

    sock, log = bind("127.0.0.1:0", Path()), Log("json", StringIO())
    address = sock.getsockname()
    listener = Listener("ingest", sock, limits, lambda: tls, metrics=Metrics(), log=log, shed=shed)
    peers = []
    async with trio.open_nursery() as connections:
        connections.start_soon(listener.run, connections, serve)
        for _ in range(3):
            peers.append(await trio.open_tcp_stream(*address))
            await peers[-1].send_all(octets)
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


async def test_who_finds_no_place_is_counted() -> None:
    limits = ListenerLimits.model_validate({"connections": 1, "handshake_timeout": "50ms"})
    assert await turned_away(limits, None, b"", 2) == {"ingest:connections": 2}
