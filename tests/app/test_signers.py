"""Files of keys: each name is one key's, and secrets of several peers are told."""

import json
from pathlib import Path
from typing import Any

import pytest

from proxy.app.lint import findings
from proxy.app.prepare import prepare
from proxy.app.references import files, public_references
from proxy.app.signers import shared_secrets
from proxy.errors import ConfigError
from proxy.observe.metrics import Metrics
from proxy.settings.load import Loaded, load
from tests.edge.signing import jwks, key_of
from tests.edge.stage import config, route

HERE = {"local": {"uid": [1000]}}
THERE = {"local": {"uid": [1001]}}


def written(folder: Path, text: dict[str, str], *peers: dict[str, Any]) -> Loaded:
    for name, keys in text.items():
        (folder / f"{name}.jwks").write_text(keys)
    signers = {name: {"jwks": f"file:{name}.jwks", "peers": list(peers)} for name in text}
    one = route("one", replay={"require": "signature"}, signature={"keys": list(text)})
    path = folder / "gate.yaml"
    path.write_text(json.dumps(config("http://127.0.0.1:1", one) | {"signers": signers}))
    return load(path)


def test_no_two_keys_of_different_signers_have_one_name(tmp_path: Path) -> None:
    secrets = {"a": jwks(key_of("hmac-sha256")), "b": jwks(key_of("hmac-sha256"))}
    with pytest.raises(ConfigError, match="of another key, of other signers") as caught:
        prepare(written(tmp_path, secrets, HERE), Metrics())
    assert [each.path for each in caught.value.problems] == ["signers.b.jwks"]
    same = jwks(key_of())
    prepare(written(tmp_path, {"a": same, "b": same}, HERE), Metrics())


def test_files_of_keys_are_followed_and_kept_like_secrets(tmp_path: Path) -> None:
    key = key_of("hmac-sha256")
    loaded = written(tmp_path, {"a": jwks(key)}, HERE)
    assert files(loaded)[loaded.directory / "a.jwks"] == "file:a.jwks"
    assert not [place for place, _ in public_references(loaded.settings) if "jwks" in place]
    gate = prepare(loaded, Metrics())
    assert key.keyid in repr(gate.lanes["one"].signing)
    assert repr(key.verifying.public) not in repr(gate.lanes["one"].signing)


def test_a_part_of_a_second_is_a_second_of_a_signature(tmp_path: Path) -> None:
    (tmp_path / "a.jwks").write_text(jwks(key_of()))
    rule = {"keys": ["a"], "skew": "1100ms"}
    one = route("one", replay={"require": "signature", "window": "2500ms"}, signature=rule)
    signers = {"a": {"jwks": "file:a.jwks", "peers": [HERE]}}
    path = tmp_path / "gate.yaml"
    path.write_text(json.dumps(config("http://127.0.0.1:1", one) | {"signers": signers}))
    lane = prepare(load(path), Metrics()).lanes["one"]
    assert lane.signing is not None
    assert (lane.signing.demands.skew, lane.signing.demands.window) == (2, 3)
    assert lane.route.remembers >= 3 + 2 * 2


@pytest.mark.parametrize(
    ("peers", "algorithm", "told"),
    [
        ([HERE], "hmac-sha256", 0),
        ([HERE, THERE], "hmac-sha256", 1),
        ([{"local": {"uid": [1, 2]}}], "hmac-sha256", 1),
        ([{"spiffe": "spiffe://acme/*"}], "hmac-sha256", 1),
        ([{"spiffe": "spiffe://acme/a"}], "hmac-sha256", 0),
        ([{"spiffe": ["spiffe://acme/a", "spiffe://acme/b"]}], "hmac-sha256", 1),
        ([{"spiffe": "spiffe://acme/*", "dns": "a.example"}], "hmac-sha256", 0),
        ([{"networks": "10.0.0.0/8"}], "hmac-sha256", 1),
        ([HERE, THERE], "ed25519", 0),
    ],
)
def test_a_secret_of_several_peers_is_told(
    tmp_path: Path, peers: list[dict[str, Any]], algorithm: str, told: int
) -> None:
    loaded = written(tmp_path, {"a": jwks(key_of(algorithm))}, *peers)
    octets = {"file:a.jwks": (tmp_path / "a.jwks").read_bytes()}
    found = list(shared_secrets(loaded, octets))
    assert [(each.path, each.code) for each in found] == [
        ("signers.a.jwks", "shared-secret")
    ] * told
    assert "shared-secret" not in {each.code for each in findings(loaded)}  # not without the file
