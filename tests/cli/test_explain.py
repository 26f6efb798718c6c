"""`lockgate explain`: the decision, and every rule that was looked at."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from proxy.cli import main
from tests.pki import write as write_pki
from tests.settings.example import PIN, Change, Data, changed, put, write

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text("utf-8")
(SESSION,) = re.findall(r"```console\n(.*?)```", PAGE, re.S)
RUNS = re.findall(r"^\$ lockgate (.*)\n((?:(?!\$).*\n)+)", SESSION, re.M)
PEER = ["--spiffe", "spiffe://acme/etl/a"]
ASKED = [*PEER, "--method", "POST", "--path", "/orders/1"]


def of_the_page() -> Data:
    """The configuration that the page asks about."""
    data = changed(
        put("routes.0.allow.0.methods", ["POST"]),
        put("routes.0.allow.0.content", ["json"]),
        put("routes.0.allow.0.size", "1MB"),
        put("routes.0.allow.0.when", {"days": "mon-fri", "hours": "06:00-20:00"}),
        put("routes.0.deny", [{"spiffe": "spiffe://acme/etl/retired"}]),
    )
    files = data["routes"][0] | {"name": "files", "match": {"path": "/files/**"}}
    data["routes"].insert(0, files)
    return data


def explain(folder: Path, data: Data, *words: str) -> int:
    return main(["explain", str(write(folder, data)), *words])


def told(
    folder: Path, data: Data, *words: str, capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, Any]]:
    code = explain(folder, data, *words, "--json")
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("typed", "shown"), RUNS)
def test_what_the_manual_shows_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], typed: str, shown: str
) -> None:
    words = shlex.split(typed)[2:]
    assert explain(tmp_path, of_the_page(), *words) == int("refused: " in shown)
    assert capsys.readouterr().out == shown
    assert len(RUNS) == 2


def test_what_is_known_of_the_content_is_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--at", "2026-11-23T10:00Z"]
    sent = [*ASKED, *at, "--content", "json", "--size"]
    code, answer = told(tmp_path, of_the_page(), *sent, "1000000", capsys=capsys)
    assert (code, answer["allowed"], answer["depends_on"]) == (0, True, [])
    assert answer["until"] == "2026-11-23T20:00:00+00:00"
    assert answer["entries"][1]["keys"]["size"] is True
    code, answer = told(tmp_path, of_the_page(), *sent, "1000001", capsys=capsys)
    assert (code, answer["allowed"], answer["code"]) == (1, False, "not-allowed")
    code, answer = told(
        tmp_path, of_the_page(), *ASKED, *at, "--content", "opaque", capsys=capsys
    )  # fmt: skip
    assert (code, answer["code"]) == (1, "content-not-allowed")


@pytest.mark.parametrize(
    ("when", "until"),
    [
        ({"hours": "22:00-06:00"}, "2026-11-24T06:00:00+00:00"),
        ({"days": "mon-wed"}, "2026-11-26T00:00:00+00:00"),
        ({"days": "mon-wed", "until": "2026-11-24T12:00"}, "2026-11-24T12:00:00+00:00"),
        ({"hours": ["20:00-24:00", "00:00-01:00"]}, "2026-11-24T01:00:00+00:00"),
        ({"hours": "00:00-24:00"}, None),
        ({"until": "2027-11-24"}, "2027-11-24T00:00:00+00:00"),
    ],
)
def test_until_is_when_it_ends_and_not_when_a_clock_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], when: dict[str, Any], until: str | None
) -> None:
    data = changed(put("routes.0.allow.0.when", when))
    at = ["--at", "2026-11-23T23:00Z"]
    code, answer = told(tmp_path, data, *ASKED, *at, capsys=capsys)
    assert (code, answer["until"]) == (0, until)


@pytest.mark.parametrize(
    ("allow", "deny", "code", "said"),
    [
        ({"networks": "10.0.0.0/8"}, {}, 1, "as far as is known without --address"),
        ({}, {"networks": "192.0.2.0/24"}, 0, "if it holds by networks"),
    ],
)
def test_where_it_hangs_on_an_address_that_was_not_said_it_says_so(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    allow: dict[str, Any],
    deny: dict[str, Any],
    code: int,
    said: str,
) -> None:
    data = changed(
        put("routes.0.allow", [{"spiffe": "spiffe://acme/etl/a"} | allow]),
        put("routes.0.deny", [deny] if deny else []),
    )
    assert explain(tmp_path, data, *ASKED) == code
    shown = capsys.readouterr().out
    assert "networks not known" in shown
    assert said in shown
    assert explain(tmp_path, data, *ASKED, "--address", "10.1.1.1") == 0
    shown = capsys.readouterr().out
    assert "known" not in shown.partition("allowed:")[0]
    assert "networks" not in shown.partition("allowed:")[2]


def test_what_is_denied_whatever_the_address_is_plainly_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peer = {"spiffe": "spiffe://acme/etl/a"}
    allow = [peer | {"networks": "10.0.0.0/8"}, peer]
    data = changed(put("routes.0.allow", allow), put("routes.0.deny", [peer]))
    assert explain(tmp_path, data, *ASKED) == 1
    assert "--address" not in capsys.readouterr().out


def test_until_is_no_later_than_a_denial_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = {"when": {"days": "wed", "hours": "02:00-03:00"}}
    data = changed(put("routes.0.deny", [closed]))
    code, answer = told(tmp_path, data, *ASKED, "--at", "2026-11-23T23:00Z", capsys=capsys)
    assert (code, answer["until"]) == (0, "2026-11-25T02:00:00+00:00")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([*PEER, "--method", "GET", "--path", "/orders/1"], "no-route"),
        ([*PEER, "--method", "POST", "--path", "/orders//1"], "path-not-normal"),
        (["--method", "POST", "--path", "/orders/1"], "not-allowed"),
    ],
)
def test_what_does_not_come_as_far_as_a_grant_is_refused_by_its_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: str
) -> None:
    exit_code, answer = told(tmp_path, changed(), *words, capsys=capsys)
    assert (exit_code, answer["allowed"], answer["code"]) == (1, False, code)


def test_the_pins_of_the_listener_are_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = changed(put("listeners.in.tls", {"pins": [PIN]}))
    assert explain(tmp_path, data, *ASKED) == 1
    assert "none of pins of listener in" in capsys.readouterr().out
    assert explain(tmp_path, data, *ASKED, "--pin", PIN) == 0


def test_a_certificate_is_asked_about_by_its_names_and_dates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pki(tmp_path / "certs")
    data = changed(put("routes.0.allow.0.spiffe", "spiffe://lockgate.example/client"))
    words = [
        "--cert",
        str(tmp_path / "certs/client.pem"),
        "--method",
        "POST",
        "--path",
        "/orders/1",
    ]
    assert explain(tmp_path, data, *words) == 0
    assert explain(tmp_path, data, *words, "--at", "2090-01-01") == 1
    assert "certificate-expired" in capsys.readouterr().out


def test_the_trust_of_a_route_is_said_to_be_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = told(
        tmp_path, changed(put("routes.0.trust", "file:x.pem")), *ASKED, capsys=capsys
    )
    assert (code, answer["depends_on"]) == (0, ["trust of the route"])


@pytest.mark.parametrize(
    "words",
    [
        [*PEER, "--method", "POST"],
        [*ASKED, "--listener", "out"],
        [*ASKED, "--sni", "x.example"],
        [*ASKED, "--cert", "x.pem"],
        ["--cert", "missing.pem", "--method", "POST", "--path", "/"],
    ],
)
def test_what_cannot_be_meant_is_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert explain(tmp_path, changed(), *words) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("words", [["--at", "noon"], ["--pin", "x"], ["--content", "xml"]])
def test_what_cannot_be_read_is_usage(tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        explain(tmp_path, changed(), *ASKED, *words)
    assert caught.value.code == 2


def test_a_tunnel_is_asked_about_by_server_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tunnel = {
        "name": "t", "listener": "in", "match": {"sni": "db.example"}, "upstream": "out",
        "allow": [{"spiffe": "spiffe://acme/etl/a"}],
        "request": {"content": ["opaque"], "label": "public"},
    }  # fmt: skip
    data = changed(
        put("listeners.in.protocol", "tcp"),
        put("upstreams.out.endpoints", ["tls://receiver.example:9443"]),
        put("routes", [tunnel]),
    )
    assert explain(tmp_path, data, *PEER, "--sni", "db.example") == 0
    assert explain(tmp_path, data, *PEER) == 1
    assert explain(tmp_path, data, *ASKED) == 2
    assert "carries tunnels" in capsys.readouterr().err


def test_what_a_peer_has_left_of_its_rates_is_not_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = changed(
        put("routes.0.allow.0.rate", "10/s"),
        put("routes.0.allow.0.volume", "1GiB/h"),
        put("routes.0.limits", {"rate": "100/s"}),
    )
    code, answer = told(tmp_path, data, *ASKED, capsys=capsys)
    assert (code, answer["rule"]) == (0, "allow[0]")
    assert answer["depends_on"] == ["limits.rate", "rate", "volume"]
    assert answer["entries"][0]["keys"] == {"spiffe": True, "rate": None, "volume": None}


def test_entries_in_shadow_are_shown_at_their_places_with_what_they_would_have_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shaded = {"methods": ["POST"], "shadow": True}
    other = {"spiffe": "spiffe://acme/new", "shadow": True}
    data = changed(put("routes.0.deny", [shaded]), put("routes.0.allow.1", other))
    assert explain(tmp_path, data, *ASKED) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  deny[0] in shadow: yes (methods yes)",
        "  allow[0]: yes (spiffe yes)",
        "  allow[1] in shadow: no (spiffe no)",
        "in shadow: deny[0] would have refused it",
        "allowed: allow[0] of route orders",
        "  demanded besides: content json",
        "  demanded besides: at most 1073741824 octets",
    ]
    words = ["--spiffe", "spiffe://acme/new", *ASKED[2:]]
    code, answer = told(tmp_path, data, *words, capsys=capsys)
    assert (code, answer["in_shadow"]) == (1, ["allow[1]"])
    assert [each["shadow"] for each in answer["entries"]] == [True, False, True]


def test_what_the_route_demands_besides_is_said_as_it_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = changed(
        put("routes.0.replay", {"require": "signature", "window": "5m"}),
        put("routes.0.integrity", {"require": "signature"}),
        put("routes.0.limits", {"body": "1GiB"}),
    )
    sent = [*ASKED, "--content", "json"]
    assert explain(tmp_path, data, *sent) == 0
    assert capsys.readouterr().out.splitlines()[-4:] == [
        "allowed: allow[0] of route orders",
        "  demanded besides: replay signature (window 5m)",
        "  demanded besides: integrity signature",
        "  demanded besides: limits body 1GiB",
    ]
    _, answer = told(tmp_path, data, *sent, capsys=capsys)
    assert answer["demands"] == [
        "replay signature (window 5m)",
        "integrity signature",
        "limits body 1GiB",
    ]
    _, refused = told(tmp_path, data, "--method", "POST", "--path", "/orders/1", capsys=capsys)
    assert refused["demands"] == []


LOW = put("zones.near.clearance", "internal")
FROM = put("routes.0.request.label_from", "data-label")
OPEN = put("routes.0.request.label", "public")
REDACTS = put("routes.0.request.on_violation", "redact")
JSON = ["--content", "json"]


@pytest.mark.parametrize(
    ("changes", "words", "code"),
    [
        ([LOW], JSON, "above-clearance"),
        ([LOW, FROM], JSON, "above-clearance"),
        ([LOW, FROM], [*JSON, "--label", "secret"], "above-clearance"),
        ([LOW, FROM], [*JSON, "--label", "internal"], None),
        ([LOW, OPEN], JSON, None),
        ([LOW, OPEN], [*JSON, "--label", "secret"], "above-clearance"),
        ([LOW, FROM, REDACTS], ["--label", "secret"], "above-clearance"),
        ([LOW, OPEN, REDACTS], [*JSON, "--label", "secret"], None),
        ([LOW], ["--content", "none"], None),
        ([put("routes.0.limits", {"body": 9})], ["--size", "10"], "content-too-large"),
        ([put("routes.0.limits", {"body": 9})], [*JSON, "--size", "9"], None),
        ([put("routes.0.allow.0.label", "public"), OPEN], [*JSON, "--label", "internal"],
         "not-allowed"),
    ],
)  # fmt: skip
def test_what_a_configuration_alone_decides_of_content_is_asked(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: list[Change],
    words: list[str],
    code: str | None,
) -> None:
    exit_code, answer = told(tmp_path, changed(*changes), *ASKED, *words, capsys=capsys)
    assert (exit_code, answer["code"]) == (int(code is not None), code)


@pytest.mark.parametrize(
    ("changes", "words", "code"),
    [
        ([], [], None),
        ([], ["--size", "0"], None),
        ([], ["--size", "5"], "content-unexpected"),
        ([put("routes.0.content_on_get", "pass")], ["--size", "5"], None),
    ],
)
def test_content_whose_meaning_is_undefined_is_refused_as_it_is_at_the_gate(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: list[Change],
    words: list[str],
    code: str | None,
) -> None:
    data = changed(put("routes.0.match.methods", ["GET"]), *changes)
    get = [*PEER, "--method", "GET", "--path", "/orders/1"]
    exit_code, answer = told(tmp_path, data, *get, *words, capsys=capsys)
    assert (exit_code, answer["code"]) == (int(code is not None), code)


def test_what_is_not_known_of_the_content_is_said_to_be_demanded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finds = put("routes.0.request.detect", [{"type": "credit_card", "action": "reject"}])
    _, answer = told(tmp_path, changed(LOW, OPEN, finds), *ASKED, capsys=capsys)
    assert answer["demands"] == [
        "content json",
        "label at most internal, the clearance of near",
        "nothing found of credit_card",
        "at most 1073741824 octets",
    ]
    _, answer = told(tmp_path, changed(LOW, FROM), *ASKED, *JSON, "--size", "1", capsys=capsys)
    assert answer["demands"] == []
    _, answer = told(tmp_path, changed(LOW, FROM), *ASKED, capsys=capsys)
    assert "label by data-label at most internal, the clearance of near" in answer["demands"]
    _, answer = told(tmp_path, changed(LOW), *ASKED, capsys=capsys)
    assert any(each.startswith("no content, which would be labelled") for each in answer["demands"])
    _, answer = told(tmp_path, changed(LOW), *ASKED, "--content", "none", capsys=capsys)
    assert answer["demands"] == []


def test_a_tunnel_leads_only_where_its_label_may_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tunnel = {
        "name": "t", "listener": "in", "match": {}, "upstream": "out",
        "allow": [{"spiffe": "spiffe://acme/etl/a"}],
        "request": {"content": ["opaque"], "label": "public"},
        "response": {"content": ["opaque"], "label": "public"},
    }  # fmt: skip
    data = changed(
        put("listeners.in.protocol", "tcp"),
        put("upstreams.out.endpoints", ["tls://receiver.example:9443"]),
        put("routes", [tunnel]),
    )
    assert told(tmp_path, data, *PEER, capsys=capsys)[0] == 0
    tunnel["response"] = {"content": ["opaque"], "label": "secret"}
    code, answer = told(tmp_path, data, *PEER, capsys=capsys)
    assert (code, answer["code"]) == (1, "above-clearance")


@pytest.mark.parametrize(
    "words",
    [["--label", "TYPO"], ["--size", "-1"], ["--content", "none", "--size", "7"]],
)
def test_content_that_there_cannot_be_is_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert explain(tmp_path, changed(), *ASKED, *words) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_by_a_configuration_that_cannot_be_used_nothing_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(tmp_path, changed(put("routes.0.upstream", "nowhere")), *ASKED) == 2
    assert "routes[0].upstream" in capsys.readouterr().err
    missing = str(tmp_path / "missing.yaml")
    assert main(["explain", missing, *ASKED]) == 2
    assert main(["explain", missing, "--receipts", str(tmp_path)]) == 2
    assert main(["review", missing, "--receipts", str(tmp_path)]) == 2
