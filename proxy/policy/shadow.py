"""Entries in shadow: they decide nothing, and what they would have decided is noted.

1. An entry of `deny` in shadow is noted where all its keys hold for an attempt that goes on.
2. An entry of `allow` in shadow is noted where it stands for an attempt that nothing in `allow`
   admits, or admits any more. The refusal stays.
3. Each is noted as if it alone came into force; of two in shadow neither sees the other.

Noted are names, in `Facts.would`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from proxy.model import Peer
from proxy.policy.entries import Entries, Entry, Facts, Looked
from proxy.settings.schema import Route


@dataclass(frozen=True, slots=True)
class Waiting:
    """The entries in shadow that may decide about one attempt, as more of it is known."""

    allow: Sequence[Entry]
    deny: Sequence[Entry]

    def note_denials(self, facts: Facts) -> None:
        """Those that would refuse what goes on."""
        for entry in self.deny:
            if all(check.holds(facts) for check in (*entry.who, *entry.head, *entry.later)):
                facts.would.add(entry.name)

    def note_admissions(self, facts: Facts) -> None:
        """Those that would admit what nothing else does."""
        for entry in self.allow:
            checks = (*entry.who, *entry.head, *entry.later)
            if all(check.holds(facts) is not False for check in checks):
                facts.would.add(entry.name)

    def changes(self, now: datetime) -> Iterator[datetime]:
        """When the clock may change what those of `deny` say."""
        return (entry.window.changes(now) for entry in self.deny if entry.window is not None)


class Shadow:
    """The entries of a route that are in shadow, compiled."""

    def __init__(self, route: Route, ranks: dict[str, int]) -> None:
        self._allow = Entries("allow", route.allow, ranks, shadow=True)
        self._deny = Entries("deny", route.deny, ranks, shadow=True)
        self._any = bool(self._allow.all or self._deny.all)

    def of(self, peer: Peer) -> Waiting | None:
        """Those that may be about this peer; None where there are none."""
        if not self._any:
            return None
        return Waiting(self._allow.of(peer), self._deny.of(peer))

    def looked(self, facts: Facts) -> tuple[list[tuple[int, Looked]], list[tuple[int, Looked]]]:
        """(place, entry) of `deny` and of `allow`."""
        deny, allow = (
            [(entry.place, entry.looked(facts)._replace(shadow=True)) for entry in entries.all]
            for entries in (self._deny, self._allow)
        )
        return deny, allow
