"""What a small authority has issued and revoked: its book, and the revocation list made of it.

The book (`ca.index`) is JSON lines, each added at the end and none ever changed:

    {"issued":"2026-11-23T09:00:00Z","serial":"5d…","name":"client","subject":"CN=client",
     "names":["spiffe://acme.example/client"],"usages":["client"],
     "not_before":"2026-11-23T08:55:00Z","not_after":"2026-12-23T08:55:00Z",
     "pin":"sha256:…","sha256":"9f…"}
    {"revoked":"2026-11-24T10:00:00Z","serial":"5d…","reason":"superseded"}
    {"listed":"2026-11-24T10:00:00Z","number":2,"next_update":"2026-12-24T10:00:00Z"}

A line that is not one of these refuses the book: what it cannot read it cannot keep revoked. The
list names everybody who was ever revoked, also after the end of the certificate.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from proxy.errors import CredentialError
from proxy.tls.identity import format_pin, identify
from proxy.tls.pki import SKEW, Authority

REASONS: Final = (
    "unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation",
    "privilegeWithdrawn",
)  # fmt: skip
"""Of RFC 5280, 5.3.1, those that are the end of a certificate."""
_USAGES: Final = {
    ExtendedKeyUsageOID.CLIENT_AUTH: "client",
    ExtendedKeyUsageOID.SERVER_AUTH: "server",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A certificate that was issued."""

    serial: int
    name: str
    """Of the files in which it was written."""
    subject: str
    names: tuple[str, ...]
    usages: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    pin: str
    sha256: str
    revoked: datetime | None = None
    reason: str | None = None

    def state(self, now: datetime) -> str:
        """`revoked`, `expired`, `not-yet-valid` or `valid`."""
        if self.revoked is not None:
            return "revoked"
        if now > self.not_after:
            return "expired"
        return "not-yet-valid" if now < self.not_before else "valid"


@dataclass(frozen=True, slots=True)
class Book:
    """Everything an authority has done, in the order in which it did it."""

    lines: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    number: int = 0
    """Of the latest revocation list."""

    def entry(self, serial: int) -> Entry:
        """Raises `CredentialError` for what is not of this authority."""
        for entry in self.entries:
            if entry.serial == serial:
                return entry
        raise CredentialError(f"the authority has not issued {serial:x}")

    def issued(self, name: str, leaf: x509.Certificate, now: datetime) -> "Book":
        """The book with one more certificate."""
        who = identify(leaf)
        usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        entry = Entry(
            serial=who.serial,
            name=name,
            subject=who.subject,
            names=who.sans,
            usages=tuple(_USAGES.get(each, each.dotted_string) for each in usages),
            not_before=who.not_before,
            not_after=who.not_after,
            pin=format_pin(who.spki_sha256),
            sha256=who.sha256.hex(),
        )
        return self._with(
            replace(self, entries=(*self.entries, entry)), issued=_text(now), **told(entry)
        )

    def revoked(self, serial: int, reason: str, now: datetime) -> "Book":
        """The book with that certificate revoked. Raises `CredentialError`, also for a second
        time."""
        entry = self.entry(serial)
        if entry.revoked is not None:
            raise CredentialError(f"{serial:x} has been revoked already")
        ended = replace(entry, revoked=now, reason=reason)
        entries = tuple(ended if each is entry else each for each in self.entries)
        found = replace(self, entries=entries)
        return self._with(found, revoked=_text(now), serial=f"{serial:x}", reason=reason)

    def listed(self, number: int, next_update: datetime, now: datetime) -> "Book":
        """The book with one more revocation list."""
        update = _text(next_update)
        found = replace(self, number=number)
        return self._with(found, listed=_text(now), number=number, next_update=update)

    def _with(self, found: "Book", **line: object) -> "Book":
        return replace(found, lines=(*self.lines, json.dumps(line, ensure_ascii=True)))

    @property
    def octets(self) -> bytes:
        """The file."""
        return "".join(f"{line}\n" for line in self.lines).encode("ascii")


def read_book(octets: bytes) -> Book:
    """Raises `CredentialError` with the line that is not of a book."""
    book = Book()
    for number, line in enumerate(octets.splitlines(), 1):
        try:
            book = _read(book, json.loads(line), line.decode("ascii"))
        except (ValueError, KeyError, TypeError):
            raise CredentialError(f"line {number} of the index is none of its lines") from None
    return book


def _read(book: Book, said: dict[str, Any], line: str) -> Book:
    if "revoked" in said:
        return book.revoked(int(said["serial"], 16), said["reason"], _moment(said["revoked"]))
    if "listed" in said:
        update = _moment(said["next_update"])
        return book.listed(int(said["number"]), update, _moment(said["listed"]))
    _moment(said["issued"])
    entry = Entry(
        serial=int(said["serial"], 16),
        name=said["name"],
        subject=said["subject"],
        names=tuple(said["names"]),
        usages=tuple(said["usages"]),
        not_before=_moment(said["not_before"]),
        not_after=_moment(said["not_after"]),
        pin=said["pin"],
        sha256=said["sha256"],
    )
    return replace(book, entries=(*book.entries, entry), lines=(*book.lines, line))


def told(entry: Entry) -> dict[str, object]:
    """An entry as JSON says it, without what came of it."""
    return {
        "serial": f"{entry.serial:x}",
        "name": entry.name,
        "subject": entry.subject,
        "names": list(entry.names),
        "usages": list(entry.usages),
        "not_before": _text(entry.not_before),
        "not_after": _text(entry.not_after),
        "pin": entry.pin,
        "sha256": entry.sha256,
    }


def make_crl(
    authority: Authority, book: Book, number: int, now: datetime, lifetime: timedelta
) -> bytes:
    """The PEM list of all that the book has revoked (RFC 5280, 5), valid for so long."""
    own = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - SKEW)
        .next_update(now + lifetime)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value),
            critical=False,
        )
    )
    for revoked in _revocations(book):
        builder = builder.add_revoked_certificate(revoked)
    signer = authority.signer
    with_hash = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signer, with_hash).public_bytes(Encoding.PEM)


def _revocations(book: Book) -> Iterator[x509.RevokedCertificate]:
    for entry in book.entries:
        if entry.revoked is None:
            continue
        builder = x509.RevokedCertificateBuilder().serial_number(entry.serial)
        builder = builder.revocation_date(entry.revoked)
        if entry.reason not in (None, "unspecified"):  # RFC 5280, 5.3.1: rather left out
            reason = x509.CRLReason(x509.ReasonFlags(entry.reason))
            builder = builder.add_extension(reason, critical=False)
        yield builder.build()


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
