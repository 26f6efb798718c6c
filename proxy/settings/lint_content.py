"""What a policy of content says without effect, or probably does not mean."""

from typing import Final, get_args

from proxy.settings.content import ContentPolicy, Likely
from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import Settings
from proxy.settings.yaml12 import Path

_LIKELIHOODS: Final = get_args(Likely)


def lint_contents(settings: Settings, warnings: Mistakes) -> None:
    """Note it for every route, in both directions."""
    for index, route in enumerate(settings.routes):
        for way, policy in (("request", route.request), ("response", route.response)):
            path = ("routes", index, way)
            _lint_opaque((*path, "content"), policy, warnings)
            _lint_idle(path, policy, warnings)
            _lint_twice(path, policy, warnings)
            _lint_own(path, policy, settings, warnings)


def _lint_opaque(path: Path, policy: ContentPolicy, warnings: Mistakes) -> None:
    looked_into = [name for name in policy.content if name != "opaque"]
    if looked_into and "opaque" in policy.content:
        formats = " or ".join(dict.fromkeys(looked_into))
        warnings.add(
            path,
            f"only what Content-Type calls {formats} is looked into; `opaque` lets everything "
            "else cross unseen",
        )


def _lint_idle(path: Path, policy: ContentPolicy, warnings: Mistakes) -> None:
    """Keys that go with what is not there."""
    for name in ("csv", "tsv"):
        if name in policy.model_fields_set and name not in policy.content:
            warnings.add((*path, name), f"`content` does not admit {name}", at_key=True)
    if not policy.detect and not any(rule.type is not None for rule in policy.mask):
        for name in sorted({"likelihood", "decode"} & policy.model_fields_set):
            warnings.add((*path, name), "nothing is searched for: give `detect`", at_key=True)


def _lint_twice(path: Path, policy: ContentPolicy, warnings: Mistakes) -> None:
    """Rules behind one that is for the same place."""
    masked = [(rule.path, rule.type, rule.beside) for rule in policy.mask]
    detected = [rule.type for rule in policy.detect]
    for key, places in (("mask", masked), ("detect", detected)):
        for number, place in enumerate(places):
            if place in places[:number]:
                warnings.add((*path, key, number), "never applies: an earlier rule is for the same")


def _lint_own(path: Path, policy: ContentPolicy, settings: Settings, warnings: Mistakes) -> None:
    """Types that no value can be likely enough for."""
    wanted = _LIKELIHOODS.index(policy.likelihood)
    for key in ("mask", "detect"):
        for number, rule in enumerate(getattr(policy, key)):
            own = settings.detectors.get(rule.type or "")
            if own is None or own.context or _LIKELIHOODS.index(own.likelihood) >= wanted:
                continue
            warnings.add(
                (*path, key, number, "type"),
                f"is never found: at most {own.likelihood}, and it has no `context`",
            )
