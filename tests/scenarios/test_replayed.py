"""`lockgate explain --receipts`: what a configuration would have said to what has been."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Config, lockgate
from tests.scenarios.past import SENT, SHADED, Past, busy, lived, served
from tests.scenarios.policy import CLIENT, STRANGER
from tests.scenarios.receiver import Receiver

Change = Callable[[Config], object]


@pytest.fixture(scope="module")
def past(parties: Path, start_gateway: StartGateway, shared_receiver: Receiver) -> Past:
    return lived(start_gateway(busy(parties, shared_receiver.endpoint)))


def allow(number: int, *entries: dict[str, Any]) -> Change:
    return lambda config: config["routes"][number].update(allow=list(entries))


def deny(number: int, *entries: dict[str, Any]) -> Change:
    return lambda config: config["routes"][number].update(deny=list(entries))


def carries(number: int, **keys: Any) -> Change:
    return lambda config: config["routes"][number]["request"].update(keys)


def clearance(config: Config) -> None:
    config["zones"]["warehouse"]["clearance"] = "public"


def pinned(config: Config) -> None:
    config["listeners"]["ingest"]["tls"] = {"pins": ["sha256:" + "A" * 43 + "="]}


def withheld(config: Config) -> None:
    for each in config["routes"]:
        each["response"] = {"content": ["text"], "label": "internal"}


def gone(config: Config) -> None:
    del config["routes"][0]


def test_the_configuration_that_was_in_force_changes_nothing(past: Past) -> None:
    code, told = past.replay(past.folder / "gateway.yaml")
    assert (code, told["changes"], told["unsure"]) == (0, [], [])
    assert told["transfers"] == told["same_policy"] == len(SENT)
    assert told["assumed"] == []


def test_with_what_was_in_force_another_file_that_says_the_same_changes_nothing(past: Past) -> None:
    code, told = past.replay(past.candidate(), "--was", past.folder / "gateway.yaml")
    assert (code, told["changes"], told["same_policy"]) == (0, [], 0)
    unsure = {(each["route"], *each["depends_on"]): each["count"] for each in told["unsure"]}
    assert unsure == {(None, "path"): 1, ("orders", "format"): 1}
    assert past.replay(past.candidate(), "--strict")[0] == 1


@pytest.mark.parametrize(
    ("change", "kind", "ends"),
    [
        (allow(0, CLIENT), "refused", [(5, "not-allowed")]),
        (allow(0, CLIENT | {"size": 8}, STRANGER), "refused", [(1, "not-allowed")]),
        (allow(0, CLIENT | {"label": "internal"}, STRANGER), "refused", [(1, "not-allowed")]),
        (allow(0, CLIENT | {"methods": ["POST"]}, STRANGER), "refused", [(3, "not-allowed")]),
        (allow(0, {"pins": ["sha256:" + "A" * 43 + "="]}), "refused",
         [(n, "not-allowed") for n in (0, 1, 3, 5)]),
        (deny(0, STRANGER), "refused", [(5, "not-allowed")]),
        (deny(0, {"size": 8}), "refused", [(1, "not-allowed")]),
        (allow(1, STRANGER | {"when": {"until": "2030-01-01"}}, CLIENT), "passes", [(6, None)]),
        (carries(0, content=["csv"]), "refused", [(n, "content-not-allowed") for n in (0, 1, 5)]),
        (carries(0, detect=[{"type": "financial", "action": "reject"}]), "refused",
         [(1, "finding-rejected")]),
        (carries(0, label="restricted"), "refused", [(n, "above-clearance") for n in (0, 1, 5)]),
        (clearance, "refused", [(n, "above-clearance") for n in (0, 1, 4, 5, 8)]),
        (pinned, "refused", [(n, "not-allowed") for n in (0, 1, 3, 4, 5, 8)]),
        (withheld, "answer", [(n, None) for n in (0, 1, 3, 4, 5, 8)]),
    ],
)  # fmt: skip
def test_a_transfer_whose_verdict_would_change_is_listed_with_the_reason(
    past: Past, change: Change, kind: str, ends: list[tuple[int, str | None]]
) -> None:
    code, told = past.replay(past.candidate(change), "--was", past.folder / "gateway.yaml")
    found = [(each["index"] - 1, each["now"]["code"]) for each in told["changes"]]
    assert found == ends
    assert {each["kind"] for each in told["changes"]} == {kind}
    assert (code, told["changed"]) == (1, {kind: len(ends)})


@pytest.mark.parametrize(("answer", "ends"), [("reject", [1]), ("redact", [])])
def test_a_finding_that_would_be_redacted_refuses_nothing(
    past: Past, answer: str, ends: list[int]
) -> None:
    def lower(config: Config) -> None:
        config["zones"]["warehouse"]["clearance"] = "internal"
        config["routes"][0]["request"]["on_violation"] = answer

    code, told = past.replay(past.candidate(lower), "--was", past.folder / "gateway.yaml")
    assert (code, [each["index"] - 1 for each in told["changes"]]) == (len(ends), ends)


@pytest.mark.parametrize(("number", "ends"), [(0, []), (1, [8])])
def test_what_was_in_shadow_is_judged_by_what_it_would_have_done(
    past: Past, number: int, ends: list[int]
) -> None:
    """Nothing else on record says where the peer was."""
    config = past.candidate(deny(3, SHADED[number] | {"shadow": False}))
    code, told = past.replay(config, "--was", past.folder / "gateway.yaml")
    assert (code, [each["index"] - 1 for each in told["changes"]]) == (len(ends), ends)
    assert not any(each["route"] == "paths" for each in told["unsure"])


def test_a_log_is_read_where_it_is_served(past: Past) -> None:
    with served(past.store) as url:
        path = past.candidate(allow(0, CLIENT))
        done = lockgate("explain", path, "--receipts", url, "--json")
        missing = lockgate("explain", path, "--receipts", f"{url}/not-here", "--json")
    assert (done.returncode, len(json.loads(done.stdout)["changes"])) == (1, 1)
    assert (missing.returncode, len(missing.stderr.splitlines())) == (1, 1)


def test_without_a_path_a_route_that_is_gone_leaves_it_open_where_they_would_go(past: Past) -> None:
    code, told = past.replay(past.candidate(gone), "--was", past.folder / "gateway.yaml")
    assert (code, told["changes"]) == (0, [])
    assert {"route": "orders", "depends_on": ["path"], "count": 4} in told["unsure"]


def access_log(folder: Path, *lines: dict[str, Any]) -> Path:
    path = folder / "access.log"
    path.write_text("no JSON\n" + "".join(json.dumps(line) + "\n" for line in lines))
    return path


def logged_paths(past: Past) -> list[dict[str, Any]]:
    """What a receiver would log of them."""
    paths = [octets.split(b" ")[1].decode() for _, octets, _ in SENT]
    return [
        {"transfer_id": line["transfer_id"].upper(), "target": f"{path}?a=b"}
        for line, path in zip(past.lines, paths, strict=True)
    ]


def test_with_an_access_log_the_route_is_found_by_the_path(past: Past, tmp_path: Path) -> None:
    more = ("--access-log", access_log(tmp_path, *logged_paths(past), *past.lines))
    code, told = past.replay(past.candidate(gone), *more)
    assert code == 1
    found = [(each["index"] - 1, each["now"]["code"]) for each in told["changes"]]
    assert found == [(n, "no-route") for n in (0, 1, 3, 5)]
    assert told["unsure"] == []
    assert not any("by its name" in line for line in told["assumed"])


def test_an_access_log_says_where_a_peer_was(past: Past, tmp_path: Path) -> None:
    elsewhere = allow(1, CLIENT | {"networks": "192.0.2.0/24"})
    assert past.replay(past.candidate(elsewhere))[0] == 0
    code, told = past.replay(
        past.candidate(elsewhere), "--access-log", access_log(tmp_path, *past.lines)
    )
    assert (code, [each["index"] - 1 for each in told["changes"]]) == (1, [4])


def test_what_two_lines_of_one_id_say_differently_is_not_known(past: Past, tmp_path: Path) -> None:
    lines = logged_paths(past)
    forged = [line | {"target": "/paths/in/7"} for line in lines]
    log = access_log(tmp_path, *lines, *forged)
    code, told = past.replay(past.candidate(gone), "--access-log", log)
    assert (code, told["changes"]) == (0, [])


def test_the_manual_shows_what_is_written(past: Past) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text("utf-8")
    (shown,) = re.findall(r"^```text\n\$ lockgate explain new.*\n((?:(?!```).*\n)*)```", page, re.M)
    done = lockgate("explain", past.candidate(allow(0, CLIENT)), "--receipts", past.store)
    assert re.sub(r"\d{4}-\S+Z", "2026-11-23T10:00:00Z", done.stdout) == shown
    assert done.returncode == 1


@pytest.mark.parametrize(
    "words",
    [
        ["--receipts", "x", "--method", "GET"],
        ["--since", "1d", "--method", "GET", "--path", "/"],
        ["--receipts", "missing"],
    ],
)
def test_what_cannot_be_meant_or_read_is_usage(past: Past, words: list[str]) -> None:
    done = lockgate("explain", past.candidate(), *words)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
