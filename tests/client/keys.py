"""Keys to sign with, fresh each time, in the forms in which people have them."""

import base64
import json
import secrets
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proxy.tls.keys import make_key, private_pem

MlDsa = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey


def base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def jwk_ed25519() -> bytes:
    key = ed25519.Ed25519PrivateKey.generate()
    x, d = key.public_key().public_bytes_raw(), key.private_bytes_raw()
    return _json(kty="OKP", crv="Ed25519", kid="etl-1", x=base64url(x), d=base64url(d))


def jwk_secret() -> bytes:
    return _json(kty="oct", kid="shared-1", k=base64url(secrets.token_bytes(32)))


def jwk_mldsa(key: MlDsa) -> bytes:
    pub, seed = key.public_key().public_bytes_raw(), key.private_bytes_raw()
    name = type(key).__name__.removesuffix("PrivateKey").replace("MLDSA", "ML-DSA-")
    kid = f"etl-{name.lower()}"
    return _json(kty="AKP", alg=name, kid=kid, pub=base64url(pub), priv=base64url(seed))


def pem_mldsa44() -> bytes:
    key = mldsa.MLDSA44PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


KEYS: dict[str, Callable[[], bytes]] = {
    "ed25519": lambda: private_pem(make_key("ed25519")),
    "ecdsa-p256-sha256": lambda: private_pem(make_key("p256")),
    "rsa-pss-sha512": lambda: private_pem(make_key("rsa2048")),
    "hmac-sha256": jwk_secret,
    "ml-dsa-44": pem_mldsa44,
    "ml-dsa-65": lambda: jwk_mldsa(mldsa.MLDSA65PrivateKey.generate()),
    "ml-dsa-87": lambda: jwk_mldsa(mldsa.MLDSA87PrivateKey.generate()),
}
"""Algorithm -> a fresh key for it."""


def _json(**members: str) -> bytes:
    return json.dumps(members).encode()
