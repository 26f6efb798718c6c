"""The frozen values that pass between the stops of a transfer.

Nothing here does anything: each stop takes some of these and returns others. Header names are
lower-case ASCII bytes and values are the exact octets between the optional white space, in the
order in which they came.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:

    def value(*, frozen, slots):
        """A frozen dataclass to the type checker, and a plain one at run time.

        A dozen of these are made for every transfer, and making one that is frozen costs four
        times as much. Nothing that passes `make check` assigns to their fields.
        """
        return dataclass(slots=slots, unsafe_hash=frozen)


Headers = tuple[tuple[bytes, bytes], ...]


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

    @property
    def sans(self) -> tuple[str, ...]:
        """All names, URIs first, as the receipt lists them."""
        return self.uris + self.dns + self.ips


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

    @property
    def name(self) -> str:
        """The name under which this peer's transfers are numbered and remembered."""
        if self.certificate is not None:
            return self.certificate.spiffe or f"spki:{self.certificate.spki_sha256.hex()}"
        return f"uid:{self.uid}" if self.uid is not None else f"ip:{self.address}"

    def expired(self, now: datetime) -> bool:
        """True when the certificate that the handshake found valid has ceased to be so."""
        return self.certificate is not None and now > self.certificate.not_after


# --- HTTP ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Framing:
    """How the end of a body is known: `length` octets, or chunked, or (answers only) by close."""

    length: int | None = None
    chunked: bool = False

    @property
    def empty(self) -> bool:
        return self.length == 0


@dataclass(frozen=True, slots=True)
class Head:
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

    def values(self, name: bytes) -> tuple[bytes, ...]:
        """Every value of the field `name` (lower case), in order."""
        return tuple(value for key, value in self.headers if key == name)


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """An upstream's final answer head that has passed the grammar."""

    status: int
    reason: bytes
    headers: Headers
    framing: Framing
    http_version: str = "1.1"
    keep_alive: bool = True

    def values(self, name: bytes) -> tuple[bytes, ...]:
        """Every value of the field `name` (lower case), in order."""
        return tuple(value for key, value in self.headers if key == name)


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


# --- evidence ------------------------------------------------------------------------------------


class Verdict(StrEnum):
    """How one attempt of one transfer ended. Exactly one each."""

    DELIVERED = "delivered"
    REJECTED = "rejected"
    FAILED = "failed"
    INDETERMINATE = "indeterminate"


@value(frozen=True, slots=True)
class Digest:
    """A digest of content: plain where the receiver may know it, keyed where only the sender may.

    `hmac_sha256` is HMAC-SHA256 under the transfer's own key. Both None: only the size is recorded.
    """

    size: int
    """Octets."""
    sha256: bytes | None = None
    hmac_sha256: bytes | None = None


@value(frozen=True, slots=True)
class Content:
    """One direction's body, as it came and as it went. `delivered` is None when nothing went."""

    received: Digest
    delivered: Digest | None
    report: Report | None
    label: str | None


@value(frozen=True, slots=True)
class Claim:
    """A sender's wish to use a `Transfer-Id` once: what is unique is sender, route and id."""

    sender: str
    """`Peer.name`."""
    route: str
    transfer_id: str
    window: float
    """Seconds for which delivery uses the id up."""
    forward_undecided: bool = False
    """True where an id whose last attempt ended `indeterminate` may be forwarded again."""


@value(frozen=True, slots=True)
class Earlier:
    """The attempt that has delivered a claimed id: its status, its leaf and the leaf's octets."""

    status: int
    """What its sender was answered with, or would have been had it waited."""
    index: int
    envelope: bytes


@value(frozen=True, slots=True)
class Intent:
    """Journalled before the first byte is forwarded; the attempt's `Outcome` closes it.

    `attempt_id` is what the two have in common.
    """

    attempt_id: bytes
    """16 octets, unique to this attempt."""
    transfer_id: str
    sender: str
    route: str
    started: datetime
    """When the attempt's head was received: the very value of `Outcome.received_at`."""
    claim: Claim | None = None
    """What the attempt holds, so that a crash leaves the id undecided."""


@value(frozen=True, slots=True)
class Outcome:
    """Everything that is known of one attempt at its end: what a receipt is made of.

    `route` and `method` are None when the transfer was refused before they were known. Attempt,
    sequence number, previous digest and log index are not here: the notary assigns them.
    """

    attempt_id: bytes
    """16 octets, unique to this attempt."""
    transfer_id: str
    verdict: Verdict
    status: int | None
    """Status that the sender was answered with; None when no answer could be sent."""
    problem: str | None
    """Problem code when Lockgate refused or failed; None otherwise."""
    listener: str
    route: str | None
    upstream: str | None
    method: str | None
    target_hmac: bytes | None
    content_length: int | None
    request: Content
    answer_status: int | None
    """Status that the upstream answered with; None when it did not."""
    answer: Content | None
    sender: Peer
    receiver: Certificate | None
    policy_sha256: bytes
    received_at: datetime
    claim: Claim | None = None
    """The reservation that this attempt holds; None when it holds none."""
    content_sha256: bytes | None = None
    """What was asked, in 32 octets: SHA-256 over method, target and SHA-256 of the whole content as
    it was received. For the table of ids, never for the log."""
    duplicate_of: int | None = None
    """The leaf that says `delivered` about the same transfer, when that is why this one ended."""


@value(frozen=True, slots=True)
class Submission:
    """An outcome as it travels to the notary: what the notary decides by, and the rest as JSON."""

    attempt_id: bytes
    transfer_id: str
    verdict: Verdict
    status: int | None
    problem: str | None
    sender: str
    """`Peer.name`."""
    route: str | None
    received_at: datetime
    details: bytes
    """A JSON object, `proxy.receipt.statement.details`: everything that only the worker knows."""
    delivered_sha256: bytes | None = None
    """SHA-256 of the delivered content: the subject of a `delivered` receipt."""
    claim: Claim | None = None
    content_sha256: bytes | None = None
    duplicate_of: int | None = None


@value(frozen=True, slots=True)
class Event:
    """Something that happened to the gateway itself and belongs into its log.

    `kind` is one of start, stop, recovery, reload, key, refused-handshakes; `details` are what JSON
    can say: text, numbers, null, lists and objects of such.
    """

    kind: str
    details: Mapping[str, object]


@value(frozen=True, slots=True)
class Receipt:
    """A durable log entry. `envelope` is the exact octets of the leaf."""

    index: int
    envelope: bytes
