"""What was found in one body: types, counts and paths, never a value."""

from dataclasses import dataclass, field
from typing import Final

from proxy.content.places import OTHERS
from proxy.errors import Refusal

PATHS_MAXIMUM: Final = 64
"""Paths of findings that a report tells; the rest are counted together."""


@dataclass(slots=True)
class Findings:
    """Counted in any thread, one at a time."""

    counts: dict[str, int] = field(default_factory=dict)
    """Type -> occurrences."""
    paths: dict[str, dict[str, int]] = field(default_factory=dict)
    """Type -> path -> occurrences. `…` stands for the paths that are one too many or too long."""
    unscanned: int = 0
    """Values that hold JSON or base64 which was not looked into."""
    labels: set[str] = field(default_factory=set)
    """What findings raise the content to."""
    above: frozenset[str] = frozenset()
    """What none of them may raise it to: those that would are redacted instead."""
    lowered: dict[str, int] = field(default_factory=dict)
    """Type -> occurrences that were."""
    abandoned: bool = False
    """Set from another thread when nobody waits for the body any more."""

    def require_wanted(self) -> None:
        """Raise Refusal("unparseable") when the body was abandoned. Called between values."""
        if self.abandoned:
            raise Refusal("unparseable", "abandoned before it was judged")

    def note(self, name: str, path: str, count: int, *, lowered: bool = False) -> None:
        """Count findings of a type at a path."""
        self.counts[name] = self.counts.get(name, 0) + count
        if lowered:
            self.lowered[name] = self.lowered.get(name, 0) + count
        paths = self.paths.setdefault(name, {})
        if path not in paths and sum(map(len, self.paths.values())) >= PATHS_MAXIMUM:
            path = OTHERS
        paths[path] = paths.get(path, 0) + count
