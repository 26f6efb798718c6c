"""What is said of detection must name what there is."""

import difflib
from collections.abc import Collection

from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import DETECTED_GROUPS, DETECTED_TYPES, ContentPolicy, Settings
from proxy.settings.yaml12 import Path


def require_own_types(settings: Settings, mistakes: Mistakes) -> None:
    """Note types of the configuration's own that are called like others."""
    for name in settings.detectors:
        if name in DETECTED_TYPES or name in DETECTED_GROUPS:
            text = "is a type or group that there is already: give yours another name"
            mistakes.add(("detectors", name), text, at_key=True)


def require_detection(
    path: Path, policy: ContentPolicy, settings: Settings, mistakes: Mistakes
) -> None:
    """Note types that nothing detects."""
    known = {*DETECTED_TYPES, *DETECTED_GROUPS, *settings.detectors}
    for index, rule in enumerate(policy.detect):
        _require_type((*path, "detect", index, "type"), rule.type, known, mistakes)
    for index, mask in enumerate(policy.mask):
        if mask.type is not None:
            _require_type((*path, "mask", index, "type"), mask.type, known, mistakes)


def own_types_in_use(settings: Settings) -> set[str]:
    """The types that some rule names."""
    ways = [way for route in settings.routes for way in (route.request, route.response)]
    found = {rule.type for way in ways for rule in way.detect}
    return found | {rule.type for way in ways for rule in way.mask if rule.type is not None}


def _require_type(path: Path, name: str, known: Collection[str], mistakes: Mistakes) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; docs/masking.md lists the types"
        mistakes.add(path, f"nothing detects this{hint}")
