"""`python -m loadtest.audits`: how fast `lockgate receipts audit` is, and in how much memory.

The log is a store as a notary leaves it, with tiles, checkpoint, journal and index, but written in
minutes: some 3.7 KiB on the disk for an entry. Where `--folder` names a place it stays there, and
the next call takes it up again, or makes it longer; else it is removed.

CPU is what the kernel accounts to the audit and its helpers, start and end included. The clock
tells of an idle machine only; what this one would do alone follows from the CPU.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from loadtest.evidence import keys_in, open_store
from loadtest.outcomes import each_outcome
from loadtest.proxies import family
from proxy.cli.certs import make_folder
from proxy.model import Outcome
from proxy.notary.drafts import pendings
from proxy.notary.store import ROTATE, Store
from proxy.receipt import statement

_BATCH = 1024
_EDITION = 8
"""Batches between two publications: what comes in a second, where there is much."""
_LOOK = 0.2
"""Seconds between two looks at the memory of the processes."""


def main() -> None:
    """Make the log, audit it, print."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.audits", description="long logs")
    parser.add_argument("--entries", type=int, default=1_000_000, help="at least")
    parser.add_argument("--folder", type=Path, help="where the log stays; else TMPDIR for now")
    wanted = parser.parse_args()
    if wanted.folder is not None:
        wanted.folder.mkdir(exist_ok=True)
        _measure(wanted.folder, wanted.entries)
        return
    with tempfile.TemporaryDirectory(prefix="lockgate-audit-") as name:
        _measure(Path(name), wanted.entries)


def _measure(folder: Path, entries: int) -> None:
    log, pki = folder / "log", folder / "pki"
    if not pki.exists():
        make_folder(pki)
    began = time.perf_counter()
    size = make_log(log, pki, entries)
    print(f"log: {size:,} entries, made in {time.perf_counter() - began:,.0f} s", flush=True)
    audit(log, pki, size)


# --- the log -------------------------------------------------------------------------------------


def make_log(folder: Path, pki: Path, entries: int, *, rotate: int = ROTATE) -> int:
    """Bring the store in `folder` to at least so many entries; how many it has now.

    An audit reads the journal whole. So it is begun anew as `proxy.notary.writer` does it: before
    any batch, when it is longer than `rotate`.
    """
    folder.mkdir(exist_ok=True)
    store = open_store(folder, pki, rotate=rotate)
    try:
        found = each_outcome(claimed=False)
        while missing := max(0, entries - store.leaves.size):
            edition = islice(found, min(missing, _EDITION * _BATCH))
            while _commit(store, islice(edition, _BATCH)):
                pass
            _publish(store)
        return store.leaves.size
    finally:
        store.release()


def _commit(store: Store, found: Iterable[Outcome]) -> bool:
    """False where nothing was left."""
    if store.journal_is_long:
        _new_journal(store)
    batch = store.begin()
    store.draft(batch, pendings([statement.submission(each) for each in found]))
    store.append(batch)
    store.settle(batch)
    return bool(batch.written)


def _new_journal(store: Store) -> None:
    rows = store.all_ids()
    store.secure_ids(rows)
    store.ids_secured(rows)
    store.replace_journal(store.new_journal())


def _publish(store: Store) -> None:
    store.journal.sync()
    found = store.unpublished()
    if found is not None:
        store.published(store.publish(*found), found[1])


# --- its audit -----------------------------------------------------------------------------------


def audit(log: Path, pki: Path, size: int) -> None:
    """Run the command in a process of its own and look at it from outside."""
    command = [str(Path(sys.executable).parent / "lockgate"), "receipts", "audit", str(log)]
    command += ["--key", str(pki / "receipts.pub")]
    for vkey in keys_in(pki).vkeys():
        command += ["--vkey", str(vkey)]
    began = time.perf_counter()
    process = subprocess.Popen(command)
    peaks: dict[int, int] = {}
    while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
        peaks |= _peaks(process.pid)
        time.sleep(_LOOK)
    process.returncode = os.waitstatus_to_exitcode(ended[1])
    if process.returncode:
        raise SystemExit(process.returncode)
    clock, used = time.perf_counter() - began, ended[2]
    cpu = used.ru_utime + used.ru_stime
    cores = len(os.sched_getaffinity(0))
    memory = ", ".join(f"{octets >> 20} MiB" for octets in peaks.values())
    print(f"audit: {clock:.1f} s, {size / clock:,.0f} entries a second on this machine as it is")
    print(f"CPU: {cpu / size * 1e6:.1f} us an entry, {cores * size / cpu:,.0f} a second on {cores}")
    print(f"memory at most, each process: {memory}")


def _peaks(pid: int) -> dict[int, int]:
    """The most octets that the process and those below it have held so far."""
    found = {}
    try:
        for each in family(pid):
            for line in Path(f"/proc/{each}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    found[each] = int(line.split()[1]) << 10
    except OSError:
        pass  # one has ended meanwhile: the next look tells of the others
    return found


if __name__ == "__main__":
    main()
