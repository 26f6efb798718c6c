"""Tests of the instruments that count by numbers: a scrape cannot tell them from the library's."""

import re

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from proxy.observe.instruments import Counts, Spread


def scraped(registry: CollectorRegistry) -> bytes:
    """But for when each began."""
    return re.sub(rb"(_created\S*) .*", rb"\1", generate_latest(registry))


def test_counts_are_told_as_a_counter_of_the_library_tells_them() -> None:
    registry, library = CollectorRegistry(), CollectorRegistry()
    counts = Counts(registry, "transfers", "Attempts", "route", "verdict")
    counter = Counter("lockgate_transfers", "Attempts", ["route", "verdict"], registry=library)
    for number in (1, 2, 4096):
        counts["orders", "delivered"] += number
        counter.labels("orders", "delivered").inc(number)
    counts["orders", "failed"] += 0
    counter.labels("orders", "failed")
    assert scraped(registry) == scraped(library)


def test_a_spread_is_told_as_a_histogram_of_the_library_tells_it() -> None:
    registry, library = CollectorRegistry(), CollectorRegistry()
    bounds = (0.001, 0.25, 1, 60)
    spread = Spread(registry, "seconds", "Seconds", bounds, "route")
    histogram = Histogram(
        "lockgate_seconds", "Seconds", ["route"], buckets=bounds, registry=library
    )
    for value in (0, 0.001, 0.0011, 1, 59, 61):
        spread.observe(value, "orders")
        histogram.labels("orders").observe(value)
    assert scraped(registry) == scraped(library)


def test_a_spread_without_labels_is_told_before_anything_was_observed() -> None:
    registry, library = CollectorRegistry(), CollectorRegistry()
    Spread(registry, "batch", "Receipts", (1, 2))
    Histogram("lockgate_batch", "Receipts", buckets=(1, 2), registry=library)
    assert scraped(registry) == scraped(library)
