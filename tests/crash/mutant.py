"""A copy of the program with one thing taken out, to see that the tests would notice."""

import shutil
from pathlib import Path

import pytest

import proxy

SYNC = "os.fdatasync(fd)"
ASK = "aio.fdatasync(fd)"


def mutate(folder: Path, name: str, before: str, after: str) -> Path:
    """Copy the package into `folder`, with `before` replaced by `after` in the file `name`.

    The folder goes into PYTHONPATH. `before` has to stand there exactly once.
    """
    source = Path(proxy.__file__).parent
    shutil.copytree(source, folder / "proxy")
    path = folder / "proxy" / name
    text = path.read_text()
    assert text.count(before) == 1, f"{name} has changed: the mutation has to follow"
    path.write_text(text.replace(before, after))
    return folder


def hang(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have syncs of the next program not return for as long as a file is there: the file."""
    slow = folder / "slow"
    wait = f'while os.path.exists({str(slow)!r}): __import__("time").sleep(0.01)\n        '
    copy = mutate(folder / "copy", "notary/disk.py", SYNC, wait + SYNC)
    disk = copy / "proxy/notary/disk.py"
    assert ASK in disk.read_text()
    disk.write_text(disk.read_text().replace(ASK, "return False"))  # a thread does it
    monkeypatch.setenv("PYTHONPATH", str(copy))
    return slow
