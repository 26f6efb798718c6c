"""What a configuration alone decides of content, behind the grant: asked in the order of the gate.

known       the format, octets and label that are said; without a label, that of the route
empty       there is no content: nothing to clear
not known   what is not said: `left` tells what will be asked of it
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace

from proxy.errors import Refusal
from proxy.policy.authorize import Granted
from proxy.policy.carriage import require_admitted, require_carried, require_size
from proxy.policy.clearance import Scale
from proxy.policy.entries import NOTHING, Facts
from proxy.settings.schema import ContentPolicy, Route, Settings


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a request's content; None is not."""

    content: str | None
    label: str | None
    size: int | None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Said":
        return cls(arguments.content, arguments.label, arguments.size)

    @property
    def empty(self) -> bool:
        return self.content == "none" or self.size == 0

    @property
    def there(self) -> bool:
        """It is said that there is some."""
        return not self.empty and (self.content, self.label, self.size) != (None, None, None)


def require_meant(said: Said, settings: Settings) -> None:
    """Raises ValueError where what is said can be nothing's."""
    if said.label is not None and said.label not in settings.sensitivity:
        raise ValueError(f"--label: one of {', '.join(settings.sensitivity)}")
    if said.size is not None and said.size < 0:
        raise ValueError("--size: expected a number of octets")
    if said.content == "none" and (said.size or said.label is not None):
        raise ValueError("--content none has no --size and no --label")


class Stops:
    """Those that a request on `route` comes to, as far as the configuration alone decides."""

    def __init__(self, settings: Settings, route: Route, said: Said) -> None:
        self._scale = Scale(settings)
        self._route, self._said = route, said
        self._zone = settings.upstreams[route.upstream].zone
        self._clearance = settings.zones[self._zone].clearance

    def facts(self, facts: Facts) -> Facts:
        """With all that is known of the content, to look at entries by."""
        said, policy = self._said, self._route.request
        if said.empty:
            return replace(facts, content=NOTHING, label=NOTHING, size=0)
        label = None
        if said.label is not None or said.content is not None:
            label = self._scale.effective(policy.label, self._named(), self._raised())
        return replace(facts, content=said.content, label=label, size=said.size)

    def require(self, granted: Granted, method: str) -> None:
        """The stops behind the grant that the head gave. Raises Refusal as they do."""
        said, route = self._said, self._route
        require_carried(route, method, empty=not said.there)
        if said.empty:
            granted.learn(content=NOTHING, label=NOTHING, size=0)
            return
        if said.size is not None:
            require_size(route.limits, said.size)
        if said.content is not None:
            require_admitted(route.name, route.request, said.content)
        granted.learn(content=said.content, size=said.size)
        if said.content is not None or said.label is not None:
            self._require_label(granted, route.request)

    def _require_label(self, granted: Granted, policy: ContentPolicy) -> None:
        """The label that the head gives, then the one to which a finding raises it."""
        named, raised = self._named(), self._raised()
        granted.learn(label=self._scale.require_cleared(policy.label, named, None, self._zone))
        if raised is None:
            return
        too_high = raised in self._scale.above(self._zone) or granted.refuses(raised)
        if not (too_high and policy.on_violation == "redact"):
            label = self._scale.require_cleared(policy.label, named, raised, self._zone)
            granted.learn(label=label)

    def _named(self) -> tuple[bytes, ...]:
        """What the header says that `label_from` names."""
        asked = self._route.request.label_from is not None and self._said.label is not None
        return (str(self._said.label).encode(),) if asked else ()

    def _raised(self) -> str | None:
        """A label that no header gives is one that a finding does."""
        return self._said.label if self._route.request.label_from is None else None

    def left(self) -> Iterator[str]:
        """What is demanded of the content besides, of which nothing is known."""
        said, policy = self._said, self._route.request
        if said.empty:
            return
        if said.content is None:
            yield f"content {' | '.join(policy.content) or 'none'}"
        bound = f"{self._clearance}, the clearance of {self._zone}"
        if policy.label_from is None and (why := self._refused(policy)) is not None:
            yield f"no content, which would be {why}"
        elif self._scale.above(self._zone):
            by = f" by {policy.label_from}" if policy.label_from is not None else ""
            yield f"label{by} at most {bound}"
        rejects = [
            rule.type for rule in policy.detect if rule.action == "reject" and not rule.shadow
        ]
        if rejects:
            yield f"nothing found of {', '.join(rejects)}"
        if said.size is None and "body" not in self._route.limits.model_fields_set:
            yield f"at most {self._route.limits.body} octets"

    def _refused(self, policy: ContentPolicy) -> str | None:
        """Why content would be, whatever it is."""
        try:
            self._scale.require_cleared(policy.label, (), None, self._zone)
        except Refusal as refusal:
            return refusal.reason
        return None


def require_way(settings: Settings, route: Route) -> None:
    """Both ways of a tunnel that are open lead where the label may go. Raises Refusal."""
    scale = Scale(settings)
    ways = (
        (route.request, settings.upstreams[route.upstream].zone),
        (route.response, settings.listeners[route.listener].zone),
    )
    for policy, zone in ways:
        if "opaque" in policy.content:
            scale.require_cleared(policy.label, (), None, zone)
