"""A certification path, judged a second time and strictly (RFC 5280, section 6).

OpenSSL finds the path and judges it: signatures, validity, purpose, revocation. What it reads
generously, or only where a flag is set that pyOpenSSL cannot set, is read here again, over the path
that it chose. The same code runs in the handshake (`proxy.tls.verify`) and offline
(`proxy.tls.offline`), so that a corpus of vectors tests what connections meet.

    members = [examine(certificate) ...]      one certificate by itself: `proxy.tls.profile`
    require_path(members, at, usage)          how they stand to each other, leaf first, anchor last

Bounded work: a path has `DEPTH` intermediates at most, names and constraints are counted before
they are compared, policies are a graph and no tree. OpenSSL checks one signature for each
certificate of the path that it chose, and never goes back to try another.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from proxy.errors import TlsFailure
from proxy.tls.constraints import require_names
from proxy.tls.policies import require_policies
from proxy.tls.profile import Member, examine, require_issued

DEPTH = 8
"""Intermediates between leaf and trust anchor, self-issued ones not counted."""
AUTHORITIES = 256
"""Authorities whose examination is kept. Only what a trusted authority issued gets here."""
LONGEST = 16
"""Certificates of a path, all of them."""

_E = TypeVar("_E", bound=x509.ExtensionType)


def examine_in_place(
    certificate: x509.Certificate, depth: int, at: datetime, usage: x509.ObjectIdentifier
) -> Member:
    """One certificate of a path by itself, at its depth (0 is the leaf). Raises `TlsFailure`."""
    if depth:
        return examine_authority(certificate.public_bytes(Encoding.DER), at, usage)
    member = examine(certificate, usage)
    require_time(certificate, at)
    require_leaf_usage(certificate, usage)
    return member


def examine_authority(der: bytes, at: datetime, usage: x509.ObjectIdentifier) -> Member:
    """One certificate above the leaf. Raises `TlsFailure`, `UNREADABLE`."""
    member = _authority(der, usage)
    require_time(member.certificate, at)
    return member


@lru_cache(maxsize=AUTHORITIES)
def _authority(der: bytes, usage: x509.ObjectIdentifier) -> Member:
    """The same few authorities come with every peer; those that are refused are not kept."""
    return examine(x509.load_der_x509_certificate(der), usage, authority=True)


def require_path(path: Sequence[Member], *, depth: int = DEPTH) -> None:
    """`path` is leaf first, trust anchor last. Fails closed: raises `TlsFailure("untrusted")`.

    Each member has passed `examine_in_place`; signatures are OpenSSL's affair.
    """
    if len(path) < 2:
        raise TlsFailure("untrusted", "a certificate that stands for itself")
    _require_length(path, depth)
    if len({member.certificate for member in path}) != len(path):
        raise TlsFailure("untrusted", "the same certificate twice in a path")
    for member, issuer in pairwise(path):
        require_issued(member)
        if member.authority_identifier != issuer.key_identifier:
            raise TlsFailure("untrusted", "the key identifiers of subject and issuer differ")
    require_names([member.bearer for member in path])
    require_policies([member.step for member in path])


def require_time(certificate: x509.Certificate, at: datetime) -> None:
    """RFC 5280, 4.1.2.5: both ends belong to the period, in whole seconds. `TlsFailure`."""
    now = at.astimezone(UTC).replace(microsecond=0)
    if now < certificate.not_valid_before_utc:
        raise TlsFailure("not_yet_valid", "a certificate of the path is not yet valid")
    if now > certificate.not_valid_after_utc:
        raise TlsFailure("expired", "a certificate of the path has expired")


def _require_length(path: Sequence[Member], depth: int) -> None:
    """RFC 5280, 4.2.1.9: the leaf does not count, nor do self-issued certificates."""
    below = 0
    for index, member in enumerate(path[1:]):
        if member.path_length is not None and below > member.path_length:
            raise TlsFailure("untrusted", "more authorities than pathLenConstraint admits")
        anchor = index == len(path) - 2
        below += not member.self_issued and not anchor
    if below > depth or len(path) > LONGEST:
        raise TlsFailure("untrusted", f"more than {depth} intermediate authorities")


def require_leaf_usage(leaf: x509.Certificate, usage: x509.ObjectIdentifier) -> None:
    """RFC 5280, 4.2.1.3, 4.2.1.9, 4.2.1.12; the extended usage must be *written*. `TlsFailure`."""
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise TlsFailure("usage", "the certificate of an authority stands for no peer")
    key_usage = _extension(leaf, x509.KeyUsage)
    if key_usage is not None and not key_usage.digital_signature:
        raise TlsFailure("usage", "keyUsage does not admit digitalSignature")
    extended = _extension(leaf, x509.ExtendedKeyUsage)
    if extended is None:
        raise TlsFailure("usage", "there is no extendedKeyUsage")
    if usage not in extended:
        wanted = "clientAuth" if usage == ExtendedKeyUsageOID.CLIENT_AUTH else "serverAuth"
        raise TlsFailure("usage", f"extendedKeyUsage does not hold {wanted}")


def _extension(leaf: x509.Certificate, kind: type[_E]) -> _E | None:
    try:
        return leaf.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
