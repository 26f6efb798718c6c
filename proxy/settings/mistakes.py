"""Collects every mistake of a configuration, each with its place, in plain words.

What pydantic finds is said again here in words that need no knowledge of it. No message repeats a
value: a secret may have been pasted anywhere.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from proxy.errors import Problem
from proxy.settings.codes import CODES
from proxy.settings.editor import keys_at
from proxy.settings.values import WORDS
from proxy.settings.yaml12 import Mark, Path

_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TYPES = {
    "string_type": "expected text; put it in quotes if it is",
    "int_type": "expected a whole number, without quotes",
    "float_type": "expected a number, without quotes",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "dict_type": "expected a mapping of keys to values",
    "model_type": "expected a mapping of keys to values",
    "model_attributes_type": "expected a mapping of keys to values",
    "too_short": "needs at least one entry",
    "string_too_short": "may not be empty",
}


def show(path: Path) -> str:
    """A path as people write it: `routes[0].match.path`."""
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step}]"
        else:
            known = step if _KEY.fullmatch(step) else '"…"'
            shown += f".{known}" if shown else known
    return shown


@dataclass(slots=True)
class Mistakes:
    """What has been found so far in one file."""

    file: str
    marks: Mapping[Path, Mark]
    problems: list[Problem] = field(default_factory=list)
    _paths: set[Path] = field(default_factory=set)

    def add(self, path: Path, message: str, *, at_key: bool = False, code: str = "invalid") -> None:
        """Note a mistake at a path, or at the nearest thing above it that is in the file.

        With the `code` of a warning it is one, of the severity that it has in `CODES`.
        """
        place = path
        while place not in self.marks and place:
            place = place[:-1]
        mark = self.marks.get(place, Mark((1, 1), (1, 1)))
        line, column = mark.key if at_key and place == path else mark.value
        self._paths.add(path)
        severity = CODES[code].severity
        self.problems.append(Problem(self.file, line, column, show(path), message, code, severity))

    def __contains__(self, path: Path) -> bool:
        return path in self._paths

    def require(self, path: Path, check: Callable[[str], object], text: str) -> None:
        """Note what `check` says of `text` by ValueError, if nothing is wrong there already."""
        if path in self or (*path, 0) in self:  # one text may stand for a list of one
            return
        try:
            check(text)
        except ValueError as error:
            self.add(path, str(error))


def add_shape(mistakes: Mistakes, error: ValidationError) -> None:
    """Note everything that pydantic found."""
    found = error.errors(include_url=False, include_input=False)
    meant = {
        (*path[:-1], guess)
        for path in (item["loc"] for item in found if item["type"] == "extra_forbidden")
        if (guess := _guess(path)) is not None
    }
    for item in found:
        if item["type"] != "missing" or item["loc"] not in meant:
            _add(mistakes, item)


def _add(mistakes: Mistakes, item: ErrorDetails) -> None:
    path = item["loc"]
    if path and path[-1] == "[key]":
        mistakes.add(path[:-1], f"expected {_pattern(item)}", at_key=True)
    elif item["type"] == "missing":
        mistakes.add(path[:-1], f"the key {path[-1]} is missing")
    elif item["type"] == "extra_forbidden":
        guess = _guess(path)
        hint = f"; did you mean {guess}?" if guess else ""
        mistakes.add(path, f"unknown key{hint}", at_key=True)
    elif path not in mistakes:
        mistakes.add(path, _words(item))


def _guess(path: Path) -> str | None:
    near = difflib.get_close_matches(str(path[-1]), keys_at(path[:-1]), n=1)
    return near[0] if near else None


def _words(item: ErrorDetails) -> str:
    context: dict[str, Any] = item.get("ctx", {})
    match item["type"]:
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"expected {context['expected']}"
        case "string_pattern_mismatch":
            return f"expected {_pattern(item)}"
        case "greater_than":
            return f"must be more than {context['gt']}"
        case "greater_than_equal":
            return f"must be {context['ge']} or more"
        case "less_than_equal":
            return f"must be {context['le']} or less"
        case kind:
            return _TYPES.get(kind, "is not what this key takes")


def _pattern(item: ErrorDetails) -> str:
    return WORDS.get(item.get("ctx", {}).get("pattern", ""), "another form")
