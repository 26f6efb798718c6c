"""Is this peer granted this? Deny beats allow; whoever is not named is refused. Fails closed.

1. Every key of an entry must hold. Those about the peer are in `principals`; the others are

       when                 the clock                    known at once, and as time goes by
       methods, paths       the head                     known when that has come
       content, label, size what the request carries     known later, or as it comes

2. An entry of `allow` whose keys hold as far as they are known stands; it falls when one ceases to
   hold, and never rises again. A transfer goes on while one of them stands.
3. An entry of `deny` refuses when all its keys hold. `label` and `size` are a ceiling in `allow`
   (at most) and a floor in `deny` (this label and above; more than this size): so each new fact can
   only take away, and each is judged when it comes. Entries in shadow decide nothing (see shadow).
4. `rate` and `volume` of an entry are taken from what it gives the peer, by the first entry that
   stands (`edge/purse.py`); one that has no more to give falls, as by any other key.
5. What has no content has no format, no label and no octets: it is below every ceiling.

A route's entries are compiled; those that name peers exactly are found by name. The same checks
give the decision (`judge`, `learn`) and its explanation (`trace`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import attrgetter

from proxy.errors import Refusal
from proxy.model import FOREVER, Peer
from proxy.policy.entries import Check, Entries, Entry, Facts, Looked
from proxy.policy.shadow import Shadow, Waiting
from proxy.settings.schema import Route

_LATER, _SUM = attrgetter("later"), attrgetter("sum")


@dataclass(slots=True)
class Granted:
    """That an attempt may go on, and by which entries; what is learnt may end it."""

    route: str
    facts: Facts
    until: datetime
    """From then on the route has to be asked again."""
    allow: tuple[Entry, ...]
    """Those that stand, in their order."""
    deny: tuple[Entry, ...]
    """Those that only need to learn more."""
    shadow: Waiting | None = None
    """Those in shadow, which only note what they would do."""
    metered: bool = field(init=False)
    """An entry gives no more than so much."""
    _open: bool = field(init=False)

    def __post_init__(self) -> None:
        self.metered = any(map(_SUM, self.allow))
        self._open = bool(self.deny) or any(map(_LATER, self.allow))

    @property
    def rule(self) -> str:
        """The first entry that stands, such as `allow[0]`."""
        return self.allow[0].name

    def learn(
        self, *, content: str | None = None, label: str | None = None, size: int | None = None
    ) -> None:
        """Take a fact about what is carried. Raises Refusal `not-allowed` where no entry stands."""
        facts = self.facts
        if content is not None:
            facts.content = content
        if label is not None:
            facts.label = label
        if size is not None:
            facts.size = max(size, facts.size or 0)
        if self._open:
            self._require_standing()
        if self.shadow is not None:
            self.shadow.note_denials(facts)

    def refuses(self, label: str) -> bool:
        """Whether `learn` would refuse this label, by what is known so far."""
        facts = replace(self.facts, label=label)
        if any(all(check.holds(facts) for check in entry.later) for entry in self.deny):
            return True
        return all(_fails(entry.later, facts) is not None for entry in self.allow)

    def fall(self, entry: Entry, refusal: Refusal) -> None:
        """What `entry` gives is spent: it falls. Raises `refusal` where no other one stands."""
        standing = tuple(each for each in self.allow if each is not entry)
        if not standing:
            if self.shadow is not None:
                self.shadow.note_admissions(self.facts)
            raise refusal
        self.allow = standing

    def _require_standing(self) -> None:
        facts = self.facts
        for entry in self.deny:
            if all(check.holds(facts) for check in entry.later):
                keys = ", ".join(check.key for check in entry.later)
                reason = f"{entry.name} of route {self.route} names the peer, by its {keys}"
                raise Refusal("not-allowed", reason)
        standing = tuple(entry for entry in self.allow if _fails(entry.later, facts) is None)
        if not standing:
            if self.shadow is not None:
                self.shadow.note_admissions(facts)
            raise _fallen(self.route, self.allow[0], _fails(self.allow[0].later, facts))
        self.allow = standing


class Grants:
    """The entries of a route, compiled. Raises ValueError when one is malformed."""

    def __init__(self, route: Route, scale: Sequence[str]) -> None:
        self._route = route.name
        ranks = {label: rank for rank, label in enumerate(scale)}
        self._allow = Entries("allow", route.allow, ranks)
        self._deny = Entries("deny", route.deny, ranks)
        self._shadow = Shadow(route, ranks)

    def judge(self, facts: Facts) -> Granted:
        """Raises Refusal `not-allowed`, with a reason for our own log only."""
        shadow = self._shadow.of(facts.peer)
        granted = self._judge(facts, shadow)
        if shadow is not None:
            granted.shadow = shadow
            granted.until = min(granted.until, *shadow.changes(facts.now), FOREVER)
            shadow.note_denials(facts)
        return granted

    def _judge(self, facts: Facts, shadow: Waiting | None) -> Granted:
        until, deny = FOREVER, []
        for entry in self._deny.of(facts.peer):
            if _fails(entry.who, facts) is not None:
                continue
            if entry.window is not None:
                until = min(until, entry.window.changes(facts.now))
            held = [check.holds(facts) for check in entry.head]
            if False in held:
                continue
            if None not in held and all(check.holds(facts) for check in entry.later):
                reason = f"{entry.name} of route {self._route} names the peer"
                raise Refusal("not-allowed", reason)
            if None not in held:
                deny.append(entry)
        allow = self._standing(facts, shadow)
        for entry in allow:
            if entry.window is not None:
                until = min(until, entry.window.changes(facts.now))
        return Granted(self._route, facts, until, allow, tuple(deny))

    def _standing(self, facts: Facts, shadow: Waiting | None) -> tuple[Entry, ...]:
        standing, fallen = [], None
        for entry in self._allow.of(facts.peer):
            if _fails(entry.who, facts) is not None:
                continue
            key = _fails(entry.head, facts) or _fails(entry.later, facts)
            if key is None:
                standing.append(entry)
            else:
                fallen = fallen or (entry, key)
        if standing:
            return tuple(standing)
        if shadow is not None:
            shadow.note_admissions(facts)
        if fallen is not None:
            raise _fallen(self._route, *fallen)
        if not self._allow.all:
            reason = f"allow of route {self._route} admits nobody"
            raise Refusal("not-allowed", reason)
        raise Refusal("not-allowed", f"nothing in allow of route {self._route} names the peer")

    @property
    def route(self) -> str:
        return self._route

    def concerning(self, peer: Peer | None) -> tuple[Sequence[Entry], Sequence[Entry]]:
        """The entries of `deny` and of `allow` that can be about this peer; all for None."""
        if peer is None:
            return self._deny.all, self._allow.all
        return self._deny.of(peer), self._allow.of(peer)

    def trace(self, facts: Facts) -> Iterator[Looked]:
        """Every entry, those of `deny` first, and those in shadow at their places."""
        shadow = self._shadow.looked(facts)
        for entries, others in zip((self._deny, self._allow), shadow, strict=True):
            looked = [(entry.place, entry.looked(facts)) for entry in entries.all]
            yield from (each for _, each in sorted([*looked, *others]))


def _fails(checks: Sequence[Check], facts: Facts) -> str | None:
    """The first key that does not hold."""
    for check in checks:
        if check.holds(facts) is False:
            return check.key
    return None


def _fallen(route: str, entry: Entry, key: str | None) -> Refusal:
    reason = f"{entry.name} of route {route} names the peer, and does not hold: {key}"
    return Refusal("not-allowed", reason)
