"""Rules in shadow: they decide nothing, and what they would have done is counted.

Beside the policy in force stands the same policy with all its rules in force. A body goes through
both; what the second makes is thrown away, and of its report what the rules in shadow have done is
kept, by their names: `mask[2]`, `detect[0]`. So a rule in shadow is counted exactly where it would
have acted among all others: not where one before it takes the field, or has replaced the finding.

In the second policy nothing rejects: a rule that would is counted on to the end. Where the second
cannot go on all the same, it stops, and what it has counted until then stands.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from proxy.content.head import HeadMasks
from proxy.content.inspector import Inspector
from proxy.errors import Refusal
from proxy.model import Report
from proxy.settings.schema import ContentPolicy, DetectRule

Open = Callable[[str, Sequence[str], frozenset[str]], Inspector]
"""As `Rules.open`."""


def has_shadow(policy: ContentPolicy) -> bool:
    masks = any(rule.shadow for rule in policy.mask)
    return masks or any(rule.shadow for rule in policy.detect)


def in_force(policy: ContentPolicy) -> ContentPolicy:
    """Without the rules in shadow."""
    mask = [rule for rule in policy.mask if not rule.shadow]
    detect = [rule for rule in policy.detect if not rule.shadow]
    return policy.model_copy(update={"mask": mask, "detect": detect})


def as_if(policy: ContentPolicy, lowest: str) -> ContentPolicy:
    """With all rules in force; what rejects is only counted. `lowest` is the lowest label."""

    def counting(rule: DetectRule) -> DetectRule:
        if rule.action != "reject":
            return rule
        return rule.model_copy(update={"action": "flag", "raises": lowest})

    return policy.model_copy(update={"detect": [counting(rule) for rule in policy.detect]})


@dataclass(frozen=True, slots=True)
class Shadow:
    """The second policy, compiled, and which of its counts are of rules in shadow."""

    open: Open
    head: HeadMasks
    masked: Mapping[str, str]
    """Path of a rule, or `header NAME` or `query NAME` -> the rule in shadow that takes it."""
    found: Mapping[str, tuple[str, ...]]
    """Detected type -> the rules in shadow that say what becomes of it."""

    def counted(self, masked: Mapping[str, int], found: Mapping[str, int]) -> dict[str, int]:
        """Rule -> how often it would have acted."""
        counts: dict[str, int] = {}
        for place, number in masked.items():
            if place in self.masked:
                rule = self.masked[place]
                counts[rule] = counts.get(rule, 0) + number
        for name, number in found.items():
            for rule in self.found.get(name, ()):
                counts[rule] = counts.get(rule, 0) + number
        return counts

    def beside(self, fields: Iterable[tuple[bytes, bytes]], query: str | None) -> dict[str, int]:
        """The same of a head's or a trailer section's fields, their names in lower case.

        A query that could not be read would have been refused: it counts once.
        """
        counts: dict[str, int] = {}
        for name, value in fields:
            self.head.header(name, value, counts)
        if query is not None and self.head.query:
            try:
                self.head.masked_query(query, counts)
            except Refusal:
                named = [place for place in self.masked if place.startswith("query ")]
                counts |= dict.fromkeys(named[:1], 1)
        return self.counted(counts, {})


class ShadowInspector:
    """An inspector, and beside it that of the second policy. Satisfies `Inspector`."""

    def __init__(self, inner: Inspector, second: Inspector, shadow: Shadow) -> None:
        self._inner = inner
        self._second = second
        self._shadow = shadow
        self._stopped = False

    def feed(self, data: bytes) -> bytes:
        output = self._inner.feed(data)
        self._try(lambda: self._second.feed(data))
        return output

    def finish(self) -> bytes:
        output = self._inner.finish()
        self._try(self._second.finish)
        return output

    def _try(self, step: Callable[[], bytes]) -> None:
        if self._stopped:
            return
        try:
            step()
        except Refusal:
            self._stopped = True

    @property
    def held(self) -> int:
        return self._inner.held

    def report(self) -> Report:
        second = self._second.report()
        counts = self._shadow.counted(second.masked, second.findings)
        report = self._inner.report()
        return replace(report, shadow=counts) if counts else report

    def abandon(self) -> None:
        self._inner.abandon()
        self._second.abandon()


def masked_by(policy: ContentPolicy, *, fold: Callable[[str], str]) -> dict[str, str]:
    """Where each rule in shadow takes what no rule before it does, of paths, fields, parameters.

    `fold` is how the name of a parameter is compared.
    """
    first: dict[str, str | None] = {}
    for index, rule in enumerate(policy.mask):
        place = rule.path
        if rule.query is not None:
            place = f"query {fold(rule.query)}"
        elif rule.header is not None:
            place = rule.beside
        if place is not None:
            first.setdefault(place, f"mask[{index}]" if rule.shadow else None)
    return {place: rule for place, rule in first.items() if rule is not None}


def found_by(
    policy: ContentPolicy, resolved: Callable[[Iterable[tuple[str, int]]], Mapping[str, int]]
) -> dict[str, tuple[str, ...]]:
    """Which rules in shadow say what becomes of a type. `resolved` says which of several does."""
    found: dict[str, tuple[str, ...]] = {}
    masks = [(rule.type, index) for index, rule in enumerate(policy.mask) if rule.type is not None]
    for name, index in resolved(masks).items():
        if policy.mask[index].shadow:
            found[name] = (f"mask[{index}]",)
    rules = [(rule.type, index) for index, rule in enumerate(policy.detect)]
    for name, index in resolved(rules).items():
        if policy.detect[index].shadow:
            found[name] = (*found.get(name, ()), f"detect[{index}]")
    return found
