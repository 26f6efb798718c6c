"""The shape of a configuration file: frozen, every key known, every reference checked elsewhere.

These models say what one value may be. What values may be *together* (a route naming a listener
that exists, a label that is on the scale) is checked in `check.py`, so that all mistakes are told
at once. Secrets are references (`file:` or `env:`), never values.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

_SIZES = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZES |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _size(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"(\d+) ?([A-Za-z]*)", value) if isinstance(value, str) else None
    if match is None or match[2] not in _SIZES:
        raise ValueError("expected a size such as 64KiB, 8MiB or 1GiB")
    return int(match[1]) * _SIZES[match[2]]


def _duration(value: object) -> object:
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]+)", value) if isinstance(value, str) else None
    if match is None or match[2] not in _DURATIONS:
        raise ValueError("expected a duration such as 500ms, 30s, 5m or 24h")
    return float(match[1]) * _DURATIONS[match[2]]


def _secret(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"(file|env):[^\x00-\x1f]+", value):
        raise ValueError("expected a reference, file:PATH or env:NAME, never the secret itself")
    return value


def _pin(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(
        r"sha256:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=", value
    ):
        raise ValueError("expected sha256:<base64 of 32 octets>; `lockgate certs pin` prints it")
    return value


def _many(value: object) -> object:
    return [value] if isinstance(value, str) else value


Size = Annotated[
    int,
    Field(gt=0),
    BeforeValidator(_size),
    WithJsonSchema({"type": ["string", "integer"], "pattern": r"^\d+ ?(B|[kMGT]B|[KMGT]iB)?$"}),
]
"""Octets."""
Duration = Annotated[
    float,
    Field(gt=0),
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)? ?(ms|s|m|h|d)$"}),
]
"""Seconds."""
SecretRef = Annotated[
    str,
    BeforeValidator(_secret),
    WithJsonSchema({"type": "string", "pattern": "^(file|env):"}),
]
"""`file:PATH` (relative to the configuration file) or `env:NAME`."""
Pin = Annotated[
    str,
    BeforeValidator(_pin),
    WithJsonSchema({"type": "string", "pattern": "^sha256:[A-Za-z0-9+/]{43}=$"}),
]
"""`sha256:` and the base64 of SHA-256 over the SubjectPublicKeyInfo."""
Patterns = Annotated[
    list[Annotated[str, Field(min_length=1)]],
    Field(min_length=1),
    BeforeValidator(_many),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]
"""One pattern or several, any of which may match. `*` is one segment or label, `**` any number."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

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


class Model(BaseModel):
    """Frozen, and refuses keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- identity and TLS ----------------------------------------------------------------------------


class Identity(Model):
    """Who we are, and whom we trust where nothing nearer says otherwise."""

    certificate: SecretRef = Field(description="PEM chain, leaf first")
    key: SecretRef
    trust: SecretRef = Field(description="PEM bundle of the authorities that are trusted")
    crl: SecretRef | None = None


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


class Principal(Model):
    """Whom a grant or a denial names: every key of one entry must hold."""

    spiffe: Patterns | None = None
    uri: Patterns | None = None
    dns: Patterns | None = None
    pins: list[Pin] | None = Field(default=None, min_length=1)
    networks: Patterns | None = Field(default=None, description="CIDR")
    local: "Local | None" = None

    @model_validator(mode="after")
    def _require_a_key(self) -> "Principal":
        if not self.model_fields_set:
            raise ValueError("an empty entry would name everybody; name at least one key")
        return self


class Local(Model):
    """A process on this machine, by SO_PEERCRED on a unix socket."""

    uid: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)


# --- listeners and upstreams ---------------------------------------------------------------------


class ListenerLimits(Model):
    """What one listener spends on peers before a route is known."""

    head: Size = 32 * 1024
    connections: int = Field(default=1024, gt=0)
    handshakes: int = Field(default=64, gt=0, description="in flight at once")
    handshake_timeout: Duration = 10.0
    idle_timeout: Duration = 75.0
    head_timeout: Duration = 30.0


class Listener(Model):
    bind: str = Field(description="HOST:PORT, [IPV6]:PORT or unix:PATH")
    zone: Name
    protocol: Literal["http"] = "http"
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
    tls: Tls = Tls()
    limits: UpstreamLimits = UpstreamLimits()


class Zone(Model):
    clearance: Name


# --- routes --------------------------------------------------------------------------------------


class Match(Model):
    path: str = Field(pattern="^/")
    methods: list[Annotated[str, Field(pattern="^[A-Z]+$")]] | None = Field(
        default=None, min_length=1
    )


class Partial(Model):
    keep_first: int = Field(default=0, ge=0)
    keep_last: int = Field(default=0, ge=0)


class Hmac(Model):
    key: Name


class Action(Model):
    """Exactly one of them. `drop` and `redact` may be written as a bare word."""

    drop: bool = False
    redact: bool = False
    partial: Partial | None = None
    hmac: Hmac | None = None


def _action(value: object) -> object:
    if value in ("drop", "redact"):
        return {value: True}
    if isinstance(value, dict) and len(value) == 1 and set(value) <= {"partial", "hmac"}:
        return value
    raise ValueError("expected drop, redact, {partial: {keep_last: N}} or {hmac: {key: NAME}}")


_ACTION_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"enum": ["drop", "redact"]},
        {
            "type": "object",
            "required": ["partial"],
            "additionalProperties": False,
            "properties": {"partial": Partial.model_json_schema()},
        },
        {
            "type": "object",
            "required": ["hmac"],
            "additionalProperties": False,
            "properties": {"hmac": Hmac.model_json_schema()},
        },
    ]
}


class MaskRule(Model):
    path: str = Field(
        description="RFC 9535 JSONPath: names, wildcards, indexes, unions, descendants"
    )
    action: Annotated[Action, BeforeValidator(_action), WithJsonSchema(_ACTION_SCHEMA)]


DETECTED_TYPES = ("credit_card", "iban", "us_ssn", "email", "private_key", "aws_key", "jwt")


class DetectRule(Model):
    type: Literal["credit_card", "iban", "us_ssn", "email", "private_key", "aws_key", "jwt"]
    action: Literal["reject", "redact", "flag"]
    label: Name | None = Field(
        default=None, description="flag raises to it; the highest if omitted"
    )


class ContentPolicy(Model):
    """What may cross in one direction. An empty `content` admits empty bodies only."""

    content: list[Literal["json", "ndjson", "opaque"]] = []
    label: Name | None = Field(default=None, description="missing means the highest")
    label_from: str | None = Field(default=None, description="a header that names the label")
    mask: list[MaskRule] = []
    detect: list[DetectRule] = []
    on_error: Literal["reject"] = "reject"


class Replay(Model):
    require: Literal["off", "transfer-id"] = "off"
    window: Duration = 300.0


class Integrity(Model):
    require: Literal["off", "content-digest"] = "off"


class Limits(Model):
    """What one transfer may cost. `hold` is how much is kept back until it has been judged."""

    body: Size = 2**30
    document: Size = 8 * 2**20
    record: Size = 2**20
    hold: Size = 2**20
    depth: int = Field(default=256, gt=0, le=1024)
    stall_timeout: Duration = 60.0


class Route(Model):
    name: Name
    listener: Name
    match: Match
    allow: list[Principal] = []
    deny: list[Principal] = []
    upstream: Name
    request: ContentPolicy
    response: ContentPolicy = ContentPolicy()
    replay: Replay = Replay()
    integrity: Integrity = Integrity()
    limits: Limits = Limits()
    receipt: Literal["auto", "header", "trailer", "log"] = "auto"


# --- evidence and operation ----------------------------------------------------------------------


class MaskingKey(Model):
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,32}$")]
    secret: SecretRef


class Receipts(Model):
    store: str
    origin: str = Field(pattern=r"^[^\s+:]+$", description="schemeless URL: the log's name")
    key: SecretRef
    log_key: SecretRef
    log_pq_key: SecretRef | None = None
    durability: Literal["fsync", "write"] = "fsync"
    checkpoint_every: Duration = 1.0


class Bind(Model):
    bind: str


class Shutdown(Model):
    drain: Duration = Field(default=30.0, description="the one deadline of a graceful stop")


class Log(Model):
    format: Literal["auto", "json", "text"] = "auto"


class Settings(Model):
    """A whole configuration."""

    version: Literal[1]
    name: Name
    identity: Identity | None = None
    keys: dict[Name, Annotated[list[MaskingKey], Field(min_length=1)]] = {}
    sensitivity: list[Name] = Field(min_length=1, description="lowest first")
    zones: dict[Name, Zone] = Field(min_length=1)
    listeners: dict[Name, Listener] = Field(min_length=1)
    upstreams: dict[Name, Upstream] = {}
    routes: list[Route] = []
    receipts: Receipts
    admin: Bind
    metrics: Bind | None = None
    shutdown: Shutdown = Shutdown()
    log: Log = Log()
