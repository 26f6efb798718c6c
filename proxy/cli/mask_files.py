"""Files in and out, and the route that is meant, for the commands that work on a file."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from proxy.errors import ConfigError, Problem, Refusal
from proxy.settings.load import Loaded
from proxy.settings.schema import Route


def named_route(loaded: Loaded, name: str) -> tuple[int, Route]:
    """Raises ConfigError that names the routes there are."""
    for position, route in enumerate(loaded.settings.routes):
        if route.name == name:
            return position, route
    known = ", ".join(route.name for route in loaded.settings.routes) or "none"
    message = f"there is no route {name}; there is: {known}"
    raise ConfigError([Problem(str(loaded.path), 1, 1, "routes", message)])


def failed(error: Refusal | OSError | ValueError, name: str, *, partly: bool = False) -> int:
    """Tell why a file, or its place, was no good; the exit code. `partly`: some of it is out."""
    if isinstance(error, Refusal):
        sys.stderr.write(f"{name}: {error.code}: {error.reason}\n")
        if partly:
            sys.stderr.write("what was written is not all of it\n")
        return 1
    if isinstance(error, OSError):
        sys.stderr.write(f"{error.filename or name}: {error.strerror or error}\n")
    else:
        sys.stderr.write(f"{error}\n")
    return 2


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    with open(name, "rb") as file:
        yield file


@contextmanager
def written(path: Path | None, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Standard output; or a file that has its name only when everything is in it, for its owner
    only until then: half a masked file must not be taken for a whole one."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    number, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(number, "wb") as file:
            yield file
        os.chmod(scratch, mode & ~_umask())
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
