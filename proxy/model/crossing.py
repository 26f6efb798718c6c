"""Who is at either end, what HTTP says, and what the content stops report."""

import base64
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from proxy.model.value import value

Headers = tuple[tuple[bytes, bytes], ...]


FOREVER: Final = datetime.max.replace(tzinfo=UTC)
"""Until when something stands that no clock ends."""

# --- who -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Certificate:
    """What Lockgate uses of an end-entity certificate (RFC 5280). Times are UTC."""

    der: bytes
    chain: tuple[bytes, ...]
    """DER of the verified issuers, nearest first, without the leaf."""
    sha256: bytes
    spki_sha256: bytes
    """SHA-256 over the SubjectPublicKeyInfo: what a pin is compared with (RFC 7469)."""
    subject: str
    issuer: str
    serial: int
    not_before: datetime
    not_after: datetime
    spiffe: str | None
    """The one `spiffe://` URI SAN; None when there is none."""
    uris: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    common_names: tuple[str, ...] = ()
    """CN of the subject: whatever the authority let stand there."""
    units: tuple[str, ...] = ()
    """OU of the subject."""

    @property
    def pin(self) -> str:
        """`sha256:` and the base64 of `spki_sha256`, as a configuration writes it."""
        return "sha256:" + base64.b64encode(self.spki_sha256).decode()

    @property
    def sans(self) -> tuple[str, ...]:
        """All names, URIs first, as the receipt lists them."""
        return self.uris + self.dns + self.ips


@dataclass(frozen=True, slots=True)
class ListInForce:
    """A revocation list of the configuration. Times are UTC."""

    file: str
    """The reference that names it."""
    issuer: str
    this_update: datetime
    next_update: datetime
    fresh_until: datetime
    """`next_update`, or sooner where a greatest age is demanded."""

    def state(self, now: datetime) -> str:
        """`fresh`, `expired`, or `future`: issued by a clock that is ahead of ours."""
        if now < self.this_update:
            return "future"
        return "fresh" if now <= self.fresh_until else "expired"


@dataclass(frozen=True, slots=True)
class Channel:
    """What was negotiated. `exporter_sha256` is SHA-256 of the tls-exporter value (RFC 9266)."""

    version: str
    cipher: str
    group: str
    exporter_sha256: bytes
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end: by certificate, by address, or by user id on a unix socket."""

    address: str | None = None
    """IP address without port; None on a unix socket."""
    uid: int | None = None
    """From SO_PEERCRED; None on TCP."""
    certificate: Certificate | None = None
    channel: Channel | None = None

    name: str = field(init=False, compare=False)
    """The name under which this peer's transfers are numbered and remembered."""

    def __post_init__(self) -> None:
        name = f"uid:{self.uid}" if self.uid is not None else f"ip:{self.address}"
        if self.certificate is not None:
            name = self.certificate.spiffe or f"spki:{self.certificate.spki_sha256.hex()}"
        object.__setattr__(self, "name", name)

    def expired(self, now: datetime) -> bool:
        """True when the certificate that the handshake found valid has ceased to be so."""
        return self.certificate is not None and now > self.certificate.not_after


# --- HTTP ----------------------------------------------------------------------------------------


@value(frozen=True, slots=True)
class Framing:
    """How the end of a body is known: `length` octets, or chunked, or (answers only) by close."""

    length: int | None = None
    chunked: bool = False

    @property
    def empty(self) -> bool:
        return self.length == 0


class _Fielded:
    """What has header fields, looked up by name."""

    __slots__ = ()
    headers: Headers
    fields: Mapping[bytes, tuple[bytes, ...]]
    """Name in lower case -> every value of that field, in order; none where there is no such."""

    def __post_init__(self) -> None:
        fields: defaultdict[bytes, tuple[bytes, ...]] = defaultdict(tuple)
        for name, said in self.headers:
            fields[name] += (said,)
        object.__setattr__(self, "fields", fields)

    def values(self, name: bytes) -> tuple[bytes, ...]:
        """As `fields` has them, for whoever asks answers of any kind."""
        return self.fields[name]


@value(frozen=True, slots=True)
class Head(_Fielded):
    """A request head that has passed the grammar. `path` is in normal form, still encoded."""

    method: str
    target: str
    path: str
    query: str | None
    headers: Headers
    framing: Framing
    http_version: str = "1.1"
    expect_continue: bool = False
    keep_alive: bool = True
    fields: Mapping[bytes, tuple[bytes, ...]] = field(init=False, repr=False, compare=False)


@value(frozen=True, slots=True)
class AnswerHead(_Fielded):
    """An upstream's final answer head that has passed the grammar."""

    status: int
    reason: bytes
    headers: Headers
    framing: Framing
    http_version: str = "1.1"
    keep_alive: bool = True
    fields: Mapping[bytes, tuple[bytes, ...]] = field(init=False, repr=False, compare=False)


# --- content -------------------------------------------------------------------------------------


@value(frozen=True, slots=True)
class Report:
    """What the content stops did to one body. Counts only, never a value."""

    format: str
    """`json`, `ndjson` or `opaque`."""
    records: int | None = None
    """Documents or lines seen; None when the bytes were forwarded unseen."""
    masked: Mapping[str, int] = field(default_factory=dict)
    """JSONPath of the rule -> fields masked."""
    findings: Mapping[str, int] = field(default_factory=dict)
    """Detected type -> occurrences."""
    label: str | None = None
    """The label that a finding raised the content to; None when none did."""
    changed: bool = False
    """True when any octet that was forwarded differs from what was received."""
    found_at: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Detected type -> path -> occurrences. The path is `…` for what is one too many."""
    unscanned: int = 0
    """Values with JSON or base64 in them that was not looked into."""
    lowered: Mapping[str, int] = field(default_factory=dict)
    """Detected type -> occurrences that were redacted so that the label did not rise too high."""
    shadow: Mapping[str, int] = field(default_factory=dict)
    """Rule in shadow, such as `request.mask[0]` -> how often it would have done something."""
    codings: tuple[str, ...] = ()
    """Content codings that were undone to look, and done again, in the order of the sender."""

    def coded(self, codings: tuple[str, ...]) -> "Report":
        """The same of a body that came in these codings: coded again, its octets are others."""
        return replace(self, codings=codings, changed=True)
