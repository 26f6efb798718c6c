"""Disk space kept for the verdicts of what is under way when the disk is full.

`<store>/reserve` is zeros. When the disk takes no more it is given up, so that every attempt which
has been forwarded gets its statement, and its sender the receipt. Nothing new is forwarded until
the space can be had back.
"""

import os
from pathlib import Path
from typing import Final

from proxy.notary.disk import Disk
from proxy.notary.health import FULL

SIZE: Final = 4 * 2**20
"""Octets: the statements of about a thousand transfers."""
_NAME: Final = "reserve"


class Reserve:
    def __init__(self, disk: Disk, store: Path, size: int) -> None:
        self.held = False
        self._disk = disk
        self._path = store / _NAME
        self._size = size

    def hold(self) -> None:
        """Take the space. Blocks on the disk. Raises `OSError` where there is not so much."""
        self._disk.unlink(self._path)
        fd = self._disk.create_slots(self._path)
        try:
            self._disk.allocate(fd, self._size)
            self.held = True
        finally:
            os.close(fd)
            if not self.held:
                self._disk.unlink(self._path)

    def spend(self, error: OSError) -> bool:
        """Give the space up if `error` says that the disk is full. False where there was none."""
        if not self.held or error.errno not in FULL:
            return False
        self.held = False
        try:
            self._disk.unlink(self._path)
        except OSError:
            return False
        return True
