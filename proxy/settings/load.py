"""A configuration file, whole: read, shaped, checked; or every mistake in it at once.

Shape, one-value grammars and references are judged together. What needs settings that hold
together (two binds alike, a route behind another) is judged when all of that is right.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from proxy.errors import ConfigError, Problem
from proxy.settings import check, lint, references, yaml12
from proxy.settings.mistakes import Mistakes, add_shape
from proxy.settings.schema import Settings
from proxy.settings.secrets import at_once


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that may be used. `sha256` is of the file's octets."""

    settings: Settings
    path: Path
    directory: Path
    """Secrets and relative paths resolve against it."""
    sha256: bytes
    warnings: tuple[Problem, ...] = ()
    """What is probably not meant, though the file may say that it is: see allowances."""
    marks: Mapping[yaml12.Path, yaml12.Mark] = field(default_factory=dict, repr=False)
    octets: bytes = field(default=b"", repr=False)
    """The file itself, for processes that must use the very same one."""

    def problem(self, path: yaml12.Path, message: str, code: str = "invalid") -> Problem:
        """What only shows when the configuration is put to use, at its place."""
        mistakes = Mistakes(str(self.path), self.marks)
        mistakes.add(path, message, code=code)
        return mistakes.problems[0]


def load(path: Path, *, wait: bool = True) -> Loaded:
    """Load and check `path`. Raises ConfigError with every mistake.

    With `wait` False a pipe that nobody writes to is empty.
    """
    return load_octets(path, _read(path, None if wait else at_once))


def load_octets(path: Path, octets: bytes) -> Loaded:
    """As `load`, for octets that were read from `path` before."""
    document, problems = yaml12.read(octets, str(path))
    mistakes = Mistakes(str(path), document.marks, problems)
    for place in valueless(document.data):
        mistakes.add(place, "has no value; give it one, or leave the key out", at_key=True)
    settings, now = None, datetime.now(UTC)
    try:
        settings = Settings.model_validate(document.data)
    except ValidationError as error:
        add_shape(mistakes, error)
    references.require_values(document.data, mistakes)
    references.require_references(document.data, mistakes)
    if settings is not None and not mistakes.problems:
        check.require_coherent(settings, mistakes, now)
    if settings is None or mistakes.problems:
        raise ConfigError(mistakes.problems)
    warnings = Mistakes(str(path), document.marks)
    lint.lint(settings, warnings, now)
    return Loaded(
        settings,
        path,
        path.absolute().parent,
        hashlib.sha256(octets).digest(),
        tuple(sorted(set(warnings.problems))),
        document.marks,
        octets,
    )


def _read(path: Path, opener: Callable[[str, int], int] | None) -> bytes:
    try:
        with open(path, "rb", opener=opener) as file:
            return file.read(yaml12.MAX_OCTETS + 1) or b""
    except OSError as error:
        message = f"cannot be read: {error.strerror or 'error'}"
        raise ConfigError([Problem(str(path), 1, 1, "", message)]) from None


def valueless(data: object, path: yaml12.Path = ()) -> Iterator[yaml12.Path]:
    """Every path at which there is null: a key with nothing behind it."""
    if data is None:
        yield path
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from valueless(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from valueless(value, (*path, index))
