"""What a file is, by what is said of it, by its name, or by what the route admits."""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from proxy.settings.schema import ContentPolicy

SUFFIXES: Final = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "text",
    ".log": "text",
    ".form": "form",
}
CODINGS: Final = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True, slots=True)
class Kind:
    """The format of a file, and the content codings that were applied to it, in that order."""

    format: str
    codings: tuple[str, ...] = ()


def by_name(name: str) -> tuple[str, str | None]:
    """The suffix that says the format, and the coding on top of it."""
    path = PurePath(name)
    suffix = path.suffix.lower()
    if suffix not in CODINGS:
        return suffix, None
    return PurePath(path.stem).suffix.lower(), CODINGS[suffix]


def judge_kind(
    name: str,
    format: str | None,  # noqa: A002 (the word of the policy)
    coding: str | None,
    policy: ContentPolicy,
) -> Kind:
    """Raises ValueError when nothing says what it is, or the policy does not admit it."""
    suffix, named = by_name(name)
    coding = coding or named
    admitted: list[str] = list(policy.content)
    found = format or SUFFIXES.get(suffix) or (admitted[0] if len(admitted) == 1 else None)
    listed = ", ".join(admitted) or "none"
    if found is None:
        raise ValueError(f"{name}: of what format? --format with one of: {listed}")
    if found == "opaque" or found not in admitted:
        raise ValueError(f"{name}: the route looks into no {found}; its formats: {listed}")
    if coding is not None and coding not in policy.codings:
        codings = ", ".join(policy.codings) or "none"
        raise ValueError(f"{name}: the route admits no {coding}; its codings: {codings}")
    return Kind(found, (coding,) if coding else ())
