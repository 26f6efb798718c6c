"""The shape of a configuration file: frozen, every key known, every reference checked elsewhere.

These models say what one value may be. What values may be *together* (a route naming a listener
that exists, a label that is on the scale) is checked in `check.py`, so that all mistakes are told
at once. Routes are in `route.py`, what may cross on them in `content.py`, operation in
`operation.py`, one-word values in `values.py`; all are reached from here.
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
    Reload,
    Shutdown,
    TransferIds,
    Users,
)
from proxy.settings.route import (
    Integrity,
    Limits,
    Match,
    Replay,
    Route,
)
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
    "Size",
    "Tls",
    "Tsv",
    "Upstream",
    "UpstreamLimits",
    "Users",
    "When",
    "Zone",
    "networks",
]

HYBRID_GROUPS = ["X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"]
GROUPS = [*HYBRID_GROUPS, "x25519", "secp256r1", "secp384r1"]
CIPHERS = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
]

# --- identity and TLS ----------------------------------------------------------------------------


class Identity(Model):
    """Who we are, and whom we trust where nothing nearer says otherwise."""

    certificate: SecretRef = Field(description="PEM chain, leaf first")
    key: SecretRef
    trust: SecretRef = Field(description="PEM bundle of the authorities that are trusted")
    crl: SecretRef | None = None
    max_lifetime: Duration = Field(
        default=MAX_LIFETIME, description="of a certificate, ours and those of peers: `hygiene`"
    )


class Tls(Model):
    """What both sides of the proxy share: the protocol policy."""

    minimum: Literal["1.2", "1.3"] = "1.3"
    groups: list[str] = Field(default=GROUPS, min_length=1)
    ciphers: list[str] = Field(default=CIPHERS, min_length=1)
    trust: SecretRef | None = None
    crl: SecretRef | None = None


class ListenerTls(Tls):
    """`none` only on loopback or a unix socket."""

    mode: Literal["mutual", "none"] = "mutual"
    pins: list[Pin] | None = Field(
        default=None, min_length=1, description="in addition to every other check, never instead"
    )


# --- listeners and upstreams ---------------------------------------------------------------------


class ListenerLimits(Model):
    """What one listener spends on peers before a route is known."""

    head: Size = 32 * 1024
    receipts: Size = Field(default=14 * 1024, description="of all hops, in one answer's fields")
    connections: int = Field(default=1024, gt=0)
    handshakes: int = Field(default=256, gt=0, description="in flight at once")
    handshakes_per_source: int = Field(
        default=64, gt=0, description="in flight at once, of one IPv4 address or IPv6 /64"
    )
    handshake_timeout: Duration = 10.0
    idle_timeout: Duration = 75.0
    head_timeout: Duration = 30.0


class Listener(Model):
    bind: str = Field(description="HOST:PORT, [IPV6]:PORT or unix:PATH")
    zone: Name
    protocol: Literal["http", "tcp"] = Field(
        default="http", description="tcp: each connection is a tunnel, whatever is in it"
    )
    tls: ListenerTls = ListenerTls()
    limits: ListenerLimits = ListenerLimits()


class UpstreamLimits(Model):
    connections: int = Field(default=256, gt=0)
    idle_connections: int = Field(default=64, ge=0, description="kept for reuse")
    idle_timeout: Duration = 4.0
    connect_timeout: Duration = 5.0
    answer_timeout: Duration = 60.0
    head: Size = 64 * 1024


class Upstream(Model):
    zone: Name
    endpoints: list[str] = Field(min_length=1, description="tried in order")
    server_name: str | None = None
    pins: list[Pin] | None = Field(default=None, min_length=1)
    peer: Principal | None = None
    proxy_protocol: Literal["off", "v2"] = Field(
        default="off", description="v2: a tunnel begins with a header that says who its sender is"
    )
    tls: Tls = Tls()
    limits: UpstreamLimits = UpstreamLimits()


class Zone(Model):
    clearance: Name


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
    transfer_ids: TransferIds = TransferIds()
    shutdown: Shutdown = Shutdown()
    reload: Reload = Reload()
    log: Log = Log()
