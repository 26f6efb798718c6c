"""What one attempt takes of the rates and volumes that its sender has, and who pays.

    limits.rate, limits.volume     of the route: every peer has its own
    rate, volume of an entry       what that entry gives: each peer its own

Rules
- The first entry that stands pays. One that has no more to give falls; who pays from then on pays
  for all that has come, so that nobody gets more by letting entries fall one after the other.
- A rate is paid once, when the sender is admitted; a volume as octets come. What was announced has
  to fit before any of it has come. What is refused costs nothing more.
- Octets of an answer are paid for when they have come, also where they do not fit: what the
  upstream has done is done. Nothing more is admitted until that debt has drained.
"""

import math

from proxy.edge.rates import Table
from proxy.errors import Refusal
from proxy.observe.metrics import Metrics
from proxy.policy.authorize import Granted
from proxy.policy.entries import Entry
from proxy.settings.pace import Pace
from proxy.settings.schema import Limits, Route

_ROUTE = "limits"


class Purse:
    """Of one attempt by the peer `name` on a route."""

    def __init__(
        self, table: Table, metrics: Metrics, name: str, route: Route, announced: int
    ) -> None:
        """`announced` is how many octets are to come: a refusal says when they would fit."""
        self._table = table
        self._metrics = metrics
        self._peer = name.encode()
        self._route = route.name
        self._limits = route.limits
        self.metered = route.limits.rate is not None or route.limits.volume is not None
        """The route gives each peer no more than so much."""
        self._marks: dict[tuple[str, bytes], bytes] = {}
        self._paid: dict[bytes, int] = {}
        self._answered = 0
        self._announced = announced

    def enter(self, granted: Granted) -> None:
        """Pay for being admitted, while there is anything left of the volume: what has no content
        may have an answer. Raises Refusal: rate-limited, overloaded."""
        self._pay(granted, "volume", 1, only_ask=True)
        self._pay(granted, "rate", 1)

    def announce(self, granted: Granted, size: int) -> None:
        """So many octets are to come, and would fit: nothing is paid.

        Raises Refusal: rate-limited, content-too-large, not-allowed, overloaded.
        """
        self._pay(granted, "volume", size, only_ask=True)

    def come(self, granted: Granted, size: int) -> None:
        """So many octets have come in all: pay for those that were not paid for.

        Raises Refusal: rate-limited, not-allowed, overloaded.
        """
        self._pay(granted, "volume", size)

    def answered(self, granted: Granted, size: int) -> None:
        """So many octets of the answer have come in all. Raises Refusal `overloaded`."""
        more, self._answered = size - self._answered, size
        for whose in (self._limits, granted.allow[0]):
            if whose.volume is not None and more > 0:
                self._table.owe(self._mark("volume", whose), whose.volume, more)

    def _pay(self, granted: Granted, key: str, size: int, *, only_ask: bool = False) -> None:
        """The route is asked before an entry pays, and pays after it: who is refused by either has
        paid neither, unless others of the same peer came in between."""
        metered = getattr(granted.allow[0], key) is not None
        if not metered and getattr(self._limits, key) is None:
            return
        if only_ask or metered:
            self._route_pays(key, size, only_ask=True)
        while short := self._short(key, granted.allow[0], size, only_ask=only_ask):
            entry = granted.allow[0]
            granted.fall(entry, self._spent(entry.name, key, entry, short))
        if not only_ask:
            self._route_pays(key, size, only_ask=False)

    def _route_pays(self, key: str, size: int, *, only_ask: bool) -> None:
        short = self._short(key, self._limits, size, only_ask=only_ask)
        if short:
            raise self._spent(_ROUTE, key, self._limits, short)

    def _short(self, key: str, whose: Limits | Entry, size: int, *, only_ask: bool) -> float:
        """Seconds until it can be paid: 0 when it is, or would be."""
        pace: Pace | None = getattr(whose, key)
        if pace is None:
            return 0.0
        mark = self._mark(key, whose)
        due = size - self._paid.get(mark, 0)
        if due <= 0:
            return 0.0
        short = self._table.take(mark, pace, 0 if only_ask else due, due)
        if not short and not only_ask:
            self._paid[mark] = size
        return short

    def _mark(self, key: str, whose: Limits | Entry) -> bytes:
        sum_ = whose.sum if isinstance(whose, Entry) else b""
        mark = self._marks.get((key, sum_))
        if mark is None:
            mark = self._table.mark(key.encode(), self._route.encode(), sum_, self._peer)
            self._marks[key, sum_] = mark
        return mark

    def _spent(self, rule: str, key: str, whose: Limits | Entry, short: float) -> Refusal:
        self._metrics.limited.labels(self._route, rule, key).inc()
        told = f"{key} {getattr(whose, key)} of {rule} of route {self._route}"
        if short == math.inf:
            code = "content-too-large" if rule == _ROUTE else "not-allowed"
            return Refusal(code, f"more than {told} ever lets pass at once")
        seconds = math.ceil(max(short, self._all(whose)) if key == "volume" else short)
        return Refusal("rate-limited", f"{told} is spent", retry_after=seconds)

    def _all(self, whose: Limits | Entry) -> float:
        """Seconds until all that was announced would fit: 0 where it never will."""
        if whose.volume is None or self._announced > whose.volume.burst:
            return 0.0
        return self._table.take(self._mark("volume", whose), whose.volume, 0, self._announced)
