"""The arithmetic of a rate or volume: a bucket that what comes fills, and that drains evenly.

    level     what has come and has not drained yet: transfers or octets
    at        when that was so, in nanoseconds of any clock that does not go back

A bucket of a pace `100/s burst 200` takes what fits below 200, and drains by 100 a second. What was
taken stays taken when the pace changes: the level is in octets, not in time. A clock that stands
before `at` drains nothing until it has come there, and gives nothing back either.

This is the token bucket of Envoy and nginx: over any time t no more than `burst` + t × pace passes.
"""

import math
from typing import Final

from proxy.settings.pace import Pace

SECOND: Final = 1_000_000_000
_FAR: Final = 2**62
"""Nanoseconds: 146 years."""


def drained(pace: Pace, level: float, at: int, now: int) -> float:
    """How full it is now. What is no number counts as full: fails closed."""
    if not 0 <= level < math.inf:
        return float(pace.burst)
    if now <= at:
        return level
    left = level - (now - at) * pace.amount / (pace.seconds * SECOND)
    return left if left > 0 else 0.0


def wait(pace: Pace, level: float, need: float) -> float:
    """Seconds until `need` fits on `level`: 0 when it does, infinite when it never will."""
    if need > pace.burst:
        return math.inf
    over = level + need - pace.burst
    return over / pace.per_second if over > 0 else 0.0


def empty_at(pace: Pace, level: float, now: int) -> int:
    """When a bucket has drained, and need not be remembered any more."""
    return min(_FAR, now + math.ceil(min(_FAR, level / pace.per_second * SECOND)))
