"""What the log is told of an attempt, and what it answers."""

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime
from enum import StrEnum

from proxy.errors import TROUBLES
from proxy.model.crossing import Certificate, Peer, Report
from proxy.model.signed import Verified
from proxy.model.value import value


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
    fields: Mapping[str, int] = field(default_factory=dict)
    """`header NAME` or `query NAME` -> how many were masked beside it, in head and trailers."""
    shadow: Mapping[str, int] = field(default_factory=dict)
    """Rule in shadow -> how often it would have done something, in the content or beside it."""

    def told(self, way: str, fields: Mapping[str, int], shadow: Mapping[str, int]) -> "Content":
        """The same with what was masked beside it, and with what rules in shadow would have done
        there and in it; `way` is where the configuration has these: `request` or `response`."""
        within = self.report.shadow if self.report is not None else {}
        if not (fields or shadow or within):
            return self
        counts = {
            f"{way}.{rule}": within.get(rule, 0) + shadow.get(rule, 0)
            for rule in (*within, *shadow)
        }
        return replace(self, fields=fields, shadow=counts)

    def noting(self, entries: Iterable[str]) -> "Content":
        """The same with entries of `allow` and `deny` that would have decided otherwise."""
        names = dict.fromkeys(sorted(entries), 1)
        return replace(self, shadow={**names, **self.shadow}) if names else self

    @property
    def masked(self) -> int:
        """How many fields were masked, in the content and beside it."""
        inside = sum(self.report.masked.values()) if self.report else 0
        return inside + sum(self.fields.values())


@value(frozen=True, slots=True)
class Claim:
    """A sender's wish to use a `Transfer-Id` once: what is unique is sender, route and id.

    And of a signed request, to use its signature once, whoever sends it, and where.
    """

    sender: str
    """`Peer.name`."""
    route: str
    transfer_id: str
    window: float
    """Seconds for which delivery uses the id up."""
    forward_undecided: bool = False
    """True where an id whose last attempt ended `indeterminate` may be forwarded again."""
    nonce: bytes | None = None
    """SHA-256 over a signature's key and nonce: no two attempts may have the same. 32 octets; None
    where none is used up."""


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
    further: tuple[bytes, ...] = ()
    """SHA-256 of every receipt that came with the upstream's answer, the nearest gateway's last."""
    rule: str | None = None
    """The entry of the route that admitted the sender, such as `allow[0]`; None where none did."""
    signature: Verified | None = None
    """The signature of the request, verified; None where none was demanded."""
    answer_repeated: bool = False
    """The upstream's answer says `Transfer-Duplicate: ?1`: it had delivered the transfer before."""


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
    owed: bool = False
    """An intent of it is open: it is written, however late."""


@value(frozen=True, slots=True)
class Event:
    """Something that happened to the gateway itself and belongs into its log.

    `kind` is one of start, stop, recovery, reload, key, refused-handshakes, refused-transfers;
    `details` are what JSON can say: text, numbers, null, lists and objects of such.
    """

    kind: str
    details: Mapping[str, object]


@value(frozen=True, slots=True)
class Trouble:
    """Why nothing new may cross. `code` is a key of `proxy.errors.TROUBLES`."""

    code: str
    text: str
    """For operators: what fails, and how."""


def named_trouble(code: str) -> Trouble:
    """One that its code says all about."""
    return Trouble(code, TROUBLES[code])


@value(frozen=True, slots=True)
class Missed:
    """Transfers that were refused because the log took nothing, and have no receipt."""

    counts: Mapping[str, int]
    """Code of the trouble -> how many, all at least 1."""
    since: datetime
    """When the head of the first of them was received."""
    until: datetime
    """And that of the last."""


@value(frozen=True, slots=True)
class Receipt:
    """A durable log entry. `envelope` is the exact octets of the leaf."""

    index: int
    envelope: bytes
