"""What is asked of a peer's certificate during the handshake, and the reason when it fails.

OpenSSL builds the chain and judges it (RFC 5280: signatures, validity, constraints, purpose, CRLs).
At the leaf it is our turn. Everything is asked within the handshake, so that the peer gets an alert
and not a silent end; which alert says little, and the reason stays with us.

Rules of the callback: it never raises (pyOpenSSL would raise it in whichever connection comes next
on the same context), it never turns a failure into a success but for the one case in
`_is_uncovered_issuer`, and the first failure stands.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import (
    verify_certificate_hostname,
    verify_certificate_ip_address,
)

from proxy.errors import TlsFailure
from proxy.tls.identity import UNREADABLE, identify, printable

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)

_Codes = SSL.X509VerificationCodes
_REASONS = {
    _Codes.ERR_CERT_HAS_EXPIRED: "expired",
    _Codes.ERR_CERT_NOT_YET_VALID: "not_yet_valid",
    _Codes.ERR_CERT_REVOKED: "revoked",
    _Codes.ERR_INVALID_PURPOSE: "usage",
    _Codes.ERR_KEYUSAGE_NO_DIGITAL_SIGNATURE: "usage",
    _Codes.ERR_UNABLE_TO_GET_CRL: "crl",
    _Codes.ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE: "crl",
    _Codes.ERR_CRL_SIGNATURE_FAILURE: "crl",
    _Codes.ERR_CRL_NOT_YET_VALID: "crl",
    _Codes.ERR_CRL_HAS_EXPIRED: "crl",
    _Codes.ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD: "crl",
    _Codes.ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD: "crl",
    _Codes.ERR_UNABLE_TO_GET_CRL_ISSUER: "crl",
    _Codes.ERR_KEYUSAGE_NO_CRL_SIGN: "crl",
    _Codes.ERR_UNHANDLED_CRITICAL_CRL_EXTENSION: "crl",
    _Codes.ERR_DIFFERENT_CRL_SCOPE: "crl",
    _Codes.ERR_CRL_PATH_VALIDATION_ERROR: "crl",
}
"""Verification error -> reason. Whatever is not here means that the chain is `untrusted`."""
_WORDS = {
    number: name.removeprefix("ERR_").replace("_", " ").lower()
    for name, number in vars(_Codes).items()
    if name.startswith("ERR_")
}


@dataclass(slots=True)
class Examination:
    """One connection's verification: what is expected, and what came out."""

    server_name: str | None
    failure: TlsFailure | None = None


Callback = Callable[[SSL.Connection, crypto.X509, int, int, int], bool]


def make_callback(server: bool, pins: frozenset[bytes] | None) -> Callback:
    """The callback of a context. The connection's app data must be an `Examination`."""
    usage = ExtendedKeyUsageOID.CLIENT_AUTH if server else ExtendedKeyUsageOID.SERVER_AUTH

    def examine(
        connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, passed: int
    ) -> bool:
        examination: Examination = connection.get_app_data()
        if examination.failure is not None:
            return False
        if _is_uncovered_issuer(error, depth):
            return True
        try:
            if not passed:
                raise _failure(certificate, error, depth)
            if depth == 0:
                leaf = certificate.to_cryptography()
                _require_usage(leaf, usage)
                _require_identity(leaf, pins, examination.server_name)
        except TlsFailure as failure:
            examination.failure = failure
        except UNREADABLE:
            examination.failure = TlsFailure("identity", "the certificate does not parse")
        except Exception as foreign:
            name = type(foreign).__name__
            examination.failure = TlsFailure("other", f"{name} while examining the certificate")
        return examination.failure is None

    return examine


def _is_uncovered_issuer(error: int, depth: int) -> bool:
    """No CRL covers an issuer. Only the leaf's issuer must publish one (docs/identity.md)."""
    return error == _Codes.ERR_UNABLE_TO_GET_CRL and depth > 0


def _failure(certificate: crypto.X509, error: int, depth: int) -> TlsFailure:
    words = _WORDS.get(error, f"verification error {error}")
    return TlsFailure(_REASONS.get(error, "untrusted"), f"{words}: {_describe(certificate, depth)}")


def _describe(certificate: crypto.X509, depth: int) -> str:
    """Which certificate failed, for our own log: bounded, printable."""
    try:
        parsed = certificate.to_cryptography()
        fingerprint = parsed.fingerprint(hashes.SHA256()).hex()
    except UNREADABLE:
        return f"depth {depth}, a certificate that does not parse"
    return f"depth {depth}, {printable(parsed.subject)[:200]!r}, sha256 {fingerprint}"


def _require_usage(leaf: x509.Certificate, usage: x509.ObjectIdentifier) -> None:
    """RFC 5280, 4.2.1.3, 4.2.1.9 and 4.2.1.12; the extended usage must be *written*."""
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


def _require_identity(
    leaf: x509.Certificate, pins: frozenset[bytes] | None, server_name: str | None
) -> None:
    certificate = identify(leaf)
    if server_name is not None:
        _require_name(leaf, server_name)
    if pins is not None and certificate.spki_sha256 not in pins:
        fingerprint = certificate.sha256.hex()
        raise TlsFailure("pin", f"no pin matches the key of the certificate, sha256 {fingerprint}")


def _require_name(leaf: x509.Certificate, server_name: str) -> None:
    """RFC 9525: subjectAltName only, DNS or IP."""
    try:
        if is_ip(server_name):
            verify_certificate_ip_address(leaf, server_name)
        else:
            verify_certificate_hostname(leaf, server_name)
    except (VerificationError, CertificateError):
        raise TlsFailure("name", f"the certificate is not for {server_name!r}") from None


def is_ip(name: str) -> bool:
    """True for an IPv4 or IPv6 address in text."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _extension(leaf: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return leaf.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
