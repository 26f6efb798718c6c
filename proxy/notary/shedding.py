"""What has no entry of its own in the log, as counts in events.

`Shedding`: what was turned away before it was a transfer, one event a minute at most. A peer that
nobody knows must not buy an entry: so its handshakes are only counted.

`Missing`: transfers that were refused because the log could not be written. What stands between
them and an entry is just that; so they are counted where they are refused, and there is one event
of them when the log is back.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from proxy.model import Event, Missed
from proxy.notary.rest import News
from proxy.receipt.terms import timestamp

_KINDS: Final = 256
"""Names that one event counts; more than a receipt has, for here the rare ones tell most."""
_OTHERS: Final = "others"
_MOST: Final = 2**53 - 1
"""What any reader of JSON can count, whatever a worker says."""


class Shedding:
    def __init__(self, now: datetime) -> None:
        self._counts: Counter[str] = Counter()
        self._since = now

    def add(self, counts: Mapping[str, int]) -> None:
        """So many more, by `<listener>:<reason>`."""
        for kind, count in counts.items():
            known = kind in self._counts or len(self._counts) < _KINDS
            self._counts[kind if known else _OTHERS] += count

    def event(self, now: datetime) -> Event | None:
        """What is to be said of the time since the last event; None where there is nothing."""
        counts, since = self._counts, self._since
        self._counts, self._since = Counter(), now
        return _event("refused-handshakes", counts, since, now) if counts else None


class Missing:
    def __init__(self) -> None:
        self._all: Missed | None = None
        self._news = News()

    def add(self, found: Missed) -> None:
        """So many more."""
        known = self._all
        if known is None:
            self._all = found
            self._news.tell()
            return
        counts = Counter(known.counts) + Counter(found.counts)
        since, until = min(known.since, found.since), max(known.until, found.until)
        self._all = Missed(counts, since, until)

    def count(self, code: str, when: datetime) -> None:
        """One more, whose head was received at `when`."""
        self.add(Missed({code: 1}, when, when))

    async def counted(self) -> None:
        """Return when there is something to take."""
        while self._all is None:
            await self._news.wait()

    def take(self) -> Missed | None:
        """All that was counted since the last time; None where nothing was."""
        found, self._all = self._all, None
        return found


def missed_event(missed: Missed) -> Event:
    """The event of the log about transfers that it could not take."""
    return _event("refused-transfers", missed.counts, missed.since, missed.until)


def _event(kind: str, counts: Mapping[str, int], since: datetime, until: datetime) -> Event:
    details = {
        "since": timestamp(since),
        "until": timestamp(until),
        "counts": {name: str(min(count, _MOST)) for name, count in sorted(counts.items())},
    }
    return Event(kind, details)
