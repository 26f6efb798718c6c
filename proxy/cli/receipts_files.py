"""Reads a receipt log's folder for the `receipts` commands; a running gateway is not disturbed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from proxy.errors import CredentialError, EvidenceError
from proxy.notary import journal
from proxy.notary.book import decode_snapshot
from proxy.notary.publisher import CHECKPOINT, JOURNAL
from proxy.receipt import note
from proxy.receipt.merkle import TILE_WIDTH
from proxy.receipt.tiles import ENTRIES, load_tile


@dataclass(frozen=True, slots=True)
class Tail:
    """What the journal holds: entries from `base` on, some of them in the tiles as well."""

    base: int
    entries: tuple[bytes, ...]
    scan: journal.Scan

    def beyond(self, size: int) -> tuple[bytes, ...]:
        """The entries after the first `size`; none when the journal begins later than that."""
        return self.entries[size - self.base :] if size >= self.base else ()


class Folder:
    """A log's folder. Raises `EvidenceError` for what cannot be read."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise EvidenceError(f"{path} is not a folder")
        self.path = path

    def load(self, name: str) -> bytes | None:
        """One file; None where there is none."""
        try:
            return (self.path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise EvidenceError(f"{name}: {error.strerror}") from None

    def tiles(self) -> list[str]:
        """Every file below `tile/`."""
        found = (self.path / "tile").rglob("*")
        return sorted(str(file.relative_to(self.path)) for file in found if file.is_file())

    def tail(self) -> Tail | None:
        """The journal; None where there is none that we may read."""
        try:
            scan = journal.read_file(self.path / JOURNAL)
        except OSError:
            return None
        if not scan.items or scan.items[0][0] != journal.SNAPSHOT:
            return Tail(0, (), scan)
        entries = tuple(body for kind, body in scan.items if kind == journal.ENTRY)
        return Tail(decode_snapshot(scan.items[0][1]).base, entries, scan)

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """(index, envelope) of all that can be read: under the checkpoint, then the journal's.

        Nothing is verified.
        """
        data = self.load(CHECKPOINT)
        size = 0 if data is None else note.parse_checkpoint(note.parse(data).text).size
        yield from self.published(0, size)
        tail = self.tail()
        if tail is not None:
            yield from enumerate(tail.beyond(size), size)

    def published(self, start: int, size: int) -> Iterator[tuple[int, bytes]]:
        """(index, envelope) from the bundles of a log of `size`; `start` a multiple of 256."""
        for first in range(start, size, TILE_WIDTH):
            width = min(TILE_WIDTH, size - first)
            _, bundle = load_tile(self.load, ENTRIES, first // TILE_WIDTH, width)
            yield from enumerate(bundle, first)


def read(path: Path) -> bytes:
    """A file that was named on the command line."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror}") from None


def read_public_key(path: Path) -> Ed25519PublicKey:
    """A receipt key, PEM. Raises `CredentialError`."""
    try:
        key = load_pem_public_key(read(path))
    except ValueError:
        raise CredentialError(f"{path}: this is not a PEM public key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise CredentialError(f"{path}: this is not an Ed25519 public key")
    return key
