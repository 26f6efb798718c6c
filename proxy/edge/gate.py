"""What a transfer is judged by: one configuration, compiled, and what outlives it.

A `Gate` is frozen. A reload builds another and swaps it in; a transfer keeps the one with which it
began, so that its receipt names the policy that judged it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from proxy.content.rules import Rules
from proxy.edge.budget import Budget
from proxy.edge.hygiene import Hygiene
from proxy.edge.inbound import Inbound
from proxy.edge.live import Live
from proxy.edge.outbound import Pool
from proxy.edge.presented import Presented
from proxy.edge.rates import Table
from proxy.edge.signing import Signing
from proxy.edge.spill import Room
from proxy.errors import TlsFailure
from proxy.model import (
    Certificate,
    Claim,
    Earlier,
    Intent,
    ListInForce,
    Outcome,
    Peer,
    Receipt,
    Trouble,
    named_trouble,
)
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.policy.authorize import Granted
from proxy.policy.clearance import Scale
from proxy.policy.entries import Facts
from proxy.policy.routes import Routes
from proxy.settings.load import Loaded
from proxy.settings.schema import Route
from proxy.tls.context import TlsContext
from proxy.tls.standing import Standing

if TYPE_CHECKING:
    from proxy.edge.tunnel import Tunnel


@dataclass(frozen=True, slots=True)
class Lane:
    """A route with all that it needs, compiled."""

    route: Route
    judge: Callable[[Facts, datetime], Granted]
    """What the entries and the route's own trust say now, and until when. Raises Refusal."""
    request: Rules
    answer: Rules
    pool: Pool
    signing: Signing | None
    """What its requests must be signed with; None where they need not be."""
    sender_zone: str
    receiver_zone: str
    answers_unseen: bool
    """Answers are opaque, all of them: no stop looks into one."""
    answers_hide: bool
    """A part of an answer's content may be kept from the sender."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One configuration in force."""

    loaded: Loaded
    routes: Routes
    lanes: Mapping[str, Lane]
    scale: Scale
    pools: Mapping[str, Pool]
    tls: Mapping[str, TlsContext | None]
    """Listener -> what it shakes hands with; None for `tls: {mode: none}`."""
    trusted: bytes
    """SHA-256 of whom the listeners trust, and how: when it changes, peers shake hands again."""
    own_uri: str | None
    """Our own SPIFFE ID: By in X-Forwarded-Client-Cert."""
    certificates: tuple[tuple[str, Certificate], ...]
    """(role, certificate) of all that expires."""
    receivers: Mapping[str, Callable[[Certificate, datetime], Standing]]
    """Upstream -> whether its certificate is acceptable, and until when; raises `TlsFailure`."""
    lists: tuple[tuple[ListInForce, ...], ...]
    """Every revocation list, those together that replace each other, the oldest first."""
    careless: tuple[tuple[str, str], ...]
    """(kind, what) of all that `hygiene` reports of our own certificate."""

    @property
    def idle(self) -> bool:
        """Whether a connection to an upstream is kept for whoever comes next."""
        return any(pool.idle for pool in self.pools.values())


class Evidence(Protocol):
    """What transfers ask of the log and its table of ids: `proxy.notary.Desk`."""

    @property
    def trouble(self) -> Trouble | None:
        """Why no intents are taken; None while they are."""

    @property
    def attempt_id(self) -> Callable[[], bytes]:
        """Makes the id of the next attempt: 16 octets, never the same twice."""

    async def reserve(self, claim: Claim, attempt_id: bytes) -> Earlier | None:
        """None: the id is held until this attempt is concluded. Else who has delivered it.

        Raises Refusal: in-flight, undecided, overloaded; LogFailure.
        """

    async def matches(self, claim: Claim, content_sha256: bytes) -> bool:
        """True when this is what was delivered under the id. False where that is not known."""

    async def intend(self, intent: Intent) -> None:
        """Return when `intent` is journalled. Raises LogFailure."""

    async def conclude(self, outcome: Outcome) -> Receipt:
        """Return when the attempt's statement is durable. Raises LogFailure, in bounded time."""

    async def latest(self, sender: str, route: str, transfer_id: str) -> bytes | None:
        """The latest envelope about a transfer; None where it is not remembered."""

    async def entry(self, index: int) -> bytes | None:
        """The exact octets of a durable leaf; None where there is none. Raises LogFailure."""

    def shed(self, counts: Mapping[str, int]) -> None:
        """So many were turned away before they were a transfer, by `<listener>:<reason>`."""


@dataclass(slots=True)
class Keeper:
    """What outlives a configuration: the evidence, the budget, the instruments."""

    gate: Gate
    notary: Evidence
    budget: Budget
    metrics: Metrics
    log: Log
    rates: Table = field(default_factory=Table.alone)
    """What peers have taken of their rates and volumes, with all other workers."""
    clients: set[Inbound] = field(default_factory=set)
    tunnels: "set[Tunnel]" = field(default_factory=set)
    """Those that live. Any of them may be told to end, with the reason: `Tunnel.refuse`."""
    presented: Presented = field(init=False)
    hygiene: Hygiene = field(init=False)
    room: Room | None = None
    """On the disk, for what has to be held whole; None where there is none."""
    loaded_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    draining: bool = False
    live: Live = field(init=False)
    """Who is let go when they are acceptable no more."""

    def __post_init__(self) -> None:
        self.live = Live(lambda: self.gate, self.metrics, self.log)
        self.presented = Presented(self.metrics)
        self.hygiene = Hygiene(lambda: self.gate.loaded.settings, self.metrics, self.log)

    @property
    def ready(self) -> bool:
        """True while transfers are accepted and can be receipted."""
        return self.trouble is None

    def refused_at_the_door(self, listener: str, peer: Peer, failure: TlsFailure) -> None:
        """Count and log somebody who was admitted without TLS, and then spoke it."""
        self.metrics.handshake("listener", listener, failure.reason)
        self.notary.shed({f"{listener}:{failure.reason}": 1})
        self.log.refused_handshake(failure, listener=listener, address=peer.address)

    @property
    def connections(self) -> int:
        """How many there are on listeners."""
        return len(self.clients) + len(self.tunnels)

    @property
    def trouble(self) -> Trouble | None:
        """Why they are not; None while they are."""
        if self.draining:
            return named_trouble("draining")
        return self.notary.trouble
