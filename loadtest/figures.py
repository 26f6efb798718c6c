"""What many rounds come to: medians, percentiles, ratios, and how they are written."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_BUSY: Final = 0.9
"""From this part of its cores on, the proxy itself was the bottleneck."""


@dataclass(frozen=True, slots=True)
class Round:
    """One load on one proxy. Times in seconds."""

    cpu: float
    """Of its processes, a unit."""
    rate: float
    """Units a second, on the clock."""
    busy: float
    """The part of the time for which it was on its core."""
    p50: float
    p99: float
    p999: float


@dataclass(frozen=True, slots=True)
class Standing:
    """One proxy after all its rounds."""

    name: str
    rounds: tuple[Round, ...] = ()
    """None of them: the peer is missing."""
    peak: int = 0
    """Octets of memory, the most."""
    note: str = ""

    def median(self, of: str) -> float:
        found: list[float] = [getattr(each, of) for each in self.rounds]
        return statistics.median(found)

    @property
    def bottleneck(self) -> bool:
        """Whether the rate is what this proxy can do, and not what the load could."""
        return self.median("busy") >= _BUSY


def round_of(cpu: float, seconds: float, latencies: Sequence[float], units: float) -> Round:
    """`units` is how many of them the load had."""
    found = [percentile(latencies, share) for share in (0.5, 0.99, 0.999)]
    return Round(cpu / units, units / seconds, cpu / seconds, *found)


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that at least this share of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def ratio(ours: Standing, peer: Standing, of: str = "cpu") -> float | None:
    """Ours by the peer's, the median over rounds that stood beside each other; None: no peer."""
    pairs = zip(ours.rounds, peer.rounds, strict=False)
    found = [getattr(a, of) / getattr(b, of) for a, b in pairs if getattr(b, of)]
    return statistics.median(found) if found else None


def duration(seconds: float) -> str:
    """With three digits and the unit that suits."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if seconds >= scale:
            return f"{digits(seconds / scale)} {unit}"
    return f"{seconds * 1e9:.2g} ns"


def octets(count: float) -> str:
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if abs(count) >= scale:
            return f"{digits(count / scale)} {unit}"
    return f"{count:.0f} B"


def digits(value: float) -> str:
    """Three that tell something; whole numbers as they are."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1 else f"{value:.{1 if value >= 10 else 2}f}"
