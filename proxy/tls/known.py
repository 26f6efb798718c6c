"""Paths that have passed, so that a peer which comes again is not examined again.

OpenSSL verifies each handshake from the beginning: signatures, validity, purpose, and that the peer
has the key. What is asked here beside that is of two kinds:

    of the octets alone    form, keys, extensions, names, policies, who it is    asked once
    of this moment         validity, revocation; pins and the name that is demanded    each time

A path is known by the octets of all its certificates, and to one context only: a reload makes new
ones. Nothing is kept of what was refused, so only those whom a trusted authority has vouched for
take any room.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from OpenSSL import crypto

from proxy.errors import TlsFailure
from proxy.model import Certificate
from proxy.tls.identity import identify
from proxy.tls.path import require_leaf_usage, require_path
from proxy.tls.profile import Member, examine

PATHS: Final = 1024
"""Paths that are kept, of some five kilobytes each: those that came last."""


@dataclass(frozen=True, slots=True)
class Known:
    """A path of which everything but the moment has been asked."""

    path: tuple[x509.Certificate, ...]
    """Leaf first, trust anchor last."""
    peer: Certificate


class KnownPaths:
    """Those of one context, which has one `usage` (clientAuth or serverAuth)."""

    def __init__(self, usage: x509.ObjectIdentifier, limit: int = PATHS) -> None:
        self._usage = usage
        self._limit = limit
        self._known: dict[tuple[bytes, ...], Known] = {}
        """The one that came last is last."""

    def __len__(self) -> int:
        return len(self._known)

    def require(self, leaf: crypto.X509, above: Sequence[Member]) -> Known:
        """What is known of a path that OpenSSL has verified, or is to know from now on.

        `above` are the authorities that have been examined, the trust anchor first. Raises
        `TlsFailure`, and `UNREADABLE` for a leaf that does not parse. Fails closed.
        """
        key = (encoded(leaf), *(each.der for each in reversed(above)))
        known = self._known.pop(key, None) or self._examine(leaf, above, key)
        if len(self._known) >= self._limit:
            del self._known[next(iter(self._known))]
        self._known[key] = known
        return known

    def _examine(
        self, leaf: crypto.X509, above: Sequence[Member], ders: tuple[bytes, ...]
    ) -> Known:
        if leaf.get_serial_number() <= 0:  # cryptography would warn
            raise TlsFailure("untrusted", "a serial that is not positive")
        member = examine(leaf.to_cryptography(), self._usage)
        require_leaf_usage(member.certificate, self._usage)
        members = [member, *reversed(above)]
        require_path(members)
        path = tuple(each.certificate for each in members)
        return Known(path, identify(member.certificate, ders[1:]))


def encoded(certificate: crypto.X509) -> bytes:
    """DER."""
    return crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
