"""One registry a process, and how an instrument is made in it: each is named `lockgate_…`.

What is counted at every transfer is a `Counts` or a `Spread`: numbers, of which samples are made
when somebody asks. An instrument of the library's costs as much to count with as to mask a field.

    transfers = Counts(registry, "transfers", "Attempts that ended", "route", "verdict")
    transfers["orders", "delivered"] += 1
"""

import math
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.registry import Collector

_Labels = tuple[str, ...]


class Counts(dict[_Labels, float]):
    """A counter: values of its labels -> how many. What was never counted is 0."""

    def __init__(self, registry: CollectorRegistry, name: str, text: str, *labels: str) -> None:
        super().__init__()
        self.begun: dict[_Labels, float] = {}
        registry.register(_Counter(self, f"lockgate_{name}", text, labels))

    def __missing__(self, labels: _Labels) -> float:
        self.begun[labels] = time.time()
        return self.setdefault(labels, 0.0)


class _Counter(Collector):
    """What `Counts` are to a registry."""

    def __init__(self, counts: Counts, name: str, text: str, labels: _Labels) -> None:
        self._counts = counts
        self._about = (name, text, "counter")
        self._labelnames = labels

    def describe(self) -> Iterator[Metric]:
        """For the registry, so that no two are called alike."""
        yield Metric(*self._about)

    def collect(self) -> Iterator[Metric]:
        metric = Metric(*self._about)
        for labels, number in list(self._counts.items()):
            named = dict(zip(self._labelnames, labels, strict=True))
            metric.add_sample(f"{metric.name}_total", named, number)
            metric.add_sample(f"{metric.name}_created", named, self._counts.begun[labels])
        yield metric


class _Row:
    """Of one set of labels: how many were observed in each bucket, and what they add up to."""

    __slots__ = ("begun", "numbers", "sum")

    def __init__(self, buckets: int) -> None:
        self.begun = time.time()
        self.numbers = [0] * buckets
        self.sum = 0.0


class Spread(Collector):
    """A histogram. `bounds` ascend; none is below zero."""

    def __init__(
        self,
        registry: CollectorRegistry,
        name: str,
        text: str,
        bounds: Sequence[float],
        *labels: str,
    ) -> None:
        self._about = (f"lockgate_{name}", text, "histogram")
        self._bounds = [*bounds, math.inf]
        self._les = [*(str(float(bound)) for bound in bounds), "+Inf"]
        self._labelnames = labels
        self._rows: dict[_Labels, _Row] = {}
        if not labels:
            self._row(())
        registry.register(self)

    def observe(self, value: float, *labels: str) -> None:
        """Count one more, of this value."""
        row = self._rows.get(labels) or self._row(labels)
        row.numbers[bisect_left(self._bounds, value)] += 1
        row.sum += value

    def _row(self, labels: _Labels) -> _Row:
        return self._rows.setdefault(labels, _Row(len(self._bounds)))

    def describe(self) -> Iterator[Metric]:
        """For the registry, so that no two are called alike."""
        yield Metric(*self._about)

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        metric = Metric(*self._about)
        for labels, row in list(self._rows.items()):
            named = dict(zip(self._labelnames, labels, strict=True))
            up_to = list(accumulate(row.numbers))
            for name, number in zip(self._les, up_to, strict=True):
                bucket = named | {"le": name}
                metric.add_sample(f"{metric.name}_bucket", bucket, number)
            metric.add_sample(f"{metric.name}_count", named, up_to[-1])
            metric.add_sample(f"{metric.name}_sum", named, row.sum)
            metric.add_sample(f"{metric.name}_created", named, row.begun)
        yield metric


class Instruments:
    """A registry that has what every process says of itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"lockgate_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"lockgate_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Iterable[float], *labels: str) -> Histogram:
        return Histogram(
            f"lockgate_{name}", text, labels, buckets=tuple(buckets), registry=self.registry
        )
