"""One body on its way through the content stops: counted, bounded, digested, checked, held.

    octets ─ size ─ keyed digest ─ Content-Digest ─ inspector (decode, mask, detect) ─ digest ─ out

What was received is digested under the transfer's own key, because a plain digest of an unmasked
body lets anyone enumerate the masked field; what is delivered is digested plainly, because the
receiver holds it. `opaque` bodies go out as they came in, so one plain digest serves both.
Where an id is used up by delivery, what came is digested plainly too, for the table of ids alone.
"""

import hashlib
from collections.abc import Callable

from proxy.content.inspector import Inspector
from proxy.content.native import NATIVE, Side
from proxy.errors import LockgateError, Refusal
from proxy.model import Content, Digest, Headers, Report
from proxy.model.value import value
from proxy.wire.digests import DIGESTS, ContentDigest, format_digest


@value(frozen=True, slots=True)
class Labels:
    """The label of a body with content (see labels)."""

    label: str
    """The effective one by what the head gives."""
    at_most: str
    """What a receiver is told before the end of the body is known: it cannot rise above this."""
    require: Callable[[str | None], str]
    """The effective one where findings raise it to so much; raises Refusal above the ceiling."""
    above: frozenset[str] = frozenset()
    """What would raise it to one of these is redacted."""


class Flow:
    """The state of one body. `key` is the transfer's own, 32 octets; None for an answer, whose
    unmasked form the holder of the key must not be able to guess either.

    `labels.require(raised)` gives the effective label when findings have raised it to `raised`, and
    refuses when that is above what may go where the body goes: it has been asked for the label that
    the head gives, and is again whenever a finding raises it. `require_size` is told how many
    octets have come, and refuses when these are more than may.
    """

    def __init__(
        self,
        kind: str,
        inspector: Inspector,
        *,
        limit: int,
        hold: int,
        stall: float,
        key: bytes | None,
        integrity: ContentDigest | None,
        digest_required: bool = False,
        whole: bool = False,
        sha512: bool = False,
        remember: bool = False,
        labels: Labels | None = None,
        require_size: Callable[[int], None] | None = None,
    ) -> None:
        self._inspector = inspector
        self._labels = labels
        self.label = labels.label if labels else None
        self._raised: str | None = None
        self._limit = limit
        self._require_size = require_size
        self.hold = hold
        """Octets that are kept back until they are judged together; more than that streams."""
        self.whole = whole
        """Nothing of it goes on before all of it has come and holds, however much that is."""
        self.stall = stall
        """Seconds that the peer may let pass without an octet."""
        self._report: Report | None = None
        """As of the last octets that it gave; what it refuses on is in a later one."""
        self.format = kind
        self._integrity = integrity
        self._digest_required = digest_required
        opaque = kind == "opaque"
        self._received: Side | None = None
        self._delivered: Side = hashlib.sha256()
        if key is not None and not opaque:
            self._received, self._delivered = NATIVE.sides(key)
        self._sha512 = hashlib.sha512() if sha512 else None
        self._whole: Side | None = None
        if remember:
            self._whole = self._delivered if opaque else hashlib.sha256()
        self._judging = self._judged = False
        self.received_size = 0
        self.delivered_size = 0

    def feed(self, data: bytes) -> bytes:
        """Take received octets; what is ready to be forwarded.

        Raises Refusal: content-too-large, not-allowed, rate-limited, unparseable, finding-rejected.
        """
        self.take(data)
        self._judging = True
        return self._deliver(self._inspector.feed(data))

    def take(self, data: bytes) -> None:
        """Count and digest received octets, of which nothing goes on.

        Raises Refusal: content-too-large.
        """
        self.received_size += len(data)
        if self.received_size > self._limit:
            raise Refusal("content-too-large", f"more than {self._limit} octets")
        if self._require_size is not None:
            self._require_size(self.received_size)
        if self._received is not None:
            self._received.update(data)
        if self._integrity is not None:
            self._integrity.update(data)
        if self._whole is not None:
            self._whole.update(data)

    def finish(self, trailers: Headers) -> bytes:
        """Take the end; the last of what is ready to be forwarded.

        Raises Refusal: digest-mismatch, digest-malformed, digest-required, unparseable, …
        """
        self.require_integrity(trailers)
        if not self.received_size:
            return b""  # chunked or not, what has no content holds nothing that must parse
        data = self._inspector.finish()
        self._judged = True
        return self._deliver(data)

    def require_integrity(self, trailers: Headers) -> None:
        """What was received is what was declared of it, in the head or in the trailers.

        Raises Refusal: digest-mismatch, digest-malformed, digest-required.
        """
        if self._integrity is None:
            if trailers and any(name in DIGESTS for name, _ in trailers):
                raise Refusal("digest-malformed", "a trailer with a digest was not announced")
            return
        self._integrity.add_trailers(trailers)
        if self._digest_required and not self._integrity.present:
            raise Refusal("digest-required", "neither head nor trailers declare a digest")
        self._integrity.require()

    @property
    def declared(self) -> bool:
        """True when a digest has been declared that counts, or has been announced."""
        return self._integrity is not None

    @property
    def proven(self) -> bool:
        """True when a digest has been declared that counts; after `require_integrity`, it holds."""
        return self._integrity is not None and self._integrity.declares

    def abandon(self) -> None:
        """Stop judging, wherever `finish` is: its result is not wanted any more."""
        self._inspector.abandon()

    @property
    def pending(self) -> int:
        """Octets that the inspector keeps until it has seen the end."""
        return self._inspector.held

    @property
    def changed(self) -> bool:
        """True when any octet that goes on differs from what came."""
        return self._report is not None and self._report.changed

    def _deliver(self, data: bytes) -> bytes:
        if not data and not self._judged:
            return data
        self._report = report = self._inspector.report()
        raised = report.label
        if raised != self._raised and self._labels:
            self._raised = raised
            self.label = self._labels.require(raised)
        if data:
            if self._delivered is not self._whole:
                self._delivered.update(data)
            if self._sha512 is not None:
                self._sha512.update(data)
            self.delivered_size += len(data)
        return data

    def told(self, *, whole: bool) -> str | None:
        """The label that the other side is told: of a body that is not whole, what it has at most.

        None for a message without content.
        """
        return self.label if whole or self._labels is None else self._labels.at_most

    @property
    def received_sha256(self) -> bytes:
        """SHA-256 of all that was received so far, in a flow that was told to remember it."""
        if self._whole is None:
            raise LockgateError("a flow was asked for what it was not told to remember")
        return self._whole.digest()

    @property
    def delivered_sha256(self) -> bytes:
        """SHA-256 of all that was ready to be forwarded so far."""
        return self._delivered.digest()

    def delivered_digest(self, name: str) -> bytes:
        """The value of a digest field for all that was ready to be forwarded so far; of sha-512 in
        a flow that was told to take it."""
        if name == "sha-512" and self._sha512 is not None:
            return format_digest(name, self._sha512.digest())
        return format_digest("sha-256", self.delivered_sha256)

    def content(self, *, crossed: bool, sent: int) -> Content:
        """What the receipt says of this body.

        `crossed`: all of it went out. Otherwise `sent` octets did, whose digest nobody could
        compare, since the receiver was told that they are incomplete.
        """
        report = self._so_far() if self._judging else None
        if not crossed:
            received = Digest(self.received_size, hmac_sha256=self._keyed())
            return Content(received, Digest(sent) if sent else None, report, self.label)
        delivered = Digest(self.delivered_size, sha256=self.delivered_sha256)
        received = delivered  # the very same octets
        if report is not None and report.changed:
            received = Digest(self.received_size, hmac_sha256=self._keyed())
        return Content(received, delivered, report, self.label)

    def _so_far(self) -> Report:
        return self._report if self._judged and self._report else self._inspector.report()

    def _keyed(self) -> bytes | None:
        return self._received.digest() if self._received is not None else None
