"""Signed notes, their keys, and the checkpoint that a log signs (c2sp.org/signed-note).

    receipts.acme.example/gateway-a               origin: the log's name, a schemeless URL
    20852163                                      how many leaves
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=  the root over them
                                                  a blank line
    — receipts.acme.example/gateway-a Az3grl…     U+2014, name, base64(key id[4] ‖ signature)
    — receipts.acme.example/gateway-a SqjbClA…    another, by the log's ML-DSA-44 key

Rules
- Signed is the text up to and with the newline before the blank line.
- Key id = SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4];
  vkey = name `+` hex(key id) `+` base64(type ‖ public key).
- Signatures by unknown keys are skipped. A known key's signature that fails rejects the whole note.

- 0x01: Ed25519, 64 octets, over the text.
- 0x04: u64be time ‖ Ed25519 over `cosignature/v1\\ntime <time>\\n` ‖ the text.
- 0x06: u64be time ‖ ML-DSA-44, 2420 octets, over `subtree/v1\\n\\0` ‖ u8 length ‖ cosigner name
  ‖ u64 time ‖ u8 length ‖ origin ‖ u64 start = 0 ‖ u64 end = size ‖ root.
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from proxy.errors import EvidenceError
from proxy.receipt.vkey import (
    ED25519,
    ED25519_COSIGNATURE,
    MLDSA44_COSIGNATURE,
    NAME,
    Vkey,
    decode,
    ed25519_cosignature_vkey,
    ed25519_vkey,
    mldsa44_vkey,
)

_SIGNATURE_SIZES: Final = {ED25519: 64, ED25519_COSIGNATURE: 72, MLDSA44_COSIGNATURE: 2428}
_DASH: Final = "—"
_MAX_SIGNATURES: Final = 64
_MAX_NOTE: Final = 1_000_000
_CONTROLS: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line."""

    name: str
    key_id: bytes
    data: bytes

    def __str__(self) -> str:
        return f"{_DASH} {self.name} {base64.b64encode(self.key_id + self.data).decode()}"


@dataclass(frozen=True, slots=True)
class Note:
    """A note that parses. `text` ends with its newline. Nothing about it is verified yet."""

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log's root was when it held `size` leaves."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


# --- signing -------------------------------------------------------------------------------------


def sign(text: str, name: str, key: Ed25519PrivateKey) -> Signature:
    """A 0x01 signature over the text of a note."""
    return Signature(name, ed25519_vkey(name, key).key_id, key.sign(text.encode()))


def cosign(checkpoint: Checkpoint, name: str, key: MLDSA44PrivateKey, time: int) -> Signature:
    """A 0x06 cosignature on a whole checkpoint; `time` in seconds since 1970, above zero."""
    data = key.sign(_subtree_message(name, time, checkpoint))
    return Signature(name, mldsa44_vkey(name, key).key_id, time.to_bytes(8) + data)


def witness(checkpoint: Checkpoint, name: str, key: Ed25519PrivateKey, time: int) -> Signature:
    """A 0x04 cosignature on a whole checkpoint; `time` in seconds since 1970, above zero."""
    data = key.sign(_cosignature_message(time, checkpoint.text))
    return Signature(name, ed25519_cosignature_vkey(name, key).key_id, time.to_bytes(8) + data)


def render(text: str, signatures: Iterable[Signature]) -> bytes:
    """The note as it is published."""
    return (text + "\n" + "".join(f"{signature}\n" for signature in signatures)).encode()


def _cosignature_message(time: int, text: str) -> bytes:
    return b"cosignature/v1\ntime %d\n" % time + text.encode()


def _subtree_message(name: str, time: int, checkpoint: Checkpoint) -> bytes:
    who, origin = name.encode(), checkpoint.origin.encode()
    if len(who) > 255 or len(origin) > 255:
        raise EvidenceError("the name of a cosigner or log is longer than 255 octets")
    return (
        b"subtree/v1\n\x00"
        + bytes([len(who)])
        + who
        + time.to_bytes(8)
        + bytes([len(origin)])
        + origin
        + (0).to_bytes(8)
        + checkpoint.size.to_bytes(8)
        + checkpoint.root
    )


# --- reading -------------------------------------------------------------------------------------


def parse(note: bytes) -> Note:
    """Raises `EvidenceError` unless `note` is a signed note."""
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise EvidenceError("the note is not UTF-8") from None
    text, separator, tail = whole.rpartition("\n\n")
    if not separator or not tail.endswith("\n") or len(note) > _MAX_NOTE:
        raise EvidenceError("this is not a signed note")
    if _CONTROLS.search(whole):
        raise EvidenceError("the note holds control characters")
    return Note(text + "\n", parse_signatures(tail))


def parse_signatures(lines: str) -> tuple[Signature, ...]:
    """Signature lines, each with its newline. Raises `EvidenceError` unless all of them parse."""
    if not lines.endswith("\n") or lines.count("\n") > _MAX_SIGNATURES:
        raise EvidenceError("these are not signature lines, or there are too many")
    return tuple(_signature(line) for line in lines[:-1].split("\n"))


def _signature(line: str) -> Signature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != _DASH or not NAME.fullmatch(parts[1]):
        raise EvidenceError("a line of the note is not a signature")
    blob = decode(parts[2], "a signature")
    if len(blob) < 5:
        raise EvidenceError("a signature on the note is too short")
    return Signature(parts[1], blob[:4], blob[4:])


def parse_checkpoint(text: str) -> Checkpoint:
    """The text of a note as a checkpoint (c2sp.org/tlog-checkpoint) without extensions."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise EvidenceError("a checkpoint has three lines")
    origin, size, encoded = lines[:3]
    if not re.fullmatch(r"0|[1-9][0-9]{0,18}", size, re.ASCII):
        raise EvidenceError("the size in the checkpoint is not a number")
    root = decode(encoded, "the root")
    if not origin or len(root) != 32:
        raise EvidenceError("the checkpoint has no origin, or its root is not 32 octets")
    return Checkpoint(origin, int(size), root)


def verify(note: Note, vkeys: Iterable[Vkey]) -> tuple[Vkey, ...]:
    """Those of `vkeys` that signed, in order. Raises where one did and its signature fails.

    Who is left out did not sign: a caller that demands a signature compares (`require_signed`).
    """
    verified = []
    for vkey in vkeys:
        lines = [s for s in note.signatures if (s.name, s.key_id) == (vkey.name, vkey.key_id)]
        for signature in lines:
            _require_signature(note, signature, vkey)
        if lines:
            verified.append(vkey)
    return tuple(verified)


def require_signed(checkpoint: bytes, vkeys: Iterable[Vkey]) -> Checkpoint:
    """The checkpoint, if every one of `vkeys` signed it. Fails closed: no vkeys, no checkpoint."""
    wanted = tuple(vkeys)
    note = parse(checkpoint)
    parsed = parse_checkpoint(note.text)
    verified = verify(note, wanted)
    for vkey in wanted:
        if vkey not in verified:
            raise EvidenceError(f"no signature by {vkey.name}+{vkey.key_id.hex()}")
    if not wanted:
        raise EvidenceError("no key was given to verify with")
    return parsed


def _require_signature(note: Note, signature: Signature, vkey: Vkey) -> None:
    who = f"{vkey.name}+{vkey.key_id.hex()}"
    if len(signature.data) != _SIGNATURE_SIZES[vkey.kind]:
        raise EvidenceError(f"the signature by {who} has the wrong length")
    data, text = signature.data, note.text.encode()
    try:
        if vkey.kind == ED25519:
            Ed25519PublicKey.from_public_bytes(vkey.public).verify(data, text)
            return
        time, data = int.from_bytes(data[:8]), data[8:]
        if vkey.kind == ED25519_COSIGNATURE:
            message = _cosignature_message(time, note.text)
            Ed25519PublicKey.from_public_bytes(vkey.public).verify(data, message)
        else:
            message = _subtree_message(vkey.name, time, parse_checkpoint(note.text))
            MLDSA44PublicKey.from_public_bytes(vkey.public).verify(data, message)
    except (InvalidSignature, ValueError):
        raise EvidenceError(f"the signature by {who} does not verify") from None
