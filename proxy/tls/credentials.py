"""A certificate chain and its private key, proven to belong together before anything uses them.

Everything is read whole and fails closed: one bad certificate refuses the chain, and a key that
does not fit the leaf refuses the pair, so that half a rotation is never served.
"""

from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from proxy.errors import CredentialError

UNFIT: Final = "the private key does not belong to the first certificate"
"""What is said of two that are each sound: one may be the other half of a renewal."""
TlsKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
"""Keys that TLS peers of today accept."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are in TLS. Made by `load_credentials`, so the two are known to fit."""

    certificate: bytes
    """PEM, leaf first, then the issuers to send along, without the root."""
    key: bytes = field(repr=False)
    """PEM, PKCS #8 or traditional, not encrypted."""


def load_credentials(certificate: bytes, key: bytes) -> Credentials:
    """Both PEM. Raises `CredentialError` when either does not parse or they do not fit."""
    leaf = parse_chain(certificate)[0]
    if _spki(parse_key(key)) != _spki(leaf):
        raise CredentialError(UNFIT)
    return Credentials(certificate, key)


def parse_chain(pem: bytes) -> list[x509.Certificate]:
    """At least one certificate, in the order of the file; `CredentialError` otherwise.

    A file that was cut short is refused: the parser alone would skip what has no end line.
    """
    begun = pem.count(b"-----BEGIN ")
    try:
        certificates = x509.load_pem_x509_certificates(pem) if begun else []
    except (ValueError, x509.InvalidVersion):
        raise CredentialError("a certificate does not parse") from None
    if not certificates:
        raise CredentialError("no PEM certificate found")
    if len(certificates) != begun:
        raise CredentialError("something else than certificates, or one that is cut short")
    return certificates


def parse_key(pem: bytes) -> TlsKey:
    """An unencrypted private key; `CredentialError` otherwise, never with any of its content."""
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise CredentialError(
            "the private key is encrypted; give it without a passphrase"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CredentialError("the private key does not parse") from None
    if not isinstance(key, TlsKey):
        raise CredentialError("the private key is not of a kind that TLS uses: EC, RSA, Ed25519")
    return key


def _spki(holder: TlsKey | x509.Certificate) -> bytes:
    """The SubjectPublicKeyInfo, DER: equal exactly when the keys are."""
    public = holder.public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
