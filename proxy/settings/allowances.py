"""Comments by which a file says that a warning is meant, each with its reason.

    # lockgate: allow CODE REASON

behind what is warned of allows it on that line; alone on a line, on the next line that is neither
empty nor a comment. Mistakes are never allowed. A comment that allows nothing, names no code or
gives no reason is warned of itself: what it allowed may come back unseen.

    pins: …          # lockgate: allow …   is a comment
    text: "# lockgate: allow …"            is not: it is within a value
"""

import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import yaml

from proxy.errors import Problem
from proxy.settings.codes import CODES

_COMMENT: Final = re.compile(r"(?:^|(?<=[ \t]))#[ \t]*lockgate:[ \t]*allow\b[ \t]*(.*)$", re.M)
_NOTHING: Final = re.compile(r"[ \t]*(?:#.*)?")
_CODE: Final = "useless-allowance"


@dataclass(frozen=True, slots=True)
class Allowance:
    """One comment; `line` is the one that it speaks of, from 1, `place` its own line and column."""

    line: int
    code: str
    reason: str
    place: tuple[int, int]


def judged(
    octets: bytes, found: Iterable[Problem], file: str, unsought: Collection[str] = ()
) -> tuple[Problem, ...]:
    """What was found, each that the file allows with the reason; and what is wrong with comments.

    `octets` are of a file that has been loaded; `unsought` are codes that were not looked for. In
    the order of the file.
    """
    comments = list(_allowances(octets.decode("utf-8").removeprefix("\ufeff")))
    judged = [_allowed(problem, comments) for problem in found]
    used = {(problem.line, problem.code) for problem in judged if problem.allowed}
    wrong = [
        Problem(file, *each.place, "", text, _CODE, CODES[_CODE].severity)
        for each in comments
        if each.code not in unsought and (text := _useless(each, used))
    ]
    return tuple(sorted({*judged, *wrong}))


def _allowed(problem: Problem, comments: Iterable[Allowance]) -> Problem:
    for each in comments:
        same = (each.line, each.code) == (problem.line, problem.code)
        if same and each.reason and problem.severity != "error":
            return dataclasses.replace(problem, allowed=each.reason)
    return problem


def _useless(comment: Allowance, used: set[tuple[int, str]]) -> str | None:
    if comment.code not in CODES:
        return "allows no code that there is; docs/policy-lint.md has them all"
    if not comment.reason:
        return "allows nothing: say behind the code why this is meant"
    if (comment.line, comment.code) not in used:
        return f"allows {comment.code}, which is not found on line {comment.line}"
    return None


def _allowances(text: str) -> Iterator[Allowance]:
    if "lockgate:" not in text:
        return
    values = list(_values(text))
    lines = text.split("\n")
    for match in _COMMENT.finditer(text):
        if any(begin <= match.start() < end for begin, end in values):
            continue
        line = text.count("\n", 0, match.start()) + 1
        column = match.start() - (text.rfind("\n", 0, match.start()) + 1)
        meant = line
        if not lines[line - 1][:column].strip():
            while meant < len(lines) and _NOTHING.fullmatch(lines[meant].rstrip("\r")):
                meant += 1
            meant += 1
        code, _, reason = match[1].strip().partition(" ")
        yield Allowance(meant, code, reason.strip(), (line, column + 1))


def _values(text: str) -> Iterator[tuple[int, int]]:
    """Where quoted and block scalars begin and end; in a plain one there is no comment."""
    for token in yaml.scan(text, yaml.SafeLoader):
        if isinstance(token, yaml.ScalarToken) and not token.plain:
            yield token.start_mark.index, token.end_mark.index
