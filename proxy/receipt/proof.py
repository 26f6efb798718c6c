"""One leaf's proof, to be kept beside a receipt (c2sp.org/tlog-proof@v1).

c2sp.org/tlog-proof@v1
extra <base64>                optional, by agreement between log and verifier
index 1
<base64 hash>                 the path, leaf to root, one line each
                              a blank line
<the checkpoint, verbatim>
"""

import base64
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from proxy.errors import EvidenceError
from proxy.receipt import merkle, note
from proxy.receipt.consistency import reader
from proxy.receipt.policy import Policy
from proxy.receipt.quorum import require_quorum
from proxy.receipt.tiles import ENTRIES, Loader, load_tile
from proxy.receipt.vkey import Vkey, decode

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
        text = lines.pop(0)[6:]
        extra = decode(text, "the extra data") if text else b""
    match = re.fullmatch(r"index (0|[1-9][0-9]{0,18})", lines.pop(0) if lines else "")
    path = tuple(decode(line, "a line of the proof") for line in lines)
    if match is None or len(path) > _MAX_PATH or any(len(node) != 32 for node in path):
        raise EvidenceError("the index or the path of the proof is malformed")
    return Proof(int(match[1]), path, checkpoint, extra)


def prove(load: Loader, index: int, checkpoint: bytes) -> tuple[bytes, Proof]:
    """The entry and its proof under `checkpoint`, from a log's files.

    Whether it proves is tried here, whether the checkpoint is the log's own is not. Raises
    `EvidenceError`.
    """
    head = note.parse_checkpoint(note.parse(checkpoint).text)
    path = merkle.inclusion(index, head.size, reader(load, head.size))
    bundle = index // merkle.TILE_WIDTH
    width = min(merkle.TILE_WIDTH, head.size - bundle * merkle.TILE_WIDTH)
    entry = load_tile(load, ENTRIES, bundle, width)[1][index % merkle.TILE_WIDTH]
    merkle.require_inclusion(merkle.leaf_hash(entry), index, head.size, path, head.root)
    return entry, Proof(index, tuple(path), checkpoint)


def require_proof(
    proof: Proof,
    entry: bytes,
    vkeys: Sequence[Vkey] = (),
    *,
    policy: Policy | None = None,
    require: Collection[str] = (),
) -> note.Checkpoint:
    """The checkpoint that holds `entry` and meets `quorum.require_quorum`. Raises; fails closed."""
    checkpoint = require_quorum(proof.checkpoint, policy, vkeys=vkeys, require=require)
    leaf = merkle.leaf_hash(entry)
    merkle.require_inclusion(leaf, proof.index, checkpoint.size, proof.path, checkpoint.root)
    return checkpoint
