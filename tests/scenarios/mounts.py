"""A folder of secrets as Kubernetes mounts it: every change of it is one rename of one link."""

import itertools
import os
import shutil
from pathlib import Path


class Mount:
    """`tls.crt -> ..data/tls.crt`, `..data -> ..1`; a swap makes `..2` and renames a link."""

    def __init__(self, folder: Path, files: dict[str, bytes]) -> None:
        self.folder = folder
        self._versions = itertools.count(1)
        self._files: dict[str, bytes] = {}
        folder.mkdir()
        for name in files:
            (folder / name).symlink_to(f"..data/{name}")
        self.swap(files)

    def swap(self, files: dict[str, bytes]) -> None:
        """Replace these files, all at once, and keep the others."""
        old = self.folder / "..data"
        before = old.readlink() if old.is_symlink() else None
        self._files |= files
        version = self.folder / f"..{next(self._versions)}"
        version.mkdir()
        for name, content in self._files.items():
            (version / name).write_bytes(content)
        (self.folder / "..data_tmp").symlink_to(version.name)
        os.rename(self.folder / "..data_tmp", old)
        if before is not None:
            shutil.rmtree(self.folder / before)
