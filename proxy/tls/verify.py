"""What is asked of a peer's certificate during the handshake, and the reason when it fails.

OpenSSL builds the path and judges it (RFC 5280: signatures, validity, constraints, purpose), then
shows it certificate by certificate, the trust anchor first. Each is examined before its key is used
for the next one (`proxy.tls.profile`). At the leaf the whole path is judged again
(`proxy.tls.path`), unless it has passed before (`proxy.tls.known`), then revocation
(`proxy.tls.standing`), then whether the leaf is who is expected. All is asked within the handshake,
so that the peer gets an alert and not a silent end; which alert says little, and the reason stays
with us.

Rules of the callback: it never raises (pyOpenSSL would raise it in whichever connection comes next
on the same context), it never turns a failure into a success, and the first failure stands. One
above the leaf lets OpenSSL go on as far as the leaf, so that the log can say whose it was, but not
past a key that costs more than any that is admitted. The handshake fails there, and were the leaf
never shown, the engine would refuse it for the failure that stands.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import (
    DNS_ID,
    DNSPattern,
    IPAddress_ID,
    IPAddressPattern,
    verify_service_identity,
)

from proxy.errors import TlsFailure
from proxy.model import Certificate
from proxy.tls.algorithms import require_key
from proxy.tls.der import parts
from proxy.tls.identity import UNREADABLE, identify, printable
from proxy.tls.known import Known, KnownPaths, encoded
from proxy.tls.path import examine_authority, require_time
from proxy.tls.profile import Member
from proxy.tls.standing import Standing, Unrevoked

_Codes = SSL.X509VerificationCodes
_REASONS = {
    _Codes.ERR_CERT_HAS_EXPIRED: "expired",
    _Codes.ERR_CERT_NOT_YET_VALID: "not_yet_valid",
    _Codes.ERR_INVALID_PURPOSE: "usage",
    _Codes.ERR_KEYUSAGE_NO_DIGITAL_SIGNATURE: "usage",
    66: "weak_key",  # of the leaf; pyOpenSSL has no names from here on
    67: "weak_key",  # of an authority
    68: "weak_key",  # a hash
    76: "weak_key",  # an unsupported signature algorithm
    94: "weak_key",  # a curve that is not named
}
"""Verification error -> reason. Whatever is not here means that the chain is `untrusted`."""
_WORDS: dict[int, str] = {
    66: "key of the leaf too small",
    67: "key of an authority too small",
    68: "hash too weak",
    76: "unsupported signature algorithm",
    77: "signature algorithm mismatch",
    78: "two signature algorithms",
    79: "an issuer that is no authority",
    80: "pathLenConstraint where there is no authority",
    81: "pathLenConstraint without keyCertSign",
    82: "keyCertSign where there is no authority",
    83: "empty issuer",
    84: "empty subject",
    85: "no authorityKeyIdentifier",
    86: "no subjectKeyIdentifier",
    87: "empty subjectAltName",
    88: "empty subject, and subjectAltName not critical",
    89: "basicConstraints not critical",
    90: "authorityKeyIdentifier critical",
    91: "subjectKeyIdentifier critical",
    92: "an authority without keyUsage",
    93: "extensions before version 3",
    94: "curve with explicit parameters",
} | {
    number: name.removeprefix("ERR_").replace("_", " ").lower()
    for name, number in vars(_Codes).items()
    if name.startswith("ERR_")
}


@dataclass(slots=True)
class Examination:
    """One connection's verification: what is expected, and what came out."""

    server_name: str | None
    failure: TlsFailure | None = None
    above: list[Member] = field(default_factory=list)
    """The authorities that have passed, the trust anchor first."""
    known: Known | None = None
    """The path, once all of it has passed."""
    standing: Standing | None = None
    """How long it is good."""
    leaf: crypto.X509 | None = None
    """What the peer presented, whether it passed or not; None while it has not been seen."""

    def forget(self) -> None:
        """What nobody asks for once the handshake is complete."""
        self.above, self.known, self.leaf = [], None, None


_ADDRESSES = (ipaddress.IPv4Address, ipaddress.IPv6Address)
Callback = Callable[[SSL.Connection, crypto.X509, int, int, int], bool]


def make_callback(
    server: bool, pins: frozenset[bytes] | None, require_unrevoked: Unrevoked
) -> Callback:
    """The callback of a context. The connection's app data must be an `Examination`."""
    usage = ExtendedKeyUsageOID.CLIENT_AUTH if server else ExtendedKeyUsageOID.SERVER_AUTH
    paths = KnownPaths(usage)

    def examine(
        connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, passed: int
    ) -> bool:
        examination = _examination(connection, certificate, depth)
        if examination.failure is not None:
            return _goes_on(certificate, depth)
        try:
            if not passed:
                raise TlsFailure(reason_of(error), words_of(error))
            now = datetime.now(UTC)
            if depth:
                examination.above.append(examine_authority(encoded(certificate), now, usage))
            else:
                known = paths.require(certificate, examination.above)
                require_time(known.path[0], now)
                examination.standing = require_unrevoked(known.path, now)
                require_expected(known.path[0], known.peer, pins, examination.server_name)
                examination.known = known
        except TlsFailure as failure:
            detail = f"{failure.detail}: {_describe(certificate, depth)}"
            examination.failure = TlsFailure(failure.reason, detail)
        except UNREADABLE:
            examination.failure = TlsFailure("untrusted", "a certificate does not parse")
        except Exception as foreign:
            name = type(foreign).__name__
            examination.failure = TlsFailure("other", f"{name} while examining the certificate")
        return examination.failure is None or _goes_on(certificate, depth)

    return examine


def _examination(connection: SSL.Connection, certificate: crypto.X509, depth: int) -> Examination:
    examination: Examination = connection.get_app_data()
    if depth == 0:
        examination.leaf = certificate
    return examination


def _goes_on(certificate: crypto.X509, depth: int) -> bool:
    """Whether what was refused here or above is followed down to its leaf."""
    if depth == 0 or certificate.get_serial_number() <= 0:  # cryptography would warn
        return False
    try:
        parsed = certificate.to_cryptography()
        require_key(parsed, parts(parsed.public_bytes(Encoding.DER)).public_key)
    except TlsFailure:
        return False
    except UNREADABLE:
        return False
    return True


def reason_of(error: int) -> str:
    """The reason that a verification error of OpenSSL means."""
    return _REASONS.get(error, "untrusted")


def words_of(error: int) -> str:
    """What a verification error of OpenSSL says."""
    return _WORDS.get(error, f"verification error {error}")


def _describe(certificate: crypto.X509, depth: int) -> str:
    """Which certificate failed, for our own log: bounded, printable."""
    try:
        parsed = certificate.to_cryptography()
        fingerprint = parsed.fingerprint(hashes.SHA256()).hex()
    except UNREADABLE:
        return f"depth {depth}, a certificate that does not parse"
    return f"depth {depth}, {printable(parsed.subject)[:200]!r}, sha256 {fingerprint}"


def require_identity(
    leaf: x509.Certificate, pins: frozenset[bytes] | None, server_name: str | None
) -> None:
    """Names, SPIFFE ID, `server_name` and pins of a leaf. Raises `TlsFailure`; fails closed."""
    require_expected(leaf, identify(leaf), pins, server_name)


def require_expected(
    leaf: x509.Certificate,
    certificate: Certificate,
    pins: frozenset[bytes] | None,
    server_name: str | None,
) -> None:
    """`server_name` and pins of a leaf that was identified. Raises `TlsFailure`; fails closed."""
    if server_name is not None:
        require_name(leaf, server_name)
    if pins is not None and certificate.spki_sha256 not in pins:
        fingerprint = certificate.sha256.hex()
        raise TlsFailure("pin", f"no pin matches the key of the certificate, sha256 {fingerprint}")


def require_name(leaf: x509.Certificate, server_name: str) -> None:
    """RFC 9525: subjectAltName only, DNS or IP. Names of other kinds neither help nor hinder.

    Raises `TlsFailure` `name`.
    """
    address = is_ip(server_name)
    wanted = IPAddress_ID(server_name) if address else DNS_ID(server_name)
    try:
        verify_service_identity(
            cert_patterns=_addresses(leaf) if address else _hosts(leaf),
            obligatory_ids=[wanted],
            optional_ids=[],
        )
    except (VerificationError, CertificateError):
        raise TlsFailure("name", f"the certificate is not for {server_name!r}") from None


def _hosts(leaf: x509.Certificate) -> list[DNSPattern]:
    """What service-identity takes for a pattern; what it does not, matches nothing."""
    found = []
    for name in _alternative_names(leaf).get_values_for_type(x509.DNSName):
        try:
            found.append(DNSPattern.from_bytes(name.encode()))
        except CertificateError:
            continue
    return found


def _addresses(leaf: x509.Certificate) -> list[IPAddressPattern]:
    found = _alternative_names(leaf).get_values_for_type(x509.IPAddress)
    return [IPAddressPattern(each) for each in found if isinstance(each, _ADDRESSES)]


def _alternative_names(leaf: x509.Certificate) -> x509.SubjectAlternativeName:
    try:
        return leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return x509.SubjectAlternativeName([])


def is_ip(name: str) -> bool:
    """True for an IPv4 or IPv6 address in text."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
