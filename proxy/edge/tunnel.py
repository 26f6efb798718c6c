"""A tunnel: one connection's octets to an upstream and back, unseen; how it stands, how it ended.

    sender ── request ──▶ upstream        Each way has an end of its own: close_notify over TLS,
    sender ◀── answer ── upstream         else the end of the stream (shutdown). It is passed on.

Rules
- Each way reads a piece, digests it, sends it, and only then reads on: back-pressure is the
  sockets', and a tunnel whose reader never reads holds one piece each way (`PIECE`), what TLS
  makes of it, and what had come with it.
- Anything that is not such an end breaks the tunnel: a reset, TLS without close_notify, a limit,
  the drain's deadline, `refuse`. Both sides are reset then, so that neither can take what it has
  for complete. (A unix socket knows no reset: its peer, a process beside us, sees an end.)
- Whatever breaks it calls `refuse`; the first reason stands.
- The end of the answer is the last that goes to the sender when it has ended its own way: then it
  waits for the durable receipt (`tunnelling.py`).
- A digest is of what was handed over whole. While a piece is on its way nobody knows how much of it
  has gone, so a way that is broken then has a size and no digest.
"""

import hashlib
import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import trio

from proxy.edge.attempt import Attempt
from proxy.edge.gate import Gate
from proxy.edge.stream import Disconnected, Stream
from proxy.errors import Refusal, UpstreamFailure
from proxy.model import Content, Digest, Outcome, Report, Verdict
from proxy.policy.entries import Facts
from proxy.settings.schema import ContentPolicy, Route

PIECE: Final = 256 * 1024
"""Octets that are handed over at once: half of it costs a twentieth more."""
METHOD: Final = "tunnel"
"""What a receipt says in the place of a request's method. Those of HTTP are in capitals."""
_INCOMPLETE: Final = {
    "request-incomplete", "cut-off", "overloaded", "tunnel-idle", "tunnel-lifetime"
}  # fmt: skip
"""Ends that are nobody's decision about this sender."""
_UNSEEN: Final = Report("opaque")


@dataclass(slots=True)
class Way:
    """One direction, and what the receipt says of it."""

    label: str | None = None
    open: bool = False
    """Octets may cross. A way that the route does not open ends the tunnel at its first octet."""
    size: int = 0
    """Octets that were received, and handed over or refused."""
    moving: bool = False
    """A piece was received and is not handed over whole."""
    ended: bool = False
    """Its source has ended it cleanly."""
    passed: bool = False
    """And that end has been passed on."""
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @classmethod
    def under(cls, policy: ContentPolicy, label: str | None) -> "Way":
        return cls(label, open="opaque" in policy.content)

    def content(self) -> Content:
        if not self.open or not (self.size or self.ended):
            return Content(Digest(self.size), None, None, self.label)
        digest = Digest(self.size, None if self.moving else self.digest.digest())
        return Content(digest, digest, _UNSEEN, self.label)


@dataclass(slots=True, eq=False, kw_only=True)
class Tunnel(Attempt):
    """One attempt, of the one transfer that a tunnel is. `outcome` freezes it for the receipt.

    Whatever refuses it has both sides reset.
    """

    near: Stream
    """The sender's side."""
    far: Stream | None = None
    request: Way = field(default_factory=Way)
    answer: Way = field(default_factory=Way)
    moved_at: float = 0.0
    """When an octet was last handed over, either way, by trio's clock."""
    dies_at: float = math.inf
    """When its lifetime is over, by trio's clock."""

    def route_in(self, gate: Gate) -> Route:
        channel = self.peer.channel
        return gate.routes.find_tunnel(self.listener, channel.server_name if channel else None)

    def facts(self, now: datetime) -> Facts:
        return Facts(self.peer, now)

    @property
    def over(self) -> bool:
        return self.whole

    @property
    def whole(self) -> bool:
        """Both ways have ended cleanly, the upstream has the end of the request, and nothing had
        broken it before."""
        return self.refusal is None and self.request.passed and self.answer.ended

    def abort(self) -> None:
        """Reset both sides."""
        self.near.abort()
        if self.far is not None:
            self.far.abort()

    def verdict(self) -> Verdict:
        """How it ended (docs/tunnels.md)."""
        if self.whole:
            return Verdict.DELIVERED
        if self.request.passed:
            return Verdict.INDETERMINATE
        refusal = self.refusal
        if refusal is None or isinstance(refusal, UpstreamFailure) or refusal.code in _INCOMPLETE:
            return Verdict.FAILED
        return Verdict.REJECTED

    def outcome(self) -> Outcome:
        """Freeze what is known."""
        route = self.lane.route if self.lane else None
        return Outcome(
            attempt_id=self.attempt_id,
            transfer_id=self.id,
            verdict=self.verdict(),
            status=None,
            problem=self.refusal.code if self.refusal else None,
            listener=self.listener,
            route=route.name if route else None,
            upstream=route.upstream if route else None,
            method=METHOD,
            target_hmac=None,
            content_length=None,
            request=self.request.content().noting(self.would),
            answer_status=None,
            answer=self.answer.content() if self.far is not None else None,
            sender=self.peer,
            receiver=self.receiver,
            policy_sha256=self.gate.loaded.sha256,
            rule=self.rule,
            received_at=self.received_at,
        )


# --- the octets ----------------------------------------------------------------------------------


async def move(tunnel: Tunnel, far: Stream) -> None:
    """Both ways, until both have ended; within `tunnel.scope`, by which all else ends it."""
    limits = tunnel.known_lane.route.limits
    tunnel.moved_at = trio.current_time()
    tunnel.dies_at = tunnel.moved_at + limits.lifetime
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch, tunnel, limits.idle_timeout, limits.lifetime)
        async with trio.open_nursery() as ways:
            ways.start_soon(_forward, tunnel, far)
            ways.start_soon(_back, tunnel, far)
        nursery.cancel_scope.cancel()


async def _forward(tunnel: Tunnel, far: Stream) -> None:
    way = tunnel.request
    if not await _move(tunnel, way, tunnel.near, far):
        return
    try:
        await far.end()
        way.passed = True
    except Disconnected as error:
        tunnel.refuse(_broken(tunnel, far, error))


async def _back(tunnel: Tunnel, far: Stream) -> None:
    way = tunnel.answer
    if not await _move(tunnel, way, far, tunnel.near) or tunnel.request.ended:
        return  # broken; or the last that the sender gets, which waits for the receipt
    try:
        await tunnel.near.end()
        way.passed = True
    except Disconnected as error:
        tunnel.refuse(_broken(tunnel, tunnel.near, error))


async def _move(tunnel: Tunnel, way: Way, source: Stream, sink: Stream) -> bool:
    """True when the source has ended cleanly, and all that it sent is handed over."""
    while True:
        try:
            piece = await source.receive(PIECE)
        except Disconnected as error:
            tunnel.refuse(_broken(tunnel, source, error))
            return False
        if not piece:
            way.ended = True
            return True
        way.size += len(piece)
        if not way.open:
            tunnel.refuse(_unwanted(tunnel, way))
            return False
        way.digest.update(piece)
        way.moving = True
        try:
            tunnel.come(tunnel.request.size + tunnel.answer.size)
        except Refusal as refusal:
            tunnel.refuse(refusal)
            return False
        try:
            await sink.send((piece,))
        except Disconnected as error:
            tunnel.refuse(_broken(tunnel, sink, error))
            return False
        way.moving = False
        tunnel.moved_at = trio.current_time()


def _broken(tunnel: Tunnel, side: Stream, error: Disconnected) -> Refusal:
    if side is not tunnel.near:
        return UpstreamFailure("upstream-closed", f"without an end: {error}")
    code = "cut-off" if tunnel.request.ended else "request-incomplete"
    return Refusal(code, f"the sender left without an end: {error}")


def _unwanted(tunnel: Tunnel, way: Way) -> Refusal:
    if way is tunnel.request:
        return Refusal("content-not-allowed", "the route lets nothing cross to the upstream")
    return Refusal("answer-refused", "the route lets nothing cross back to the sender")


async def _watch(tunnel: Tunnel, idle: float, lifetime: float) -> None:
    end = tunnel.dies_at
    while True:
        now, quiet_since = trio.current_time(), tunnel.moved_at
        if now >= end:
            tunnel.refuse(Refusal("tunnel-lifetime", f"it has lived for {lifetime:g} s"))
            return
        if now - quiet_since >= idle:
            tunnel.refuse(Refusal("tunnel-idle", f"nothing moved for {idle:g} s"))
            return
        await trio.sleep_until(min(end, quiet_since + idle))
