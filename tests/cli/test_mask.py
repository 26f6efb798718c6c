"""`lockgate mask`: a file masked as a route masks it, without a network."""

import gzip
import json
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from proxy.cli import main
from proxy.cli import wording as words
from proxy.settings import yaml12
from tests.cli.test_plain import from_terminal
from tests.scenarios.gateway import lockgate
from tests.scenarios.policy import policy, route

LINES = b'{"n": 1.10, "ssn": "536-90-4399", "note": "card 4111 1111 1111 1111"}\n' * 3
MASKED = b'{"n": 1.10, "ssn": "[REDACTED]", "note": "card [REDACTED:credit_card]"}\n' * 3
NOTHING: dict[str, Any] = {"content": ["ndjson"], "label": "internal"}
ORDERS = NOTHING | {
    "codings": ["gzip"],
    "mask": [{"path": "$.ssn", "action": "redact"}],
    "detect": [{"type": "credit_card", "action": "redact"}],
}
STRICT = NOTHING | {"detect": [{"type": "credit_card", "action": "reject"}]}
RAISING = NOTHING | {"detect": [{"type": "credit_card", "action": "flag"}]}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration whose only file that exists is the masking key."""
    folder = tmp_path_factory.mktemp("mask")
    config = policy(folder, "https://localhost:1")
    config["routes"] = [
        route("orders", request=ORDERS, response=STRICT),
        route("strict", request=STRICT),
        route("raising", request=RAISING),
        route("two", request=NOTHING | {"content": ["json", "ndjson"]}),
        route("small", request=ORDERS, limits={"body": 100}),
    ]
    (folder / "gateway.yaml").write_text(json.dumps(config))
    (folder / "pseudonym.key").write_bytes(b"k" * 32)
    (folder / "orders.ndjson").write_bytes(LINES)
    (folder / "orders.ndjson.gz").write_bytes(gzip.compress(LINES))
    return folder


def masked(
    site: Path, *words: str, file: str = "orders.ndjson", on: str = "orders"
) -> tuple[int, Path]:
    """The exit code, and where the output goes."""
    out = site / "out"
    out.unlink(missing_ok=True)
    place = str(site / file)
    command = ["mask", str(site / "gateway.yaml"), "--route", on, place, "-o", str(out), *words]
    return main(command), out


def test_a_file_is_masked_as_the_route_masks_it_and_the_report_says_what_was_done(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = masked(site)
    assert (code, out.read_bytes()) == (0, MASKED)
    told = capsys.readouterr()
    assert told.out == ""
    rows = [line.split() for line in told.err.splitlines()]
    assert rows[0] == ["ndjson,", "3", "records,", "changed,", "label", "internal"]
    assert ["masked", "$.ssn", "3"] in rows
    assert ["found", "credit_card", "3"] in rows
    assert ["in", "$.note", "3"] in rows


def test_the_report_comes_as_json_where_programs_read_it(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = masked(site, "--json")
    report = json.loads(capsys.readouterr().err)
    assert (code, report["masked"], report["findings"]) == (0, {"$.ssn": 3}, {"credit_card": 3})
    assert masked(site, "--quiet")[0] == 0
    assert capsys.readouterr().err == ""


def test_a_bar_shows_how_far_a_large_file_is_where_a_terminal_takes_one(site: Path) -> None:
    (site / "large.ndjson").write_bytes(
        b'{"ssn": "536-90-4399", "x": "%b"}\n' % (b"x" * 900) * 5000
    )
    command = [*words.lockgate(), "mask", "gateway.yaml", "--route", "orders", "-o", "out"]
    large, small = (
        from_terminal([*command, file], site) for file in ("large.ndjson", "orders.ndjson")
    )
    assert b"masking" in large
    assert re.search(rb"[0-9] [kMG]B/s", large)
    assert b"masking" not in small


def test_it_is_a_filter_between_pipes(site: Path) -> None:
    command = [*words.lockgate(), "mask", str(site / "gateway.yaml"), "--route", "orders", "-q"]
    ran = subprocess.run([*command, "-"], input=LINES, capture_output=True, check=True)
    assert (ran.stdout, ran.stderr) == (MASKED, b"")


def test_coded_files_are_masked_and_coded_again(site: Path) -> None:
    code, out = masked(site, file="orders.ndjson.gz")
    assert (code, gzip.decompress(out.read_bytes())) == (0, MASKED)


def test_the_policy_for_answers_is_asked_for_by_name(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = masked(site, "--response")
    assert (code, out.exists()) == (1, False)
    assert "finding-rejected" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("on", "file", "reason"),
    [
        ("strict", "orders.ndjson", "finding-rejected: credit_card in line 1"),
        ("raising", "orders.ndjson", "above-clearance: labelled restricted"),
        ("small", "orders.ndjson", "content-too-large: more than 100 octets"),
        ("orders", "broken.ndjson", "unparseable: line 4 is not valid JSON"),
    ],
)
def test_what_the_route_would_refuse_is_refused_and_leaves_no_file(
    site: Path, capsys: pytest.CaptureFixture[str], on: str, file: str, reason: str
) -> None:
    (site / "broken.ndjson").write_bytes(LINES + b'{"ssn": "536-90-4399"')
    before = sorted(site.iterdir())
    code, out = masked(site, file=file, on=on)
    told = capsys.readouterr().err
    assert (code, out.exists()) == (1, False)
    assert reason in told
    assert "536-90" not in told
    assert sorted(site.iterdir()) == [each for each in before if each != out]


def test_a_file_of_before_stays_when_the_new_one_is_refused(site: Path) -> None:
    out = site / "kept"
    out.write_bytes(b"before")
    words = ["mask", str(site / "gateway.yaml"), "--route", "strict", str(site / "orders.ndjson")]
    assert main([*words, "-o", str(out)]) == 1
    assert out.read_bytes() == b"before"


def test_the_output_has_the_modes_that_the_user_gives_to_files(site: Path) -> None:
    old = os.umask(0o027)
    try:
        _, out = masked(site)
    finally:
        os.umask(old)
    assert stat.S_IMODE(out.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("on", "file", "words", "told"),
    [
        ("two", "orders", [], "of what format? --format with one of: json, ndjson"),
        ("two", "a.csv", [], "the route looks into no csv; its formats: json, ndjson"),
        ("two", "orders.ndjson.gz", [], "the route admits no gzip; its codings: none"),
        ("orders", "missing.ndjson", [], "No such file or directory"),
    ],
)
def test_what_cannot_be_known_is_asked_for(
    site: Path, capsys: pytest.CaptureFixture[str], on: str, file: str, words: list[str], told: str
) -> None:
    assert masked(site, *words, file=file, on=on)[0] == 2
    assert told in capsys.readouterr().err


def test_an_unknown_route_names_those_there_are(site: Path) -> None:
    ran = lockgate("mask", site / "gateway.yaml", "--route", "order", site / "orders.ndjson")
    assert ran.returncode == 1
    assert "there is no route order; there is: orders, strict, raising, two, small" in ran.stderr


def test_a_missing_masking_key_is_told_at_its_place(site: Path, tmp_path: Path) -> None:
    config = json.loads((site / "gateway.yaml").read_text())
    config["keys"]["pseudonym"][0]["secret"] = "file:missing.key"
    (tmp_path / "gateway.yaml").write_text(json.dumps(config))
    ran = lockgate("mask", tmp_path / "gateway.yaml", "--route", "orders", site / "orders.ndjson")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "keys.pseudonym" in ran.stderr


# --- a policy that is proposed -------------------------------------------------------------------

CARDS = "4111111111111111", "5500005555555559"
ROWS = [
    {"first_name": "Ada", "email": f"a{n}@x.example", "card": card, "note": "call 536-90-4399"}
    for n, card in enumerate(CARDS)
]
TABLE = "id;first_name;email;card;note\n" + "".join(
    f"{n};Ada;a{n}@x.example;{card};call 536-90-4399\n" for n, card in enumerate(CARDS)
)


def proposed(path: Path) -> str:
    ran = lockgate("mask", "--suggest", path)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", TABLE),
        ("a.tsv", TABLE.replace(";", "\t")),
        ("a.ndjson", "".join(f"{json.dumps(row)}\n" for row in ROWS)),
        ("a", "".join(f"{json.dumps(row)}\n" for row in ROWS)),
    ],
)
def test_a_policy_is_proposed_for_what_is_found_and_what_names_say(
    tmp_path: Path, name: str, data: str
) -> None:
    (tmp_path / name).write_text(data)
    told = proposed(tmp_path / name)
    assert '- {path: "$.email", action: {hmac: {key: pseudonym}}}   # email in 2 of 2' in told
    assert '- {path: "$.card", action: {partial: {keep_last: 4}}}   # credit_card in 2 of 2' in told
    assert '# - {path: "$.first_name", action: redact}   # named like a person\'s name' in told
    assert "- {type: us_ssn, action: redact}   # 2 in $.note" in told
    assert not any(value in told for value in ("Ada", "a1@x.example", *CARDS, "536-90-4399"))


def test_with_what_is_proposed_nothing_is_found_any_more(site: Path, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(LINES))
    told = proposed(tmp_path / "a.ndjson.gz")
    config = json.loads((site / "gateway.yaml").read_text())
    request = yaml12.read(told.encode(), "proposed")[0].data
    assert isinstance(request, dict)
    config["routes"] = [route("orders", **request)]
    (site / "proposed.yaml").write_text(json.dumps(config))
    (tmp_path / "a.ndjson").write_bytes(LINES)
    ran = lockgate("mask", site / "proposed.yaml", "--route", "orders", tmp_path / "a.ndjson")
    assert (ran.returncode, ran.stdout.encode()) == (0, MASKED)


def test_a_text_and_a_form_are_samples_too(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello\nmail a@x.example\n")
    (tmp_path / "a.form").write_text("email=a%40x.example&n=1")
    assert "- {type: email, action: redact}   # 1 in $" in proposed(tmp_path / "a.txt")
    assert "content: [text]" in proposed(tmp_path / "a.txt")
    assert '{path: "$.email", action: {hmac: {key: pseudonym}}}' in proposed(tmp_path / "a.form")


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.json", b"{", "neither JSON nor NDJSON"),
        ("a.csv", b'a,b\n"', "not csv: unexpected end of data"),
        ("a.csv", b"a,b\n\xff,1\n", "not csv: 'utf-8' codec"),
        ("a.json.gz", b"{}", "gzip"),
    ],
)
def test_what_is_no_sample_is_told(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(data)
    ran = lockgate("mask", "--suggest", tmp_path / name)
    assert ran.returncode in (1, 2)
    assert (ran.stdout, told in ran.stderr) == ("", True), ran.stderr


def test_names_that_a_file_has_chosen_do_nothing_to_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2J.ndjson").write_text('{"\\u001b[2J": "mail a@x.example"}\n')
    assert "\x1b" not in proposed(tmp_path / "a\x1b[2J.ndjson")
