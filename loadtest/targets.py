"""What was promised, and where it stands. A fact that was not measured is said to be none."""

from dataclasses import dataclass
from typing import Final

from loadtest.figures import digits, duration, octets

Facts = dict[str, float]
"""Ratios and figures by name, such as `plain/Envoy` or `idle`."""


@dataclass(frozen=True, slots=True)
class Target:
    work: str
    fact: str
    first: float | None
    goal: float | None
    unit: str
    """x: a ratio; B: octets; s: seconds; %: of a core"""
    least: bool = False
    """At least that; else at most."""


TARGETS: Final = (
    Target("small POST masked, receipted: CPU by nginx + Lua", "masked/nginx + Lua", 2, 1, "x"),
    Target("small POST plain, with receipt: CPU by Envoy plain", "plain/Envoy", 3, 1.5, "x"),
    Target("opaque upload: CPU by nginx plain", "up/nginx", 2, 1.6, "x"),
    Target("opaque download: CPU by nginx plain", "down/nginx", 2, 1.6, "x"),
    Target("one upload: wall time by nginx plain", "up/nginx/wall", None, 1, "x"),
    Target("one download: wall time by nginx plain", "down/nginx/wall", None, 1, "x"),
    Target("tunnel: CPU by HAProxy tcp", "tunnel/HAProxy tcp", 1.2, 0.9, "x"),
    Target("NDJSON: CPU by nginx + Lua", "records/nginx + Lua", 0.15, 0.1, "x"),
    Target("NDJSON: CPU by mitmproxy", "records/mitmproxy", None, 0.25, "x"),
    Target("NDJSON: memory, the most", "records/peak", None, 120 << 20, "B"),
    Target("new mTLS connection: CPU by nginx", "fresh/nginx", 3, 2, "x"),
    Target("idle connection: memory", "idle", 80 << 10, 40 << 10, "B"),
    Target("p99 added at half load, past the disk's own", "latency", 5e-3, 2e-3, "s"),
    Target("start to ready", "start/seconds", 1.5, None, "s"),
    Target("a sidecar that idles: memory", "start/memory", 80 << 20, None, "B"),
    Target("a sidecar that idles: CPU", "start/part", 0.001, None, "%"),
    Target("two workers by one: CPU a request", "workers", 1.1, None, "x"),
    Target("mitmproxy by ours, small POST masked: CPU", "mitmproxy", None, 25, "x", least=True),
)


def written(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    if unit == "x":
        return f"{digits(value)} ×"
    if unit == "%":
        return f"{value * 100:.2f} %"
    return octets(value) if unit == "B" else (duration(value) if value > 0 else "0 s")


def verdict(target: Target, facts: Facts) -> str:
    """Where it stands: met, or not, or not measured in this run."""
    value = facts.get(target.fact)
    if value is None:
        return "not measured"
    for name, bound in (("goal met", target.goal), ("first step met", target.first)):
        if bound is not None and (value >= bound if target.least else value <= bound):
            return name if target.goal is not None else "met"
    return "missed"


def table(facts: Facts) -> list[list[str]]:
    """A line for each: work, first step, goal, measured, where it stands."""
    return [
        [
            each.work,
            written(each.first, each.unit),
            written(each.goal, each.unit),
            written(facts.get(each.fact), each.unit),
            verdict(each, facts),
        ]
        for each in TARGETS
    ]
