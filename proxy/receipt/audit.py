"""Checks a whole log from nothing but its files and public keys; stops at the first thing wrong.

1. The checkpoint has every signature that is demanded (`quorum.py`). Where the policy demands
   witnesses and they have not seen this one yet, `checkpoint.witnessed` has theirs.
2. Every entry up to its size is an envelope that a receipt key signed (`inspection.py`), in its
   place among the others (`walk.py`).
3. Every tile holds what the entries hash to, at every level, and the root is the checkpoint's.
4. A checkpoint that was kept earlier, and the witnessed one, are of the same log, and their roots
   are the roots of the first so many entries: nothing was changed, removed or put in between.

Files under `tile/` beside those are looked at by `strays.py`. What an audit cannot see: a log that
was cut back to a state that it had before, unless a later checkpoint was kept or witnessed.

`load` reads one file of the log, from a folder or wherever. Every failure is an `EvidenceError`
that names file, entry and what is wrong; the same log always gives the same one, whoever helps.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass
from itertools import pairwise

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.errors import EvidenceError
from proxy.receipt import note
from proxy.receipt.attempts import Attempts
from proxy.receipt.inspection import Inspection, inspect_file
from proxy.receipt.marks import (
    Checkpoints,
    Demand,
    Kept,
    Mark,
    require_checkpoints,
    require_marks,
)
from proxy.receipt.merkle import TILE_WIDTH
from proxy.receipt.tiles import HASH, Loader, load_tile
from proxy.receipt.walk import Walk

Progress = Callable[[int, int], None]
Gap = Callable[[str], None]
"""(entries checked, entries in all)."""
_AHEAD = 8
"""Bundles under inspection at once, where there are helpers: at most 16 MiB each."""


@dataclass(frozen=True, slots=True)
class Crew:
    """Processes that help, and how they read the log: both must be able to cross to them."""

    pool: Executor
    load: Loader


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit that found nothing wrong has seen."""

    checkpoints: Checkpoints
    walk: Walk

    @property
    def checkpoint(self) -> note.Checkpoint:
        """The latest: what the log holds."""
        return self.checkpoints.latest


def audit(
    load: Loader,
    demand: Demand,
    keys: Sequence[Ed25519PublicKey],
    *,
    kept: Kept | None = None,
    attempts: Attempts | None = None,
    crew: Crew | None = None,
    progress: Progress = lambda done, total: None,
    gap: Gap = lambda line: None,
    beyond: Callable[[Walk], None] = lambda walk: None,
) -> Audited:
    """Audit a log. Raises `EvidenceError`; fails closed. May raise `OSError` from `attempts`.

    `keys`: the receipt keys that are trusted at the beginning; events name later ones. `crew`:
    processes that inspect bundles. `gap` is told where a stream leaves numbers out; the audit goes
    on behind it, and fails at its end. `beyond` walks on where the checkpoint ends, before the last
    questions are asked.
    """
    checkpoints = require_checkpoints(load, demand, kept)
    checkpoint, marks = checkpoints.latest, checkpoints.marks
    walk = Walk(checkpoint.origin, keys, attempts, gap)
    require_marks(walk.tree, marks)
    for bundle in _bundles(load, walk, checkpoint.size, crew):
        _take(load, walk, bundle, marks)
        progress(walk.tree.size, checkpoint.size)
    for level, row in enumerate(walk.tree.edge):
        if level and row:
            position = walk.tree.size >> 8 * (level + 1)
            _require_tile(load, level, position, len(row), b"".join(row))
    if walk.tree.root() != checkpoint.root:
        raise EvidenceError("checkpoint: its root is not the root over the entries")
    beyond(walk)
    walk.finish()
    return Audited(checkpoints, walk)


# --- entries and tiles ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bundle:
    """A bundle of entries that was inspected."""

    path: str
    position: int
    width: int
    found: Inspection


def _bundles(load: Loader, walk: Walk, size: int, crew: Crew | None) -> Iterator[_Bundle]:
    """Every bundle in order, inspected ahead of the walk where there are helpers."""
    ahead: deque[Callable[[], _Bundle]] = deque()
    for position in range(-(-size // TILE_WIDTH)):
        width = min(TILE_WIDTH, size - position * TILE_WIDTH)
        ahead.append(_begin(load, walk, position, width, crew))
        if crew is None or len(ahead) == _AHEAD:
            yield ahead.popleft()()
    while ahead:
        yield ahead.popleft()()


def _begin(
    load: Loader, walk: Walk, position: int, width: int, crew: Crew | None
) -> Callable[[], _Bundle]:
    """Have a bundle inspected. What is wrong is told when the result is asked for."""
    keys = walk.known
    future: Future[tuple[str, Inspection]] | None = None
    if crew is not None:
        try:
            future = crew.pool.submit(inspect_file, crew.load, position, width, keys)
        except BrokenExecutor:
            pass  # whoever helped was killed: we do it alone

    def end() -> _Bundle:
        try:
            found = None if future is None else future.result()
        except BrokenExecutor:
            found = None
        if found is None or (found[1].fault is not None and keys != walk.known):
            # The second: an event that came before it has named another key meanwhile.
            found = inspect_file(load, position, width, walk.known)
        return _Bundle(found[0], position, width, found[1])

    return end


def _take(load: Loader, walk: Walk, bundle: _Bundle, marks: Sequence[Mark]) -> None:
    """Walk over a bundle, beside the tile of its hashes."""
    tile, hashes = load_tile(load, 0, bundle.position, bundle.width)
    leaves = bundle.found.leaves
    agree = len(leaves) if leaves == hashes else _agreeing(leaves, hashes)
    start = walk.tree.size
    cuts = {0, bundle.width, *(m.size - start for m in marks if 0 < m.size - start < bundle.width)}
    for first, last in pairwise(sorted(cuts)):
        for number in range(first, last):
            walk.check(bundle.found, number, start + number, bundle.path)
            if number == agree:
                raise EvidenceError(
                    f"{tile}: entry {start + number}: this is not the hash of {bundle.path}"
                )
        for level, at, data in walk.tree.extend(leaves[first:last])[1:]:
            _require_tile(load, level, at, TILE_WIDTH, data)
        require_marks(walk.tree, marks)


def _agreeing(leaves: Sequence[bytes], hashes: Sequence[bytes]) -> int:
    """How many of the leaf hashes are those of the tile, up to the first that is not."""
    pairs = enumerate(zip(leaves, hashes, strict=False))
    return next((n for n, (leaf, known) in pairs if leaf != known), len(leaves))


def _require_tile(load: Loader, level: int, position: int, width: int, expected: bytes) -> None:
    path, hashes = load_tile(load, level, position, width)
    for number, node in enumerate(hashes):
        if node != expected[number * HASH : number * HASH + HASH]:
            first = (position * TILE_WIDTH + number) << 8 * level
            last = first + (1 << 8 * level) - 1
            raise EvidenceError(f"{path}: hash {number} is not that of entries {first} to {last}")
