"""What it costs to hold content on the disk: sealed and written, then read and opened.

    make bench-spill

CPU of this process an octet, the least of several rounds; ends with 1 when that is too much.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Final

import trio

from proxy.edge.spill import BLOCK, Room, Spill

LIMIT: Final = 3.0
"""Nanoseconds an octet, both ways together."""


def main(words: list[str] | None = None) -> int:
    """The two figures; 1 when they are too large together."""
    reader = argparse.ArgumentParser(prog="make bench-spill")
    reader.add_argument("--folder", type=Path, default=Path("/var/tmp"))  # noqa: S108 (no names)
    reader.add_argument("--mebibytes", type=int, default=256)
    reader.add_argument("--rounds", type=int, default=3)
    reader.add_argument("--limit", type=float, default=LIMIT, help="ns an octet")
    wanted = reader.parse_args(words)
    rounds = [trio.run(_round, wanted.folder, wanted.mebibytes) for _ in range(wanted.rounds)]
    written, read = (min(each[way] for each in rounds) for way in (0, 1))
    print(f"sealed and written  {written:.2f} ns an octet")
    print(f"read and opened     {read:.2f} ns an octet")
    kept = written + read <= wanted.limit
    print(f"under {wanted.limit:g} ns: {'kept' if kept else 'missed'}")
    return 0 if kept else 1


async def _round(folder: Path, mebibytes: int) -> tuple[float, float]:
    """Nanoseconds of CPU an octet, of writing and of reading."""
    octets = mebibytes * 2**20
    content, spill = os.urandom(BLOCK), Spill(Room(folder, 2 * octets), "one")
    begun = time.process_time()
    for _ in range(octets // BLOCK):
        await spill.write(content)
    written = time.process_time()
    for number in range(spill.blocks):
        await spill.read(number)
    read = time.process_time()
    spill.close()
    return (written - begun) / octets * 1e9, (read - written) / octets * 1e9


if __name__ == "__main__":
    sys.exit(main())
