"""`lockgate receipts audit`: a whole log checked from nothing but its files and public keys."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.cli.receipts_files import Group, UnreadableError, read, read_public_key, telling
from proxy.cli.receipts_helpers import helpers
from proxy.cli.receipts_progress import progress
from proxy.cli.receipts_prove import open_log
from proxy.cli.receipts_trust import add_arguments, read_demand, signers
from proxy.cli.wording import count, texts
from proxy.errors import CredentialError, EvidenceError
from proxy.notary.folder import Folder, audit_log
from proxy.notary.website import Website
from proxy.receipt import note
from proxy.receipt.attempts import Attempts
from proxy.receipt.audit import Audited, Crew, audit
from proxy.receipt.marks import Demand, Kept
from proxy.receipt.quorum import CHECKPOINT, WITNESSED
from proxy.receipt.words import printable

_WORTH = 8192
"""Entries from which other processes are asked for help."""


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
    audit.add_argument("log", metavar="STORE|URL", help="the log's folder, or where it is served")
    audit.add_argument(
        "--key", action="append", type=Path, required=True, help="a receipt key, PEM; repeat"
    )
    audit.add_argument("--checkpoint", type=Path, help="one kept earlier, to be consistent with")
    add_arguments(audit, vkey="must have signed the checkpoint; repeat")
    audit.set_defaults(run=telling(run_audit))


def run_audit(arguments: argparse.Namespace) -> int:
    """Raises `EvidenceError` at the first thing that is wrong."""
    demand = read_demand(arguments)
    if not demand.vkeys and demand.policy is None:
        raise UnreadableError("the checkpoint is to be verified: give --vkey or --policy")
    keys = [_key(path) for path in arguments.key]
    kept = None
    if arguments.checkpoint is not None:
        kept = Kept(str(arguments.checkpoint), read(arguments.checkpoint))
    log = open_log(arguments.log)
    with closing(log) if isinstance(log, Website) else nullcontext():
        found, beyond = _audit(log, demand, keys, kept)
    _tell(found, beyond, demand, kept)
    return 0


def _key(path: Path) -> Ed25519PublicKey:
    try:
        return read_public_key(path)
    except CredentialError as error:
        raise UnreadableError(str(error)) from None


def _audit(
    log: Folder | Website, demand: Demand, keys: Sequence[Ed25519PublicKey], kept: Kept | None
) -> tuple[Audited, int | None]:
    """What was found, and how many entries the journal has beyond it. Raises `EvidenceError`."""
    try:
        with tempfile.TemporaryFile() as spill, _crew(log) as crew, progress() as tick:
            attempts = Attempts(spill)
            if isinstance(log, Website):
                found = audit(
                    log.load,
                    demand,
                    keys,
                    kept=kept,
                    attempts=attempts,
                    crew=crew,
                    progress=tick,
                    gap=_tell_gap,
                )
                return found, None
            in_folder = audit_log(
                log,
                demand,
                keys,
                kept=kept,
                attempts=attempts,
                crew=crew,
                progress=tick,
                gap=_tell_gap,
            )
            return in_folder.log, in_folder.beyond
    except OSError as error:
        raise UnreadableError(f"the audit's temporary file: {error.strerror}") from None


def _tell_gap(line: str) -> None:
    sys.stderr.write(f"{printable(line)}\n")


def _crew(log: Folder | Website) -> AbstractContextManager[Crew | None]:
    """Helpers where there is work for them: they take longer to begin than a small log takes."""
    data = log.load(CHECKPOINT)
    try:
        size = 0 if data is None else note.parse_checkpoint(note.parse(data).text).size
    except EvidenceError:
        size = 0  # the audit will say so
    return helpers(log) if size >= _WORTH else nullcontext()


def _tell(found: Audited, beyond: int | None, demand: Demand, kept: Kept | None) -> None:
    seen = found.checkpoints
    entries = count(seen.latest.size, "entry", "entries")
    print(f"{seen.latest.origin}: {entries}, as the checkpoint says")
    for line in signers(demand, seen.signed):
        print(f"  {line}")
    if seen.witnessed is not None and seen.witnessed != seen.signed:
        print(
            f"  up to {note.parse_checkpoint(note.parse(seen.witnessed).text).size} as {WITNESSED}"
        )
        for line in signers(demand, seen.witnessed):
            print(f"    {line}")
    if kept is not None:
        print(f"  consistent with {kept.name}")
    if beyond:
        print(f"  {beyond} more in the journal, signed and in sequence, under no checkpoint yet")
