"""The checkpoints that an audit goes by: what is demanded of them, and the roots that they fix."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from proxy.errors import EvidenceError
from proxy.receipt import note
from proxy.receipt.merkle import Tree
from proxy.receipt.policy import Policy
from proxy.receipt.quorum import CHECKPOINT, WITNESSED, require_quorum
from proxy.receipt.tiles import Loader
from proxy.receipt.vkey import Vkey


@dataclass(frozen=True, slots=True)
class Demand:
    """What is demanded of the checkpoint, see `quorum.require_quorum`."""

    vkeys: Sequence[Vkey]
    policy: Policy | None = None
    require: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint from elsewhere that the log must continue."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """The root that the first `size` entries must have, and who says so."""

    name: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """What an audit goes by."""

    latest: note.Checkpoint
    signed: bytes
    """The latest as a note."""
    witnessed: bytes | None
    """The latest that met the quorum; None where the policy demands none."""
    marks: Sequence[Mark]
    """What else the tree must agree with, by size."""


def require_checkpoints(load: Loader, demand: Demand, kept: Kept | None) -> Checkpoints:
    """Raises `EvidenceError` unless all that is demanded of the checkpoints holds. Fails closed."""
    # This order: whoever writes meanwhile never leaves the second older than the first.
    seen, data = load(WITNESSED), load(CHECKPOINT)
    if data is None:
        raise EvidenceError("checkpoint: missing")
    policy = demand.policy
    unwitnessed = replace(demand, policy=None if policy is None else replace(policy, quorum=None))
    latest = _require(CHECKPOINT, data, unwitnessed)
    marks = []
    if seen is not None:
        marks.append(_mark(WITNESSED, _require(WITNESSED, seen, unwitnessed), latest))
    if kept is not None:
        marks.append(_mark(kept.name, _require_kept(kept, unwitnessed), latest))
    witnessed = None
    if policy is not None and policy.quorum is not None:
        witnessed = _witnessed(data, seen, demand)
    return Checkpoints(latest, data, witnessed, sorted(marks, key=lambda mark: mark.size))


def _require(name: str, data: bytes, demand: Demand) -> note.Checkpoint:
    try:
        return require_quorum(data, demand.policy, vkeys=demand.vkeys, require=demand.require)
    except EvidenceError as error:
        raise EvidenceError(f"{name}: {error}") from None


def _witnessed(latest: bytes, seen: bytes | None, demand: Demand) -> bytes:
    """The later of the two that met the quorum."""
    try:
        _require(CHECKPOINT, latest, demand)
        return latest
    except EvidenceError:
        if seen is None:
            raise
    _require(WITNESSED, seen, demand)
    return seen


def _require_kept(kept: Kept, demand: Demand) -> note.Checkpoint:
    """The checkpoint, if one of the log's keys signed it: it may be from before the others."""
    try:
        parsed = note.parse(kept.data)
        if not note.verify(parsed, [*demand.vkeys, *(demand.policy.logs if demand.policy else ())]):
            raise EvidenceError("no signature by any of the keys that were given")
        return note.parse_checkpoint(parsed.text)
    except EvidenceError as error:
        raise EvidenceError(f"{kept.name}: {error}") from None


def _mark(name: str, earlier: note.Checkpoint, checkpoint: note.Checkpoint) -> Mark:
    if earlier.origin != checkpoint.origin:
        raise EvidenceError(f"{name}: is of another log, {earlier.origin}")
    if earlier.size > checkpoint.size:
        raise EvidenceError(
            f"checkpoint: covers {checkpoint.size} entries, but {earlier.size} were there "
            f"when {name} was kept: the log was cut"
        )
    return Mark(name, earlier.size, earlier.root)


def require_marks(tree: Tree, marks: Sequence[Mark]) -> None:
    for mark in marks:
        if mark.size == tree.size and mark.root != tree.root():
            raise EvidenceError(
                f"{mark.name}: the first {tree.size} entries have another root now: "
                "the log was changed"
            )
