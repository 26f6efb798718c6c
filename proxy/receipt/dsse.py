"""DSSE envelopes: one Ed25519 signature over a typed payload (secure-systems-lab/dsse v1.0).

    {"payload":"<base64>","payloadType":"application/vnd.in-toto+json",
     "signatures":[{"keyid":"SHA256:…","sig":"<base64>"}]}

Rules
- What is signed is PAE(type, payload) = `DSSEv1 SP LEN(type) SP type SP LEN(payload) SP payload`,
  lengths in ASCII decimal octets.
- We write one signature, compact JSON, standard base64, and a key id that is the OpenSSH
  fingerprint of the key: go-securesystemslib derives that one by itself, sigstore refuses more than
  one signature.
- We read standard and URL-safe base64 and skip signatures by other keys. The key id is a hint that
  nobody signs: it never decides.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from proxy.errors import EvidenceError

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_MAX_SIGNATURES: Final = 16
HEAD: Final = b'{"payload":"'
END: Final = b'"}]}'


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope that parses. Nothing about it is verified yet."""

    payload: bytes
    payload_type: str
    signatures: tuple[tuple[str, bytes], ...]
    """Key id (may be empty) and signature."""


def pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding: the octets that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def key_id(key: Ed25519PublicKey) -> str:
    """The key's OpenSSH fingerprint, `SHA256:` and unpadded base64 (RFC 8709, RFC 4253)."""
    blob = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + key.public_bytes_raw()
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def sign(payload: bytes, key: Ed25519PrivateKey, *, keyid: str | None = None) -> bytes:
    """An envelope around `payload`. Whoever signs many takes a `signer`."""
    return signer(key, keyid=keyid)(payload)


def signer(key: Ed25519PrivateKey, *, keyid: str | None = None) -> Callable[[bytes], bytes]:
    """What makes envelopes by `key`: all that is the same in each is made here, once."""
    prelude, between = fixed(keyid or key_id(key.public_key()))
    sign, encode = key.sign, binascii.b2a_base64

    def envelope(payload: bytes) -> bytes:
        signature = sign(b"%b%d %b" % (prelude, len(payload), payload))
        return b"%b%b%b%b%b" % (
            HEAD,
            encode(payload, newline=False),
            between,
            encode(signature, newline=False),
            END,
        )

    return envelope


def fixed(keyid: str) -> tuple[bytes, bytes]:
    """What comes before the payload's length where it is signed, and between it and the signature.

    Both as a `signer` writes them; before the payload comes `HEAD`, behind the signature `END`.
    """
    kind = PAYLOAD_TYPE.encode()
    between = b'","payloadType":"%b","signatures":[{"keyid":"%b","sig":"' % (kind, keyid.encode())
    return b"DSSEv1 %d %b " % (len(kind), kind), between


def parse(envelope: bytes) -> Envelope:
    """Raises `EvidenceError` unless `envelope` is a DSSE envelope."""
    try:
        value = orjson.loads(envelope)
        signatures = value["signatures"]
        if not isinstance(signatures, list) or not 1 <= len(signatures) <= _MAX_SIGNATURES:
            raise EvidenceError("the envelope has no signature, or too many")
        return Envelope(
            payload=_base64(value["payload"]),
            payload_type=_text(value["payloadType"]),
            signatures=tuple((_text(s.get("keyid") or ""), _base64(s["sig"])) for s in signatures),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise EvidenceError("this is not a DSSE envelope") from None


def verify(envelope: bytes, key: Ed25519PublicKey) -> bytes:
    """The payload, if one of the signatures is `key`'s; raises `EvidenceError` otherwise."""
    return verify_by(envelope, {"": key})[1]


def verify_by(envelope: bytes, keys: Mapping[str, Ed25519PublicKey]) -> tuple[str, bytes]:
    """(which of `keys` signed, the payload); raises `EvidenceError` where none did.

    A signature's key id says which key to try first, and decides nothing.
    """
    parsed = parse(envelope)
    if parsed.payload_type != PAYLOAD_TYPE:
        raise EvidenceError(f"the payload type is not {PAYLOAD_TYPE}")
    message = pae(parsed.payload_type, parsed.payload)
    for hint, signature in parsed.signatures:
        for name in sorted(keys, key=hint.__ne__) if hint in keys else keys:
            try:
                keys[name].verify(signature, message)
            except InvalidSignature:
                continue
            return name, parsed.payload
    raise EvidenceError("no signature on the envelope is by this key")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _base64(value: object) -> bytes:
    """Standard or URL-safe, padded (DSSE: verifiers MUST accept both)."""
    text = _text(value)
    octets = text.encode("ascii")
    if "-" in text or "_" in text:
        octets = octets.translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return binascii.a2b_base64(octets, strict_mode=True)
    except binascii.Error:
        raise ValueError from None
