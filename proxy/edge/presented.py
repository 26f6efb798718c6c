"""Who still comes with an old key: which of several pins each pinned peer's key was.

Pins are written newest first, as masking keys are. A peer whose key is at position 0 has the
newest; anybody else presents an old one, and its pin cannot be taken out yet. Counted by route and
position; by name in a table of bounded size, of the pins in force alone:

    {"route": "orders", "side": "sender", "pin": "sha256:…", "position": 1,
     "peers": {"spiffe://acme.example/etl": "2026-11-23T09:00:00Z"}, "others": 0}

`peers` says when each was last seen. `others` counts transfers of those for whom there was no room.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from proxy.model import Certificate, Peer
from proxy.observe.metrics import Metrics
from proxy.settings.schema import Route, Settings

NAMES: Final = 100
"""Of one row."""
_ROWS: Final = 1000
_LONGEST: Final = 256
_RULE: Final = re.compile(r"allow\[([0-9]+)\]")

Key = tuple[str, str, str]
"""Route, side (`sender` or `receiver`), pin."""


@dataclass(slots=True)
class _Row:
    peers: dict[str, str] = field(default_factory=dict)
    others: int = 0

    def saw(self, name: str, when: str) -> None:
        if name in self.peers or len(self.peers) < NAMES:
            self.peers[name] = max(when, self.peers.get(name, ""))
        else:
            self.others += 1


class Presented:
    """What one process has seen."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._rows: dict[Key, _Row] = {}

    def sender(
        self, settings: Settings, listener: str, route: Route, rule: str | None, peer: Peer
    ) -> None:
        """A transfer was admitted by `rule`: by a pin of that entry, or else of its listener."""
        if peer.certificate is None:
            return
        match = _RULE.fullmatch(rule or "")
        pins = route.allow[int(match[1])].pins if match else None
        pins = pins or settings.listeners[listener].tls.pins
        if pins:
            self._saw(route.name, "sender", pins, peer.certificate, peer.name)

    def receiver(self, settings: Settings, route: Route, certificate: Certificate | None) -> None:
        """A transfer goes to an upstream that has shown this certificate."""
        if certificate is None:
            return
        upstream = settings.upstreams[route.upstream]
        pins = upstream.pins or (upstream.peer.pins if upstream.peer else None)
        if pins:
            name = certificate.spiffe or next(iter(certificate.dns), certificate.subject)
            self._saw(route.name, "receiver", pins, certificate, name)

    def _saw(
        self, route: str, side: str, pins: list[str], certificate: Certificate, name: str
    ) -> None:
        pin = certificate.pin
        if pin not in pins:
            return
        self._metrics.pinned(route, side, pins.index(pin), pin)
        key = (route, side, pin)
        if key in self._rows or len(self._rows) < _ROWS:
            row = self._rows.setdefault(key, _Row())
            row.saw(name[:_LONGEST], f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")

    def keep(self, settings: Settings) -> None:
        """Forget what was seen of pins that are not in force any more."""
        known = positions(settings)
        self._rows = {key: row for key, row in self._rows.items() if key in known}

    def rows(self) -> list[list[Any]]:
        """For another process, see `table`."""
        return [[*key, row.peers, row.others] for key, row in self._rows.items()]


def positions(settings: Settings) -> dict[Key, int]:
    """Every pin in force, and its place in its list: 0 is the newest."""
    found: dict[Key, int] = {}
    for key, position in _positions(settings):  # an old one anywhere is an old one
        found[key] = max(position, found.get(key, 0))
    return found


def _positions(settings: Settings) -> Iterator[tuple[Key, int]]:
    for route in settings.routes:
        upstream, peers = settings.upstreams[route.upstream], []
        lists = [("sender", settings.listeners[route.listener].tls.pins)]
        lists += [("sender", entry.pins) for entry in route.allow]
        if upstream.peer is not None:
            peers = upstream.peer.pins or []
        lists.append(("receiver", upstream.pins or peers))
        for side, pins in lists:
            for position, pin in enumerate(pins or ()):
                yield (route.name, side, pin), position


def table(settings: Settings, found: Iterable[object]) -> list[dict[str, Any]]:
    """What /status says: the rows of all processes as one, of the pins in force.

    What is no such row is passed over: a worker may be ours no longer.
    """
    known, rows = positions(settings), dict[Key, _Row]()
    for each in found:
        match each:
            case [str(route), str(side), str(pin), dict(peers), int(others)]:
                key = (route, side, pin)
                if key in known:
                    _add(rows.setdefault(key, _Row()), peers, others)
    return [
        {
            "route": route,
            "side": side,
            "pin": pin,
            "position": known[route, side, pin],
            "peers": row.peers,
            "others": row.others,
        }
        for (route, side, pin), row in sorted(rows.items())
    ]


def _add(row: _Row, peers: Mapping[object, object], others: int) -> None:
    for name, when in peers.items():
        if isinstance(name, str) and isinstance(when, str):
            row.saw(name[:_LONGEST], when[:20])
    row.others += max(0, others)
