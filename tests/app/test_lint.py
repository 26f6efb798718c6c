"""docs/policy-lint.md is what `lockgate check` says: each example makes exactly its finding."""

import copy
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from proxy.cli import main
from proxy.settings.codes import CODES
from proxy.settings.yaml12 import parse
from proxy.tls.pki import issue
from tests.pki import make_crl
from tests.pki import write as make_everybody
from tests.scenarios.parties import authority_of
from tests.tls import paths

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/policy-lint.md").read_text("utf-8")
SECTIONS = {
    code: (severity, text)
    for code, severity, text in re.findall(
        r"^### `([^`]+)`\n\n\*\*(\w+)\.\*\* (.*?)(?=^##|\Z)", PAGE, re.M | re.S
    )
}
EXAMPLES = {
    code: found[1]
    for code, (_, text) in SECTIONS.items()
    if (found := re.search(r"```yaml\n(.*?)```", text, re.S))
}
(BASE,) = re.findall(r"```yaml\n(version: 1\n.*?)```", PAGE.partition("## Mistakes")[0], re.S)
WHOLE = ("upstreams", "listeners")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all files that the page names."""
    folder = tmp_path_factory.mktemp("site")
    certs = make_everybody(folder / "certs")
    authority, now = authority_of(certs), datetime.now(UTC)
    brief = issue(authority, "gateway", lifetime=timedelta(days=9))
    (certs / "brief.pem").write_bytes(brief.certificate)
    (certs / "brief.key").write_bytes(brief.key)
    lax = paths.authority("Lax", None, without=[x509.KeyUsage])
    (certs / "mixed.pem").write_bytes((certs / "ca.pem").read_bytes() + lax.pem)
    (folder / "keys").mkdir()
    secret = {"kty": "oct", "kid": "etl-1", "k": "A" * 43}
    (folder / "keys/etl.jwks").write_text(json.dumps({"keys": [secret]}))
    for name, begin in (("old", -40), ("ahead", 2)):
        crl = make_crl(authority, this_update=now + timedelta(days=begin))
        (certs / f"{name}.crl").write_bytes(crl)
    return folder


def read(text: str) -> Any:
    return parse(text.encode(), "page").data


def put_over(below: Any, above: Any, section: str = "") -> Any:
    """`above` in the place of what is there, as the page says."""
    if section in WHOLE:
        return below | above
    if isinstance(below, dict) and isinstance(above, dict):
        merged = {key: put_over(below.get(key), value, key) for key, value in above.items()}
        return below | merged
    if section == "routes":
        known = {route["name"]: route for route in below}
        return [put_over(known.get(route["name"], {}), route) for route in above]
    return copy.deepcopy(above)


def written(site: Path, example: str) -> Path:
    """The example over the configuration of the page, with its comments above all."""
    comments = "".join(f"{line}\n" for line in example.splitlines() if line.startswith("#"))
    data = put_over(read(BASE), read(example))
    for grant in [each for route in data["routes"] for each in route["allow"]]:
        grant.setdefault("when", {"until": "2099-12-31"})
    path = site / "gate.yaml"
    path.write_text(comments + json.dumps(data, indent=1), "utf-8")
    return path


def findings(path: Path, *words: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    code = main(["check", str(path), "--format", "json", *words])
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert err == ""
    assert said["accepted"] is (code == 0)
    found: list[dict[str, Any]] = said["findings"]
    return found


def test_every_code_has_its_paragraph_and_every_paragraph_its_code() -> None:
    assert list(SECTIONS) == list(CODES)
    assert {code: severity for code, (severity, _) in SECTIONS.items()} == {
        name: code.severity for name, code in CODES.items()
    }
    assert EXAMPLES.keys() == CODES.keys()


def test_the_configuration_of_the_examples_has_no_finding(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = site / "gate.yaml"
    path.write_text(BASE, "utf-8")
    assert findings(path, "--strict", capsys=capsys) == []


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_makes_exactly_its_finding(
    site: Path, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(site, EXAMPLES[code])
    words = ["--expiry-days", "14"] if code == "ends-soon" else []
    (found,) = findings(path, *words, capsys=capsys)
    assert (found["code"], found["severity"]) == (code, CODES[code].severity)
    assert found["line"] >= 1
    if code != "useless-allowance":
        assert found["line"] > 1
        assert found["path"]


@pytest.mark.parametrize("code", EXAMPLES)
def test_strict_fails_for_warnings_and_not_for_notes(
    site: Path, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(site, EXAMPLES[code])
    words = ["--expiry-days", "14"] if code == "ends-soon" else []
    severity = CODES[code].severity
    assert main(["check", str(path), *words]) == (1 if severity == "error" else 0)
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert line.endswith(f" ({severity} {code})") is (severity != "error")
    assert (": ok: " in out) is (severity != "error")
    assert main(["check", "--strict", str(path), *words]) == (0 if severity == "note" else 1)
    assert capsys.readouterr().err == err, "strict changes the answer, not what is said"


def test_the_comment_of_the_page_allows_its_finding(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```yaml\n(upstreams:\n  # lockgate.*?)```", PAGE, re.S)
    path = site / "gate.yaml"
    path.write_text(re.sub(r"^upstreams:.*?(?=^routes:)", example, BASE, flags=re.M | re.S))
    (found,) = findings(path, "--strict", capsys=capsys)
    assert found["allowed"] == "their keys are new every night"
    assert main(["check", "--strict", str(path)]) == 0
    assert capsys.readouterr().err == ""
