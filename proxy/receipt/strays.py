"""Files under `tile/` that no checkpoint demands: unfinished tiles of checkpoints before and after.

They must be tiles, and say what the demanded ones say. Beyond the size that was signed nothing is
known, so nothing is said about that part.
"""

import re

from proxy.errors import EvidenceError
from proxy.receipt.merkle import TILE_WIDTH
from proxy.receipt.tiles import ENTRIES, Loader, cells, load_tile, tile_path

_PATH = re.compile(r"tile/(entries|\d{1,2})/((?:x\d{3}/)*\d{3})(?:\.p/(\d{1,3}))?", re.ASCII)


def require_stray(load: Loader, path: str, size: int) -> None:
    """Raises unless `path` is a tile of a log that has at least `size` entries, and says the same.

    Beyond `size` nothing is signed, so nothing is said about that part. A full tile that such a log
    demands has been audited by then, and is not read again.
    """
    match = _PATH.fullmatch(path)
    level = ENTRIES if match is None or match[1] == "entries" else int(match[1])
    position = 0 if match is None else int(match[2].replace("x", "").replace("/", ""))
    width = TILE_WIDTH if match is None or match[3] is None else int(match[3])
    if match is None or tile_path(level, position, width) != path or not 0 < width <= TILE_WIDTH:
        raise EvidenceError(f"{path}: is not a file of a log")
    here = min(TILE_WIDTH, (size >> 8 * max(level, 0)) - position * TILE_WIDTH)
    if here == width == TILE_WIDTH:
        return
    data = load(path)
    if here <= 0 or data is None:
        return
    found = cells(path, level, data, width)
    demanded, known = load_tile(load, level, position, here)
    for number, (cell, expected) in enumerate(zip(found, known, strict=False)):
        if cell != expected:
            raise EvidenceError(f"{path}: item {number} is not that of {demanded}")
