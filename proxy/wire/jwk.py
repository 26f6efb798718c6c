"""Keys that verify messages: JWK and JWKS (RFC 7517, 7518, 8037; AKP for ML-DSA), certificates.

    {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "etl-1", "x": "11qYAYKxCrfVS_7TyWQHOg7..."},
              {"kty": "AKP", "alg": "ML-DSA-44", "kid": "etl-2", "pub": "unH59k4RuutY-pxvu24U..."},
              {"kty": "oct", "kid": "shared-1", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJ..."}]}

Rules
- A key has one algorithm, by its kind; `alg`, `use` and `key_ops` must not say otherwise.
- Members that are not understood are ignored (RFC 7517, section 4); a key of a kind that is not
  understood is not: whoever wrote it meant it to be used.
- A file of keys that verify holds no private part: it would lie where it need not.
- A secret is at least 32 octets and has a `kid`: its thumbprint would let anyone try secrets.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.errors import CredentialError
from proxy.wire.signature_algorithms import PublicKey, algorithm_of, verifies

_MOST_OCTETS: Final = 1 << 20
_LEAST_SECRET: Final = 32
_NAMES: Final = {
    "ed25519": {"EdDSA", "Ed25519"},
    "ecdsa-p256-sha256": {"ES256"},
    "rsa-pss-sha512": {"PS512"},
    "hmac-sha256": {"HS256"},
    "ml-dsa-44": {"ML-DSA-44"},
    "ml-dsa-65": {"ML-DSA-65"},
    "ml-dsa-87": {"ML-DSA-87"},
}
"""Algorithm -> what `alg` of a JWK may call it (RFC 7518, RFC 8037, RFC 9864)."""
_MlDsa = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey
_PRIVATE: Final = {"d", "p", "q", "dp", "dq", "qi", "oth", "priv"}
_MLDSA: Final[Mapping[str, type[_MlDsa]]] = {
    "ML-DSA-44": mldsa.MLDSA44PublicKey,
    "ML-DSA-65": mldsa.MLDSA65PublicKey,
    "ML-DSA-87": mldsa.MLDSA87PublicKey,
}
Jwk = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A key that verifies. Made by the functions below, so its algorithm is that of its kind."""

    algorithm: str
    keyid: str
    """`kid`, or the thumbprint where there is none."""
    thumbprint: str
    """RFC 7638 with SHA-256, base64url; empty for a secret."""
    public: PublicKey | bytes = field(repr=False)

    @property
    def name(self) -> str:
        """What may be written down of it: the thumbprint, or the `kid` of a secret."""
        return self.thumbprint or self.keyid

    def verify(self, base: bytes, signature: bytes) -> bool:
        """True when the signature is of this base by this key."""
        return verifies(self.public, base, signature)


def parse_jwks(data: bytes) -> tuple[VerifyingKey, ...]:
    """The keys of a JWKS, or of one JWK. Raises `CredentialError`; never says what a value was."""
    read = load_json(data)
    members = read.get("keys", [read])
    if not isinstance(members, list) or not members:
        raise CredentialError("`keys` is not a list with keys in it")
    if not all(isinstance(member, dict) for member in members):
        raise CredentialError("a key is not an object")
    keys = tuple(verifying_key(member) for member in members)
    names = [name for key in keys for name in {key.keyid, key.name}]
    if len(set(names)) < len(names):
        raise CredentialError("two keys have the same `kid`, or a key is there twice")
    return keys


def verifying_key(jwk: Jwk) -> VerifyingKey:
    """One public key or secret. Raises `CredentialError`."""
    if jwk.get("kty") != "oct" and _PRIVATE & set(jwk):
        raise CredentialError("a private key, where public keys belong")
    return read_public(jwk, "verify")


def read_public(jwk: Jwk, use: str) -> VerifyingKey:
    """The public part of a JWK, or its secret, that is for `verify` or `sign`."""
    kid = text_of(jwk, "kid") if "kid" in jwk else ""
    if jwk.get("kty") == "oct":
        secret = octets_of(jwk, "k")
        if len(secret) < _LEAST_SECRET or not kid:
            raise CredentialError("a secret of less than 32 octets, or without a `kid`")
        found = VerifyingKey("hmac-sha256", kid, "", secret)
    else:
        found = public_key(_public(jwk), kid)
    if "alg" in jwk and text_of(jwk, "alg") not in _NAMES[found.algorithm]:
        raise CredentialError("`alg` is not the algorithm of this kind of key")
    operations = jwk.get("key_ops", [use])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or use not in operations:
        raise CredentialError(f"`use` or `key_ops` says that this key is not to {use}")
    return found


def public_key(key: object, kid: str = "") -> VerifyingKey:
    """A public key of `cryptography`. Raises `CredentialError` for a kind that is none of ours."""
    algorithm = algorithm_of(key)
    if algorithm is None:
        raise CredentialError("a kind, curve or size of key that cannot sign messages here")
    print_of = thumbprint(key)
    return VerifyingKey(algorithm, kid or print_of, print_of, key)  # type: ignore[arg-type]


def certificate_key(der: bytes) -> VerifyingKey | None:
    """The key of a certificate, by its thumbprint; None for a kind that cannot sign here."""
    try:
        return public_key(x509.load_der_x509_certificate(der).public_key())
    except (CredentialError, ValueError, UnsupportedAlgorithm):
        return None


def thumbprint(key: object) -> str:
    """RFC 7638: SHA-256 over the members that make the key, in order, as base64url."""
    members = json.dumps(to_jwk(key), sort_keys=True, separators=(",", ":"))
    return _encoded(hashlib.sha256(members.encode()).digest())


def to_jwk(key: object) -> dict[str, str]:
    """The members that a public key must have, and no others. Raises `CredentialError`."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": _encoded(key.public_bytes_raw())}
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
        x, y = _encoded(point[:32]), _encoded(point[32:])
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    for name, kind in _MLDSA.items():
        if isinstance(key, kind):
            return {"kty": "AKP", "alg": name, "pub": _encoded(key.public_bytes_raw())}
    raise CredentialError("a kind of key that has no form here")


def load_json(data: bytes) -> dict[str, Any]:
    """One JSON object without a name twice. Raises `CredentialError`."""
    try:
        read = json.loads(data, object_pairs_hook=_once) if len(data) <= _MOST_OCTETS else None
    except (ValueError, RecursionError):
        raise CredentialError("the keys are not JSON, or a name comes twice") from None
    if not isinstance(read, dict):
        raise CredentialError("expected a JWK, or a JWKS, of at most 1 MiB")
    return read


def text_of(jwk: Jwk, name: str) -> str:
    """A member that is text. Raises `CredentialError`."""
    value = jwk.get(name)
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise CredentialError(f"`{name}` is missing, or not printable ASCII")
    return value


def octets_of(jwk: Jwk, name: str) -> bytes:
    """A member in base64url, canonical and without padding. Raises `CredentialError`."""
    text = text_of(jwk, name)
    try:
        octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        octets = b""
    if not octets or _encoded(octets) != text:
        raise CredentialError(f"`{name}` is not base64url")
    return octets


def number_of(jwk: Jwk, name: str) -> int:
    """A member that is a number, big-endian in base64url. Raises `CredentialError`."""
    return int.from_bytes(octets_of(jwk, name), "big")


def _public(jwk: Jwk) -> object:
    try:
        match jwk.get("kty"), jwk.get("crv"), jwk.get("alg"):
            case "OKP", "Ed25519", _:
                return ed25519.Ed25519PublicKey.from_public_bytes(octets_of(jwk, "x"))
            case "EC", "P-256", _:
                x, y = octets_of(jwk, "x"), octets_of(jwk, "y")
                point = b"\x04" + x + y if len(x) == len(y) else b""
                return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
            case "RSA", _, _:
                numbers = rsa.RSAPublicNumbers(number_of(jwk, "e"), number_of(jwk, "n"))
                return numbers.public_key()
            case "AKP", _, ("ML-DSA-44" | "ML-DSA-65" | "ML-DSA-87") as name:
                return _MLDSA[name].from_public_bytes(octets_of(jwk, "pub"))
    except (ValueError, UnsupportedAlgorithm):
        raise CredentialError("the numbers of a key do not make one") from None
    raise CredentialError("a kind of key that is not understood: `kty`, `crv` or `alg`")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")
    return found


def _encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def _number(value: int) -> str:
    return _encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))
