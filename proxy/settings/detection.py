"""What is said of detection must name what there is."""

import difflib
from collections.abc import Collection

from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import DETECTED_GROUPS, DETECTED_TYPES, ContentPolicy
from proxy.settings.yaml12 import Path


def require_detection(path: Path, policy: ContentPolicy, mistakes: Mistakes) -> None:
    """Note types that nothing detects."""
    known = {*DETECTED_TYPES, *DETECTED_GROUPS}
    for index, rule in enumerate(policy.detect):
        _require_type((*path, "detect", index, "type"), rule.type, known, mistakes)


def _require_type(path: Path, name: str, known: Collection[str], mistakes: Mistakes) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; docs/masking.md lists the types"
        mistakes.add(path, f"nothing detects this{hint}")
