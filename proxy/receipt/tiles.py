"""A log as plain files (c2sp.org/tlog-tiles): where each tile lies and what is in it.

    checkpoint                      the signed root, see note.py
    tile/<L>/<N>[.p/<W>]            W or 256 hashes of 32 octets: level 8·L of the tree
    tile/entries/<N>[.p/<W>]        W or 256 entries, each `u16be length ‖ entry`

N is written in groups of three digits, all but the last with an `x`: tile 1234067 of level 0 is
`tile/0/x001/x234/067`. W is 1 to 255: an unfinished tile, which a wider one supersedes. A tile that
would be empty is not written.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from proxy.errors import EvidenceError
from proxy.receipt.merkle import TILE_WIDTH

HASH: Final = 32
MAX_ENTRY: Final = 65_535
ENTRIES: Final = -1
"""The level under which entry bundles are addressed here."""

Loader = Callable[[str], bytes | None]
"""Path within the log -> content, None where there is no such file."""


def tile_path(level: int, position: int, width: int = TILE_WIDTH) -> str:
    """The path of a tile, or of an entry bundle where `level` is `ENTRIES`."""
    groups = [f"{position % 1000:03d}"]
    while position >= 1000:
        position //= 1000
        groups.append(f"x{position % 1000:03d}")
    name = "entries" if level == ENTRIES else str(level)
    suffix = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{name}/{'/'.join(reversed(groups))}{suffix}"


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """Every tile and bundle of a log of `size` entries: (level, position, width)."""
    level, count = ENTRIES, size
    while count:
        yield from ((level, position, TILE_WIDTH) for position in range(count // TILE_WIDTH))
        if count % TILE_WIDTH:
            yield level, count // TILE_WIDTH, count % TILE_WIDTH
        if level != ENTRIES:
            count //= TILE_WIDTH
        level += 1


def bundle(entries: Sequence[bytes]) -> bytes:
    """Entries as one file; raises `EvidenceError` where one is over `MAX_ENTRY` octets."""
    return b"".join(bundle_parts(entries))


def bundle_parts(entries: Sequence[bytes]) -> list[bytes]:
    """The same in pieces, none of them copied. Raises alike."""
    lengths = [*map(len, entries)]
    if max(lengths, default=0) > MAX_ENTRY:
        raise EvidenceError(f"an entry is larger than {MAX_ENTRY} octets")
    parts = [b""] * (2 * len(lengths))
    parts[::2] = [length.to_bytes(2) for length in lengths]
    parts[1::2] = entries
    return parts


def unbundle(data: bytes) -> list[bytes]:
    """The entries of a bundle; raises `EvidenceError` unless it ends where an entry does."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        if at + 2 > len(data) or end > len(data):
            raise EvidenceError(f"cut off in its entry {len(entries)}")
        entries.append(data[at + 2 : end])
        at = end
    return entries


def load_tile(load: Loader, level: int, position: int, width: int) -> tuple[str, list[bytes]]:
    """The first `width` hashes or entries of a tile, and the path of the file that had them.

    Raises `EvidenceError` where there is none (`find_tile`) or it is malformed.
    """
    path, data, held = find_tile(load, level, position, width)
    return path, cells(path, level, data, held)[:width]


def find_tile(load: Loader, level: int, position: int, width: int) -> tuple[str, bytes, int]:
    """The file that has the first `width` cells of a tile: its path, content, how many it is for.

    A log that grows replaces an unfinished tile by wider ones, so those are tried as well, the full
    one first. Raises `EvidenceError` where there is none.
    """
    widths = dict.fromkeys([width, TILE_WIDTH, *range(width + 1, TILE_WIDTH)])
    for held in widths:
        path = tile_path(level, position, held)
        data = load(path)
        if data is not None:
            return path, data, held
    raise EvidenceError(f"{tile_path(level, position, width)}: missing")


def cells(path: str, level: int, data: bytes, width: int) -> list[bytes]:
    """The hashes or entries of a file; raises `EvidenceError` with `path` unless it has `width`."""
    try:
        if level == ENTRIES:
            found = unbundle(data)
        else:
            found = [data[at : at + HASH] for at in range(0, len(data), HASH)]
            if len(data) % HASH:
                raise EvidenceError("not a whole number of hashes")
        if len(found) != width:
            raise EvidenceError(f"holds {len(found)}, not {width}")
    except EvidenceError as error:
        raise EvidenceError(f"{path}: {error}") from None
    return found
