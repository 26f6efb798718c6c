"""Keys that sign messages: from PEM, as for TLS, or from a private JWK."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from proxy.errors import CredentialError
from proxy.wire.jwk import (
    Jwk,
    VerifyingKey,
    load_json,
    number_of,
    octets_of,
    public_key,
    read_public,
)
from proxy.wire.signature_algorithms import PrivateKey, sign_with

_MlDsa = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
_MLDSA: Final[Mapping[str, type[_MlDsa]]] = {
    "ml-dsa-44": mldsa.MLDSA44PrivateKey,
    "ml-dsa-65": mldsa.MLDSA65PrivateKey,
    "ml-dsa-87": mldsa.MLDSA87PrivateKey,
}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs, and the one that verifies what it signed."""

    verifying: VerifyingKey
    private: PrivateKey | bytes = field(repr=False)

    @property
    def algorithm(self) -> str:
        """One of `ALGORITHMS`."""
        return self.verifying.algorithm

    @property
    def keyid(self) -> str:
        """What a signature says of the key: its `kid`, or its thumbprint."""
        return self.verifying.keyid

    @property
    def material(self) -> bytes:
        """The secret itself, PKCS #8 in DER: to derive others from."""
        if isinstance(self.private, bytes):
            return self.private
        return self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, base: bytes) -> bytes:
        """The signature of a base."""
        return sign_with(self.private, base)


def parse_signing_key(data: bytes) -> SigningKey:
    """From PEM (PKCS #8, SEC 1 or PKCS #1, not encrypted), or a private JWK or secret.

    Raises `CredentialError`.
    """
    if data.lstrip().startswith(b"{"):
        return signing_key(load_json(data))
    try:
        private = load_pem_private_key(data, None)
    except TypeError:
        raise CredentialError("the key is encrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CredentialError("not a private key in PEM, nor a JWK") from None
    return _pair(public_key(private.public_key()), private)


def signing_key(jwk: Jwk) -> SigningKey:
    """From a private JWK, or a secret. Raises `CredentialError`, also if its halves do not fit."""
    verifying = read_public(jwk, "sign")
    if isinstance(verifying.public, bytes):
        return SigningKey(verifying, verifying.public)
    try:
        private = _private(jwk, verifying)
    except (ValueError, OverflowError):
        raise CredentialError("the numbers of a private key do not make one") from None
    return _pair(verifying, private)


def _private(jwk: Jwk, verifying: VerifyingKey) -> PrivateKey:
    match verifying.algorithm:
        case "ed25519":
            return ed25519.Ed25519PrivateKey.from_private_bytes(octets_of(jwk, "d"))
        case "ecdsa-p256-sha256":
            return ec.derive_private_key(number_of(jwk, "d"), ec.SECP256R1())
        case "rsa-pss-sha512":
            return _rsa(jwk)
        case algorithm:
            return _MLDSA[algorithm].from_seed_bytes(octets_of(jwk, "priv"))


def _rsa(jwk: Jwk) -> rsa.RSAPrivateKey:
    n, e, d, p, q = (number_of(jwk, name) for name in "nedpq")
    public = rsa.RSAPublicNumbers(e, n)
    dp, dq, inverse = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, dp, dq, inverse, public).private_key()


def _pair(verifying: VerifyingKey, private: object) -> SigningKey:
    public = private.public_key()  # type: ignore[attr-defined]
    if public_key(public).thumbprint != verifying.thumbprint:
        raise CredentialError("the private part of a key does not belong to its public part")
    return SigningKey(verifying, private)  # type: ignore[arg-type]
