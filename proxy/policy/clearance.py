"""Labels on a scale, lowest first, against the clearance of the zone that content goes to.

Where a label is missing, or is not on the scale, the content counts as labelled the highest: it is
unknown how sensitive it is. A finding may raise a label; nothing lowers one.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from proxy.errors import Refusal
from proxy.settings.schema import Settings

_KNOWN: Final = 256
"""Ways to label content of which the effective label is remembered: peers say few."""


class Scale:
    """The labels of a configuration, lowest first, and the clearance of each zone."""

    def __init__(self, settings: Settings) -> None:
        self.labels = tuple(settings.sensitivity)
        self._rank = {label: rank for rank, label in enumerate(self.labels)}
        self._clearances = {name: zone.clearance for name, zone in settings.zones.items()}
        self._above = {
            name: frozenset(self.labels[self._rank.get(clearance, -1) + 1 :])
            for name, clearance in self._clearances.items()
        }
        self._effective = lru_cache(_KNOWN)(self._found)

    @property
    def highest(self) -> str:
        return self.labels[-1]

    def effective(
        self, label: str | None, named: Sequence[bytes] = (), raised: str | None = None
    ) -> str:
        """The label that content goes under: the highest of those given.

        `label` is the route's; `named` is every value of the header that `label_from` names, none
        where it names none; `raised` is what a finding raised it to.
        """
        return self._effective(label, tuple(named), raised)[0]

    def above(self, zone: str) -> frozenset[str]:
        """The labels that may not go into a zone: all of them where it is not known."""
        return self._above.get(zone, frozenset(self.labels))

    def highest_of(self, labels: Iterable[str]) -> str | None:
        """The highest of these; None where there is none."""
        return max(labels, key=self.labels.index, default=None)

    def require_cleared(
        self,
        label: str | None,
        named: Sequence[bytes],
        raised: str | None,
        zone: str,
        code: str = "above-clearance",
    ) -> str:
        """The effective label. Raises Refusal `code` unless `zone` may see content under it.

        `code` is `above-clearance` for requests and `answer-refused` for answers. The reason says
        where the label came from, and repeats no word of the header.
        """
        effective, why = self._effective(label, tuple(named), raised)
        clearance = self._clearances.get(zone)
        if clearance not in self._rank:
            raise Refusal(code, f"zone {zone} has no clearance")
        if self._rank[effective] > self._rank[clearance]:
            raise Refusal(
                code, f"labelled {effective} ({why}), above {clearance}, the clearance of {zone}"
            )
        return effective

    def _found(
        self, label: str | None, named: tuple[bytes, ...], raised: str | None
    ) -> tuple[str, str]:
        given = [(label, "by the route"), (raised, "by a finding")]
        given += [(value.decode("latin-1"), "by the header") for value in named[:1]]
        if label is None and not named:
            return self.highest, "as nothing names a label"
        if len(named) > 1:
            return self.highest, "as the header names several"
        for text, why in given:
            if text is not None and text not in self._rank:
                return self.highest, f"as what is named {why} is not on the scale"
        known = [(self._rank[text], why) for text, why in given if text is not None]
        rank, why = max(known, key=lambda item: item[0])
        return self.labels[rank], why
