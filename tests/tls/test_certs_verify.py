"""`lockgate certs verify`: the answer of a handshake, for people and for programs."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proxy.cli import main
from proxy.tls.identity import read_pins
from proxy.tls.pki import CLIENT, Names, issue, make_authority
from tests.pki import make_crl, pki
from tests.tls.paths import armoured


def put(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def asked(folder: Path, chain: bytes, *words: str) -> int:
    trust = put(folder, "ca.pem", pki().trust)
    return main(["certs", "verify", "--trust", trust, *words, put(folder, "chain.pem", chain)])


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_certificate_that_a_handshake_would_accept_is_accepted_with_its_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    below = make_authority("Below", issuer=pki().authority)
    peer = issue(below, "peer")
    assert asked(tmp_path, peer.certificate) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "accepted, by this path:"
    assert ["CN=peer" in lines[1], "CN=Below" in lines[2], "CN=Test CA" in lines[3]] == [True] * 3
    assert asked(tmp_path, peer.certificate, "--json") == 0
    found = told(capsys)
    assert (found["accepted"], found["reason"], len(found["path"])) == (True, None, 3)
    assert found["path"][0]["pin"] == read_pins(peer.certificate)[0]


def test_a_refusal_has_the_reason_of_log_and_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(tmp_path, pki().impostor.certificate) == 1
    assert capsys.readouterr().out.startswith("refused: untrusted: ")
    assert asked(tmp_path, pki().impostor.certificate, "--json") == 1
    found = told(capsys)
    assert (found["accepted"], found["reason"], found["path"]) == (False, "untrusted", [])
    assert found["detail"]


def test_usage_follows_the_name_unless_it_is_given(tmp_path: Path) -> None:
    client = issue(pki().authority, "client", usages=CLIENT).certificate
    assert asked(tmp_path, client) == 0
    assert asked(tmp_path, client, "--name", "localhost") == 1
    assert asked(tmp_path, client, "--name", "localhost", "--usage", "client") == 0
    assert asked(tmp_path, client, "--usage", "server") == 1


def test_a_name_time_and_revocation_are_asked_where_they_are_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peer = issue(pki().authority, "peer", names=Names(dns=("a.example",)))
    later = f"{datetime.now(UTC) + timedelta(days=3000):%Y-%m-%dT%H:%M:%SZ}"
    crl = put(tmp_path, "ca.crl", make_crl(pki().authority, [peer]))
    other = put(tmp_path, "other.crl", make_crl(pki().foreign))
    said = []
    for words in (
        ["--name", "a.example"],
        ["--name", "b.example"],
        ["--at", later],
        ["--at", "2001-01-01"],
        ["--crl", other],
        ["--crl", other, "--crl", crl],
    ):
        asked(tmp_path, peer.certificate, "--json", *words)
        said.append(told(capsys)["reason"])
    assert said == [None, "name", "expired", "not_yet_valid", "revocation_unknown", "revoked"]


def test_a_chain_that_does_not_parse_is_untrusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in (b"", b"text", armoured(b"\x30\x00"), pki().client.certificate[:200]):
        assert asked(tmp_path, content, "--json") == 1
        assert told(capsys)["reason"] == "untrusted"


def test_what_the_answer_would_rest_on_has_to_be_readable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = put(tmp_path, "client.pem", pki().client.certificate)
    for trust in (str(tmp_path / "absent"), chain, put(tmp_path, "text", b"text")):
        assert main(["certs", "verify", "--trust", trust, chain]) == 1
        printed = capsys.readouterr()
        assert printed.err
        assert not printed.out
    with pytest.raises(SystemExit, match="2"):
        asked(tmp_path, pki().client.certificate, "--at", "yesterday")
