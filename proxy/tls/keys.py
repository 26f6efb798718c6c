"""Makes keys and writes them as PEM: for TLS, for receipts and their log, for masking. No files."""

import base64
import secrets
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from proxy.tls.credentials import TlsKey

Algorithm = Literal["p256", "p384", "ed25519", "rsa2048", "rsa1024"]
SigningKey = ed25519.Ed25519PrivateKey | mldsa.MLDSA44PrivateKey


def make_key(algorithm: Algorithm = "p256") -> TlsKey:
    """A fresh key. `rsa1024` is there for tests that expect it to be refused."""
    if algorithm == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm in ("rsa2048", "rsa1024"):
        return rsa.generate_private_key(65537, int(algorithm.removeprefix("rsa")))
    return ec.generate_private_key(ec.SECP384R1() if algorithm == "p384" else ec.SECP256R1())


def make_ed25519() -> ed25519.Ed25519PrivateKey:
    """Signs receipts (`receipts.key`) or checkpoints (`log.key`)."""
    return ed25519.Ed25519PrivateKey.generate()


def make_mldsa44() -> mldsa.MLDSA44PrivateKey:
    """Signs checkpoints against a quantum adversary (`receipts.log_pq_key`)."""
    return mldsa.MLDSA44PrivateKey.generate()


def make_pseudonym() -> bytes:
    """A masking key: 32 random octets as one line of base64."""
    return base64.b64encode(secrets.token_bytes(32)) + b"\n"


def private_pem(key: TlsKey | SigningKey) -> bytes:
    """PKCS #8 PEM, not encrypted (RFC 5958; for ML-DSA the seed form of RFC 9881)."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: TlsKey | SigningKey) -> bytes:
    """The public half: SubjectPublicKeyInfo, PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
