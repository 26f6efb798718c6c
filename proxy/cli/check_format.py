"""What `lockgate check` found, as people, programs and CI systems read it.

SARIF is version 2.1.0 (OASIS, 2023), of which is written: one run, its rules, and a result for each
finding with its place, its path in the configuration and, where the file allows it, its reason.
"""

import json
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from proxy.errors import Problem
from proxy.settings.codes import CODES

FORMATS: Final = ("text", "json", "sarif")
_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def as_text(found: Iterable[Problem]) -> str:
    """A line for each that the file does not allow: what is no mistake, with severity and code."""
    return "".join(f"{_line(problem)}\n" for problem in found if not problem.allowed)


def _line(problem: Problem) -> str:
    if problem.severity == "error":
        return str(problem)
    return f"{problem} ({problem.severity} {problem.code})"


def as_json(file: Path, found: Iterable[Problem], accepted: bool, sha256: str | None) -> str:
    """One object: `file`, `accepted`, `sha256` of what could be loaded, and `findings`.

    A finding has code, severity, line, column, path and message; `allowed` is the reason of one
    that the file allows.
    """
    said = {
        "file": str(file),
        "accepted": accepted,
        "sha256": sha256,
        "findings": [_entry(problem) for problem in found],
    }
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"


def _entry(problem: Problem) -> dict[str, Any]:
    entry = {
        key: getattr(problem, key)
        for key in ("code", "severity", "line", "column", "path", "message")
    }
    return entry | ({"allowed": problem.allowed} if problem.allowed else {})


def as_sarif(found: Sequence[Problem]) -> str:
    """A SARIF log."""
    rules = list(CODES)
    driver = {
        "name": "lockgate check",
        "version": metadata.version("lockgate"),
        "rules": [
            {
                "id": name,
                "shortDescription": {"text": code.meaning},
                "defaultConfiguration": {"level": code.severity},
            }
            for name, code in CODES.items()
        ],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem, rules.index(problem.code)) for problem in found],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _result(problem: Problem, rule: int) -> dict[str, Any]:
    place: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(Path(problem.file))},
            "region": {"startLine": problem.line, "startColumn": problem.column},
        }
    }
    if problem.path:
        place["logicalLocations"] = [{"fullyQualifiedName": problem.path}]
    result = {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": problem.severity,
        "message": {"text": problem.message},
        "locations": [place],
    }
    if problem.allowed:
        result["suppressions"] = [{"kind": "inSource", "justification": problem.allowed}]
    return result


def _uri(file: Path) -> str:
    """As it was given, so that a relative one is of the repository that CI has checked out."""
    if file.is_absolute():
        return file.as_uri()
    return quote(file.as_posix())
