"""What each grant was used for, by the receipts of a log. Memory: what is told of grants and peers.

A transfer counts for the entry that admitted it. Where that depends on what no receipt tells, it
counts for each that may have: so none is called unused, or used for less, that was not.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from proxy.cli.past import Past
from proxy.cli.past_change import DECIDED
from proxy.cli.past_judge import REFUSED, Candidate, Judged
from proxy.model import Verdict

PEERS: Final = 4096
"""Names that are told apart, of one grant."""


@dataclass(slots=True)
class Use:
    """What an entry of `allow` was used for."""

    certain: int = 0
    possible: int = 0
    """Times that it, or another one, admitted a transfer."""
    first: datetime | None = None
    last: datetime | None = None
    peers: Counter[str] = field(default_factory=Counter)
    more_peers: bool = False
    methods: set[str] = field(default_factory=set)
    formats: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    size: int = 0

    @property
    def used(self) -> bool:
        return self.certain + self.possible > 0

    def add(self, past: Past, label: str | None, *, sure: bool) -> None:
        self.certain += sure
        self.possible += not sure
        self.first = min(self.first or past.received, past.received)
        self.last = max(self.last or past.received, past.received)
        name = past.peer.name
        if name in self.peers or len(self.peers) < PEERS:
            self.peers[name] += 1
        else:
            self.more_peers = True
        if past.method is not None:
            self.methods.add(past.method)
        self.size = max(self.size, past.request.size or 0)
        if past.request.format is not None:
            self.formats.add(past.request.format)
        if label:
            self.labels.add(label)


@dataclass(slots=True)
class Uses:
    """Of all grants of a configuration, by route and place."""

    of: dict[tuple[str, int], Use] = field(default_factory=dict)
    transfers: int = 0
    refused_now: int = 0
    """They were admitted, and the configuration would refuse them."""
    shadow: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Route and rule in shadow -> transfers for which it would have done something."""
    unattributed: int = 0
    """It is not known by which route they would go."""

    def get(self, route: str, place: int) -> Use:
        return self.of.get((route, place)) or Use()

    def add(self, past: Past, judged: Judged) -> None:
        if judged.verdict == REFUSED:
            self.refused_now += 1
        elif not judged.rules or judged.route is None:
            self.unattributed += 1
        for rule in judged.rules:
            place = int(rule.removeprefix("allow[").removesuffix("]"))
            use = self.of.setdefault((judged.route or "", place), Use())
            use.add(past, judged.label, sure=len(judged.rules) == 1)


def uses(candidate: Candidate, pasts: Iterator[Past]) -> Uses:
    """Count what was admitted, whatever became of it."""
    found = Uses()
    for past in pasts:
        found.transfers += 1
        if past.policy == candidate.sha256:
            found.shadow.update((past.route or "-", rule) for rule in past.shadow)
        if _admitted(past):
            found.add(past, candidate.judge(past))
    return found


def _admitted(past: Past) -> bool:
    """A policy let it go on then: what it was refused for later, if so, is its own affair. What had
    come too often or too much was let go on by nothing."""
    if past.verdict is not Verdict.REJECTED:
        return True
    return past.place is not None and past.problem not in {*DECIDED, "rate-limited"}
