"""`lockgate detokenize`: what a route has encrypted comes back to whoever has the key."""

import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from proxy.cli import main
from tests.scenarios.gateway import BIN
from tests.scenarios.policy import policy, route

RECORD = b'{"n": 1.10, "ssn": "536-90-4399", "pin": 42.0}\n'
SSN = {"encrypt": {"key": "vault", "tenant": "acme"}}


def mask(**places: Any) -> dict[str, Any]:
    rules = [{"path": f"$.{name}", "action": action} for name, action in places.items()]
    rules += [{"header": "X-User", "action": SSN}, {"type": "email", "action": SSN}]
    return {"content": ["json", "ndjson", "csv"], "label": "internal", "mask": rules}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A configuration of whose files the key `vault` alone is there."""
    config = policy(tmp_path, "https://localhost:1")
    config["keys"]["vault"] = [{"id": "v1", "secret": "file:vault-1"}]
    config["routes"] = [
        route("orders", request=mask(ssn=SSN, pin=SSN, gone="drop", user="redact")),
        route("others", request=mask(number=SSN, ssn={"encrypt": {"key": "vault"}})),
        route("plain"),
    ]
    (tmp_path / "vault-1").write_bytes(b"1" * 32)
    (tmp_path / "vault-2").write_bytes(b"2" * 32)
    write(tmp_path, config)
    return tmp_path


def write(site: Path, config: Any) -> None:
    (site / "gateway.yaml").write_text(json.dumps(config))


def changed(site: Path, keys: list[dict[str, str]]) -> None:
    config = json.loads((site / "gateway.yaml").read_text())
    config["keys"]["vault"] = keys
    write(site, config)


def masked(site: Path, content: bytes, name: str = "in.ndjson", on: str = "orders") -> Path:
    (site / name).write_bytes(content)
    out = site / f"masked-{name}"
    (site / "pseudonym.key").write_bytes(b"p" * 32)
    code = main(
        ["mask", str(site / "gateway.yaml"), "--route", on, str(site / name), "-o", str(out)]
    )
    (site / "pseudonym.key").unlink()
    assert code == 0
    return out


def detokenize(site: Path, *words: str | Path, on: str = "orders") -> int:
    return main(["detokenize", str(site / "gateway.yaml"), "--route", on, *map(str, words)])


def ssn_token(site: Path) -> str:
    token: str = json.loads(masked(site, RECORD).read_text())["ssn"]
    return token


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ndjson", RECORD * 3),
        ("a.json", b'{ "ssn":"a\\u0062", "pin":-1e5, "x": [1.10] }\n'),
        ("a.csv", b'id,ssn,pin,gone,user\r\n1,"a ""b""",7,,\r\n'),
    ],
)
def test_what_a_route_has_encrypted_comes_back_and_the_rest_stays(
    site: Path, name: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    before = masked(site, content, name)
    out = site / "out"
    assert detokenize(site, before, "-o", out) == 0
    after = out.read_bytes()
    assert b"enc:v1:" in before.read_bytes()
    if name == "a.csv":
        assert after.splitlines()[1].startswith(b'1,"a ""b""",7,')
    else:
        assert json.loads(after.split(b"\n")[0]) == json.loads(content.split(b"\n")[0])
        assert b"1.10" in after
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    told = capsys.readouterr()
    assert "$.ssn: " in told.err
    assert "opened" in told.err
    assert "enc:" not in told.err


def test_a_number_comes_back_as_it_was_sent(site: Path) -> None:
    out = site / "out"
    assert detokenize(site, masked(site, b'{"pin":1.50,"ssn":"1.50"}'), "-o", out) == 0
    assert out.read_bytes() == b'{"pin":1.50,"ssn":"1.50"}'


def test_single_tokens_come_back_from_the_command_line_and_from_a_file(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = ssn_token(site)
    (site / "tokens").write_text(f"{token}\n\n{token}\n")
    capsys.readouterr()
    for path in ("$.ssn", "$['ssn']", '$["ssn"]'):
        assert detokenize(site, "--path", path, token) == 0
        assert capsys.readouterr().out == "536-90-4399\n"
    assert detokenize(site, "--path", "$.ssn", site / "tokens") == 0
    told = capsys.readouterr()
    assert told.out == "536-90-4399\n" * 2
    assert told.err == "$.ssn: 2 tokens opened\n"


def test_tokens_come_from_standard_input(site: Path) -> None:
    token = ssn_token(site)
    command = [str(BIN / "lockgate"), "detokenize", str(site / "gateway.yaml")]
    for words, given, out in (
        (["--path", "$.ssn", "-"], token, "536-90-4399\n"),
        (["--format", "json", "-"], json.dumps({"ssn": token}), '{"ssn": "536-90-4399"}'),
    ):
        done = subprocess.run(
            [*command, "--route", "orders", *words],
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, out)


def test_a_token_of_another_path_or_tenant_is_refused_and_told_what_it_was_made_for(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = ssn_token(site)
    assert detokenize(site, "--path", "$.pin", token) == 1
    assert "a token at $.pin: it was made for $.ssn and tenant acme" in capsys.readouterr().err
    assert detokenize(site, "--path", "$.ssn", token, on="others") == 1
    assert "a token at $.ssn: it was made for $.ssn and tenant acme" in capsys.readouterr().err
    moved = site / "moved.json"
    moved.write_text(json.dumps({"n": 1, "ssn": token, "pin": token}))
    out = site / "out"
    assert detokenize(site, moved, "-o", out) == 1
    assert not out.exists()


def test_a_token_of_another_key_is_refused(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token = ssn_token(site)
    changed(site, [{"id": "v1", "secret": "file:vault-2"}])
    assert detokenize(site, "--path", "$.ssn", token) == 1
    assert "another key, for another tenant or path" in capsys.readouterr().err
    changed(site, [{"id": "v2", "secret": "file:vault-2"}])
    assert detokenize(site, "--path", "$.ssn", token) == 1
    assert "its key v1 is not listed" in capsys.readouterr().err
    changed(site, [{"id": i, "secret": f"file:vault-{i[1]}"} for i in ("v2", "v1")])
    assert detokenize(site, "--path", "$.ssn", token) == 0


def test_a_changed_token_is_refused_and_nothing_of_it_is_told(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = ssn_token(site)
    changed_token = token[:-3] + ("AAA" if token[-3:] != "AAA" else "BBB")
    assert detokenize(site, "--path", "$.ssn", changed_token) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert token[7:20] not in told.err


def test_what_is_no_token_is_left_and_counted(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = site / "plain.ndjson"
    plain.write_text('{"ssn":"[REDACTED]"}\n{"ssn":"enc:short"}\n{"ssn":null}\n')
    assert detokenize(site, plain) == 0
    told = capsys.readouterr()
    assert told.out == plain.read_text()
    assert told.err == "$.ssn: 2 values left, no token\nno token was found\n"
    assert detokenize(site, "--path", "$.ssn", plain) == 1


def test_what_was_found_by_its_type_comes_back_token_by_token(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = json.loads(masked(site, b'{"n": "to ada@a.example, now"}').read_text())["n"]
    token = note.removeprefix("to ").removesuffix(", now")
    capsys.readouterr()
    assert detokenize(site, "--path", "type email", token) == 0
    assert capsys.readouterr().out == "ada@a.example\n"


def test_a_header_field_has_a_place_as_well(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert detokenize(site, "--path", "header X-User", ssn_token(site)) == 1
    assert "a token at header x-user: it was made for $.ssn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "on", "code", "told"),
    [
        (
            ["--path", "$.no", "-"],
            "orders",
            2,
            "does not encrypt $.no; it encrypts: $.ssn, $.pin, header",
        ),
        (["--path", "$[", "-"], "orders", 2, "$[: not a JSONPath"),
        (["--path", "$.ssn", "-"], "plain", 2, "it encrypts: nothing"),
        (["nowhere.ndjson"], "orders", 2, "No such file"),
        (["--format", "opaque", "-"], "orders", 2, "looks into no opaque"),
        (["-"], "nothing", 1, "there is no route nothing"),
    ],
)
def test_what_cannot_be_done_is_told(
    site: Path, words: list[str], on: str, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert detokenize(site, *words, on=on) == code
    assert told in capsys.readouterr().err


def test_a_key_that_is_not_there_is_told(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "vault-1").unlink()
    assert detokenize(site, "--path", "$.ssn", "enc:v1:x") == 1
    assert "file:vault-1 cannot be read" in capsys.readouterr().err


def test_what_is_refused_is_told_with_its_file_and_code(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = site / "broken.ndjson"
    broken.write_bytes(b'{"ssn":\n')
    assert detokenize(site, str(broken)) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"{broken}: unparseable: ")
    assert told.endswith("what was written is not all of it\n")
    token = ssn_token(site)
    capsys.readouterr()
    assert detokenize(site, "--path", "header X-User", token) == 1
    told = capsys.readouterr().err
    assert told.startswith("the token: unparseable: a token at header x-user: ")
    assert token not in told
