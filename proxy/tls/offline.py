"""A certification path judged without a connection: what the handshake would say of a peer.

The same two judges as in the handshake: OpenSSL's, then ours (`proxy.tls.path`). What differs is
how OpenSSL is asked: what a connection tells it of purpose and strength is left to our judge, which
asks both again anyway.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from proxy.errors import TlsFailure
from proxy.settings.trust import Revocation
from proxy.tls.identity import UNREADABLE
from proxy.tls.path import DEPTH, examine_in_place, require_path
from proxy.tls.revocation import read_list
from proxy.tls.standing import Revocations
from proxy.tls.verify import reason_of, require_identity, words_of

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
CERTIFICATES = 64
"""Intermediates to choose from, at most."""

_Flags = crypto.X509StoreFlags


def verify_path(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    trust: Sequence[x509.Certificate],
    *,
    usage: x509.ObjectIdentifier,
    at: datetime | None = None,
    name: str | None = None,
    crls: Sequence[x509.CertificateRevocationList] = (),
    depth: int = DEPTH,
) -> list[x509.Certificate]:
    """The path from `leaf` to an authority of `trust`, both included, after every check.

    `usage` is `CLIENT` or `SERVER`, whichever the leaf is to be; `name` is the DNS name or address
    that it has to have; `at` is now unless given; with `crls` the leaf's issuer must have one, as
    in the handshake. Raises `TlsFailure` with the reason that the handshake would give, and
    `CredentialError` for a CRL that is of no use.
    """
    now = at or datetime.now(UTC)
    try:
        path = _build(leaf, intermediates, trust, now)
        members = [
            examine_in_place(certificate, place, now, usage)
            for place, certificate in reversed(list(enumerate(path)))
        ]
        require_path(members[::-1], depth=depth)
        if crls:
            Revocations([read_list(crl) for crl in crls], Revocation()).require(path, now)
        require_identity(leaf, None, name)
    except UNREADABLE:
        raise TlsFailure("untrusted", "a certificate does not parse") from None
    return path


def _build(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    trust: Sequence[x509.Certificate],
    at: datetime,
) -> list[x509.Certificate]:
    if len(intermediates) > CERTIFICATES:
        raise TlsFailure("untrusted", f"more than {CERTIFICATES} certificates to choose from")
    context = _context(leaf, intermediates, _store(trust, at))
    try:
        return [each.to_cryptography() for each in context.get_verified_chain()]
    except crypto.X509StoreContextError as error:
        raise _translate(error) from None


def _store(trust: Sequence[x509.Certificate], at: datetime) -> crypto.X509Store:
    store = crypto.X509Store()
    for authority in trust:
        store.add_cert(crypto.X509.from_cryptography(authority))
    store.set_flags(_Flags.X509_STRICT)
    store.set_time(at.astimezone(UTC))
    return store


def _context(
    certificate: x509.Certificate, others: Sequence[x509.Certificate], store: crypto.X509Store
) -> crypto.X509StoreContext:
    chain = [crypto.X509.from_cryptography(each) for each in others]
    return crypto.X509StoreContext(store, crypto.X509.from_cryptography(certificate), chain)


def _translate(error: crypto.X509StoreContextError) -> TlsFailure:
    code, place = error.errors[0], error.errors[1]
    return TlsFailure(reason_of(code), f"{words_of(code)}, depth {place}")
