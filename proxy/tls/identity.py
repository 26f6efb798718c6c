"""Who a certificate says its holder is: subjectAltName, SPIFFE ID, pins (RFC 5280, RFC 7469).

A name is only ever taken from subjectAltName. Of the subject CN and OU are kept apart, for grants
that ask for them by these keys; whoever does relies on what the authority lets stand there. Names
are compared as text further on, and written into headers and logs, so one with white space, control
characters or anything that is not ASCII refuses the whole certificate.

A SPIFFE ID looks like `spiffe://lockgate.example/etl/orders`. Its rules (SPIFFE-ID 2, X509-SVID 2
and 3.1): lower-case trust domain; a path with no empty, `.` or `..` segment; letters, digits and
`.-_` only, so neither port, user, query, fragment nor percent-encoding; and the only URI of its
certificate. These bind a leaf, which has a path. An authority may have the ID of its trust domain,
`spiffe://lockgate.example`, and nothing follows from any name of it.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from cryptography.x509.oid import NameOID
from OpenSSL import crypto

from proxy.errors import CredentialError, TlsFailure
from proxy.model import Certificate

UNREADABLE: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,  # a name whose attribute is of an odd ASN.1 type
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What cryptography raises while it reads a certificate that it cannot make sense of."""

_SPIFFE = re.compile(r"spiffe://([a-z0-9._-]{1,255})((?:/[A-Za-z0-9._-]+)+)")
_DOMAIN = re.compile(r"spiffe://[a-z0-9._-]{1,255}")
_PIN = re.compile(r"sha256:([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)")
_LONGEST_SUBJECT = 200
_LONGEST_SERIAL = 64
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


def identify(leaf: x509.Certificate, chain: tuple[bytes, ...] = ()) -> Certificate:
    """What Lockgate uses of an end-entity certificate; `chain` is its verified issuers, DER.

    Raises `TlsFailure` with reason `identity` when a part does not parse or a name breaks a rule.
    """
    try:
        uris, dns, ips = _names(leaf)
        return replace(
            _bare(leaf),
            chain=chain,
            spiffe=require_one_spiffe_id(uris),
            uris=uris,
            dns=dns,
            ips=ips,
            common_names=_of_subject(leaf, NameOID.COMMON_NAME),
            units=_of_subject(leaf, NameOID.ORGANIZATIONAL_UNIT_NAME),
        )
    except UNREADABLE:
        raise TlsFailure("identity", "a part of the certificate does not parse") from None


def describe_authority(authority: x509.Certificate) -> Certificate:
    """What Lockgate tells of a certificate above a leaf, which stands for no peer.

    Of its names there is the ID of its trust domain at most (X509-SVID 2: without a path), the
    others are left out. Raises `TlsFailure` with reason `identity` when a part does not parse.
    """
    try:
        uris = _alternative_names(authority).get_values_for_type(x509.UniformResourceIdentifier)
        domains = tuple(filter(_DOMAIN.fullmatch, uris))
        one = domains if len(uris) == 1 else ()
        return replace(_bare(authority), spiffe=next(iter(one), None), uris=one)
    except UNREADABLE:
        raise TlsFailure("identity", "a part of the certificate does not parse") from None


def identify_each(chain: Sequence[x509.Certificate]) -> list[Certificate]:
    """A chain that is somebody's own, leaf first: who they are, and their authorities described.

    Raises `TlsFailure`.
    """
    leaf, *above = chain
    return [identify(leaf), *map(describe_authority, above)]


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether basicConstraints say so. Raises `UNREADABLE`."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _bare(certificate: x509.Certificate) -> Certificate:
    der = certificate.public_bytes(Encoding.DER)
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Certificate(
        der=der,
        chain=(),
        sha256=sha256(der).digest(),
        spki_sha256=sha256(spki).digest(),
        subject=printable(certificate.subject),
        issuer=printable(certificate.issuer),
        serial=certificate.serial_number,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        spiffe=None,
    )


def require_one_spiffe_id(uris: tuple[str, ...]) -> str | None:
    """The SPIFFE ID among the URIs of one certificate; None when it has none.

    Fails closed: anything that looks like one and breaks a rule raises `TlsFailure("identity")`.
    """
    if not any(uri.lower().startswith("spiffe:") for uri in uris):
        return None
    if len(uris) != 1:
        raise TlsFailure("identity", "a SPIFFE ID must be the only URI of its certificate")
    match = _SPIFFE.fullmatch(uris[0])
    if match is None or len(uris[0]) > 2048:
        raise TlsFailure("identity", "the SPIFFE ID is not valid")
    if not {".", ".."}.isdisjoint(match[2].split("/")):
        raise TlsFailure("identity", "the SPIFFE ID has a dot segment")
    return uris[0]


def printable(name: x509.Name) -> str:
    """RFC 4514 text of a name, with everything but printable ASCII escaped, for logs."""
    text = name.rfc4514_string()
    return _UNPRINTABLE.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", text)


def _of_subject(leaf: x509.Certificate, kind: x509.ObjectIdentifier) -> tuple[str, ...]:
    values = (each.value for each in leaf.subject.get_attributes_for_oid(kind))
    return tuple(value for value in values if isinstance(value, str))


def describe(leaf: crypto.X509) -> dict[str, str]:
    """Subject, serial (hexadecimal) and pin of a certificate that nobody has verified, for our log:
    bounded, printable. What cannot be read is left out; never raises."""
    serial = leaf.get_serial_number()
    found = {"serial": f"{serial:x}"[:_LONGEST_SERIAL]}
    if serial <= 0:
        return found  # cryptography would warn
    try:
        parsed = leaf.to_cryptography()
        found["subject"] = printable(parsed.subject)[:_LONGEST_SUBJECT]
        key = parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        found["pin"] = format_pin(sha256(key).digest())
    except UNREADABLE:
        pass  # nobody has judged it yet, and nothing follows from it
    return found


def described(peer: Certificate) -> dict[str, str]:
    """The same of a certificate that was verified."""
    return {
        "serial": f"{peer.serial:x}"[:_LONGEST_SERIAL],
        "subject": peer.subject[:_LONGEST_SUBJECT],
        "pin": format_pin(peer.spki_sha256),
    }


def _names(leaf: x509.Certificate) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """URIs, DNS names and IP addresses, in the order of the certificate."""
    names = _alternative_names(leaf)
    uris = tuple(names.get_values_for_type(x509.UniformResourceIdentifier))
    dns = tuple(names.get_values_for_type(x509.DNSName))
    if any(not name or re.search(r"[^\x21-\x7e]", name) for name in uris + dns):
        raise TlsFailure("identity", "a name holds characters that no name may hold")
    return uris, dns, tuple(str(ip) for ip in names.get_values_for_type(x509.IPAddress))


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return x509.SubjectAlternativeName([])


# --- pins ----------------------------------------------------------------------------------------


def parse_pins(pins: list[str]) -> frozenset[bytes]:
    """`sha256:BASE64` -> 32 octets each. One bad pin refuses all of them: `CredentialError`."""
    matches = [_PIN.fullmatch(pin) for pin in pins]
    found = frozenset(base64.b64decode(match[1]) for match in matches if match is not None)
    if not pins or None in matches:
        raise CredentialError("a pin is not sha256:<base64 of 32 octets>")
    return found


def format_pin(spki_sha256: bytes) -> str:
    """32 octets -> `sha256:BASE64`."""
    return "sha256:" + base64.b64encode(spki_sha256).decode()


def read_pins(content: bytes) -> list[str]:
    """The pin of each certificate (PEM or DER), or of one public key (PEM); `CredentialError`."""
    try:
        if b"-----BEGIN PUBLIC KEY-----" in content:
            keys = [load_pem_public_key(content)]
        elif b"-----BEGIN" in content:
            keys = [each.public_key() for each in x509.load_pem_x509_certificates(content)]
        else:
            keys = [x509.load_der_x509_certificate(content).public_key()]
    except UNREADABLE:
        raise CredentialError("neither a certificate nor a public key") from None
    encodings = [key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in keys]
    return [format_pin(sha256(encoding).digest()) for encoding in encodings]
