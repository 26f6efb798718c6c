"""The shape of a configuration file: frozen, every key known, every reference checked elsewhere.

These models say what one value may be. What values may be *together* (a route naming a listener
that exists, a label that is on the scale) is checked in `check.py`, so that all mistakes are told
at once. Listeners, upstreams and zones are in `places.py`, routes in `route.py`, what may cross on
them in `content.py`, operation in `operation.py`, one-word values in `values.py`; all are reached
from here.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from proxy.settings.actions import (
    Action,
    Encrypt,
    Generalize,
    Hmac,
    Partial,
    Redact,
    networks,
)
from proxy.settings.content import ContentPolicy, DetectRule, MaskRule, OwnType
from proxy.settings.detected import DETECTED_GROUPS, DETECTED_TYPES
from proxy.settings.grants import Grant, Local, Policy, Principal, When
from proxy.settings.operation import (
    Bind,
    Log,
    Memory,
    Rates,
    Reload,
    Shutdown,
    Spill,
    TransferIds,
    Users,
)
from proxy.settings.places import (
    CIPHERS,
    GROUPS,
    HYBRID_GROUPS,
    Listener,
    ListenerLimits,
    ListenerTls,
    Tls,
    Upstream,
    UpstreamLimits,
    Zone,
)
from proxy.settings.route import Integrity, Limits, Match, Replay, Route
from proxy.settings.signatures import Signature, Signers
from proxy.settings.tables import Csv, Tsv
from proxy.settings.trust import MAX_LIFETIME, Hygiene, Revocation
from proxy.settings.values import (
    MOST_WORKERS,
    Duration,
    Model,
    Name,
    Patterns,
    Pin,
    SecretRef,
    Size,
    require_version,
    require_workers,
)

__all__ = [
    "CIPHERS",
    "DETECTED_GROUPS",
    "DETECTED_TYPES",
    "GROUPS",
    "HYBRID_GROUPS",
    "Action",
    "Bind",
    "ContentPolicy",
    "Csv",
    "DetectRule",
    "Duration",
    "Encrypt",
    "Generalize",
    "Grant",
    "Hmac",
    "Hygiene",
    "Identity",
    "Integrity",
    "Limits",
    "Listener",
    "ListenerLimits",
    "ListenerTls",
    "Local",
    "Log",
    "MaskRule",
    "MaskingKey",
    "Match",
    "Model",
    "Name",
    "OwnType",
    "Partial",
    "Patterns",
    "Pin",
    "Policy",
    "Principal",
    "Receipts",
    "Redact",
    "Reload",
    "Replay",
    "Revocation",
    "Route",
    "SecretRef",
    "Settings",
    "Shutdown",
    "Signature",
    "Signers",
    "Size",
    "Spill",
    "Tls",
    "Tsv",
    "Upstream",
    "UpstreamLimits",
    "Users",
    "When",
    "Zone",
    "networks",
]

# --- identity ----------------------------------------------------------------------------


class Identity(Model):
    """Who we are, and whom we trust where nothing nearer says otherwise."""

    certificate: SecretRef = Field(description="PEM chain, leaf first")
    key: SecretRef
    trust: SecretRef = Field(description="PEM bundle of the authorities that are trusted")
    crl: SecretRef | None = None
    max_lifetime: Duration = Field(
        default=MAX_LIFETIME, description="of a certificate, ours and those of peers: `hygiene`"
    )


# --- evidence ----------------------------------------------------------------------------------


class MaskingKey(Model):
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,32}$")]
    secret: SecretRef


class Receipts(Model):
    store: str
    origin: str = Field(pattern=r"^[^\s+:]+$", description="schemeless URL: the log's name")
    key: SecretRef
    log_key: SecretRef
    log_pq_key: SecretRef | None = None
    previous_key: SecretRef | None = Field(
        default=None, description="the receipt key before `key`: signs the new one into the log"
    )
    policy: str | None = Field(
        default=None,
        pattern=r"^file:.+$",
        description="a tlog-policy: witnesses that have a URL are offered each checkpoint",
    )
    durability: Literal["fsync", "write"] = "fsync"
    intents: Literal["write", "fsync"] = Field(
        default="write", description="fsync: an intent outlives a loss of power, not only a crash"
    )
    reserve: Size = Field(
        default=4 * 2**20, description="disk space for the verdicts of what is under way"
    )
    checkpoint_every: Duration = 1.0
    patience: Duration = Field(
        default=2.0, description="a verdict that waits longer for the log stops new transfers"
    )


class Settings(Model):
    """A whole configuration."""

    version: Annotated[Literal[1], BeforeValidator(require_version)]
    name: Name
    identity: Identity | None = None
    revocation: Revocation = Revocation()
    hygiene: Hygiene = Hygiene()
    keys: dict[Name, Annotated[list[MaskingKey], Field(min_length=1)]] = Field(default={})
    signers: dict[Name, Signers] = Field(
        default={}, description="keys that requests are signed with, and the peers that have them"
    )
    detectors: dict[Name, OwnType] = Field(
        default={}, description="types of your own, for `detect` and `mask`"
    )
    sensitivity: list[Name] = Field(min_length=1, description="lowest first")
    zones: dict[Name, Zone] = Field(min_length=1)
    listeners: dict[Name, Listener] = Field(min_length=1)
    upstreams: dict[Name, Upstream] = Field(default={})
    routes: list[Route] = Field(default=[])
    policy: Policy = Policy()
    receipts: Receipts
    admin: Bind
    metrics: Bind | None = None
    workers: Annotated[
        Annotated[int, Field(ge=1, le=MOST_WORKERS)] | Literal["auto"],
        BeforeValidator(require_workers),
    ] = Field(default="auto", description="processes that carry transfers; auto: one a core")
    users: Users | None = None
    memory: Memory = Memory()
    spill: Spill = Spill()
    transfer_ids: TransferIds = TransferIds()
    rates: Rates = Rates()
    shutdown: Shutdown = Shutdown()
    reload: Reload = Reload()
    log: Log = Log()
