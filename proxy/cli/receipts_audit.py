"""`lockgate receipts audit`: a whole log checked from nothing but its files and public keys."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from proxy.cli.receipts_files import Group, UnreadableError, read, read_public_key, telling
from proxy.cli.wording import count, texts
from proxy.errors import EvidenceError
from proxy.notary.folder import Folder, audit_folder
from proxy.receipt.audit import Kept
from proxy.receipt.audit import Progress as Tick
from proxy.receipt.vkey import parse_vkey


def register(group: Group) -> None:
    audit = group.add_parser(
        "audit",
        help="recompute and check the whole log",
        **texts(
            "Recompute a log from its files: every signature, every sequence, the tree and its "
            "signed checkpoint. 0 when all of it holds, 1 with the first thing that is wrong. "
            "lockgate receipts vkey prints what --vkey takes.",
            "lockgate receipts audit var/receipts --key certs/receipts.pub \\\n"
            '    --vkey "$(lockgate receipts vkey config/gateway.yaml | head -n 1)"',
        ),
    )
    audit.add_argument("store", type=Path, help="the log's folder")
    audit.add_argument("--vkey", action="append", required=True, help="must have signed; repeat")
    audit.add_argument("--key", action="append", type=Path, required=True, help="PEM; repeat")
    audit.add_argument("--checkpoint", type=Path, help="one kept earlier, to be consistent with")
    audit.set_defaults(run=telling(run_audit))


def run_audit(arguments: argparse.Namespace) -> int:
    """Raises `EvidenceError` at the first thing that is wrong."""
    try:
        folder = Folder(arguments.store)
        vkeys = [parse_vkey(vkey) for vkey in arguments.vkey]
    except EvidenceError as error:
        raise UnreadableError(str(error)) from None
    keys = [read_public_key(path) for path in arguments.key]
    kept = None
    if arguments.checkpoint is not None:
        kept = Kept(str(arguments.checkpoint), read(arguments.checkpoint))
    with _progress() as tick:
        checkpoint, further = audit_folder(folder, vkeys=vkeys, keys=keys, kept=kept, progress=tick)
    entries = count(checkpoint.size, "entry", "entries")
    print(f"{checkpoint.origin}: {entries}, as the checkpoint says")
    print(f"  signed by {', '.join(f'{vkey.name}+{vkey.key_id.hex()}' for vkey in vkeys)}")
    if kept is not None:
        print(f"  consistent with {kept.name}")
    if further:
        print(f"  {further} more in the journal, signed and in sequence, under no checkpoint yet")
    return 0


@contextmanager
def _progress() -> Iterator[Tick]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    columns = (TextColumn("auditing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("auditing", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
