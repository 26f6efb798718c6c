"""Days, hours, moments and zones as a configuration writes them. Each raises ValueError.

    days        mon   mon-fri   fri-mon             0 is Monday
    hours       06:00-20:00   22:00-06:00   00:00-24:00    minutes of the day; the end is not in it
    moment      2027-01-01   2027-01-01T06:00   2027-01-01T06:00:00Z   2027-01-01T06:00+01:00
    zone        UTC   Europe/Berlin                 of the system's time zone database

A moment without an offset is of the zone. What the clocks of the zone show twice, or never, has two
readings: `policy/window.py` says which is meant.
"""

import re
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from proxy.settings.values import MOMENT

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = 24 * 60
"""Minutes."""
_DAYS = re.compile(r"([a-z]{3})(?:-([a-z]{3}))?")
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")


def parse_days(text: str) -> frozenset[int]:
    """The days of the week that a day, or a range that may go over Sunday, stands for."""
    match = _DAYS.fullmatch(text)
    if match is None or match[1] not in DAYS or (match[2] or "mon") not in DAYS:
        raise ValueError("expected a day or a range of days, such as sat or mon-fri")
    first = DAYS.index(match[1])
    last = DAYS.index(match[2]) if match[2] else first
    return frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))


def parse_hours(text: str) -> tuple[int, int]:
    """(first minute of the day, first minute after it); the second is less over midnight."""
    match = _HOURS.fullmatch(text)
    if match is None:
        raise ValueError("expected hours such as 06:00-20:00, or 22:00-06:00 over midnight")
    first, last = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if last > DAY:
        raise ValueError("a day ends at 24:00")
    if first == last % DAY and last != DAY:
        raise ValueError("these hours end when they begin; leave them out for the whole day")
    return first, last


def parse_zone(text: str) -> tzinfo:
    """UTC needs no database; any other zone has to be in that of the system."""
    if text == "UTC":
        return UTC
    try:
        if _ZONE.fullmatch(text) is None:
            raise ValueError
        return ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        raise ValueError(
            "the time zone database of this system has no such zone; "
            "write a name such as Europe/Berlin, or UTC"
        ) from None


def parse_moment(text: str, zone: tzinfo = UTC, *, latest: bool = False) -> datetime:
    """In UTC. Of two readings of a local time the later one where `latest`, else the earlier."""
    message = "expected a date or time such as 2027-01-01, 2027-01-01T06:00 or 2027-01-01T06:00Z"
    if re.fullmatch(MOMENT, text) is None:
        raise ValueError(message)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(message) from None
    if found.tzinfo is not None:
        return found.astimezone(UTC)
    readings = [found.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return max(readings) if latest else min(readings)
