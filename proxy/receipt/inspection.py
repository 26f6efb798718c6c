"""What can be said of a bundle of entries by itself: the slow half of an audit, in any process.

A signature takes longer to verify than all the rest of an entry, and needs nothing but the keys; so
bundles are inspected in whatever order and place, and `walk.py` takes what was found in the order
of the log. Arguments and result are plain values: they cross from process to process.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.errors import EvidenceError
from proxy.receipt import dsse, keychain, reading
from proxy.receipt.opener import Opener, opener
from proxy.receipt.tiles import ENTRIES, Loader, cells, find_tile

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Said(NamedTuple):
    """What an entry says that its neighbours must agree with."""

    signer: str
    """Key id of the key that verified it."""
    origin: str
    stream: str
    number: int
    previous: bytes | None
    digest: bytes
    """SHA-256 of the envelope."""
    completed: int
    """Microseconds since 1970."""
    attempt_id: bytes | None
    """None for an event."""
    event: str | None
    details: dict[str, Any] | None
    """Of a `key` event only."""


@dataclass(slots=True)
class Inspection:
    """The entries of a bundle up to the first that does not hold."""

    said: list[Said] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    """Their leaf hashes."""
    fault: str | None = None
    """Why the entry after `said` does not hold; None where all of them do."""


@lru_cache(maxsize=8)
def _keys(known: tuple[bytes, ...]) -> dict[str, Ed25519PublicKey]:
    keys = [Ed25519PublicKey.from_public_bytes(raw) for raw in known]
    return {dsse.key_id(key): key for key in keys}


def inspect_file(
    load: Loader, position: int, width: int, known: tuple[bytes, ...]
) -> tuple[str, Inspection]:
    """The path of the bundle that `load` finds, and what is in it. Raises `EvidenceError`."""
    path, data, held = find_tile(load, ENTRIES, position, width)
    return path, inspect_bundle(path, data, held, width, known)


def inspect_bundle(
    path: str, data: bytes, held: int, width: int, known: tuple[bytes, ...]
) -> Inspection:
    """The first `width` entries of a bundle file that is to hold `held`.

    `known`: raw public keys, one of which must have signed each entry. Raises `EvidenceError` with
    `path` where the file is no such bundle.
    """
    return inspect_entries(cells(path, ENTRIES, data, held)[:width], known)


def inspect_entries(entries: Sequence[bytes], known: tuple[bytes, ...]) -> Inspection:
    """Verify and read `entries`, up to the first that does not hold. Never raises."""
    keys = dict(_keys(known))
    found = Inspection()
    sha256 = hashlib.sha256
    signer = ""
    opened: Opener | None = None
    for entry in entries:
        try:
            payload = None if opened is None else opened(entry)
            if payload is None:
                signer, payload = dsse.verify_by(entry, keys)
                opened = opener(keys[signer])  # whoever signed this one signed the next
            said = _said(signer, reading.summarise(payload), sha256(entry).digest())
            if said.details is not None:  # what follows may be signed by the key that it names
                key = keychain.successor(said.details)[1]
                keys.setdefault(dsse.key_id(key), key)
        except EvidenceError as error:
            found.fault = str(error)
            return found
        found.said.append(said)
        found.leaves.append(sha256(b"\x00" + entry).digest())
    return found


def _said(signer: str, summary: reading.Summary, digest: bytes) -> Said:
    place = summary.place
    return Said(
        signer,
        summary.origin,
        place.stream,
        place.number,
        place.previous,
        digest,
        (summary.completed - _EPOCH) // _MICROSECOND,
        summary.attempt_id,
        summary.event,
        dict(summary.details or {}) if summary.event == keychain.EVENT else None,
    )
