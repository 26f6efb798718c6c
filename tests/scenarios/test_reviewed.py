"""`lockgate review`: what of a policy was used, and the narrower one that is enough."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from proxy.settings.load import load
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Config, Gateway, lockgate
from tests.scenarios.past import SENT, Past, busy, lived
from tests.scenarios.policy import CLIENT, STRANGER
from tests.scenarios.receiver import Receiver


@pytest.fixture(scope="module")
def gateway(parties: Path, start_gateway: StartGateway, shared_receiver: Receiver) -> Gateway:
    return start_gateway(busy(parties, shared_receiver.endpoint))


@pytest.fixture(scope="module")
def past(gateway: Gateway) -> Past:
    return lived(gateway)


def review(past: Past, path: Path, *more: str | Path) -> dict[str, Any]:
    done = lockgate("review", path, "--receipts", past.store, "--json", *more)
    assert (done.returncode, done.stderr) == (0, "")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def grants(told: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(each["route"], each["rule"]): each for each in told["grants"]}


def test_each_grant_is_told_with_its_use(past: Past) -> None:
    told = review(past, past.folder / "gateway.yaml")
    found = grants(told)
    assert told["transfers"] == len(SENT)
    used = {name: (each["used"], each["perhaps"]) for name, each in found.items()}
    assert used == {
        ("orders", "allow[0]"): (5, 0),
        ("orders", "allow[1]"): (0, 0),
        ("files", "allow[0]"): (1, 0),
        ("unused", "allow[0]"): (0, 0),
        ("paths", "allow[0]"): (1, 0),
    }
    orders = found["orders", "allow[0]"]
    assert orders["peers"] == {CLIENT["spiffe"]: 4, STRANGER["spiffe"]: 1}
    assert orders["methods"] == ["GET", "POST"]
    assert (orders["formats"], orders["labels"]) == (["json"], ["confidential", "internal"])
    assert (orders["from"], orders["to"], orders["clearance"]) == (
        "partner",
        "warehouse",
        "confidential",
    )
    assert orders["first"] < orders["last"]


def test_the_narrower_policy_is_what_was_used_and_is_accepted(past: Past) -> None:
    written = past.folder / "as-used.yaml"
    told = review(past, past.folder / "gateway.yaml", "-o", written)
    assert written.read_text() == told["narrower"]
    assert lockgate("check", written).returncode == 0
    allow = {route.name: route.allow for route in load(written).settings.routes}
    [orders] = allow["orders"]
    assert orders.spiffe == [CLIENT["spiffe"], STRANGER["spiffe"]]
    assert (orders.methods, orders.content, orders.label) == (["GET", "POST"], None, None)
    assert orders.size == 1024
    [files] = allow["files"]
    assert (files.methods, files.size, files.networks) == (["POST"], 16384, ["127.0.0.0/8"])
    assert allow["unused"] == []


@pytest.mark.parametrize("known", [True, False])
def test_to_the_narrower_policy_all_that_crossed_would_cross(past: Past, known: bool) -> None:
    told = review(past, past.folder / "gateway.yaml")
    path = past.folder / "narrower.yaml"
    path.write_text(told["narrower"])
    was = ("--was", past.folder / "gateway.yaml") if known else ()
    code, replayed = past.replay(path, *was)
    assert (code, replayed["changes"], replayed["same_policy"]) == (0, [], 0)


def test_the_narrower_policy_admits_none_of_what_was_not_used(past: Past) -> None:
    told = review(past, past.folder / "gateway.yaml")
    path = past.folder / "narrower.yaml"
    path.write_text(told["narrower"])
    asked = ["--spiffe", CLIENT["spiffe"], "--method", "POST", "--path", "/orders/1"]
    small = [*asked, "--content", "json", "--size", "1024"]
    assert lockgate("explain", path, *small).returncode == 0
    for words in (
        [*asked, "--content", "json", "--size", "1025"],
        ["--spiffe", "spiffe://lockgate.example/other", *small[2:]],
        ["--spiffe", "spiffe://lockgate.example/gone", *small[2:]],
        ["--spiffe", STRANGER["spiffe"], "--method", "POST", "--path", "/unused/1"],
    ):
        assert lockgate("explain", past.folder / "gateway.yaml", *words).returncode == 0
        assert lockgate("explain", path, *words).returncode == 1


def test_what_may_have_been_used_is_kept_and_said(past: Past) -> None:
    """By another file than that of then, nobody knows where the peer was, and on which path."""
    twice = [CLIENT | {"networks": "192.0.2.0/24"}, CLIENT | {"networks": "127.0.0.0/8"}]
    path = past.candidate(lambda config: config["routes"][1].update(allow=twice))
    found = grants(review(past, path))
    for rule in ("allow[0]", "allow[1]"):
        assert (found["files", rule]["used"], found["files", rule]["perhaps"]) == (0, 1)
        assert found["files", rule]["narrower"]["size"] == "16KiB"
    log = past.folder / "lines.log"
    log.write_text("".join(json.dumps(line) + "\n" for line in past.lines))
    found = grants(review(past, path, "--access-log", log))
    assert found["files", "allow[0]"]["narrower"] is None
    assert found["files", "allow[1]"]["used"] == 1


def test_what_is_in_shadow_stays_and_is_told_of(past: Past) -> None:
    told = review(past, past.folder / "gateway.yaml")
    assert told["in_shadow"] == [{"route": "paths", "rule": "deny[1]", "transfers": 1}]
    shaded = [CLIENT, STRANGER | {"shadow": True}]
    path = past.candidate(lambda config: config["routes"][1].update(allow=shaded))
    entry = grants(review(past, path))["files", "allow[1]"]
    assert (entry["shadow"], entry["narrower"]) == (True, STRANGER | {"shadow": True})
    done = lockgate("review", path, "--receipts", past.store)
    assert "in shadow: decides nothing" in done.stdout


def test_only_what_came_since_counts_as_use(past: Past) -> None:
    told = review(past, past.folder / "gateway.yaml", "--since", "2100-01-01")
    assert told["transfers"] == 0
    assert {each["narrower"] for each in told["grants"]} == {None}


def test_the_words_say_who_may_send_what_where_and_what_ends(past: Past) -> None:
    ends = [
        CLIENT | {"when": {"until": "2200-01-01"}},
        STRANGER | {"when": {"until": "2020-01-01"}},
    ]
    path = past.candidate(lambda config: config["routes"][1].update(allow=ends))
    done = lockgate("review", path, "--receipts", past.store, "--was", past.folder / "gateway.yaml")
    lines = done.stdout.splitlines()
    place = lines.index(
        "route files: ingest (partner) to warehouse (warehouse, up to confidential): "
        "/files/**; opaque"
    )
    shown = lines[place + 1 : place + 9]
    assert shown[0].startswith("  allow[0] {spiffe: ")
    assert shown[1].startswith("    ends 2200-01-01T00:00:00Z, in ")
    assert shown[2].startswith("    used 1 time, last 20")
    assert shown[2].endswith("by 1 peer: spiffe://lockgate.example/client")
    assert shown[3] == "    sent POST; opaque; labelled internal; at most 5,000 octets"
    assert shown[4].endswith("methods: [POST], label: internal, size: 16KiB}")
    assert shown[6:] == [
        "    ended 2020-01-01T00:00:00Z",
        "    never used; narrower: without it",
    ]
    assert lines[-1] == (
        "6 grants by 10 transfers: 3 never used, 3 wider than used, 1 ended, 4 without an end"
    )


def test_where_the_narrower_policy_would_not_find_its_files_it_says_so(
    past: Past, tmp_path: Path
) -> None:
    path, written = past.folder / "gateway.yaml", tmp_path / "narrower.yaml"
    done = lockgate("review", path, "--receipts", past.store, "-o", written)
    assert done.returncode == 0
    assert f"{written} is to stand beside {path}" in done.stderr


def test_no_file_is_written_over(past: Past) -> None:
    path = past.folder / "gateway.yaml"
    before = path.read_bytes()
    done = lockgate("review", path, "--receipts", past.store, "-o", path)
    assert (done.returncode, path.read_bytes()) == (2, before)


def test_the_manual_shows_what_is_written(past: Past) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text("utf-8")
    (shown,) = re.findall(r"^```text\n\$ lockgate review .*\n((?:(?!```).*\n)*)```", page, re.M)

    def two(config: Config) -> None:
        del config["routes"][2:]
        config["routes"][1]["allow"] = [CLIENT | {"when": {"until": "2200-01-01"}}]

    was = past.folder / "gateway.yaml"
    done = lockgate("review", past.candidate(two), "--receipts", past.store, "--was", was)
    said = re.sub(r"last \S+Z", "last 2026-11-23T10:00:00Z", done.stdout)
    assert re.sub(r"in \S+ days", "in 63,225 days", said) == shown
