"""What `prove`, `verify` and `audit` are told to trust: vkeys, a policy, algorithms."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from proxy.cli.receipts_files import UnreadableError, read
from proxy.errors import EvidenceError
from proxy.receipt import note
from proxy.receipt.marks import Demand
from proxy.receipt.policy import PolicyError, display, parse_policy
from proxy.receipt.quorum import ALGORITHMS
from proxy.receipt.vkey import ED25519, Vkey, parse_vkey


def signers(demand: Demand, checkpoint: bytes) -> list[str]:
    """Lines that say who signed a checkpoint and who cosigned it. Raises `EvidenceError`."""
    parsed, policy = note.parse(checkpoint), demand.policy
    logs = dict.fromkeys([*demand.vkeys, *(policy.logs if policy else ())])
    origin = note.parse_checkpoint(parsed.text).origin
    lines = []
    for vkey in note.verify(parsed, [vkey for vkey in logs if vkey.name == origin]):
        algorithm = "Ed25519" if vkey.kind == ED25519 else "ML-DSA-44"
        lines.append(f"signed by {vkey.name}+{vkey.key_id.hex()} ({algorithm})")
    for witness in policy.witnesses if policy else ():
        if note.verify(parsed, [witness.vkey]):
            when = _time(parsed, witness.vkey)
            lines.append(f"cosigned by {display(witness.name)} at {when}")
    return lines


def add_arguments(
    parser: argparse.ArgumentParser, *, vkey: str, also: Sequence[str] = (), require: str = ""
) -> None:
    """--vkey, --policy and --require; `vkey` is the help of the first.

    `also` is what else --require takes, and `require` what its help says of that.
    """
    parser.add_argument("--vkey", action="append", default=[], help=vkey)
    parser.add_argument(
        "--policy", type=Path, help="a tlog-policy: logs, witnesses, and the quorum demanded"
    )
    parser.add_argument(
        "--require",
        action="append",
        default=[],
        choices=[*sorted(ALGORITHMS), *also],
        help=f"what the log must have signed its checkpoint with; repeat{require}",
    )


def read_demand(arguments: argparse.Namespace) -> Demand:
    """What `add_arguments` was given. Raises `UnreadableError` for what is no vkey, no policy."""
    path: Path | None = arguments.policy
    try:
        policy = None if path is None else parse_policy(read(path))
    except PolicyError as error:
        raise UnreadableError(f"{path}: {error}") from None
    try:
        vkeys = [parse_vkey(text) for text in arguments.vkey]
    except EvidenceError as error:
        raise UnreadableError(f"--vkey: {error}") from None
    return Demand(vkeys, policy, tuple(arguments.require))


def _time(parsed: note.Note, vkey: Vkey) -> str:
    wanted = (vkey.name, vkey.key_id)
    data = next(s.data for s in parsed.signatures if (s.name, s.key_id) == wanted)
    seconds = int.from_bytes(data[:8])
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return f"{seconds} s"
