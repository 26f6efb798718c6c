"""Live connections, judged again: at each reload, and by the clock.

    with keeper.live.sender(listener, peer, stream) as link:      # a connection of a listener
        link.begin(transfer)                                      # what refusal ends, if it comes
    with keeper.live.receiver(pool, connection, transfer):        # one to an upstream, in use

A handshake says that a peer is acceptable, and until when (`Standing.until`). A reload may change
that by trust, lists, pins or grants; the clock does by validity and by lists that expire. Whoever
is not acceptable any more is let go:

1. What is under way is refused with the reason, which gives it its verdict, resets an upstream
   that has part of it, and tells a sender that can still be told. What is idle ends at once.
2. At `_PATIENCE` of `revocation.enforce_within` the connection is reset, whatever it is at.

While there is any connection there is a look each second, which costs one comparison for each; a
path is judged when its time has come.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import trio

from proxy.edge.dial import Reached
from proxy.edge.outbound import Outbound, Pool
from proxy.edge.stream import Stream
from proxy.errors import Refusal, TlsFailure
from proxy.model import FOREVER, Peer
from proxy.model.beat import next_beat
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.policy.entries import Facts
from proxy.settings.schema import Route

if TYPE_CHECKING:
    from proxy.edge.attempt import Attempt
    from proxy.edge.gate import Gate, Lane

_EVERY: Final = 1.0
"""Seconds between two looks: clocks are set."""
_AT_ONCE: Final = 16
"""Paths that are judged before others have their turn: under a new trust it takes a while."""
_PATIENCE: Final = 0.8
_CODES: Final = {"revoked": "certificate-revoked", "expired": "certificate-expired"}


@dataclass(slots=True, eq=False)
class Link:
    """One connection and what it carries."""

    side: str
    """`listener` or `upstream`, and the name of it:"""
    name: str
    peer: Peer
    stream: Stream
    attempt: "Attempt | None" = None
    idle: Callable[[], None] = lambda: None
    """Ends the connection where nothing is under way."""
    until: datetime = FOREVER
    """How long its peer is acceptable."""
    refusal: Refusal | None = None
    reason: str = ""
    since: datetime = FOREVER
    """When its peer ceased to be acceptable."""
    reset: bool = False
    """Nothing more can be done about it."""

    @property
    def due(self) -> datetime:
        """From then on it has to be judged again."""
        if self.side == "upstream" or self.attempt is None:
            return self.until
        return min(self.until, self.attempt.granted_until)

    def begin(self, attempt: "Attempt") -> None:
        """From now on this is what a refusal ends. Raises the refusal that has come before."""
        self.attempt = attempt
        if self.refusal is not None:
            raise self.refusal


class Live:
    """Every connection of this process whose peer may be let go."""

    def __init__(self, gate: Callable[[], "Gate"], metrics: Metrics, log: Log) -> None:
        self._gate, self._metrics, self._log = gate, metrics, log
        self._links: set[Link] = set()
        self._changed, self._resting = trio.Event(), False

    async def run(self) -> None:
        """Look at the clock until cancelled."""
        while True:
            now = datetime.now(UTC)
            self.look(now)
            soon = min((self._next(link) for link in self._links), default=FOREVER)
            clock = trio.current_time()
            due = clock + max(0.01, (soon - now).total_seconds())
            self._resting = not (self._links or self._gate().idle)
            with trio.move_on_at(due if self._resting else min(next_beat(clock, _EVERY), due)):
                await self._changed.wait()
                self._changed = trio.Event()

    def look(self, now: datetime) -> None:
        """Judge those whose time has come, and reset those who were given time enough."""
        gate = self._gate()
        for link in list(self._links):
            if link.refusal is not None:
                if now >= self._next(link):
                    link.stream.abort()
                    link.reset = True
            elif now > link.due:
                self._judge(link, gate, now)
        for pool in gate.pools.values():
            pool.expire(now)

    async def rejudge(self, old: "Gate", new: "Gate") -> None:
        """Everybody, since another configuration is in force; the others go on meanwhile."""
        now = datetime.now(UTC)
        for number, link in enumerate(list(self._links)):
            if link.refusal is None and link in self._links:
                self._judge(link, new, now, old)
            if number % _AT_ONCE == _AT_ONCE - 1:
                await trio.lowlevel.checkpoint()

    def sender(
        self, listener: str, peer: Peer, stream: Stream, idle: Callable[[], None] = lambda: None
    ) -> "Watched":
        """A connection of a listener, as long as it lives."""
        return Watched(self, Link("listener", listener, peer, stream, idle=idle), judged=False)

    def receiver(self, pool: Pool, one: Reached | Outbound, attempt: "Attempt") -> "Watched":
        """A connection to an upstream, as long as `attempt` has it. Entering it raises Refusal."""
        link = Link("upstream", pool.name, one.peer, one.stream, attempt, until=one.until)
        return Watched(self, link, judged=self._gate().pools.get(pool.name) is pool)

    def begin(self, link: Link, *, judged: bool) -> None:
        """A reload may have come since its handshake; unless it was `judged` since, it is now.

        Raises the refusal of an upstream; a sender gets to know it with an answer.
        """
        self._links.add(link)
        if self._resting:
            self._changed.set()
        if not judged:
            self._judge(link, self._gate(), datetime.now(UTC))
        if link.refusal is not None and link.side == "upstream":
            raise link.refusal

    def end(self, link: Link) -> None:
        """Nothing is to be done about it any more."""
        self._links.discard(link)
        if link.refusal is not None:
            taken = (datetime.now(UTC) - link.since).total_seconds()
            self._metrics.let_go(link.side, link.reason, max(0.0, taken))

    def _next(self, link: Link) -> datetime:
        """When there is something to do about a connection."""
        if link.refusal is None:
            return link.due
        if link.reset:
            return FOREVER
        within = self._gate().loaded.settings.revocation.enforce_within
        return link.since + timedelta(seconds=within * _PATIENCE)

    def _judge(self, link: Link, gate: "Gate", now: datetime, old: "Gate | None" = None) -> None:
        since = min(now, link.due)
        try:
            _require_acceptable(link, gate, now)
            _require_granted(link, gate, now, old)
        except TlsFailure as failure:
            code = _CODES.get(failure.reason, "certificate-withdrawn")
            if link.side == "upstream":
                code = "upstream-withdrawn"
            self._let_go(link, Refusal(code, str(failure)), failure.reason, since)
        except Refusal as refusal:
            self._let_go(link, refusal, "grant", since)

    def _let_go(self, link: Link, refusal: Refusal, reason: str, since: datetime) -> None:
        link.refusal, link.reason, link.since = refusal, reason, since
        self._changed.set()
        certificate = link.peer.certificate
        self._log.warning(
            "peer_let_go",
            side=link.side,
            name=link.name,
            peer=link.peer.name,
            address=link.peer.address,
            serial=f"{certificate.serial:x}" if certificate is not None else None,
            reason=reason,
            detail=refusal.reason,
        )
        if link.attempt is not None:
            link.attempt.refuse(refusal)
        link.idle()


class Watched:
    """One connection among the live ones, for a `with`: every transfer has one of these, and a
    generator costs several times as much."""

    __slots__ = ("_judged", "_link", "_live")

    def __init__(self, live: Live, link: Link, *, judged: bool) -> None:
        self._live, self._link, self._judged = live, link, judged

    def __enter__(self) -> Link:
        try:
            self._live.begin(self._link, judged=self._judged)
        except BaseException:
            self._live.end(self._link)
            raise
        return self._link

    def __exit__(self, *_: object) -> None:
        self._live.end(self._link)


def _require_acceptable(link: Link, gate: "Gate", now: datetime) -> None:
    """Raises TlsFailure. A listener or an upstream that is no more is a matter of grants,
    until what was found of its peer has lapsed."""
    certificate = link.peer.certificate
    if certificate is None:
        return
    if link.side == "upstream":
        require = gate.receivers.get(_upstream_now(link, gate))
    else:
        context = gate.tls.get(link.name)
        require = context.judge.require if context is not None else None
    if require is not None:
        link.until = require(certificate, now).until
    elif now > link.until:
        raise TlsFailure("untrusted", "nothing is configured any more that could accept it again")


def _upstream_now(link: Link, gate: "Gate") -> str:
    """By name; one that is called otherwise now, or is no more, is what its route leads to."""
    if link.name in gate.pools or link.attempt is None:
        return link.name
    try:
        return link.attempt.route_in(gate).upstream
    except Refusal:
        return link.name  # of what no route takes any more the sender is let go


def _require_granted(link: Link, gate: "Gate", now: datetime, old: "Gate | None") -> None:
    """What is under way is granted still; and who was granted anything is granted something.

    Raises Refusal.
    """
    attempt = link.attempt
    if link.side == "upstream":
        return
    if attempt is not None and attempt.lane is not None:
        attempt.ask(gate.lanes[_route_now(attempt, gate).name], now)
    elif old is not None and _is_granted(link, old, now) and not _is_granted(link, gate, now):
        raise Refusal("not-allowed", f"no route of listener {link.name} admits the peer any more")


def _route_now(attempt: "Attempt", gate: "Gate") -> Route:
    """By what it asked for, not by name: a route that was given another name grants what it did."""
    try:
        return attempt.route_in(gate)
    except Refusal as refusal:
        raise Refusal("not-allowed", refusal.reason) from None


def _is_granted(link: Link, gate: "Gate", now: datetime) -> bool:
    lanes = [lane for lane in gate.lanes.values() if lane.route.listener == link.name]
    return any(_admits(lane, link.peer, now) for lane in lanes)


def _admits(lane: "Lane", peer: Peer, now: datetime) -> bool:
    try:
        lane.judge(Facts(peer, now), now)
    except Refusal:
        return False
    return True
