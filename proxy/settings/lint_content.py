"""What a policy of content says without effect, or probably does not mean.

What the rules themselves leave to each other is looked at by `proxy/app/lint.py`.
"""

from proxy.settings.check import policies
from proxy.settings.content import ContentPolicy
from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import Settings
from proxy.settings.yaml12 import Path


def lint_contents(settings: Settings, warnings: Mistakes) -> None:
    """Note it for every route, in both directions."""
    for path, policy in policies(settings):
        _lint_opaque((*path, "content"), policy, warnings)
        _lint_idle(path, policy, warnings)
        _lint_beside(path, policy, warnings)
        if not policy.content:
            _lint_without_content(path, policy, warnings)


def _lint_opaque(path: Path, policy: ContentPolicy, warnings: Mistakes) -> None:
    looked_into = [name for name in policy.content if name != "opaque"]
    if looked_into and "opaque" in policy.content:
        formats = " or ".join(dict.fromkeys(looked_into))
        text = (
            f"only what Content-Type calls {formats} is looked into; `opaque` lets everything "
            "else cross unseen"
        )
        warnings.add(path, text, code="opaque-beside")


def _lint_idle(path: Path, policy: ContentPolicy, warnings: Mistakes) -> None:
    """Keys that go with what is not there."""
    for name in ("csv", "tsv"):
        if name in policy.model_fields_set and name not in policy.content:
            text = f"`content` does not admit {name}"
            warnings.add((*path, name), text, at_key=True, code="means-nothing")
    if not policy.searches:
        for name in sorted({"likelihood", "decode"} & policy.model_fields_set):
            text = "nothing is searched for: give `detect`"
            warnings.add((*path, name), text, at_key=True, code="means-nothing")
    raises = any(rule.action == "flag" or rule.raises for rule in policy.detect)
    if "on_violation" in policy.model_fields_set and not raises:
        text = "no finding raises the label: give `detect` with `flag` or `raises`"
        warnings.add((*path, "on_violation"), text, at_key=True, code="means-nothing")
    if policy.allow_only and not policy.content:
        text = "no content may cross here, for `content` is empty"
        warnings.add((*path, "allow_only"), text, at_key=True, code="means-nothing")


def _lint_beside(path: Path, policy: ContentPolicy, warnings: Mistakes) -> None:
    """Of masks that name one field or parameter, the first in force decides; before one in shadow
    none may stand at all."""
    seen: set[str] = set()
    shaded: set[str] = set()
    for index, mask in enumerate(policy.mask):
        if mask.beside in seen or (mask.shadow and mask.beside in shaded):
            text = f"never matches: a rule before it is for the same {mask.beside.split()[0]}"
            warnings.add((*path, "mask", index), text, code="mask-never-matches")
        elif mask.beside is not None:
            (shaded if mask.shadow else seen).add(mask.beside)


def _lint_without_content(path: Path, policy: ContentPolicy, warnings: Mistakes) -> None:
    text = "never matches: no content may cross here, for `content` is empty"
    for index, mask in enumerate(policy.mask):
        if mask.beside is None:
            warnings.add((*path, "mask", index), text, code="mask-never-matches")
    for index, _ in enumerate(policy.detect):
        warnings.add((*path, "detect", index), text, code="detect-never-matches")
