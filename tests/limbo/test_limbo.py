"""The driver of the vectors, on a corpus that the test makes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.limbo.__main__ import main
from tests.limbo.known import explanation
from tests.limbo.vectors import Outcome, run
from tests.pki import make_crl, pki


def case(name: str, expected: str, **more: Any) -> dict[str, Any]:
    """A testcase in the form of limbo.json: our receiver, as a server."""
    return {
        "id": name,
        "validation_kind": "SERVER",
        "trusted_certs": [pki().trust.decode()],
        "untrusted_intermediates": [],
        "peer_certificate": pki().receiver.certificate.decode(),
        "validation_time": None,
        "expected_peer_name": {"kind": "DNS", "value": "localhost"},
        "max_chain_depth": None,
        "expected_result": expected,
        "crls": [],
    } | more


def test_a_case_is_run_with_all_that_it_says() -> None:
    revoked = make_crl(pki().authority, [pki().receiver]).decode()
    assert run(case("a", "SUCCESS")).agrees
    for more in (
        {"validation_kind": "CLIENT"},
        {"trusted_certs": [pki().foreign.pem.decode()]},
        {"peer_certificate": pki().client.certificate.decode()},
        {"validation_time": "2001-01-01T00:00:00+00:00"},
        {"expected_peer_name": {"kind": "DNS", "value": "other.example"}},
        {"crls": [revoked]},
    ):
        outcome = run(case("a", "FAILURE", **more))
        assert outcome.agrees, outcome.said


def corpus(folder: Path, *cases: dict[str, Any]) -> str:
    path = folder / "limbo.json"
    path.write_text(json.dumps({"testcases": cases}))
    return str(path)


def test_a_difference_that_nothing_explains_fails_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([corpus(tmp_path, case("rfc5280::plain", "SUCCESS"))]) == 0
    assert main([corpus(tmp_path, case("rfc5280::plain", "FAILURE"))]) == 1
    told = capsys.readouterr().out
    assert "accepted, to be refused: rfc5280::plain" in told
    assert "NOT EXPLAINED" in told
    assert main([corpus(tmp_path, case("webpki::cn::x", "FAILURE"))]) == 0


def test_nothing_that_rfc_5280_refuses_is_explained_away() -> None:
    for name in ("rfc5280::x", "pathlen::x", "crl::x", "cve::x", "pathological::x", "invalid::x"):
        assert explanation(Outcome(name, valid=False, accepted=True, said="")) is None
    assert explanation(Outcome("bettertls::x", valid=False, accepted=True, said="")) is None
