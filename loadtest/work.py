"""What a sender is told to do, what it found, and the octets that are sent.

The upstream answers `{"octets": N, "digest": "ALGORITHM:HEX"}`: SHA-256 of small content and of
masked records, CRC-32 of bulk, which a core computes at a tenth of what TLS costs it, so that the
check does not become what is measured.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Final

from isal import isal_zlib

ORDER: Final = (
    b'{"id": 18446744073709551616, "customer": {"name": "Ada Mustermann", "ssn": "078-05-1120"}, '
    b'"items": [{"sku": "B-1003", "count": 2, "price": 1.10}, {"sku": "B-2207", "count": 1}], '
    b'"payment": {"reference": "4711-0815-42", "due": "2027-01-31"}, "note": "leave at the gate"}'
)
PIECE: Final = hashlib.shake_128(b"lockgate").digest(128 * 1024)
"""What bulk content is made of, again and again."""
CONNECTIONS: Final = 8


@dataclass(frozen=True, slots=True)
class Work:
    """One load on one proxy; a JSON object on its way to the sender."""

    pki: str
    port: int
    kind: str
    """small, paced, fresh, idle, up, down or records"""
    path: str
    count: int
    """Requests or connections; octets of up, down and records."""
    receipts: str = "none"
    """none; own: a peer's, of any form; signed: ours"""
    connections: int = CONNECTIONS
    rate: float = 0.0
    """Requests a second, of paced."""
    sha256: str = ""
    """Of the content that must arrive, where it is known beforehand."""
    crc32: str = ""
    times: int = 1
    """Of an upload: so many, one after the other on one connection."""
    name: str = "localhost"
    """That the certificate at the port must bear."""

    def text(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Found:
    """What the sender saw. Every answer was as it should be, or there is none of this."""

    seconds: float
    """From the first request to the last answer, on the clock."""
    latencies: tuple[float, ...]
    """Seconds of each answer, or of one whole transfer, in no order."""
    sender: float
    """Seconds of CPU of the sender."""

    def text(self) -> str:
        return json.dumps([self.seconds, self.sender, [round(x, 7) for x in self.latencies]])


def read_work(text: str) -> Work:
    return Work(**json.loads(text))


def read_found(text: str) -> Found:
    seconds, sender, latencies = json.loads(text)
    return Found(seconds, tuple(latencies), sender)


@cache
def digests(size: int) -> tuple[str, str]:
    """SHA-256 and CRC-32 in hex of so many octets of bulk."""
    sha, crc = hashlib.sha256(), 0
    for piece in pieces(size):
        sha.update(piece)
        crc = isal_zlib.crc32(piece, crc)
    return sha.hexdigest(), f"{crc:08x}"


def pieces(size: int) -> list[bytes]:
    """Bulk of that size, in pieces that are mostly one and the same object."""
    whole, rest = divmod(size, len(PIECE))
    return [PIECE] * whole + ([PIECE[:rest]] if rest else [])


def expecting(work: Work) -> Work:
    """The same with the digests that must arrive, where the content goes unchanged."""
    if work.kind in ("up", "down"):
        sha, crc = digests(work.count)
    elif work.path.startswith("/plain/"):
        sha, crc = hashlib.sha256(ORDER).hexdigest(), ""
    else:
        return work
    return Work(**{**asdict(work), "sha256": sha, "crc32": crc})
