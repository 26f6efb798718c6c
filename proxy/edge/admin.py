"""The operator's door: health, readiness, metrics, status, reload, the log. Plain HTTP.

    GET  /healthz          200 while the process runs
    GET  /readyz           200 while transfers are accepted and can be receipted, else 503, why not;
                           and warnings, such as a revocation list that has expired
    GET  /metrics          Prometheus' text format
    GET  /status           JSON                             admin only
    POST /reload           200, or 409 and the last good stays   admin only
    GET  /log/checkpoint   the receipt log (C2SP tlog-tiles)     admin only
    GET  /log/checkpoint.witnessed
    GET  /log/tile/…

`admin` is bound to loopback or a unix socket and serves all of them; `metrics` may be bound
anywhere and serves the first three.
"""

import re
from pathlib import Path
from typing import Any, Final, Protocol

import orjson
import trio

from proxy.edge.binding import bind
from proxy.edge.inbound import Inbound
from proxy.edge.listener import Listener
from proxy.edge.mistaken import UnexpectedTls, turn_away
from proxy.edge.stream import Disconnected, Stream
from proxy.errors import Refusal
from proxy.model import Peer, Trouble
from proxy.observe.log import Log
from proxy.observe.metrics import CONTENT_TYPE, Metrics
from proxy.receipt.quorum import CHECKPOINT, WITNESSED
from proxy.settings.schema import ListenerLimits
from proxy.wire.events import EndOfMessage

_LIMITS = ListenerLimits(connections=64, head=8192).model_copy(
    update={"idle_timeout": 15.0, "head_timeout": 5.0}
)
_BODY_TIMEOUT = 5.0
_LOG: Final = "/log/"
_TILE: Final = re.compile(
    r"tile/(?:entries|[0-9]{1,2})/(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/[0-9]{1,3})?", re.ASCII
)
_CHECKPOINTS: Final = (CHECKPOINT, WITNESSED)

Fields = list[tuple[bytes, bytes]]
Reply = tuple[int, Fields, bytes]


class Operator(Protocol):
    """Whoever runs the program, in one process or in many."""

    metrics: Metrics
    log: Log

    @property
    def store(self) -> Path:
        """Folder of the receipt log."""

    async def trouble(self) -> Trouble | None:
        """Why transfers are not accepted, or cannot be receipted; None while they are."""

    def warnings(self) -> list[tuple[str, str]]:
        """(code, what it is about) of what needs looking after, and stops no transfer by itself."""

    async def exposition(self) -> bytes:
        """All metrics, in Prometheus' text format."""

    async def status(self) -> dict[str, Any]:
        """What an operator asks first, as JSON can say it."""

    async def reload(self) -> bool:
        """Swap in what the file says now; False when it was refused and the last good stays."""


def open_door(operator: Operator, name: str, address: str, directory: Path) -> Listener:
    """Bind `admin` or `metrics`. Raises ConfigError when the address cannot be had."""
    sock = bind(address, directory)
    return Listener(name, sock, _LIMITS, lambda: None, metrics=operator.metrics, log=operator.log)


async def serve_door(operator: Operator, door: Listener) -> None:
    """Serve what the door of this name may show, until cancelled."""

    async def serve(stream: Stream, peer: Peer) -> None:
        await _serve(operator, door.name == "admin", stream)

    async with trio.open_nursery() as connections:
        await door.run(connections, serve)


async def _serve(operator: Operator, everything: bool, stream: Stream) -> None:
    client = Inbound(stream, _LIMITS)
    try:
        while await client.wait():
            try:
                head = await client.head()
                while not isinstance(await client.body(_BODY_TIMEOUT), EndOfMessage):
                    pass
                reply = await _reply(operator, everything, head.method, head.path)
            except Refusal as refusal:
                client.require_close()
                reply = _text(refusal.status, refusal.title)
            status, fields, body = reply
            await client.send_whole(status, fields, body)
            if not client.next_cycle():
                break
        await stream.close()
    except UnexpectedTls:
        await turn_away(stream)
    except Disconnected:
        stream.abort()


async def _reply(operator: Operator, everything: bool, method: str, path: str) -> Reply:
    get = method in ("GET", "HEAD")
    match path:
        case "/healthz" if get:
            return _text(200, "alive")
        case "/readyz" if get:
            warnings = operator.warnings()
            return _readiness(await operator.trouble(), warnings, everything=everything)
        case "/metrics" if get:
            return 200, [(b"content-type", CONTENT_TYPE)], await operator.exposition()
        case "/status" if get and everything:
            return _json(await operator.status())
        case "/reload" if method == "POST" and everything:
            swapped = await operator.reload()
            return _text(200, "reloaded") if swapped else _text(409, "refused: see the log")
        case _ if get and everything and path.startswith(_LOG):
            return _log_file(operator.store, path.removeprefix(_LOG))
    return _text(404, "no such page")


def _readiness(
    trouble: Trouble | None, warnings: list[tuple[str, str]], *, everything: bool
) -> Reply:
    """Codes alone, but on the admin's door: this page may be anybody's to read."""
    shown = [f"{code}: {what}" if everything else code for code, what in warnings]
    lines = [f"\nwarning: {each}" for each in dict.fromkeys(shown)]
    first = "ready" if trouble is None else f"not ready: {trouble.code}"
    return _text(200 if trouble is None else 503, first + "".join(lines))


def _log_file(store: Path, name: str) -> Reply:
    """A file of the log as C2SP tlog-tiles serves it. Nothing else in the folder can be named."""
    checkpoint = name in _CHECKPOINTS
    if not checkpoint and _TILE.fullmatch(name) is None:
        return _text(404, "no such page")
    try:
        data = (store / name).read_bytes()
    except FileNotFoundError:
        return _text(404, "not there, or not there any more")
    except OSError:
        return _text(503, "cannot be read")
    kind = b"text/plain; charset=utf-8" if checkpoint else b"application/octet-stream"
    cache = b"no-cache" if checkpoint else b"max-age=31536000, immutable"
    return 200, [(b"content-type", kind), (b"cache-control", cache)], data


def _json(value: object) -> Reply:
    body = orjson.dumps(value, option=orjson.OPT_UTC_Z) + b"\n"
    return 200, [(b"content-type", b"application/json")], body


def _text(status: int, text: str) -> Reply:
    return status, [(b"content-type", b"text/plain; charset=utf-8")], text.encode() + b"\n"
