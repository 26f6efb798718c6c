"""The journey in this process: a real receiver, evidence in memory, senders on socket pairs."""

import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import trio

from proxy.app.prepare import prepare
from proxy.edge.budget import Budget
from proxy.edge.gate import Keeper
from proxy.edge.spill import Room
from proxy.edge.stream import PlainStream
from proxy.journey import serve
from proxy.model import Peer
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.settings.load import load
from tests.edge.table import Table
from tests.patience import PATIENCE
from tests.scenarios.client import Client
from tests.scenarios.message import Message
from tests.scenarios.receiver import Receiver

HOLD = 1000
"""Octets that the routes here keep back until they are judged."""
ROOM = 4 * 2**20
"""Octets of content that may wait on the disk."""
LOCAL = Peer(uid=1000)
OPAQUE = {"content": ["opaque"], "label": "internal"}
T = TypeVar("T")


def route(name: str, **changes: Any) -> dict[str, Any]:
    """A route for /NAME/** on which an id is delivered once."""
    return {
        "name": name,
        "listener": "local",
        "match": {"path": f"/{name}/**"},
        "allow": [{"networks": ["127.0.0.1/32"]}, {"local": {"uid": [1000, 1001]}}],
        "upstream": "up",
        "request": OPAQUE,
        "response": OPAQUE,
        "replay": {"require": "transfer-id"},
        "limits": {"hold": HOLD, "body": 100 * HOLD},
    } | changes


def config(endpoint: str, *routes: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": 1,
        "name": "gate",
        "sensitivity": ["internal"],
        "zones": {"here": {"clearance": "internal"}},
        "listeners": {"local": {"bind": "127.0.0.1:0", "zone": "here", "tls": {"mode": "none"}}},
        "upstreams": {"up": {"zone": "here", "endpoints": [endpoint]}},
        "routes": list(routes),
        "receipts": {
            "store": "receipts",
            "origin": "log.example/gate",
            "key": "file:none.key",
            "log_key": "file:none.key",
        },
        "admin": {"bind": "127.0.0.1:0"},
    }


class Stage:
    """A keeper, and senders that come to it."""

    def __init__(
        self, keeper: Keeper, receiver: Receiver, connections: trio.Nursery, said: StringIO
    ) -> None:
        self.said = said
        """Where the log goes."""
        self.keeper = keeper
        self.receiver = receiver
        self.connections = connections

    def connect(self, peer: Peer = LOCAL) -> Client:
        """A sender's end of a connection that is being served."""
        ours, theirs = socket.socketpair()
        theirs.settimeout(PATIENCE)
        self.connections.start_soon(self._serve, trio.socket.from_stdlib_socket(ours), peer)
        return Client(theirs)

    async def _serve(self, sock: trio.socket.SocketType, peer: Peer) -> None:
        with sock:
            await serve(self.keeper, "local", PlainStream(sock), peer)

    async def ask(self, data: bytes, peer: Peer = LOCAL) -> Message:
        """One request on a connection of its own."""
        with self.connect(peer) as client:
            return await blocking(lambda: client.ask(data))


async def blocking(call: Callable[[], T]) -> T:
    return await trio.to_thread.run_sync(call)


@asynccontextmanager
async def stage(
    folder: Path, table: Table, *routes: dict[str, Any], **sections: Any
) -> AsyncIterator[Stage]:
    """`sections` are others of the configuration."""
    receiver = Receiver(None)
    path = folder / "gateway.yaml"
    path.write_text(json.dumps(config(receiver.endpoint, *routes) | sections, indent=1))
    said = StringIO()
    metrics, log = Metrics(), Log("json", said)
    gate = prepare(load(path), metrics)
    keeper = Keeper(gate, table, Budget(2**20), metrics, log, room=Room(folder, ROOM))
    try:
        async with trio.open_nursery() as connections:
            yield Stage(keeper, receiver, connections, said)
            connections.cancel_scope.cancel()
    finally:
        for pool in gate.pools.values():
            await pool.retire()
        receiver.close()
        log.close()
