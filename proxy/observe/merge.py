"""The metrics of several processes as those of one program.

A snapshot is what one registry holds, as JSON can say it:

    [["lockgate_transfers", "counter", "Attempts that ended", [["lockgate_transfers_total",
      {"route": "orders", "verdict": "delivered", "problem": ""}, 3.0, null]]], …]

Counters and histograms add up, and what a process had counted when it was last asked stays counted
after its death. Gauges add up where they are amounts, else the extreme that tells is taken.

A worker may be ours no longer. So only families that the program has are taken, and neither what
one process tells nor what the dead leave behind is more than some thousand rows.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

Snapshot = list[list[Any]]

_EXTREME: Final = {
    "process_start_time_seconds": min,
    "process_max_fds": min,
    "lockgate_certificate_expiry_timestamp_seconds": min,
    "lockgate_certificate_not_before_timestamp_seconds": max,
    "lockgate_certificate_info": max,
    "lockgate_crl_fresh": min,
    "lockgate_crl_next_update_timestamp_seconds": min,
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
_ROWS: Final = 50_000
"""Of one process, and of the dead together in one family."""
_LABEL: Final = 1024
"""Characters of a label's value."""


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

    def __init__(self, own: CollectorRegistry) -> None:
        """`own`: the program's, whose families every process has."""
        self._names = {family.name for family in own.collect()}
        self._living: dict[str, Snapshot] = {}
        self._past: Snapshot = []

    def record(self, process: str, found: Snapshot) -> None:
        """The latest snapshot of a process that lives.

        Raises ValueError for what is no snapshot.
        """
        _require_snapshot(found, self._names)
        read = _merged([[family for family in found if family[0] not in _PROGRAM]])
        self._living[process] = list(read)

    def bury(self, process: str) -> None:
        """A process has died: what it counted stays, what it held does not."""
        gone = self._living.pop(process, [])
        lasting = [family for family in gone if family[1] in _LASTING]
        self._past = [[*told, rows[:_ROWS]] for *told, rows in _merged([self._past, lasting])]

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


def _require_snapshot(found: Any, names: Container[str]) -> None:
    """Raises ValueError unless it is what `snapshot` gives of families of these names: rows first,
    so that what is too much is not looked at.
    """
    try:
        rows = sum(len(family[3]) for family in found) if isinstance(found, list) else _ROWS + 1
        well = rows <= _ROWS and all(_is_family(family, names) for family in found)
    except (TypeError, ValueError, LookupError):
        well = False
    if not well:
        raise ValueError("this is no snapshot of metrics")


def _is_family(family: Any, names: Container[str]) -> bool:
    name, kind, text, samples = family
    told = name in names and isinstance(text, str) and kind in _KINDS
    return told and isinstance(samples, list) and all(map(_is_sample, samples))


def _is_sample(row: Any) -> bool:
    sample, labels, value = row
    if not _is_name(sample) or not isinstance(labels, dict) or not all(map(_is_name, labels)):
        return False
    texts = (type(each) is str and len(each) <= _LABEL for each in labels.values())
    return type(value) in (int, float) and all(texts)


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
