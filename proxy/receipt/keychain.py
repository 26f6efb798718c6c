"""The chain of receipt keys: each new one is named by an event that the one before it signed.

    {"kind": "key", …, "details": {"from": "SHA256:<old>",
                                   "to": {"keyid": "SHA256:<new>", "spki": "<base64 DER>"}}}

Rules
- Who audits trusts the keys that he was given. From the entry after a `key` event on, the key that
  it names is trusted as well, and the one that signed it no longer: whoever holds a key that was
  replaced, because it was lost or stolen, can add nothing.
- Only a trusted key can hand on, and only its own place: `from` is the key that signed the event.
- A key that was replaced may come back, by another event.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from proxy.errors import EvidenceError
from proxy.receipt import dsse

EVENT = "key"


def describe(key: Ed25519PublicKey) -> dict[str, str]:
    """A receipt key as events name it: `keyid`, its OpenSSH fingerprint, and `spki`, its DER."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {"keyid": dsse.key_id(key), "spki": base64.b64encode(der).decode()}


def handover(old: Ed25519PublicKey, new: Ed25519PublicKey) -> dict[str, object]:
    """The details of the `key` event by which `old` names `new`."""
    return {"from": dsse.key_id(old), "to": describe(new)}


def successor(details: Mapping[str, Any]) -> tuple[str, Ed25519PublicKey]:
    """(key id of the old key, the new key) of a `key` event. Raises `EvidenceError`."""
    try:
        old, new = details["from"], details["to"]
        key = load_der_public_key(base64.b64decode(new["spki"], validate=True))
        if not isinstance(key, Ed25519PublicKey) or describe(key) != dict(new):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise EvidenceError("the event does not name a receipt key") from None
    return str(old), key


class KeyChain:
    """The receipt keys that an audit knows, and which of them may sign the next entry."""

    def __init__(self, keys: Iterable[Ed25519PublicKey]) -> None:
        """Raises `EvidenceError` where there is none: without a key nothing verifies."""
        self.known: dict[str, Ed25519PublicKey] = {dsse.key_id(key): key for key in keys}
        """Key id -> key: every one that ever was trusted."""
        if not self.known:
            raise EvidenceError("no receipt key was given to verify with")
        self._trusted = set(self.known)
        self._replaced: dict[str, int] = {}

    def require(self, signer: str) -> None:
        """Raises unless the key `signer` may sign now. Fails closed."""
        if signer in self._trusted:
            return
        if signer in self._replaced:
            entry = self._replaced[signer]
            raise EvidenceError(f"is signed by {signer}, which was replaced in entry {entry}")
        raise EvidenceError("no signature on the envelope is by this key")

    def follow(self, details: Mapping[str, Any], signer: str, index: int) -> None:
        """Entry `index` is a `key` event that `signer` signed. Raises `EvidenceError`."""
        old, key = successor(details)
        if old != signer:
            raise EvidenceError("names a new receipt key for one that did not sign it")
        new = dsse.key_id(key)
        self.known.setdefault(new, key)
        self._trusted.discard(old)
        self._replaced[old] = index
        self._trusted.add(new)
