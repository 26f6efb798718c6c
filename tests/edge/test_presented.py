"""Who comes with which of several pins: counted, named in a bounded table, forgotten in time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proxy.edge.presented import NAMES, Presented, table
from proxy.model import Certificate, Peer
from proxy.observe.metrics import Metrics
from proxy.settings.schema import Settings
from proxy.tls.credentials import parse_chain
from proxy.tls.identity import identify
from tests.pki import pki
from tests.settings.example import loaded, put

OTHER = "sha256:" + "A" * 43 + "="


def certificate() -> Certificate:
    return identify(parse_chain(pki().client.certificate)[0])


OLD = certificate().pin


def settings(folder: Path, pins: list[str], where: str = "routes.0.allow.0.pins") -> Settings:
    return loaded(folder, put(where, pins)).settings


def admit(presented: Presented, found: Settings, name: str | None = None) -> None:
    own = certificate()
    peer = Peer(certificate=replace(own, spiffe=name or own.spiffe))
    presented.sender(found, "in", found.routes[0], "allow[0]", peer)


@pytest.mark.parametrize("where", ["routes.0.allow.0.pins", "listeners.in.tls.pins"])
def test_an_old_key_is_told_by_its_place_in_the_list(tmp_path: Path, where: str) -> None:
    found, metrics = settings(tmp_path, [OTHER, OLD], where), Metrics()
    presented = Presented(metrics)
    admit(presented, found)
    (row,) = table(found, presented.rows())
    assert (row["route"], row["side"], row["pin"], row["position"]) == (
        "orders", "sender", OLD, 1,
    )  # fmt: skip
    assert list(row["peers"]) == ["spiffe://lockgate.example/client"]
    sample = 'pinned_transfers_total{pin="%s",position="1",route="orders",side="sender"} 1.0'
    assert (sample % OLD).encode() in metrics.exposition()


@pytest.mark.parametrize("where", ["upstreams.out.pins", "upstreams.out.peer"])
def test_so_is_that_of_an_upstream(tmp_path: Path, where: str) -> None:
    pins = [OTHER, OLD]
    change = put(where, {"pins": pins} if where.endswith("peer") else pins)
    found, presented = loaded(tmp_path, change).settings, Presented(Metrics())
    presented.receiver(found, found.routes[0], certificate())
    (row,) = table(found, presented.rows())
    assert (row["side"], row["position"]) == ("receiver", 1)


def test_who_is_not_pinned_is_not_in_the_table(tmp_path: Path) -> None:
    found, presented = loaded(tmp_path).settings, Presented(Metrics())
    admit(presented, found)
    presented.receiver(found, found.routes[0], certificate())
    presented.sender(found, "in", found.routes[0], "allow[0]", Peer(address="127.0.0.1"))
    assert presented.rows() == []


def test_a_pin_that_is_taken_out_is_forgotten(tmp_path: Path) -> None:
    found, presented = settings(tmp_path, [OTHER, OLD]), Presented(Metrics())
    admit(presented, found)
    presented.keep(settings(tmp_path, [OTHER]))
    assert presented.rows() == []


def test_the_table_is_bounded_and_says_how_much_it_left_out(tmp_path: Path) -> None:
    found, presented = settings(tmp_path, [OLD]), Presented(Metrics())
    for number in range(NAMES + 7):
        admit(presented, found, f"spiffe://lockgate.example/{number}")
    (row,) = table(found, presented.rows())
    assert len(row["peers"]) == NAMES
    assert row["others"] == 7
    (row,) = table(found, [*presented.rows(), ["orders", "sender", OLD, {"late": "2026"}, 3]])
    assert len(row["peers"]) == NAMES
    assert row["others"] == 7 + 1 + 3


def test_the_rows_of_several_processes_are_one(tmp_path: Path) -> None:
    found = settings(tmp_path, [OLD])
    rows: list[Any] = [
        ["orders", "sender", OLD, {"a": "2026-01-01T00:00:00Z", "b": "2026-01-02T00:00:00Z"}, 0],
        ["orders", "sender", OLD, {"a": "2026-01-03T00:00:00Z"}, 0],
    ]
    (row,) = table(found, rows)
    assert row["peers"] == {"a": "2026-01-03T00:00:00Z", "b": "2026-01-02T00:00:00Z"}


@pytest.mark.parametrize(
    "row",
    [
        None, 7, [], ["orders"], ["orders", "sender", OLD, [], 0],
        ["orders", "sender", OTHER, {}, 0], ["none", "sender", OLD, {"a": "b"}, 0],
        ["orders", "sender", OLD, {}, "0"],
    ],
)  # fmt: skip
def test_what_is_no_row_of_a_worker_is_passed_over(tmp_path: Path, row: object) -> None:
    assert table(settings(tmp_path, [OLD]), [row]) == []
