"""One leaf's proof, to be kept beside a receipt (c2sp.org/tlog-proof@v1).

c2sp.org/tlog-proof@v1
extra <base64>                optional, by agreement between log and verifier
index 1
<base64 hash>                 the path, leaf to root, one line each
                              a blank line
<the checkpoint, verbatim>
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from proxy.errors import EvidenceError
from proxy.receipt import merkle, note
from proxy.receipt.vkey import Vkey

HEADER: Final = "c2sp.org/tlog-proof@v1"
_MAX_PATH: Final = 63


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that parses. Nothing about it is verified yet."""

    index: int
    path: tuple[bytes, ...]
    """Hashes from leaf to root."""
    checkpoint: bytes
    """The signed note."""
    extra: bytes | None = None


def render(proof: Proof) -> bytes:
    """The proof as a file."""
    lines = [HEADER]
    if proof.extra is not None:
        lines.append("extra " + base64.b64encode(proof.extra).decode())
    lines.append(f"index {proof.index}")
    lines += [base64.b64encode(node).decode() for node in proof.path]
    return "\n".join(lines).encode() + b"\n\n" + proof.checkpoint


def parse(data: bytes) -> Proof:
    """Raises `EvidenceError` unless `data` is a tlog-proof."""
    head, separator, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise EvidenceError("the proof is not ASCII") from None
    if not separator or lines.pop(0) != HEADER:
        raise EvidenceError(f"this is not a {HEADER}")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = _decode(lines.pop(0)[6:])
    match = re.fullmatch(r"index (0|[1-9][0-9]{0,18})", lines.pop(0) if lines else "")
    path = tuple(_decode(line) for line in lines)
    if match is None or len(path) > _MAX_PATH or any(len(node) != 32 for node in path):
        raise EvidenceError("the index or the path of the proof is malformed")
    return Proof(int(match[1]), path, checkpoint, extra)


def require_proof(proof: Proof, entry: bytes, vkeys: Iterable[Vkey]) -> note.Checkpoint:
    """The checkpoint that holds `entry`, signed by every one of `vkeys`. Raises; fails closed."""
    checkpoint = note.require_signed(proof.checkpoint, vkeys)
    leaf = merkle.leaf_hash(entry)
    merkle.require_inclusion(leaf, proof.index, checkpoint.size, proof.path, checkpoint.root)
    return checkpoint


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise EvidenceError("a line of the proof is not base64") from None
