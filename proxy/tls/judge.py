"""Who a trust bundle accepts, with its lists and its pins, at any time after a handshake.

    standing = judge.require(certificate, now)     # good until `standing.until`, or TlsFailure

What a handshake has verified is not verified again but for what can have changed: the trust, the
lists, the pins, the clock. Where the authority that it ended at is not trusted here, or no more,
another path is looked for, by all the rules of a handshake (`proxy.tls.offline`).
"""

import functools
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.errors import TlsFailure
from proxy.model import Certificate
from proxy.tls.identity import UNREADABLE
from proxy.tls.offline import CLIENT, SERVER, verify_path
from proxy.tls.path import require_time
from proxy.tls.standing import Revocations, Standing
from proxy.tls.verify import require_name

_PATHS = 512
"""Paths that are kept read: those of the peers that were asked about last."""


class Judge:
    """A trust bundle with its lists and pins."""

    def __init__(
        self,
        authorities: Sequence[x509.Certificate],
        revocations: Revocations,
        pins: frozenset[bytes] | None = None,
        *,
        server: bool,
    ) -> None:
        """`server` says that we are one, so that peers are clients."""
        self.revocations = revocations
        self.pins = pins
        self._authorities = tuple(authorities)
        self._trusted = frozenset(each.public_bytes(Encoding.DER) for each in authorities)
        self._usage = CLIENT if server else SERVER
        self._read = functools.lru_cache(maxsize=_PATHS)(_read)
        self._found: dict[tuple[bytes, tuple[bytes, ...]], list[x509.Certificate]] = {}

    def require(
        self, certificate: Certificate, now: datetime, server_name: str | None = None
    ) -> Standing:
        """What a handshake would say now of a peer that has passed one, under any trust.

        `certificate.chain` is what that handshake verified; `server_name`, where it is given, what
        it has to be for now. Raises `TlsFailure` with the reason
        that the handshake would give. Fails closed.
        """
        try:
            path = self._path(certificate, now)
            for each in path:
                require_time(each, now)
            if server_name is not None:
                require_name(path[0], server_name)
            if self.pins is not None and certificate.spki_sha256 not in self.pins:
                raise TlsFailure("pin", "no pin matches the key of the certificate")
            return self.revocations.require(path, now)
        except UNREADABLE:
            raise TlsFailure("untrusted", "a certificate does not parse") from None

    def _path(self, certificate: Certificate, now: datetime) -> Sequence[x509.Certificate]:
        verified = (certificate.der, *certificate.chain)
        if certificate.chain and certificate.chain[-1] in self._trusted:
            return self._read(verified)
        key = (certificate.der, certificate.chain)
        if key not in self._found:
            leaf, *others = self._read(verified)
            found = verify_path(leaf, others, self._authorities, usage=self._usage, at=now)
            if len(self._found) >= _PATHS:
                del self._found[next(iter(self._found))]
            self._found[key] = found
        return self._found[key]


def _read(ders: tuple[bytes, ...]) -> list[x509.Certificate]:
    return [x509.load_der_x509_certificate(each) for each in ders]
