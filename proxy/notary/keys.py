"""The keys that the notary signs with, from PEM (PKCS#8, unencrypted)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.errors import CredentialError
from proxy.receipt import dsse, note
from proxy.receipt.vkey import Vkey, ed25519_vkey, mldsa44_vkey


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """One origin's keys. Raises `CredentialError` from `load` only."""

    origin: str
    receipt: Ed25519PrivateKey
    log: Ed25519PrivateKey
    log_pq: MLDSA44PrivateKey | None

    def before(self, receipt_key: bytes) -> "Keys":
        """The same with an earlier receipt key, in PEM. Raises `CredentialError`."""
        return replace(self, receipt=load_ed25519(receipt_key, "the previous receipt key"))

    def envelope(self) -> Callable[[bytes], bytes]:
        """A signer of statements."""
        return dsse.signer(self.receipt)

    def checkpoint(self, size: int, root: bytes, time: int) -> bytes:
        """A signed checkpoint; `time` in seconds since 1970."""
        checkpoint = note.Checkpoint(self.origin, size, root)
        signatures = [note.sign(checkpoint.text, self.origin, self.log)]
        if self.log_pq is not None:
            signatures.append(note.cosign(checkpoint, self.origin, self.log_pq, time))
        return note.render(checkpoint.text, signatures)

    def vkeys(self) -> list[Vkey]:
        """What verifies the checkpoints: 0x01 and, with an ML-DSA-44 key, 0x06."""
        return _vkeys(self.origin, self.log, self.log_pq)


def load(origin: str, receipt_key: bytes, log_key: bytes, log_pq_key: bytes | None) -> Keys:
    """Raises `CredentialError` where a key is not what its place demands."""
    receipt = load_ed25519(receipt_key, "the receipt key")
    log = load_ed25519(log_key, "the log key")
    if receipt.private_bytes_raw() == log.private_bytes_raw():
        raise CredentialError("the receipt key and the log key are the same; they must differ")
    return Keys(origin, receipt, log, None if log_pq_key is None else load_mldsa44(log_pq_key))


def vkeys(origin: str, log_key: bytes, log_pq_key: bytes | None) -> list[Vkey]:
    """The verifier keys that belong to a log's private ones. Raises `CredentialError`."""
    pq = None if log_pq_key is None else load_mldsa44(log_pq_key)
    return _vkeys(origin, load_ed25519(log_key, "the log key"), pq)


def _vkeys(origin: str, log: Ed25519PrivateKey, log_pq: MLDSA44PrivateKey | None) -> list[Vkey]:
    pq = [] if log_pq is None else [mldsa44_vkey(origin, log_pq)]
    return [ed25519_vkey(origin, log), *pq]


def load_ed25519(pem: bytes, what: str) -> Ed25519PrivateKey:
    key = _load(pem, what)
    if not isinstance(key, Ed25519PrivateKey):
        raise CredentialError(f"{what} is not an Ed25519 key")
    return key


def load_mldsa44(pem: bytes) -> MLDSA44PrivateKey:
    key = _load(pem, "the post-quantum log key")
    if not isinstance(key, MLDSA44PrivateKey):
        raise CredentialError("the post-quantum log key is not an ML-DSA-44 key")
    return key


def _load(pem: bytes, what: str) -> object:
    try:
        return load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CredentialError(f"{what} is not an unencrypted PEM private key") from None
