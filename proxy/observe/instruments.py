"""One registry a process, and how an instrument is made in it: each is named `lockgate_…`."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

_Child = TypeVar("_Child")


def labelled(labels: Callable[..., _Child]) -> Callable[..., _Child]:
    """The `labels` of an instrument that nobody clears, for what is counted at every transfer: a
    child is looked for once, since looking costs more than counting."""
    return lru_cache(4096)(labels)


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
