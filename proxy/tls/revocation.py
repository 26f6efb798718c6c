"""Certificate revocation lists (RFC 5280, section 5): read here, each complete and usable as it is.

A file holds one or several, PEM or DER. Refused with the whole file is a list that

    does not parse, has no nextUpdate or no number, or is signed with a hash that is broken
    is a delta, or indirect, or of some reasons or of attribute certificates only: it would need
    others beside it, and alone it says "not revoked" of what is
    has a critical extension that is not understood, or may not be critical, or an entry with one

An expired one is read: what it names stays revoked, and what it covers is decided by
`revocation.mode` (`proxy.tls.standing`). A list of one scope, by issuingDistributionPoint, speaks
of the certificates of its scope only: those of authorities or of others, or those that name one of
its distribution points.
"""

import functools
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from proxy.errors import CredentialError
from proxy.tls.identity import printable

_BEGIN = b"-----BEGIN X509 CRL-----"
_HASHES = ("sha256", "sha384", "sha512", "sha3-256", "sha3-384", "sha3-512")
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension,
               x509.UnsupportedGeneralNameType)  # fmt: skip
_KEPT = 16
"""Files that are kept read: every listener and upstream may name the same one."""


Scope = tuple[bool, bool, frozenset[x509.GeneralName]]
"""Authorities only, others only, distribution points (none: all of them)."""
_E = TypeVar("_E", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True, eq=False)
class RevocationList:
    """One list. Times are UTC."""

    crl: x509.CertificateRevocationList
    issuer: x509.Name
    issuer_text: str
    """For logs and metrics."""
    key_identifier: bytes | None
    number: int
    """Tells which of two of one instant is newer (RFC 5280, 5.2.3)."""
    this_update: datetime
    next_update: datetime
    serials: frozenset[int]
    scope: Scope

    def speaks_of(self, certificate: x509.Certificate) -> bool:
        """Whether `certificate` is in the scope of this list, if their issuer is the same."""
        authorities, others, points = self.scope
        if authorities or others:
            constraints = _extension(certificate.extensions, x509.BasicConstraints)
            is_authority = constraints is not None and constraints.ca
            if is_authority != authorities:
                return False
        return not points or not points.isdisjoint(_points(certificate))


def read_crls(content: bytes) -> list[x509.CertificateRevocationList]:
    """Every CRL of the file, at least one; `CredentialError` otherwise."""
    return [each.crl for each in read_lists(content)]


@functools.lru_cache(maxsize=_KEPT)
def read_lists(content: bytes) -> tuple[RevocationList, ...]:
    """Every CRL of the file, at least one; `CredentialError` otherwise."""
    try:
        if b"-----BEGIN" not in content:
            crls = [x509.load_der_x509_crl(content)]
        else:
            blocks = content.split(_BEGIN)[1:]
            crls = [x509.load_pem_x509_crl(_BEGIN + block) for block in blocks]
        lists = tuple(read_list(crl) for crl in crls)
    except _UNREADABLE:
        raise CredentialError("a CRL does not parse") from None
    if not lists:
        raise CredentialError("no PEM CRL found")
    return lists


def read_list(crl: x509.CertificateRevocationList) -> RevocationList:
    """Raises `CredentialError` where it is none that is complete and usable as it is."""
    if crl.next_update_utc is None:
        raise CredentialError("a CRL has no nextUpdate: nobody could tell when it is stale")
    hashed = crl.signature_hash_algorithm
    if hashed is not None and hashed.name not in _HASHES:
        raise CredentialError(f"a CRL is signed with {hashed.name}, which proves nothing")
    number = _require_complete(crl.extensions)
    above = _extension(crl.extensions, x509.AuthorityKeyIdentifier)
    return RevocationList(
        crl=crl,
        issuer=crl.issuer,
        issuer_text=printable(crl.issuer)[:200],
        key_identifier=above.key_identifier if above is not None else None,
        number=number,
        this_update=crl.last_update_utc,
        next_update=crl.next_update_utc,
        serials=_serials(crl),
        scope=_scope(_extension(crl.extensions, x509.IssuingDistributionPoint)),
    )


def _require_complete(extensions: x509.Extensions) -> int:
    """Its number."""
    if _extension(extensions, x509.DeltaCRLIndicator) is not None:
        raise CredentialError("a delta CRL says what has changed only: give the complete list")
    critical = [each.value for each in extensions if each.critical]
    if not all(isinstance(each, x509.IssuingDistributionPoint) for each in critical):
        raise CredentialError("a CRL has a critical extension that is unknown, or may not be so")
    number = _extension(extensions, x509.CRLNumber)
    if number is None:
        raise CredentialError("a CRL has no CRLNumber: nobody could tell which is newer")
    return number.crl_number


def _scope(point: x509.IssuingDistributionPoint | None) -> Scope:
    if point is None:
        return False, False, frozenset()
    if point.indirect_crl:
        raise CredentialError("an indirect CRL speaks for other authorities: give their own")
    if point.only_some_reasons is not None or point.only_contains_attribute_certs:
        raise CredentialError("a CRL of some reasons, or of attribute certificates, covers nobody")
    if point.relative_name is not None:
        raise CredentialError("a CRL names its distribution point by a part of a name")
    names = frozenset(point.full_name or ())
    return point.only_contains_ca_certs, point.only_contains_user_certs, names


def _serials(crl: x509.CertificateRevocationList) -> frozenset[int]:
    """Whatever an entry says beside its serial, held or even removed: who is named is revoked."""
    serials = set()
    for entry in crl:
        if any(each.critical for each in entry.extensions):
            raise CredentialError("an entry of a CRL has a critical extension")
        serials.add(entry.serial_number)
    return frozenset(serials)


def _points(certificate: x509.Certificate) -> frozenset[x509.GeneralName]:
    points = _extension(certificate.extensions, x509.CRLDistributionPoints)
    return frozenset(name for point in points or () for name in point.full_name or ())


def _extension(extensions: x509.Extensions, kind: type[_E]) -> _E | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
