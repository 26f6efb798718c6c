"""Reads a log's folder as a stranger would: by the published formats, without Lockgate's code.

A leaf is the exact octets of an envelope; `tile/entries/<N>[.p/<W>]` holds up to 256 of them, each
behind a u16be length, and N is written in groups of three digits, all but the last with an `x`
(https://c2sp.org/tlog-tiles). Signatures are for `lockgate receipts audit`, which the tests run as
well; here it is only who says what, and whether an earlier checkpoint is a beginning of this log.
"""

import base64
import functools
import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

PREDICATE = "https://lockgate.dev/transfer-receipt/v1"


@dataclass(frozen=True, slots=True)
class Said:
    """One statement about a transfer."""

    index: int
    envelope: bytes = field(repr=False)
    transfer_id: str
    attempt_id: str
    kind: str
    route: str | None
    received: datetime
    completed: datetime
    delivered: str | None
    """SHA-256 of the delivered content."""
    crossed: bool
    """It says that something was, or may have been, forwarded."""


@dataclass(frozen=True, slots=True)
class Tip:
    """A checkpoint's text: origin, size, root."""

    origin: str
    size: int
    root: bytes


def tip(checkpoint: bytes) -> Tip:
    origin, size, root = checkpoint.decode().split("\n")[:3]
    return Tip(origin, int(size), base64.b64decode(root))


def entries(store: Path) -> list[bytes]:
    """Every leaf under the published checkpoint."""
    size = tip((store / "checkpoint").read_bytes()).size
    found = [entry for start in range(0, size, 256) for entry in _bundle(store, start, size)]
    assert len(found) == size
    return found


def _bundle(store: Path, start: int, size: int) -> Iterator[bytes]:
    number = f"{start // 256:03d}"
    number = "0" * (-len(number) % 3) + number
    groups = [number[at : at + 3] for at in range(0, len(number), 3)]
    name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    width = min(256, size - start)
    path = store / "tile/entries" / (name if width == 256 else f"{name}.p/{width}")
    data = path.read_bytes()
    while data:
        (length,) = struct.unpack_from(">H", data)
        yield data[2 : 2 + length]
        data = data[2 + length :]


def roots(leaves: list[bytes]) -> Iterator[bytes]:
    """The tree's root at every size from 0 on (RFC 6962, section 2.1)."""
    yield hashlib.sha256(b"").digest()
    edge: list[tuple[int, bytes]] = []
    for leaf in leaves:
        width, node = 1, hashlib.sha256(b"\0" + leaf).digest()
        while edge and edge[-1][0] == width:
            node = hashlib.sha256(b"\1" + edge.pop()[1] + node).digest()
            width *= 2
        edge.append((width, node))
        root = edge[-1][1]
        for _, left in reversed(edge[:-1]):
            root = hashlib.sha256(b"\1" + left + root).digest()
        yield root


@functools.lru_cache(4096)
def statement(envelope: bytes) -> dict[str, Any]:
    """What an envelope says; nothing is verified."""
    said: dict[str, Any] = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
    return said


def statements(leaves: list[bytes]) -> list[Said]:
    """What the log says about transfers, in its order; its own events are left out."""
    found = [(index, leaf, statement(leaf)) for index, leaf in enumerate(leaves)]
    return [
        _said(index, leaf, each["predicate"])
        for index, leaf, each in found
        if each["predicateType"] == PREDICATE
    ]


def _said(index: int, envelope: bytes, predicate: dict[str, Any]) -> Said:
    content = predicate.get("content") or {}
    delivered = content.get("delivered")
    return Said(
        index=index,
        envelope=envelope,
        transfer_id=predicate["transferId"],
        attempt_id=predicate.get("attemptId", f"{index}"),
        kind=predicate["kind"],
        route=(predicate.get("request") or {}).get("route"),
        received=datetime.fromisoformat(predicate["time"]["received"]),
        completed=datetime.fromisoformat(predicate["time"]["completed"]),
        delivered=delivered.get("sha256") if delivered else None,
        crossed=predicate["kind"] in ("delivered", "indeterminate") or delivered is not None,
    )
