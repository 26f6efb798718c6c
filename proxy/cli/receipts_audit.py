"""`lockgate receipts audit`: a whole log checked from nothing but its files and public keys."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from proxy.cli.receipts_files import UnreadableError, read, read_public_key
from proxy.cli.wording import count
from proxy.errors import EvidenceError
from proxy.notary.folder import Folder, audit_folder
from proxy.receipt.audit import Kept
from proxy.receipt.audit import Progress as Tick
from proxy.receipt.vkey import parse_vkey


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
