"""The report of one body in the making, whatever its format."""

from array import array
from collections.abc import Sequence
from typing import NoReturn

from proxy.content.findings import Findings
from proxy.errors import Refusal
from proxy.model import Report


class Tally:
    """What has been done to one body so far. `masked` counts by number of rule."""

    def __init__(
        self, paths: Sequence[str], scale: Sequence[str], above: frozenset[str] = frozenset()
    ) -> None:
        """`paths` are those of the rules, `scale` is every label, lowest first, and `above` those
        to which nothing may raise this body."""
        self._paths = paths
        self._scale = scale
        self.masked = array("q", bytes(8 * len(paths)))
        self.findings = Findings(above=above)
        self.withheld = 0
        """Fields that `allow_only` has dropped."""
        self.records = 0
        self.changed = False

    def report(self, name: str) -> Report:
        """What a receipt says of a body in the format `name`."""
        masked: dict[str, int] = {}
        for path, count in zip(self._paths, self.masked, strict=True):
            if count:
                masked[path] = masked.get(path, 0) + count
        if self.withheld:
            masked["allow_only"] = self.withheld
        return Report(
            format=name,
            records=self.records,
            masked=masked,
            findings=dict(self.findings.counts),
            found_at={name: dict(paths) for name, paths in self.findings.paths.items()},
            unscanned=self.findings.unscanned,
            lowered=dict(self.findings.lowered),
            label=max(self.findings.labels, key=self._scale.index, default=None),
            changed=self.changed,
        )


def refuse_more() -> NoReturn:
    """Raise Refusal("unparseable"): whoever was refused, or has ended, is fed again."""
    raise Refusal("unparseable", "this body has ended or was refused already")
