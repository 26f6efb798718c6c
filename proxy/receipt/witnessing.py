"""What a log and its witness say to each other, and when a witness agrees (c2sp.org/tlog-witness).

    POST <prefix>/add-checkpoint

    old 20852014                          the size that the witness cosigned last, 0 for never
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9tem…    at most 63 hashes: the proof from there to here
                                          a blank line
    <the checkpoint, verbatim>

    200  signature lines of a note, cosignatures all of them
    409  text/x.tlog.size: the size that the witness has cosigned last
    400 malformed, old above size · 403 not signed by the log · 404 unknown log · 422 wrong proof

A witness never cosigns a tree that does not continue the one that it cosigned before, and it
remembers what it cosigns before it says so. `require_known` and `require_continued` are its
judgement; both fail closed.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from proxy.errors import EvidenceError
from proxy.receipt import note
from proxy.receipt.consistency import require_consistency
from proxy.receipt.merkle import EMPTY_ROOT
from proxy.receipt.note import Checkpoint
from proxy.receipt.vkey import Vkey, decode

PATH: Final = "/add-checkpoint"
SIZE_TYPE: Final = "text/x.tlog.size"
MAX_OFFER: Final = 64 * 1024
"""Octets of an offer, and of an answer to one: room for sixteen ML-DSA-44 signatures."""
_MAX_PROOF: Final = 63
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Offer:
    """A checkpoint on its way to a witness. Nothing about it is verified yet."""

    old: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    """The signed note."""


class Declined(EvidenceError):
    """A witness does not cosign. `size` is what it cosigned last, where that is the reason."""

    def __init__(self, status: int, reason: str, size: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.size = size


def render_offer(offer: Offer) -> bytes:
    """The offer as it is posted."""
    lines = [f"old {offer.old}", *(base64.b64encode(node).decode() for node in offer.path)]
    return "\n".join(lines).encode() + b"\n\n" + offer.checkpoint


def parse_offer(data: bytes) -> Offer:
    """Raises `Declined` (400) unless `data` is an offer."""
    head, separator, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
        old = parse_size(lines[0].removeprefix("old ") if lines[0].startswith("old ") else "")
        path = tuple(decode(line, "a line of the proof") for line in lines[1:])
    except (UnicodeDecodeError, EvidenceError):
        raise Declined(400, "the old size or the proof is malformed") from None
    if not separator or len(path) > _MAX_PROOF or any(len(node) != 32 for node in path):
        raise Declined(400, "the old size or the proof is malformed")
    return Offer(old, path, checkpoint)


def parse_size(text: str) -> int:
    """A tree size in its only spelling. Raises `EvidenceError`."""
    if not _SIZE.fullmatch(text):
        raise EvidenceError("this is not a tree size")
    return int(text)


def never(origin: str) -> Checkpoint:
    """What a witness has cosigned of a log that it does not know yet."""
    return Checkpoint(origin, 0, EMPTY_ROOT)


def require_known(
    offer: Offer, logs: Mapping[str, Sequence[Vkey]]
) -> tuple[Checkpoint, tuple[note.Signature, ...]]:
    """The checkpoint and the log's own signatures, one by each key that stands under its origin.

    Raises `Declined`: 400, 403, 404.
    """
    try:
        parsed = note.parse(offer.checkpoint)
        checkpoint = note.parse_checkpoint(parsed.text)
    except EvidenceError as error:
        raise Declined(400, str(error)) from None
    vkeys = logs.get(checkpoint.origin)
    if not vkeys:
        raise Declined(404, "this log is not known here")
    try:
        note.require_signed(offer.checkpoint, vkeys)
    except EvidenceError as error:
        raise Declined(403, str(error)) from None
    own = {(s.name, s.key_id): s for s in parsed.signatures}
    return checkpoint, tuple(own[vkey.name, vkey.key_id] for vkey in vkeys)


def require_continued(offer: Offer, checkpoint: Checkpoint, latest: Checkpoint) -> None:
    """Raises `Declined` unless the checkpoint continues `latest`: 400, 409, 422."""
    if offer.old > checkpoint.size:
        raise Declined(400, "the old size is above that of the checkpoint")
    if offer.old != latest.size:
        raise Declined(409, "the old size is not what was cosigned last", latest.size)
    if checkpoint.size == latest.size and checkpoint.root != latest.root:
        raise Declined(409, "another root of this size was cosigned", latest.size)
    try:
        require_consistency(latest.size, checkpoint.size, offer.path, latest.root, checkpoint.root)
    except EvidenceError as error:
        raise Declined(422, str(error)) from None
