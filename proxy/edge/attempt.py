"""What transfers and tunnels have in common: one attempt by one sender, filled in stop by stop."""

import time
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

import trio

from proxy.edge.gate import Gate, Lane
from proxy.edge.purse import Purse
from proxy.edge.rates import Table
from proxy.errors import Refusal
from proxy.model import FOREVER, Certificate, Claim, Intent, Peer
from proxy.observe.metrics import Metrics
from proxy.policy.authorize import Granted
from proxy.policy.entries import Facts
from proxy.settings.schema import Route


@dataclass(slots=True, eq=False)
class Attempt(ABC):
    """Until its one verdict it may be ended from outside: `refuse`."""

    listener: str
    peer: Peer
    gate: Gate
    """The configuration in force when its head was whole: it is judged by that to its end."""
    attempt_id: bytes
    received_at: datetime = field(default_factory=partial(datetime.now, UTC))
    started: float = field(default_factory=time.monotonic)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    """What a refusal cancels."""

    known_lane: Lane = field(init=False)
    """Its route, for stops that come after it was found: to ask before is a defect."""
    known_granted: Granted = field(init=False)
    """By which entries of the route it may go on, for stops that come after that."""
    purse: Purse | None = None
    """What pays for it, from when it is granted."""
    admitted_at: datetime = FOREVER
    would: set[str] = field(default_factory=set)
    """Entries of the route that are in shadow and would have decided otherwise, by name."""
    receiver: Certificate | None = None
    refusal: Refusal | None = None
    """Why it was ended before its end; None when it was not."""
    concluded: bool = False
    _id: str = ""
    """That of the transfer, once it is known."""

    @abstractmethod
    def route_in(self, gate: Gate) -> Route:
        """The route that would take it by that configuration. Raises Refusal `no-route`."""

    @abstractmethod
    def facts(self, now: datetime) -> Facts:
        """What its grant is judged by, when it has just been routed."""

    @property
    @abstractmethod
    def over(self) -> bool:
        """Nothing can change its verdict any more."""

    def refuse(self, refusal: Refusal) -> None:
        """End it now, with its verdict. May be called from any task, at any time: the first reason
        stands, and what is over is so."""
        if self.refusal is None and not self.over:
            self.refusal = refusal
            self.scope.cancel()

    @property
    def lane(self) -> Lane | None:
        """Its route, where one was found."""
        return getattr(self, "known_lane", None)

    @property
    def granted(self) -> Granted | None:
        """What was granted, where anything was."""
        return getattr(self, "known_granted", None)

    @property
    def rule(self) -> str | None:
        """The entry of the route that admits the sender."""
        granted = self.granted
        return granted.allow[0].name if granted is not None else None

    @property
    def granted_until(self) -> datetime:
        """From then on the route has to be asked again."""
        granted = self.granted
        return granted.until if granted is not None else FOREVER

    def ask(self, lane: Lane, now: datetime) -> None:
        """Have the entries of a route judge it, for the first time or again.

        Where the route lets finish what has begun, the clock stands at the time when that was
        admitted. Raises Refusal.
        """
        granted = self.granted
        if granted is None:
            facts, self.admitted_at = self.facts(now), now
            facts.would = self.would
        else:
            clock = self.admitted_at if lane.route.on_expiry == "finish" else now
            facts = replace(granted.facts, now=clock)
        self.known_granted = lane.judge(facts, now)

    def enter(self, rates: Table, metrics: Metrics, announced: int = 0) -> None:
        """Pay for being admitted, now that the route has granted it; so many octets are to come.

        Raises Refusal: rate-limited, overloaded.
        """
        granted = self.known_granted
        route = self.known_lane.route
        self.purse = Purse(rates, metrics, self.peer.name, route, announced)
        if purse := self._metering(granted):
            purse.enter(granted)

    def announced(self, size: int) -> None:
        """So many octets of content are to come. Raises Refusal as `Purse.announce`."""
        granted = self.known_granted
        if purse := self._metering(granted):
            purse.announce(granted, size)

    def come(self, size: int) -> None:
        """So many octets of content have come so far. Raises Refusal: not-allowed, rate-limited,
        overloaded."""
        granted = self.known_granted
        granted.learn(size=size)
        if purse := self._metering(granted):
            purse.come(granted, size)

    def answered_with(self, size: int) -> None:
        """So many octets of the answer have come so far. Raises Refusal `overloaded`."""
        granted = self.known_granted
        if purse := self._metering(granted):
            purse.answered(granted, size)

    def _metering(self, granted: Granted) -> Purse | None:
        """Who pays, where the route or an entry gives a peer no more than so much."""
        purse = self.purse
        return purse if purse is not None and (purse.metered or granted.metered) else None

    @property
    def held(self) -> Claim | None:
        """The id that this attempt alone may use; None when it holds none."""
        return None

    def intent(self) -> Intent:
        """What must be on record before the first octet is forwarded."""
        return Intent(
            attempt_id=self.attempt_id,
            transfer_id=self.id,
            sender=self.peer.name,
            route=self.known_lane.route.name,
            started=self.received_at,
            claim=self.held,
        )

    @property
    def id(self) -> str:
        """Of the transfer: the sender's, or one of our own where it names none."""
        if not self._id:
            self._id = str(uuid.uuid4())
        return self._id

    def be_called(self, transfer_id: str | None) -> None:
        """Take what the sender calls it, if anything."""
        self._id = transfer_id or self._id
