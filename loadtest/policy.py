"""What a decision costs: 1,000 routes with 10 grants each, from path and peer to the entry.

    make bench-policy

Four kinds of configuration; in each the first, a middle and the last route, as the peer that its
last entry names. CPU of one call, the least of several rounds; ends with 1 when that is too much.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from proxy.model import Certificate, Peer
from proxy.policy.authorize import Grants
from proxy.policy.entries import Facts
from proxy.policy.paths import split
from proxy.policy.routes import Routes
from proxy.settings.schema import Route, Settings

LIMIT: Final = 20.0
"""Microseconds."""
SCALE: Final = ["public", "internal"]
NOW: Final = datetime(2026, 11, 23, 10, tzinfo=UTC)
WHEN: Final = {"days": "mon-fri", "hours": "06:00-20:00", "timezone": "UTC", "until": "2027-01-01"}

Entry = Callable[[int, int], dict[str, Any]]
KINDS: Final[dict[str, tuple[str, str, Entry]]] = {
    "exact names": (
        "/team-{}/orders/**",
        "/team-{}/orders/7/items",
        lambda route, at: {"spiffe": f"spiffe://acme/r{route}/e{at}"},
    ),
    "patterns of names": (
        "/api/v1/orders-{}/*/items",
        "/api/v1/orders-{}/7/items",
        lambda route, at: {"spiffe": f"spiffe://acme/r{route}/e{at}*"},
    ),
    "every attribute, in windows": (
        "/api/v1/orders-{}/*/items",
        "/api/v1/orders-{}/7/items",
        lambda route, at: {
            "spiffe": f"spiffe://acme/r{route}/e{at}", "networks": "10.0.0.0/8",
            "methods": ["POST"], "paths": ["/api/**"], "content": ["json"], "label": "internal",
            "size": "1MiB", "when": WHEN,
        },
    ),
    "paths that begin with a wildcard": (
        "/*/orders-{}/**",
        "/eu/orders-{}/7/items",
        lambda route, at: {"spiffe": f"spiffe://acme/r{route}/e{at}"},
    ),
}  # fmt: skip


def main(words: list[str] | None = None) -> int:
    """The table; 1 when a decision takes too long."""
    reader = argparse.ArgumentParser(prog="make bench-policy")
    reader.add_argument("--routes", type=int, default=1000)
    reader.add_argument("--grants", type=int, default=10)
    reader.add_argument("--calls", type=int, default=2000, help="in each round")
    reader.add_argument("--limit", type=float, default=LIMIT, help="microseconds")
    wanted = reader.parse_args(words)
    print(f"{wanted.routes} routes with {wanted.grants} grants each{'':8} {'first':>9} "
          f"{'middle':>9} {'last':>9}")  # fmt: skip
    slowest = 0.0
    for name in KINDS:
        costs = [each * 1e6 for each in _costs(name, wanted.routes, wanted.grants, wanted.calls)]
        slowest = max(slowest, *costs)
        print(f"{name:35}" + "".join(f"{cost:7.2f} µs" for cost in costs))
    print(f"the limit is {wanted.limit:g} µs: {'kept' if slowest < wanted.limit else 'exceeded'}")
    return int(slowest >= wanted.limit)


def _costs(kind: str, routes: int, grants: int, calls: int) -> Iterator[float]:
    """Seconds of one decision at the first, a middle and the last route."""
    pattern, path, entry = KINDS[kind]
    settings = _settings(pattern, entry, routes, grants)
    compiled = Routes(settings)
    lanes = {route.name: Grants(route, SCALE) for route in settings.routes}

    def decide(peer: Peer, asked: str) -> str:
        route = compiled.find("in", "POST", asked)
        granted = lanes[route.name].judge(Facts(peer, NOW, "POST", split(asked)))
        granted.learn(content="json", label="internal", size=1000)
        return granted.rule

    for number in (0, routes // 2, routes - 1):
        peer, asked = _peer(f"spiffe://acme/r{number}/e{grants - 1}x"), path.format(number)
        if "*" not in str(entry(0, 0)["spiffe"]):
            peer = _peer(f"spiffe://acme/r{number}/e{grants - 1}")
        assert decide(peer, asked) == f"allow[{grants - 1}]"
        yield min(_round(decide, peer, asked, calls) for _ in range(7))


def _round(decide: Callable[[Peer, str], str], peer: Peer, asked: str, calls: int) -> float:
    began = time.process_time()
    for _ in range(calls):
        decide(peer, asked)
    return (time.process_time() - began) / calls


def _peer(spiffe: str) -> Peer:
    certificate = Certificate(
        b"", (), b"", bytes(32), "", "", 1, NOW, NOW, spiffe, (spiffe,), ("a.acme.example",)
    )
    return Peer("10.1.2.3", certificate=certificate)


def _settings(pattern: str, entry: Entry, routes: int, grants: int) -> Settings:
    """Only what a decision needs."""
    made = [
        Route.model_validate(
            {
                "name": f"r{route}", "listener": "in", "upstream": "out", "request": {},
                "match": {"path": pattern.format(route), "methods": ["POST"]},
                "allow": [entry(route, at) for at in range(grants)],
            }
        )
        for route in range(routes)
    ]  # fmt: skip
    return Settings.model_construct(listeners={"in": None}, routes=made)


if __name__ == "__main__":
    sys.exit(main())
