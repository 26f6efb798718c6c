"""Rules in shadow: nobody shall take them for ones that decide."""

from proxy.settings.check import policies
from proxy.settings.content import ContentPolicy
from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import Settings
from proxy.settings.yaml12 import Path

_NOTE = "decides nothing, and only reports what it would do"


def lint_in_shadow(settings: Settings, warnings: Mistakes) -> None:
    """Note each, and where none of a policy's rules is in force."""
    for index, route in enumerate(settings.routes):
        for key in ("allow", "deny"):
            entries = getattr(route, key)
            if key == "allow" and all(entry.shadow for entry in entries):
                continue  # it admits nobody, which is told
            for number, entry in enumerate(entries):
                if entry.shadow:
                    place: Path = ("routes", index, key, number, "shadow")
                    warnings.add(place, _NOTE, code="in-shadow")
    for path, policy in policies(settings):
        _lint_policy(path, policy, warnings)


def _lint_policy(path: Path, policy: ContentPolicy, warnings: Mistakes) -> None:
    rules = [("mask", index, rule.shadow) for index, rule in enumerate(policy.mask)]
    rules += [("detect", index, rule.shadow) for index, rule in enumerate(policy.detect)]
    if rules and all(shadow for *_, shadow in rules):
        text = "every rule of `mask` and `detect` is in shadow: content crosses as it is"
        warnings.add(path, text, at_key=True, code="only-in-shadow")
        return
    for key, index, shadow in rules:
        if shadow:
            warnings.add((*path, key, index, "shadow"), _NOTE, code="in-shadow")
