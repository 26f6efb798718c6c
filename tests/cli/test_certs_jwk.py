"""`lockgate certs jwk`: what a gateway needs of a sender's key, and nothing more."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from proxy.cli import main
from proxy.tls.keys import make_key, public_pem
from proxy.wire.jwk import parse_jwks
from proxy.wire.signature_algorithms import ALGORITHMS
from proxy.wire.signing_key import parse_signing_key
from tests.client.keys import KEYS, jwk_secret
from tests.pki import pki

PUBLIC = sorted(ALGORITHMS - {"hmac-sha256"})
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "priv", "k"}


def jwks(capsys: pytest.CaptureFixture[str], *words: str | Path) -> list[dict[str, Any]]:
    """What it prints."""
    assert main(["certs", "jwk", *map(str, words)]) == 0
    out = capsys.readouterr().out
    parse_jwks(out.encode())
    keys: list[dict[str, Any]] = json.loads(out)["keys"]
    return keys


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_a_new_key_is_for_its_owner_alone_and_its_public_part_is_printed(
    algorithm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "etl.key"
    (said,) = jwks(capsys, "--new", algorithm, "--kid", "etl-1", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    mine = parse_signing_key(path.read_bytes())
    (theirs,) = parse_jwks(json.dumps(said).encode())
    assert (theirs.algorithm, theirs.keyid) == (algorithm, "etl-1")
    assert theirs.verify(b"base", mine.sign(b"base"))
    assert not PRIVATE & set(said)


def test_a_key_that_is_there_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "etl.key"
    path.write_bytes(b"mine")
    assert main(["certs", "jwk", "--new", "ed25519", str(path)]) == 1
    assert path.read_bytes() == b"mine"
    assert capsys.readouterr().out == ""


def test_a_new_secret_is_printed_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "shared.jwk"
    assert main(["certs", "jwk", "--new", "hmac-sha256", "--kid", "s", str(path)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert json.loads(path.read_bytes())["k"] not in said.err
    (key,) = parse_jwks(path.read_bytes())
    assert (key.algorithm, key.keyid) == ("hmac-sha256", "s")
    assert main(["certs", "jwk", str(path)]) == 1
    said = capsys.readouterr()
    assert json.loads(path.read_bytes())["k"] not in said.out + said.err


def test_certificates_and_keys_in_any_form_make_one_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    issued, public = pki().client, make_key("ed25519")
    files = {
        "cert.pem": issued.certificate,
        "public.pem": public_pem(public),
        "private.jwk": KEYS["ml-dsa-65"](),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    said = jwks(capsys, *(tmp_path / name for name in files))
    assert [key["kty"] for key in said] == ["EC", "OKP", "AKP"]
    assert said[0]["kid"] == parse_signing_key(issued.key).verifying.thumbprint
    assert all(not PRIVATE & set(key) for key in said)
    (tmp_path / "set.jwks").write_text(json.dumps({"keys": said}))
    assert jwks(capsys, tmp_path / "set.jwks") == said


@pytest.mark.parametrize("kind", ["empty", "object", "text", "secret", "cut"])
def test_what_has_no_public_key_is_refused_by_its_name(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {
        "empty": b"",
        "object": b"{}",
        "text": b"text",
        "secret": jwk_secret(),
        "cut": KEYS["ed25519"]()[:60],
    }[kind]
    (tmp_path / "file").write_bytes(data)
    assert main(["certs", "jwk", str(tmp_path / "file")]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err
    assert main(["certs", "jwk", str(tmp_path / "none")]) == 1


@pytest.mark.parametrize("words", [["--kid", "a"], ["--new", "ed25519"]])
def test_one_name_is_for_one_key(words: list[str], tmp_path: Path) -> None:
    files = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert main(["certs", "jwk", *words, *files]) == 2
    assert not list(tmp_path.iterdir())
