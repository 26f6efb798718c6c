"""What `lockgate check` writes for CI systems.

`sarif-part.json` is the schema that OASIS publishes for SARIF 2.1.0, word for word but without
descriptions, cut down to the objects and properties that we write: any other one is refused.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema.validators import validator_for

from proxy.cli import main
from proxy.settings.codes import CODES
from tests.settings.example import changed, put, write

SCHEMA = json.loads((Path(__file__).parent / "sarif-part.json").read_text("utf-8"))
PLACES = ("routes.0.allow", "routes.0.receipt", "receipts.durability")


def said(
    path: Path, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, dict[str, Any], str]:
    code = main(["check", "--no-credentials", str(path), *words])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def sarif(path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    _, log, err = said(path, capsys, "--format", "sarif", *words)
    assert err == ""
    validator_for(SCHEMA)(SCHEMA).validate(log)
    (run,) = log["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(CODES)
    for result in run["results"]:
        assert list(CODES)[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] == CODES[result["ruleId"]].severity
    results: list[dict[str, Any]] = run["results"]
    return results


def weak(folder: Path) -> Path:
    values: tuple[object, ...] = ([], "log", "write")
    return write(folder, changed(*map(put, PLACES, values)))


def test_sarif_has_a_result_for_each_finding_at_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = weak(tmp_path)
    lines = path.read_text().splitlines()
    found = {result["ruleId"]: result for result in sarif(path, capsys)}
    assert found.keys() == {
        "admits-nobody", "receipt-in-log-only", "durability-write", "unpinned-upstream",
    }  # fmt: skip
    (place,) = found["durability-write"]["locations"]
    assert place["logicalLocations"] == [{"fullyQualifiedName": "receipts.durability"}]
    physical = place["physicalLocation"]
    assert physical["artifactLocation"] == {"uri": path.as_uri()}
    line = lines[physical["region"]["startLine"] - 1]
    assert line[physical["region"]["startColumn"] - 1 :].startswith('"write"')


def test_a_relative_path_stays_relative_and_is_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    weak(tmp_path).rename(tmp_path / "a b.yaml")
    result, *_ = sarif(Path("a b.yaml"), capsys)
    physical = result["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"] == {"uri": "a%20b.yaml"}


def test_mistakes_are_findings_in_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, changed(put("version", 2), put("routes.0.upstream", "no")))
    assert [(each["ruleId"], each["level"]) for each in sarif(path, capsys)] == [
        ("invalid", "error"),
        ("invalid", "error"),
    ]
    code, found, err = said(path, capsys, "--format", "json")
    assert (code, found["accepted"], found["sha256"], err) == (1, False, None, "")
    assert [each["path"] for each in found["findings"]] == ["version", "routes[0].upstream"]


def test_a_file_that_is_not_there_is_a_result_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (result,) = sarif(tmp_path / "missing.yaml", capsys)
    assert result["ruleId"] == "invalid"


def test_what_the_file_allows_is_suppressed_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = weak(tmp_path)
    comment = "# lockgate: allow durability-write tried on a machine that is thrown away"
    path.write_text(path.read_text().replace('"durability"', f'{comment}\n  "durability"'))
    found = {result["ruleId"]: result for result in sarif(path, capsys)}
    reason = "tried on a machine that is thrown away"
    suppressed = {name: each["suppressions"] for name, each in found.items() if len(each) > 5}
    assert suppressed == {"durability-write": [{"kind": "inSource", "justification": reason}]}
    code, said_in_json, _ = said(path, capsys, "--format", "json", "--strict")
    assert code == 1, "others are left"
    allowed = [each["code"] for each in said_in_json["findings"] if "allowed" in each]
    assert allowed == ["durability-write"]


def test_the_words_of_json_are_those_of_the_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = weak(tmp_path)
    _, found, _ = said(path, capsys, "--format", "json")
    assert main(["check", "--no-credentials", str(path)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"{path}:{each['line']}:{each['column']}: {each['path']}: {each['message']} "
        f"({each['severity']} {each['code']})"
        for each in found["findings"]
    ]
