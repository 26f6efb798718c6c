"""Labels on a scale, lowest first, against the clearance of the zone that content goes to.

Where a label is missing, or is not on the scale, the content counts as labelled the highest: it is
unknown how sensitive it is. A finding may raise a label; nothing lowers one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from proxy.errors import Refusal
from proxy.settings.schema import Settings


@dataclass(frozen=True, slots=True)
class Scale:
    """`labels`, lowest first, and the clearance of each zone by its name."""

    labels: tuple[str, ...]
    clearances: Mapping[str, str]

    @classmethod
    def of(cls, settings: Settings) -> "Scale":
        zones = {name: zone.clearance for name, zone in settings.zones.items()}
        return cls(tuple(settings.sensitivity), zones)

    @property
    def highest(self) -> str:
        return self.labels[-1]

    def effective(self, label: str | None, named: str | None, raised: str | None = None) -> str:
        """The label that content goes under: the highest of those given.

        `label` is the route's; `named` is the value of the header that `label_from` names, None
        where there is no such header; `raised` is what a finding raised it to.
        """
        return self.explain(label, named, raised)[0]

    def explain(
        self, label: str | None, named: str | None, raised: str | None = None
    ) -> tuple[str, str]:
        """The effective label, and why it is that one. No word of the header is repeated."""
        given = [
            (text, why)
            for text, why in ((label, "the route"), (named, "the header"), (raised, "a finding"))
            if text is not None
        ]
        if label is None and named is None:
            return self.highest, "the highest, as nothing names a label"
        for text, why in given:
            if text not in self.labels:
                return self.highest, f"the highest, as {why} names a label that is not on the scale"
        text, why = max(given, key=lambda item: self.labels.index(item[0]))
        return text, f"{why} names it"

    def require_cleared(self, label: str, zone: str, *, code: str = "above-clearance") -> None:
        """Raise Refusal unless `zone` may see content under `label`.

        `code` is `above-clearance` for requests, `answer-refused` for answers.
        """
        clearance = self.clearances.get(zone)
        if clearance not in self.labels:
            raise Refusal(code, f"zone {zone} has no clearance")
        if label not in self.labels or self.labels.index(label) > self.labels.index(clearance):
            known = label if label in self.labels else "with what is not on the scale"
            raise Refusal(code, f"labelled {known}, above {clearance}, the clearance of {zone}")
