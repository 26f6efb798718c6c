"""The shape of a route: whom it admits, and what holds on the way. What may cross is in content."""

import math
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from proxy.settings.content import ContentPolicy
from proxy.settings.grants import Grant
from proxy.settings.pace import Rate, Volume
from proxy.settings.signatures import MOST_SKEW, Signature
from proxy.settings.values import Duration, Model, Name, Patterns, SecretRef, Size


class Match(Model):
    """By path and method where the listener speaks HTTP, which needs a path; by SNI on tcp."""

    path: str | None = Field(
        default=None, pattern=r"^/", description="* is one segment, ** any number, none included"
    )
    methods: list[Annotated[str, Field(pattern=r"^[A-Z]+$")]] | None = Field(
        default=None, min_length=1
    )
    sni: Patterns | None = Field(
        default=None, description="tcp listeners: the server name that a TLS client asks for"
    )


class Replay(Model):
    require: Literal["off", "transfer-id", "signature"] = "off"
    window: Duration = Field(
        default=300.0, description="for which an id is remembered; a signature holds no longer"
    )
    after_indeterminate: Literal["refuse", "forward"] = Field(
        default="refuse", description="what an id gets whose last attempt ended undecided"
    )


class Integrity(Model):
    require: Literal["off", "content-digest", "signature"] = "off"


class Limits(Model):
    """What one transfer may cost, and all those of one peer. `hold` is how much is kept back until
    it has been judged."""

    body: Size = 2**30
    document: Size = 8 * 2**20
    record: Size = 2**20
    hold: Size = 2**20
    depth: int = Field(default=256, gt=0, le=1024)
    ratio: int = Field(
        default=200, gt=0, description="octets that one of coded content may decode to"
    )
    members: int = Field(default=65536, gt=0, description="gzip members or zstd frames of one body")
    stall_timeout: Duration = 60.0
    idle_timeout: Duration = Field(
        default=3600.0, description="tunnels: without an octet in either direction"
    )
    lifetime: Duration = Field(
        default=86400.0, description="of a transfer or tunnel, from first to last"
    )
    rate: Rate | None = Field(
        default=None, description="transfers, or tunnels, of each peer: 100/s, or 100/s burst 200"
    )
    volume: Volume | None = Field(
        default=None, description="content of each peer: 50GiB/day, or 50GiB/day burst 5GiB"
    )


class Route(Model):
    name: Name
    listener: Name
    match: Match = Match()
    allow: list[Grant] = Field(default=[])
    deny: list[Grant] = Field(default=[])
    on_expiry: Literal["cut", "finish"] = Field(
        default="cut", description="what becomes of a transfer whose grant ends while it lasts"
    )
    trust: SecretRef | None = Field(
        default=None, description="authorities at one of which the sender's chain must end besides"
    )
    crl: SecretRef | None = Field(default=None, description="revocation lists beside `trust`")
    upstream: Name
    content_on_get: Literal["refuse", "pass"] = Field(
        default="refuse", description="content of GET, HEAD and DELETE, whose meaning is undefined"
    )
    request: ContentPolicy
    response: ContentPolicy = ContentPolicy()
    replay: Replay = Replay()
    integrity: Integrity = Integrity()
    streaming: bool = Field(
        default=False,
        description="content goes on as it comes, before its end shows that it is what was sent",
    )
    signature: Signature = Signature()
    limits: Limits = Limits()
    receipt: Literal["auto", "header", "trailer", "log"] = "auto"

    @cached_property
    def demands_signature(self) -> bool:
        """Its requests must be signed (RFC 9421)."""
        return "signature" in (self.replay.require, self.integrity.require)

    @cached_property
    def demands_digest(self) -> bool:
        """The content of its requests must have a digest: what is signed of it is that."""
        return self.integrity.require != "off" or self.demands_signature

    @cached_property
    def proves(self) -> bool:
        """True where nothing of a request goes on before all of it has come, and is what its sender
        says that it is."""
        return self.demands_digest and not self.streaming

    @property
    def remembers(self) -> float:
        """Seconds that ids are remembered, and nonces: longer than any signature holds that this
        route takes, by its signer's clock, on any route and under any configuration that follows.
        Signatures count in whole seconds, and are given what is begun."""
        window, skew = self.replay.window, self.signature.skew
        return math.ceil(window) + math.ceil(skew) + MOST_SKEW if self.demands_signature else window
