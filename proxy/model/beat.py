"""When a process does what it does now and then: all of it at the same instants, so that one that
is idle wakes up once for everything, and not for each."""

from math import floor


def next_beat(now: float, every: float) -> float:
    """The next instant after `now` at which what is done every so many seconds is due."""
    due = (floor(now / every) + 1) * every
    return due if due > now else due + every
