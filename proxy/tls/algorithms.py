"""Keys and signatures that a certification path may have; everything else is refused.

| | admitted |
|---|---|
| RSA | 2048 to 8192 bits, a multiple of 8, exponent odd and at least 65537; PKCS #1 or PSS |
| elliptic curves | P-256, P-384, P-521, by name |
| Edwards curves | Ed25519, Ed448 |
| lattices | ML-DSA-44, -65, -87, where OpenSSL knows them |
| hashes | SHA-256, SHA-384, SHA-512 |

An algorithm identifier is compared octet by octet with those that its standard prescribes (RFC
4055, 5758, 8410, 9881), so that no parameter is ever interpreted: PSS has exactly the hash, MGF1
with the same hash and a salt of its length. The upper bound of RSA keeps a signature check cheap.
"""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa

from proxy.errors import TlsFailure
from proxy.tls.der import SEQUENCE, only, values

RSA_MINIMUM, RSA_MAXIMUM, RSA_EXPONENT = 2048, 8192, 65537

_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_MODERN = (
    ed25519.Ed25519PublicKey,
    ed448.Ed448PublicKey,
    mldsa.MLDSA44PublicKey,
    mldsa.MLDSA65PublicKey,
    mldsa.MLDSA87PublicKey,
)
_RSA_KEY = bytes.fromhex("300d06092a864886f70d0101010500")
_HASH = "300d0609{0}0500"
_PSS = (
    f"304106092a864886f70d01010a3034a00f{_HASH}a11c301a06092a864886f70d010108{_HASH}a2030201{{1}}"
)
_SHA2 = {"20": "608648016503040201", "30": "608648016503040202", "40": "608648016503040203"}
"""Salt length -> OID of the hash of that length: SHA-256, SHA-384, SHA-512."""

SIGNATURES = frozenset(
    bytes.fromhex(encoded)
    for encoded in (
        "300d06092a864886f70d01010b0500",  # sha256WithRSAEncryption
        "300d06092a864886f70d01010c0500",  # sha384WithRSAEncryption
        "300d06092a864886f70d01010d0500",  # sha512WithRSAEncryption
        *(_PSS.format(oid, salt) for salt, oid in _SHA2.items()),  # id-RSASSA-PSS
        "300a06082a8648ce3d040302",  # ecdsa-with-SHA256
        "300a06082a8648ce3d040303",  # ecdsa-with-SHA384
        "300a06082a8648ce3d040304",  # ecdsa-with-SHA512
        "300506032b6570",  # Ed25519
        "300506032b6571",  # Ed448
        "300b0609608648016503040311",  # ML-DSA-44
        "300b0609608648016503040312",  # ML-DSA-65
        "300b0609608648016503040313",  # ML-DSA-87
    )
)
"""AlgorithmIdentifiers, whole."""


def require_signature(algorithm: bytes) -> None:
    """Raises `TlsFailure("weak_key")` for an algorithm that no signature here may have."""
    if algorithm not in SIGNATURES:
        raise TlsFailure("weak_key", "the signature algorithm is not admitted")


def require_key(certificate: x509.Certificate, encoded: bytes) -> None:
    """`encoded` is the SubjectPublicKeyInfo. Raises `TlsFailure("weak_key")`; fails closed."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        _require_rsa(key, encoded)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            raise TlsFailure("weak_key", f"the curve {key.curve.name} is not admitted")
    elif not isinstance(key, _MODERN):
        raise TlsFailure("weak_key", "a key of this kind is not admitted")


def _require_rsa(key: rsa.RSAPublicKey, encoded: bytes) -> None:
    if values(only(encoded, SEQUENCE))[0].whole != _RSA_KEY:
        raise TlsFailure("weak_key", "an RSA key is written in another way than RFC 3279 has it")
    if not RSA_MINIMUM <= key.key_size <= RSA_MAXIMUM or key.key_size % 8:
        raise TlsFailure("weak_key", f"an RSA key of {key.key_size} bits is not admitted")
    exponent = key.public_numbers().e
    if exponent < RSA_EXPONENT or exponent % 2 == 0:
        raise TlsFailure("weak_key", "the exponent of an RSA key is not admitted")
