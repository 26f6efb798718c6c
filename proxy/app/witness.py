"""A small witness: one endpoint over plain HTTP, so that two sites can watch each other's logs.

    POST /add-checkpoint   200 cosignature lines · 400 403 404 409 422, see receipt/witnessing.py
                           413 larger than an offer can be · 503 it cannot be remembered

Checkpoints are public and sign themselves, so nothing here needs TLS to be trusted; whoever wants
it between sites puts a gateway in front. One offer is judged at a time, in the order of arrival.
"""

import signal
from collections.abc import Callable
from pathlib import Path

import trio

from proxy.edge.binding import bind
from proxy.edge.inbound import Inbound
from proxy.edge.listener import Listener
from proxy.edge.stream import Disconnected, Stream
from proxy.errors import Refusal
from proxy.model import Peer
from proxy.notary.watched import Watched
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.receipt.witnessing import MAX_OFFER, PATH, SIZE_TYPE, Declined
from proxy.settings.schema import ListenerLimits
from proxy.wire.events import Data

_LIMITS = ListenerLimits(connections=64, head=8192).model_copy(
    update={"idle_timeout": 30.0, "head_timeout": 5.0}
)
_BODY_TIMEOUT = 5.0
_OFFER_TIMEOUT = 15.0
_LINGER = 2.0
_TEXT = "text/plain; charset=utf-8"

Reply = tuple[int, str, bytes]


class WitnessServer:
    """Serves what `watched` remembers at one address."""

    def __init__(self, watched: Watched, address: str, log: Log) -> None:
        """Binds. Raises ConfigError when the address cannot be had."""
        self._watched = watched
        self._log = log
        self._one = trio.Lock()
        sock = bind(address, Path())
        self._door = Listener("witness", sock, _LIMITS, lambda: None, metrics=Metrics(), log=log)

    @property
    def address(self) -> str:
        """What it is bound to, as HOST:PORT."""
        return self._door.address

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as connections:
            task_status.started()
            await self._door.run(connections, self._serve)

    async def _serve(self, stream: Stream, peer: Peer) -> None:
        client = Inbound(stream, _LIMITS)
        try:
            while await client.wait():
                status, kind, body = await self._answer(client)
                await client.send_whole(status, [(b"content-type", kind.encode())], body)
                if not client.next_cycle():
                    await stream.linger(_LINGER)
                    break
            await stream.close()
        except Disconnected:
            stream.abort()

    async def _answer(self, client: Inbound) -> Reply:
        try:
            head = await client.head()
            with trio.fail_after(_OFFER_TIMEOUT):
                offer = await _content(client)
            return await self._reply(head.method, head.path, offer)
        except trio.TooSlowError:
            client.require_close()
            return 408, _TEXT, b"the offer did not arrive in time\n"
        except Refusal as refusal:
            client.require_close()
            return refusal.status, _TEXT, refusal.title.encode() + b"\n"

    async def _reply(self, method: str, path: str, offer: bytes) -> Reply:
        if path != PATH:
            return 404, _TEXT, b"no such page\n"
        if method != "POST":
            return 405, _TEXT, b"offers are posted\n"
        try:
            async with self._one:
                return 200, _TEXT, await trio.to_thread.run_sync(self._watched.add, offer)
        except Declined as declined:
            self._log.warning("declined", status=declined.status, reason=str(declined))
            if declined.size is not None:
                return declined.status, SIZE_TYPE, b"%d\n" % declined.size
            return declined.status, _TEXT, f"{declined}\n".encode()
        except OSError as error:
            self._log.error("not_remembered", reason=error.strerror)
            return 503, _TEXT, b"what is cosigned cannot be remembered\n"


async def _content(client: Inbound) -> bytes:
    """The whole body. Raises Refusal: content-too-large and what `Inbound.body` raises."""
    parts: list[bytes] = []
    size = 0
    while isinstance(event := await client.body(_BODY_TIMEOUT), Data):
        size += len(event.data)
        if size > MAX_OFFER:
            raise Refusal("content-too-large", "larger than an offer can be")
        parts.append(event.data)
    return b"".join(parts)


async def serve(server: WitnessServer, ready: Callable[[], None]) -> None:
    """Run until SIGTERM or SIGINT. `ready` is called once offers are taken."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            ready()
            async for _ in signals:
                nursery.cancel_scope.cancel()
                return
