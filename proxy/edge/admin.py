"""The operator's door: health, readiness, metrics, status, reload. Plain HTTP, no certificate.

    GET  /healthz   200 while the process runs
    GET  /readyz    200 while transfers are accepted and can be receipted, else 503
    GET  /metrics   Prometheus' text format
    GET  /status    JSON                            admin only
    POST /reload    200, or 409 and the last good stays   admin only

`admin` is bound to loopback or a unix socket and serves all of them; `metrics` may be bound
anywhere and serves the first three.
"""

from collections.abc import Awaitable, Callable

import orjson
import trio

from proxy.edge.gate import Keeper
from proxy.edge.inbound import Inbound
from proxy.edge.listener import Listener, bind
from proxy.edge.stream import Disconnected, Stream
from proxy.errors import Refusal
from proxy.model import Peer
from proxy.observe.metrics import CONTENT_TYPE
from proxy.settings.schema import ListenerLimits
from proxy.wire.events import EndOfMessage

_LIMITS = ListenerLimits(connections=64, head=8192).model_copy(
    update={"idle_timeout": 15.0, "head_timeout": 5.0}
)
_BODY_TIMEOUT = 5.0

Reload = Callable[[], Awaitable[bool]]
Reply = tuple[int, bytes, bytes]


def open_door(keeper: Keeper, name: str, address: str) -> Listener:
    """Bind `admin` or `metrics`. Raises ConfigError when the address cannot be had."""
    sock = bind(address, keeper.gate.loaded.directory)
    return Listener(name, sock, _LIMITS, lambda: None, metrics=keeper.metrics, log=keeper.log)


async def serve_door(keeper: Keeper, door: Listener, reload: Reload) -> None:
    """Serve what the door of this name may show, until cancelled."""

    async def serve(stream: Stream, peer: Peer) -> None:
        await _serve(keeper, door.name == "admin", reload, stream)

    async with trio.open_nursery() as connections:
        await door.run(connections, serve)


async def _serve(keeper: Keeper, everything: bool, reload: Reload, stream: Stream) -> None:
    client = Inbound(stream, _LIMITS)
    try:
        while await client.wait():
            try:
                head = await client.head()
                while not isinstance(await client.body(_BODY_TIMEOUT), EndOfMessage):
                    pass
                reply = await _reply(keeper, everything, reload, head.method, head.path)
            except Refusal as refusal:
                client.require_close()
                reply = _text(refusal.status, refusal.title)
            status, kind, body = reply
            await client.send_whole(status, [(b"content-type", kind)], body)
            if not client.next_cycle():
                break
        await stream.close()
    except Disconnected:
        stream.abort()


async def _reply(keeper: Keeper, everything: bool, reload: Reload, method: str, path: str) -> Reply:
    get = method in ("GET", "HEAD")
    match path:
        case "/healthz" if get:
            return _text(200, "alive")
        case "/readyz" if get:
            return _text(200, "ready") if keeper.ready else _text(503, "not ready")
        case "/metrics" if get:
            return 200, CONTENT_TYPE, keeper.metrics.exposition()
        case "/status" if get and everything:
            return _status(keeper)
        case "/reload" if method == "POST" and everything:
            swapped = await reload()
            return _text(200, "reloaded") if swapped else _text(409, "refused: see the log")
    return _text(404, "no such page")


def _status(keeper: Keeper) -> Reply:
    loaded = keeper.gate.loaded
    state = {
        "ok": keeper.ready,
        "name": loaded.settings.name,
        "revision": loaded.sha256.hex(),
        "last_reload": keeper.loaded_at,
        "draining": keeper.draining,
        "connections": len(keeper.clients),
        "certificates": [
            {"role": role, "subject": each.subject, "not_after": each.not_after}
            for role, each in keeper.gate.certificates
        ],
    }
    return 200, b"application/json", orjson.dumps(state, option=orjson.OPT_UTC_Z) + b"\n"


def _text(status: int, text: str) -> Reply:
    return status, b"text/plain; charset=utf-8", text.encode() + b"\n"
