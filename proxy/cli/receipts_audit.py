"""`lockgate receipts audit`: a whole log checked from nothing but its files and public keys."""

import argparse
import tempfile
from pathlib import Path

from proxy.cli.receipts_files import Group, UnreadableError, read, read_public_key, telling
from proxy.cli.receipts_progress import progress
from proxy.cli.wording import count, texts
from proxy.errors import EvidenceError
from proxy.notary.folder import Folder, FolderAudited, audit_log
from proxy.notary.helpers import helpers
from proxy.receipt.attempts import Attempts
from proxy.receipt.marks import Demand, Kept
from proxy.receipt.policy import parse_policy
from proxy.receipt.quorum import ALGORITHMS
from proxy.receipt.vkey import parse_vkey


def register(group: Group) -> None:
    audit = group.add_parser(
        "audit",
        help="recompute and check the whole log",
        **texts(
            "Recompute a log from its files: every signature, every sequence, the tree and its "
            "signed checkpoint. 0 when all of it holds; 1 with the first thing that is wrong, and "
            "every gap before it. lockgate receipts vkey prints what --vkey takes. Receipt keys "
            "that came later are learnt from the log, each from the one before it.",
            "lockgate receipts audit var/receipts --key certs/receipts.pub \\\n"
            '    --vkey "$(lockgate receipts vkey config/gateway.yaml | head -n 1)"',
            "lockgate receipts audit var/receipts --key certs/receipts.pub \\\n"
            "    --policy witnesses.policy --require ml-dsa-44 --checkpoint kept/checkpoint",
        ),
    )
    audit.add_argument("store", type=Path, help="the log's folder")
    audit.add_argument("--vkey", action="append", default=[], help="must have signed; repeat")
    audit.add_argument("--key", action="append", type=Path, required=True, help="PEM; repeat")
    audit.add_argument("--checkpoint", type=Path, help="one kept earlier, to be consistent with")
    audit.add_argument("--policy", type=Path, help="a tlog-policy: log keys, witnesses, quorum")
    audit.add_argument(
        "--require",
        action="append",
        default=[],
        choices=sorted(ALGORITHMS),
        help="what the log itself must have signed with; repeat",
    )
    audit.set_defaults(run=telling(run_audit))


def run_audit(arguments: argparse.Namespace) -> int:
    """Raises `EvidenceError` at the first thing that is wrong."""
    demand, folder = _demand(arguments), _folder(arguments.store)
    keys = [read_public_key(path) for path in arguments.key]
    kept = None
    if arguments.checkpoint is not None:
        kept = Kept(str(arguments.checkpoint), read(arguments.checkpoint))
    try:
        with tempfile.TemporaryFile() as spill, helpers() as crew, progress() as tick:
            found = audit_log(
                folder,
                demand,
                keys,
                kept=kept,
                attempts=Attempts(spill),
                helpers=crew,
                progress=tick,
            )
    except OSError as error:
        raise UnreadableError(f"the audit's temporary file: {error.strerror}") from None
    _tell(found, demand, kept)
    return 0


def _demand(arguments: argparse.Namespace) -> Demand:
    if not arguments.vkey and arguments.policy is None:
        raise UnreadableError("nothing to verify the checkpoint with: give --vkey or --policy")
    try:
        vkeys = [parse_vkey(vkey) for vkey in arguments.vkey]
        policy = None if arguments.policy is None else parse_policy(read(arguments.policy))
    except UnreadableError:
        raise
    except EvidenceError as error:
        raise UnreadableError(str(error)) from None
    return Demand(vkeys, policy, tuple(arguments.require))


def _folder(path: Path) -> Folder:
    try:
        return Folder(path)
    except EvidenceError as error:
        raise UnreadableError(str(error)) from None


def _tell(found: FolderAudited, demand: Demand, kept: Kept | None) -> None:
    log = found.log
    entries = count(log.checkpoint.size, "entry", "entries")
    print(f"{log.checkpoint.origin}: {entries}, as the checkpoint says")
    if demand.vkeys:
        print(f"  signed by {', '.join(f'{v.name}+{v.key_id.hex()}' for v in demand.vkeys)}")
    if demand.require:
        print(f"  signed by the log with {', '.join(demand.require)}")
    if log.witnessed is not None:
        print(f"  witnessed as the policy demands, up to {log.witnessed}")
    if kept is not None:
        print(f"  consistent with {kept.name}")
    if found.beyond:
        print(
            f"  {found.beyond} more in the journal, signed and in sequence, under no checkpoint yet"
        )
