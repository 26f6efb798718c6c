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


def require_checkpoints(
    load: Loader, demand: Demand, kept: Kept | None
) -> tuple[note.Checkpoint, int | None, list[Mark]]:
    """The checkpoint, how much of the log is witnessed, and what else its tree must agree with."""
    data = load(CHECKPOINT)
    if data is None:
        raise EvidenceError("checkpoint: missing")
    policy = demand.policy
    unwitnessed = replace(demand, policy=None if policy is None else replace(policy, quorum=None))
    checkpoint = _require(CHECKPOINT, data, unwitnessed)
    marks, witnessed = [], None
    earlier = load(WITNESSED)
    if earlier is not None:
        marks.append(_mark(WITNESSED, earlier, checkpoint, unwitnessed))
    if policy is not None and policy.quorum is not None:
        witnessed = _require_witnessed(data, earlier, demand)
    if kept is not None:
        marks.append(_mark(kept.name, kept.data, checkpoint, unwitnessed))
    return checkpoint, witnessed, sorted(marks, key=lambda mark: mark.size)


def _require(name: str, data: bytes, demand: Demand) -> note.Checkpoint:
    try:
        return require_quorum(data, demand.policy, vkeys=demand.vkeys, require=demand.require)
    except EvidenceError as error:
        raise EvidenceError(f"{name}: {error}") from None


def _require_witnessed(latest: bytes, earlier: bytes | None, demand: Demand) -> int:
    try:
        return _require(CHECKPOINT, latest, demand).size
    except EvidenceError:
        if earlier is None:
            raise
    return _require(WITNESSED, earlier, demand).size


def _mark(name: str, data: bytes, checkpoint: note.Checkpoint, demand: Demand) -> Mark:
    try:
        parsed = note.parse(data)
        earlier = note.parse_checkpoint(parsed.text)
        vkeys = [*demand.vkeys, *(demand.policy.logs if demand.policy else ())]
        if not note.verify(parsed, vkeys):
            raise EvidenceError("no signature by any of the keys that were given")
    except EvidenceError as error:
        raise EvidenceError(f"{name}: {error}") from None
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
