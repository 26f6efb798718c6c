"""A copy of the program with one thing taken out, to see that the tests would notice."""

import shutil
from pathlib import Path

import proxy


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
