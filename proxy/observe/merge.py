"""The metrics of several processes as those of one program.

A snapshot is what one registry holds, as JSON can say it:

    [["lockgate_transfers", "counter", "Attempts that ended", [["lockgate_transfers_total",
      {"route": "orders", "verdict": "delivered", "problem": ""}, 3.0, null]]], …]

Counters and histograms add up, and what a process had counted when it was last asked stays counted
after its death. Gauges add up where they are amounts, else the extreme that tells is taken.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

Snapshot = list[list[Any]]

_EXTREME: Final = {
    "process_start_time_seconds": min,
    "process_max_fds": min,
    "lockgate_certificate_expiry_timestamp_seconds": min,
    "lockgate_config_loaded_timestamp_seconds": max,
    "lockgate_config_info": max,
    "lockgate_clock_timestamp_seconds": max,
    "lockgate_build_info": max,
    "python_info": max,
}
_PROGRAM: Final = ("lockgate_ready",)
"""Of the program as a whole: only its supervisor can say."""
_LASTING: Final = ("counter", "histogram")
_KINDS: Final = ("counter", "gauge", "histogram", "info", "summary", "unknown")
_NAME: Final = re.compile("[A-Za-z_:][A-Za-z0-9_:]{0,255}")


def snapshot(registry: CollectorRegistry) -> Snapshot:
    """Everything that `registry` holds now."""
    return [
        [family.name, family.type, family.documentation, _samples(family)]
        for family in registry.collect()
    ]


def _samples(family: Metric) -> list[list[Any]]:
    return [[sample.name, sample.labels, sample.value] for sample in family.samples]


class Ledger:
    """What the processes of one program have counted, the dead among them too."""

    def __init__(self) -> None:
        self._living: dict[str, Snapshot] = {}
        self._past: Snapshot = []

    def record(self, process: str, found: Snapshot) -> None:
        """The latest snapshot of a process that lives.

        Raises ValueError for what is no snapshot.
        """
        _require_snapshot(found)
        read = _merged([[family for family in found if family[0] not in _PROGRAM]])
        self._living[process] = list(read)

    def bury(self, process: str) -> None:
        """A process has died: what it counted stays, what it held does not."""
        gone = self._living.pop(process, [])
        lasting = [family for family in gone if family[1] in _LASTING]
        self._past = list(_merged([self._past, lasting]))

    def exposition(self, own: CollectorRegistry) -> bytes:
        """Prometheus' text format of all processes and of `own`."""
        found = [snapshot(own), *self._living.values(), self._past]
        registry = CollectorRegistry()
        registry.register(_Merged(_merged(found)))
        return generate_latest(registry)


class _Merged(Collector):
    def __init__(self, families: Iterable[list[Any]]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        for name, kind, text, samples in self._families:
            metric = Metric(name, text, kind)
            for sample, labels, value in samples:
                metric.add_sample(sample, labels, value)
            yield metric


def _require_snapshot(found: object) -> None:
    """Raises ValueError unless it is what `snapshot` gives: a worker may be ours no longer."""
    try:
        well = isinstance(found, list) and all(map(_is_family, found))
    except (TypeError, ValueError):
        well = False
    if not well:
        raise ValueError("this is no snapshot of metrics")


def _is_family(family: Any) -> bool:
    name, kind, text, samples = family
    told = _is_name(name) and isinstance(text, str) and kind in _KINDS
    return told and isinstance(samples, list) and all(map(_is_sample, samples))


def _is_sample(row: Any) -> bool:
    sample, labels, value = row
    if not _is_name(sample) or not isinstance(labels, dict) or not all(map(_is_name, labels)):
        return False
    return type(value) in (int, float) and all(type(each) is str for each in labels.values())


def _is_name(name: object) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _merged(snapshots: Iterable[Snapshot]) -> Iterator[list[Any]]:
    families: dict[str, list[Any]] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for name, kind, text, samples in (family for found in snapshots for family in found):
        families.setdefault(name, [name, kind, text])
        known = values.setdefault(name, {})
        for sample, labels, value in samples:
            key = (sample, _key(labels))
            if key not in known:
                known[key] = value
            elif sample.endswith("_created"):
                known[key] = min(known[key], value)
            else:
                known[key] = _EXTREME.get(name, _sum)(known[key], value)
    for name, family in families.items():
        rows = [[sample, dict(labels), value] for (sample, labels), value in values[name].items()]
        yield [*family, rows]


def _sum(one: float, other: float) -> float:
    return one + other


def _key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(labels.items())
