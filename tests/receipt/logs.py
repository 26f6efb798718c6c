"""Logs made by hand, octet by octet, without a notary: to be audited, and to be tampered with."""

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from proxy.model import Event, Outcome, Peer
from proxy.receipt import dsse, note, statement
from proxy.receipt.merkle import Tree, leaf_hash
from proxy.receipt.statement import Place
from proxy.receipt.tiles import ENTRIES, bundle, tile_path
from proxy.receipt.vkey import ed25519_vkey, mldsa44_vkey
from tests.receipt import outcomes
from tests.receipt.outcomes import ORIGIN as ORIGIN
from tests.receipt.outcomes import START as START

RECEIPT_KEY = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
NEXT_KEY = Ed25519PrivateKey.from_private_bytes(bytes([4]) * 32)
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32)
PQ_KEY = MLDSA44PrivateKey.from_seed_bytes(bytes([3]) * 32)
VKEYS = (ed25519_vkey(ORIGIN, LOG_KEY), mldsa44_vkey(ORIGIN, PQ_KEY))
KEYS = (RECEIPT_KEY.public_key(),)


def outcome(number: int, sender: str = "192.0.2.9", **changes: Any) -> Outcome:
    """A delivered, masked order; everything about it follows from `number`."""
    values: dict[str, Any] = {
        "attempt_id": hashlib.sha256(b"attempt %d" % number).digest()[:16],
        "transfer_id": str(uuid.UUID(int=number)),
        "answer": None,
        "sender": Peer(address=sender),
        "receiver": None,
        "received_at": START,
    }
    return outcomes.outcome(**(values | changes))


class Maker:
    """Writes entries as a notary would, each a millisecond later than the one before."""

    def __init__(self, origin: str = ORIGIN, key: Ed25519PrivateKey = RECEIPT_KEY) -> None:
        self.origin = origin
        self.key = key
        self.entries: list[bytes] = []
        self._streams: dict[str, tuple[int, bytes | None]] = {}

    @property
    def now(self) -> datetime:
        return START + timedelta(milliseconds=len(self.entries))

    def place(self, of: str, **changes: Any) -> Place:
        """The next place of a stream, but for `changes`."""
        number, previous = self._streams.get(of, (0, None))
        values: dict[str, Any] = {
            "attempt": 1,
            "stream": of,
            "number": number + 1,
            "previous": previous,
        }
        return Place(**(values | changes))

    def receipt(self, found: Outcome, *, completed: datetime | None = None, **place: Any) -> bytes:
        where = self.place(statement.stream_of(found.sender.name, found.route), **place)
        said = statement.build(
            statement.submission(found),
            where,
            origin=self.origin,
            completed=completed or self.now,
        )
        return self._add(said, where)

    def event(self, kind: str, details: Mapping[str, object], **place: Any) -> bytes:
        where = self.place(statement.event_stream(self.origin), **place)
        said = statement.build_event(
            Event(kind, details), where, origin=self.origin, completed=self.now
        )
        return self._add(said, where)

    def _add(self, said: bytes, place: Place) -> bytes:
        entry = dsse.sign(said, self.key)
        self._streams[place.stream] = (place.number, hashlib.sha256(entry).digest())
        self.entries.append(entry)
        return entry


def log(size: int) -> list[bytes]:
    """Entries of two senders, with the gateway's own start before them."""
    maker = Maker()
    maker.event("start", {"version": "0", "workers": 1})
    for number in range(1, size):
        maker.receipt(outcome(number, f"192.0.2.{number % 2}"))
    return maker.entries


def checkpoint(size: int, root: bytes, origin: str = ORIGIN) -> bytes:
    """Signed by both keys."""
    found = note.Checkpoint(origin, size, root)
    signatures = [note.sign(found.text, origin, LOG_KEY), note.cosign(found, origin, PQ_KEY, 1)]
    return note.render(found.text, signatures)


def files(entries: Sequence[bytes], older: Iterable[int] = ()) -> dict[str, bytes]:
    """The log's folder; `older`: sizes whose unfinished tiles are still there."""
    return {**_tiles(entries), **_stale(entries, older), "checkpoint": signed(entries)}


def signed(entries: Sequence[bytes]) -> bytes:
    """The checkpoint over entries."""
    tree = Tree()
    tree.extend([leaf_hash(entry) for entry in entries])
    return checkpoint(tree.size, tree.root())


def _stale(entries: Sequence[bytes], older: Iterable[int]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for size in older:
        found |= {path: data for path, data in _tiles(entries[:size]).items() if ".p/" in path}
    return found


def _tiles(entries: Sequence[bytes]) -> dict[str, bytes]:
    tree, found = Tree(), {}
    for level, position, data in tree.extend([leaf_hash(entry) for entry in entries]):
        found[tile_path(level, position)] = data
    for level, row in enumerate(tree.edge):
        if row:
            path = tile_path(level, tree.size >> 8 * (level + 1), len(row))
            found[path] = b"".join(row)
    for start in range(0, len(entries), 256):
        some = entries[start : start + 256]
        found[tile_path(ENTRIES, start // 256, len(some))] = bundle(some)
    return found
