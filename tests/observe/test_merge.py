"""The metrics of several processes as those of one program."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from proxy.observe import merge
from proxy.observe.merge import Ledger, snapshot
from proxy.observe.metrics import Metrics


def value(exposition: bytes, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(exposition.decode())
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def worker(handshakes: int, held: int) -> Metrics:
    metrics = Metrics()
    for _ in range(handshakes):
        metrics.handshake("listener", "ingest", "ok")
        metrics.commit(handshakes, 0.003)
    metrics.held.set(held)
    return metrics


def test_counters_histograms_and_amounts_add_up() -> None:
    ledger = Ledger(Metrics().registry)
    ledger.record("1", snapshot(worker(3, 100).registry))
    ledger.record("2", snapshot(worker(4, 50).registry))
    shown = ledger.exposition(CollectorRegistry())
    assert value(shown, "lockgate_handshakes_total", result="ok") == 7
    assert value(shown, "lockgate_journal_commit_seconds_count") == 7
    assert value(shown, "lockgate_journal_commit_seconds_bucket", le="0.005") == 7
    assert value(shown, "lockgate_journal_commit_seconds_bucket", le="0.001") == 0
    assert value(shown, "lockgate_held_bytes") == 150


def test_the_latest_snapshot_of_a_process_replaces_the_one_before() -> None:
    ledger, metrics = Ledger(Metrics().registry), worker(3, 0)
    ledger.record("1", snapshot(metrics.registry))
    metrics.handshake("listener", "ingest", "ok")
    ledger.record("1", snapshot(metrics.registry))
    shown = ledger.exposition(CollectorRegistry())
    assert value(shown, "lockgate_handshakes_total", result="ok") == 4


def test_what_a_dead_process_counted_stays_and_what_it_held_does_not() -> None:
    ledger = Ledger(Metrics().registry)
    for generation in range(3):
        ledger.record(f"1-{generation}", snapshot(worker(2, 100).registry))
        ledger.bury(f"1-{generation}")
    ledger.record("1-3", snapshot(worker(1, 10).registry))
    shown = ledger.exposition(CollectorRegistry())
    assert value(shown, "lockgate_handshakes_total", result="ok") == 7
    assert value(shown, "lockgate_journal_batch_receipts_count") == 7
    assert value(shown, "lockgate_held_bytes") == 10


def test_what_is_no_amount_is_not_added_up() -> None:
    ledger, program = Ledger(Metrics().registry), Metrics()
    for name in ("1", "2"):
        metrics = worker(0, 0)
        metrics.ready.set(0)
        ledger.record(name, snapshot(metrics.registry))
    program.ready.set(1)
    shown = ledger.exposition(program.registry)
    assert value(shown, "lockgate_ready") == 1
    assert value(shown, "lockgate_build_info") == 1


def test_every_family_that_a_process_shows_is_shown_once() -> None:
    ledger = Ledger(Metrics().registry)
    ledger.record("1", snapshot(worker(1, 1).registry))
    ledger.record("2", snapshot(worker(1, 1).registry))
    shown = ledger.exposition(Metrics().registry).decode()
    helped = [line.split()[2] for line in shown.splitlines() if line.startswith("# HELP")]
    assert len(helped) == len(set(helped))
    alone = Metrics().exposition().decode()
    assert {line.split()[2] for line in alone.splitlines() if line.startswith("# HELP")} <= set(
        helped
    )


@pytest.mark.parametrize(
    "found",
    [
        None,
        7,
        [[]],
        [["lockgate_held_bytes", "gauge", "t"]],
        [["lockgate_held_bytes", "bogus", "t", []]],
        [["lockgate_held_bytes", [], "t", []]],
        [["a b", "gauge", "t", []]],
        [["lockgate_held_bytes", "gauge", 3, []]],
        [["lockgate_held_bytes", "gauge", "t", [["s", [], 1.0]]]],
        [["lockgate_held_bytes", "gauge", "t", [[1, {}, 1.0], [1, {}, 1.0]]]],
        [["lockgate_held_bytes", "gauge", "t", [["s", {}, "x"]]]],
        [["lockgate_held_bytes", "gauge", "t", [["s", {"l": []}, 1.0]]]],
        [["lockgate_held_bytes", "gauge", "t", [["s", {"l m": "x"}, 1.0]]]],
        [["lockgate_held_bytes", "gauge", "t", [["s 1\nt", {}, 1.0]]]],
    ],
)
def test_what_is_no_snapshot_is_refused_and_changes_nothing(found: Any) -> None:
    ledger = Ledger(Metrics().registry)
    ledger.record("1", snapshot(worker(3, 100).registry))
    with pytest.raises(ValueError, match="no snapshot"):
        ledger.record("2", found)
    assert value(ledger.exposition(CollectorRegistry()), "lockgate_held_bytes") == 100


def test_a_family_that_the_program_has_not_is_no_metric_of_ours() -> None:
    ledger = Ledger(Metrics().registry)
    with pytest.raises(ValueError, match="no snapshot"):
        ledger.record("1", [["lockgate_invented", "gauge", "t", []]])


def test_no_process_tells_more_than_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    rows = [["lockgate_held_bytes", {"n": str(number)}, 1.0] for number in range(600)]
    long = [["lockgate_held_bytes", {"n": "x" * 1025}, 1.0]]
    monkeypatch.setattr(merge, "_ROWS", 600)
    ledger = Ledger(metrics.registry)
    for told in ([*rows, rows[0]], long):
        with pytest.raises(ValueError, match="no snapshot"):
            ledger.record("1", [["lockgate_held_bytes", "gauge", "t", told]])
    ledger.record("1", [["lockgate_held_bytes", "gauge", "t", rows]])


def test_what_the_dead_invented_is_bounded_and_displaces_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(merge, "_ROWS", 600)
    ledger, name = Ledger(Metrics().registry), "lockgate_handshakes"
    for life in range(5):
        rows = [[f"{name}_total", {"result": f"{life}-{n}"}, 1.0] for n in range(400)]
        ledger.record(str(life), [[name, "counter", "t", rows]])
        ledger.bury(str(life))
    shown = ledger.exposition(CollectorRegistry())
    assert value(shown, f"{name}_total") == 600
    assert value(shown, f"{name}_total", result="0-399") == 1
