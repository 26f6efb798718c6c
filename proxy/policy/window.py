"""When does an entry hold? Every key narrows it; `now` is an argument.

    not_before, until   instants; the first is in it, the second is not
    days, hours         what a clock on a wall in `timezone` shows: `hours` without its end

1. Hours over midnight (22:00-06:00) belong to the day on which they begin: `days: fri` with them
   holds from Friday 22:00 to Saturday 06:00, and not on Friday at 03:00.
2. An hour that the clock shows twice, as summer time ends, holds twice; one that it skips, never.
3. A moment that the clock shows twice, or never, is read so that less is admitted: in `allow` it
   begins late and ends early, in `deny` it begins early and ends late.
4. Between two changes of what holds nothing can change, so the answer is kept until the next.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Final

from proxy.model import FOREVER
from proxy.settings.schema import When
from proxy.settings.times import DAY, parse_days, parse_hours, parse_moment, parse_zone

_EVERY_DAY: Final = frozenset(range(7))
_SECOND: Final = timedelta(seconds=1)


class Window:
    """`when` of an entry of `allow`, or of one that `denies`, compiled.

    Raises ValueError when a value in it is malformed.
    """

    def __init__(self, when: When, *, denies: bool = False) -> None:
        self._zone = zone = parse_zone(when.timezone)
        self._from, self._until = None, FOREVER
        if when.not_before is not None:
            self._from = parse_moment(when.not_before, zone, latest=not denies)
        if when.until is not None:
            self._until = parse_moment(when.until, zone, latest=denies)
        self._local = when.days is not None or when.hours is not None
        self._days = _EVERY_DAY
        if when.days is not None:
            self._days = frozenset(chain.from_iterable(map(parse_days, when.days)))
        self._hours = [parse_hours(text) for text in when.hours or ["00:00-24:00"]]
        self._kept = (FOREVER, FOREVER, False)

    def holds(self, now: datetime) -> bool:
        """Whether it holds at `now`, which is in UTC."""
        return self._at(now)[2]

    def changes(self, now: datetime) -> datetime:
        """Until then nothing changes after `now`; then it may. FOREVER where nothing will."""
        return self._at(now)[1]

    def _at(self, now: datetime) -> tuple[datetime, datetime, bool]:
        kept = self._kept
        if not kept[0] <= now < kept[1]:
            kept = self._kept = (now, self._next(now), self._judge(now))
        return kept

    def _judge(self, now: datetime) -> bool:
        if now >= self._until or (self._from is not None and now < self._from):
            return False
        if not self._local:
            return True
        clock = now.astimezone(self._zone)
        minute, day = clock.hour * 60 + clock.minute, clock.weekday()
        return any(self._within(*hours, minute, day) for hours in self._hours)

    def _within(self, first: int, end: int, minute: int, day: int) -> bool:
        if first < end:
            return first <= minute < end and day in self._days
        began = day if minute >= first else (day - 1) % 7
        return (minute >= first or minute < end) and began in self._days

    def _next(self, now: datetime) -> datetime:
        if now >= self._until:
            return FOREVER
        if self._from is not None and now < self._from:
            return self._from
        if not self._local:
            return self._until
        end = min(self._until, min(each for each in self._bounds(now) if each > now))
        return self._shift(now, end)

    def _bounds(self, now: datetime) -> Iterator[datetime]:
        """What a clock in the zone shows when hours begin or end, and at midnight, today and
        tomorrow: every instant at which it does."""
        midnight = now.astimezone(self._zone).replace(
            hour=0, minute=0, second=0, microsecond=0, tzinfo=None
        )
        minutes = {0, *chain.from_iterable(self._hours)}
        for minute in chain(minutes, (DAY + each for each in minutes), (2 * DAY,)):
            shown = midnight + timedelta(minutes=minute)
            for fold in (0, 1):
                yield shown.replace(tzinfo=self._zone, fold=fold).astimezone(UTC)

    def _shift(self, now: datetime, end: datetime) -> datetime:
        """The instant before `end` at which the zone puts its clocks, if there is one."""
        before = now.astimezone(self._zone).utcoffset()
        if end.astimezone(self._zone).utcoffset() == before:
            return end
        low, high = now, end
        while high - low > _SECOND:
            middle = low + (high - low) / 2
            if middle.astimezone(self._zone).utcoffset() == before:
                low = middle
            else:
                high = middle
        return high.replace(microsecond=0)
