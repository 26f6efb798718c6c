"""What a transfer is judged by: one configuration, compiled, and what outlives it.

A `Gate` is frozen. A reload builds another and swaps it in; a transfer keeps the one with which it
began, so that its receipt names the policy that judged it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from proxy.content.rules import Rules
from proxy.edge.budget import Budget
from proxy.edge.inbound import Inbound
from proxy.edge.outbound import Pool
from proxy.model import Certificate, Intent, Outcome, Peer, Receipt
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.policy.clearance import Scale
from proxy.policy.replay import ReplayWindow
from proxy.policy.routes import Routes
from proxy.settings.load import Loaded
from proxy.settings.schema import Route
from proxy.tls.context import TlsContext


@dataclass(frozen=True, slots=True)
class Lane:
    """A route with all that it needs, compiled."""

    route: Route
    require_allowed: Callable[[Peer], str]
    request: Rules
    answer: Rules
    pool: Pool
    sender_zone: str
    receiver_zone: str


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


class Evidence(Protocol):
    """What transfers ask of the log: `proxy.notary.Notary`, or whatever stands in for it."""

    @property
    def ready(self) -> bool:
        """True while intents are taken."""

    async def intend(self, intent: Intent) -> None:
        """Return when `intent` is journalled. Raises LogFailure."""

    async def conclude(self, outcome: Outcome) -> Receipt:
        """Return when the attempt's statement is durable. Raises LogFailure."""

    def latest(self, sender: str, route: str, transfer_id: str) -> bytes | None:
        """The latest envelope about a transfer; None where it is not remembered."""

    def entry(self, index: int) -> bytes | None:
        """The exact octets of a durable leaf; None where there is none. Raises LogFailure."""


@dataclass(slots=True)
class Keeper:
    """What outlives a configuration: the evidence, the memory of ids, the instruments."""

    gate: Gate
    notary: Evidence
    replay: ReplayWindow
    budget: Budget
    metrics: Metrics
    log: Log
    clients: set[Inbound] = field(default_factory=set)
    loaded_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    draining: bool = False

    @property
    def ready(self) -> bool:
        """True while transfers are accepted and can be receipted."""
        return self.notary.ready and not self.draining
