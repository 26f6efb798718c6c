"""The algorithms of message signatures: RFC 9421 section 3.3, and httpsig-pq of C2SP for ML-DSA.

A key has exactly one of them, by its kind: what a message says cannot choose another.

    ed25519            64 octets
    ecdsa-p256-sha256  64 octets: r and s, 32 octets each, big-endian (not DER)
    rsa-pss-sha512     as long as the modulus; MGF1 with SHA-512, a salt of 64 octets
    hmac-sha256        32 octets
    ml-dsa-44          2,420 octets: over the base itself, with an empty context
    ml-dsa-65, -87     3,309 and 4,627 octets
"""

import hashlib
import hmac
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa, utils

PublicKey = (
    ed25519.Ed25519PublicKey
    | ec.EllipticCurvePublicKey
    | rsa.RSAPublicKey
    | mldsa.MLDSA44PublicKey
    | mldsa.MLDSA65PublicKey
    | mldsa.MLDSA87PublicKey
)
PrivateKey = (
    ed25519.Ed25519PrivateKey
    | ec.EllipticCurvePrivateKey
    | rsa.RSAPrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
)
_MLDSA: Final[dict[type, str]] = {
    mldsa.MLDSA44PublicKey: "ml-dsa-44",
    mldsa.MLDSA65PublicKey: "ml-dsa-65",
    mldsa.MLDSA87PublicKey: "ml-dsa-87",
}
ALGORITHMS: Final = frozenset(
    {"ed25519", "ecdsa-p256-sha256", "rsa-pss-sha512", "hmac-sha256", *_MLDSA.values()}
)
RSA_BITS: Final = range(2048, 8192 + 1)
"""Sizes of RSA keys: smaller ones are weak, larger ones let a message cost too much."""
_PSS = padding.PSS(padding.MGF1(hashes.SHA512()), 64)
_ECDSA = ec.ECDSA(hashes.SHA256())
_HALF = 32
"""Octets of each of the two numbers of an ECDSA signature over P-256."""


def algorithm_of(key: object) -> str | None:
    """The algorithm of a public key; None for a kind, curve or size that is none of ours."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "ecdsa-p256-sha256" if isinstance(key.curve, ec.SECP256R1) else None
    if isinstance(key, rsa.RSAPublicKey):
        return "rsa-pss-sha512" if key.key_size in RSA_BITS else None
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519"
    return next((name for kind, name in _MLDSA.items() if isinstance(key, kind)), None)


def sign_with(key: PrivateKey | bytes, base: bytes) -> bytes:
    """The signature of a base by a private key, or by a shared secret."""
    if isinstance(key, bytes):
        return hmac.digest(key, base, hashlib.sha256)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = utils.decode_dss_signature(key.sign(base, _ECDSA))
        return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(base, _PSS, hashes.SHA512())
    return key.sign(base)


def verifies(key: PublicKey | bytes, base: bytes, signature: bytes) -> bool:
    """True when the signature is of this base by this key; False for whatever is not."""
    if isinstance(key, bytes):
        return hmac.compare_digest(hmac.digest(key, base, hashlib.sha256), signature)
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(_der(signature), base, _ECDSA)
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, base, _PSS, hashes.SHA512())
        else:
            key.verify(signature, base)
    except InvalidSignature:
        return False
    return True


def _der(signature: bytes) -> bytes:
    if len(signature) != 2 * _HALF:
        raise InvalidSignature
    r, s = (int.from_bytes(part, "big") for part in (signature[:_HALF], signature[_HALF:]))
    return utils.encode_dss_signature(r, s)
