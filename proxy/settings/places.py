"""The shape of where content comes from and goes to: listeners, upstreams, zones, and their TLS."""

from typing import Literal

from pydantic import Field

from proxy.settings.grants import Principal
from proxy.settings.values import Duration, Model, Name, Pin, SecretRef, Size

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
    may_send_to: list[Name] | None = Field(
        default=None,
        description="zones to which routes may lead from here; once a zone says so, all must",
    )
