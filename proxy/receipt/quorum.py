"""What is demanded of a checkpoint before anything under it is believed.

- Every key that was named has signed it.
- With a policy (`policy.py`): one of its logs signed it under its own origin, and enough witnesses
  cosigned it.
- `require` adds what the log itself must have signed with: `ml-dsa-44` for an auditor who thinks of
  quantum computers, since a signature that nobody demands can be stripped.
"""

from collections.abc import Collection, Sequence
from typing import Final

from proxy.errors import EvidenceError
from proxy.receipt import note
from proxy.receipt.policy import LOG_KINDS, Policy, display
from proxy.receipt.tiles import Loader
from proxy.receipt.vkey import ED25519, MLDSA44_COSIGNATURE, Vkey

ALGORITHMS: Final = {"ed25519": ED25519, "ml-dsa-44": MLDSA44_COSIGNATURE}
"""What `require` may name, with the type of the log's signature."""
CHECKPOINT: Final = "checkpoint"
WITNESSED: Final = "checkpoint.witnessed"
"""The latest checkpoint that met the quorum of the log's own policy; kept beside `checkpoint`."""


def require_quorum(
    checkpoint: bytes,
    policy: Policy | None,
    *,
    vkeys: Sequence[Vkey] = (),
    require: Collection[str] = (),
) -> note.Checkpoint:
    """The checkpoint, if all that is demanded of it holds. Raises `EvidenceError`; fails closed.

    - Every one of `vkeys` signed it.
    - With a policy: one of its logs signed it under its own origin, and the quorum cosigned it.
    - For each of `require`, a key of `ALGORITHMS`: the log signed it with a key of that type, which
      stands in `vkeys` or the policy.
    """
    parsed = note.parse(checkpoint)
    found = note.parse_checkpoint(parsed.text)
    if vkeys or policy is None:
        note.require_signed(checkpoint, vkeys)
    logs = [*vkeys, *(policy.logs if policy else ())]
    own = [vkey for vkey in logs if vkey.name == found.origin and vkey.kind in LOG_KINDS]
    signed = note.verify(parsed, own)
    if not signed:
        raise EvidenceError(f"no key that was given for the log {found.origin} signed it")
    for algorithm in require:
        if ALGORITHMS[algorithm] not in {vkey.kind for vkey in signed}:
            raise EvidenceError(
                f"the log {found.origin} did not sign it with {algorithm} by a key that was given"
            )
    if policy is not None:
        cosigned = policy.cosigned(parsed)
        if not policy.met_by(cosigned):
            who = ", ".join(sorted(map(display, cosigned))) or "nobody"
            lacking = ", ".join(map(display, policy.missing(cosigned)))
            raise EvidenceError(f"the quorum is not met: cosigned by {who}, not by {lacking}")
    return found


def find_checkpoint(
    load: Loader,
    policy: Policy | None = None,
    *,
    vkeys: Sequence[Vkey] = (),
    require: Collection[str] = (),
    holding: int = 0,
) -> bytes:
    """A checkpoint of a log that meets the demands and has at least `holding` entries.

    The latest one if it does; else the latest one that was witnessed: a busy log's newest
    checkpoint is always too young for cosignatures. Without vkeys, policy or requirement nothing is
    demanded, and one with cosignatures is taken first. Raises `EvidenceError`; fails closed.
    """
    anything = not (vkeys or policy or require)
    problems = []
    for name in (WITNESSED, CHECKPOINT) if anything else (CHECKPOINT, WITNESSED):
        data = load(name)
        if data is None:
            problems.append(f"{name}: missing")
            continue
        try:
            if anything:
                found = note.parse_checkpoint(note.parse(data).text)
            else:
                found = require_quorum(data, policy, vkeys=vkeys, require=require)
            if found.size >= holding:
                return data
            problems.append(f"{name}: holds {found.size} entries, not {holding} yet")
        except EvidenceError as error:
            problems.append(f"{name}: {error}")
    told = problems[-1] if anything else problems[0]
    raise EvidenceError(told)
