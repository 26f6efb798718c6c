"""The schema that editors use is the committed one, and agrees with the loader."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from proxy.app.lint import findings
from proxy.cli.certs import contents
from proxy.errors import ConfigError
from proxy.settings import editor, yaml12
from proxy.settings.load import load, valueless
from proxy.settings.schema import Settings
from tests.settings.example import PIN, Change, changed, put

CONFIG = Path(__file__).resolve().parents[2] / "config"
VALIDATOR = Draft202012Validator(editor.schema())

# Each change alone: does the configuration still have the right shape?
SHAPES: list[tuple[Change, bool]] = [
    (
        put("routes.0.allow.0", {"spiffe": ["spiffe://a/b"], "pins": [PIN], "local": {"uid": [0]}}),
        True,
    ),
    (put("routes.0.allow.0", {"ip": "10.0.0.0/8", "cn": ["a"], "ou": "b-*"}), True),
    (put("routes.0.allow.0", {"cn": []}), False),
    (put("routes.0.request.mask.0.action", "drop"), True),
    (put("routes.0.request.mask.0.action", {"partial": {"keep_last": 4}}), True),
    (put("routes.0.request.mask.0.action", {"partial": {}}), True),
    (put("routes.0.request.mask.0.action", {"redact": {}}), True),
    (put("routes.0.request.mask.0.action", {"redact": {"with": 0.5}}), True),
    (put("routes.0.request.mask.0.action", {"redact": {"with": True}}), False),
    (put("routes.0.request.mask.0.action", {"redact": {"with": "", "as": "null"}}), False),
    (put("routes.0.request.mask.0.action", {"generalize": {"ip": "24/48"}}), True),
    (put("routes.0.request.mask.0.action", {"generalize": {"ip": "24"}}), False),
    (put("routes.0.request.mask.0.action", {"generalize": {"bucket": 0.5}}), True),
    (put("routes.0.request.mask.0.action", {"generalize": {"bucket": 0}}), False),
    (put("routes.0.request.mask.0.action", {"generalize": {}}), False),
    (put("routes.0.request.mask.0.action", {"generalize": {"prefix": 3, "ip": "0/0"}}), False),
    (put("routes.0.request.mask.0.action", {"encrypt": {"key": "a", "tenant": "b"}}), True),
    (put("routes.0.request.mask.0.action", "sha256"), False),
    (put("routes.0.request.mask.0", {"header": "X-User", "action": "drop"}), True),
    (put("routes.0.request.mask.0", {"query": "é x", "action": "drop"}), True),
    (put("routes.0.request.mask.0", {"query": "a[", "action": "drop"}), False),
    (put("routes.0.request.mask.0", {"header": "X_User", "action": "drop"}), False),
    (put("routes.0.request.mask.0", {"action": "drop"}), False),
    (put("routes.0.request.mask.0", {"path": "$", "query": "a", "action": "redact"}), False),
    (put("routes.0.limits", {"body": 12, "document": "8MiB", "hold": "0001 kB"}), True),
    (put("routes.0.limits.stall_timeout", "0.5 s"), True),
    (put("upstreams.out.limits.idle_connections", 0), True),
    (put("upstreams", {}), True),
    (put("log.format", "json"), True),
    (put("routes.0.response", {}), True),
    (put("version", 2), False),
    (put("version", "1"), False),
    (put("version", True), False),
    (put("name", ""), False),
    (put("name", 1), False),
    (put("name", None), False),
    (put("unknown", 1), False),
    (put("identity", None), False),
    (put("identity.crl", None), False),
    (put("identity.key", "certs/gateway.key"), False),
    (put("identity.key", "env:1A"), False),
    (put("keys.pseudonym", []), False),
    (put("keys.-x", [{"id": "k", "secret": "env:K"}]), False),
    (put("keys.pseudonym.0.id", "a/b"), False),
    (put("sensitivity", []), False),
    (put("zones", {}), False),
    (put("zones.near.x", 1), False),
    (put("listeners", []), False),
    (put("listeners.in.protocol", "tcp"), True),
    (put("listeners.in.protocol", "udp"), False),
    (put("routes.0.match.sni", "*.example.com"), True),
    (put("routes.0.match.sni", []), False),
    (put("upstreams.out.proxy_protocol", "v2"), True),
    (put("upstreams.out.proxy_protocol", "v1"), False),
    (put("routes.0.limits.lifetime", "0s"), False),
    (put("listeners.in.tls.mode", "off"), False),
    (put("listeners.in.tls.minimum", 1.3), False),
    (put("listeners.in.tls.pins", []), False),
    (put("listeners.in.tls.pins", ["sha256:" + "A" * 42 + "B="]), False),
    (put("listeners.in.limits.head", "32 lots"), False),
    (put("listeners.in.limits.head", 0), False),
    (put("listeners.in.limits.head", "0B"), False),
    (put("listeners.in.limits.head", 1.5), False),
    (put("listeners.in.limits.connections", "9"), False),
    (put("listeners.in.limits.connections", True), False),
    (put("listeners.in.limits.idle_timeout", "0s"), False),
    (put("listeners.in.limits.idle_timeout", "5 w"), False),
    (put("listeners.in.limits.idle_timeout", 5), False),
    (put("upstreams.out.endpoints", []), False),
    (put("upstreams.out.endpoints", "https://a"), False),
    (put("upstreams.out.peer", {}), False),
    (put("upstreams.out.rate", "1/s"), False),
    (put("routes.0.match.path", "x"), False),
    (put("routes.0.match.methods", ["get"]), False),
    (put("routes.0.match.methods", []), False),
    (put("routes.0.allow.0", {}), False),
    (put("routes.0.allow.0", {"subject": "x"}), False),
    (put("routes.0.allow.0", {"spiffe": [""]}), False),
    (put("routes.0.allow.0", {"local": {"uid": ["1000"]}}), False),
    (put("routes.0.request.content", ["xml"]), False),
    (put("routes.0.request.mask.0.action", {"drop": True}), False),
    (put("routes.0.request.mask.0.action", {}), False),
    (put("routes.0.request.mask.0.action", {"hmac": {"key": "a"}, "partial": {}}), False),
    (put("routes.0.request.mask.0.action", {"hmac": {}}), False),
    (put("routes.0.request.on_error", "pass"), False),
    (put("routes.0.replay.require", "signature"), True),
    (put("routes.0.replay.require", "nonce"), False),
    (put("signers.etl", {"jwks": "file:e.jwks", "peers": [{"spiffe": "spiffe://a/b"}]}), True),
    (put("signers.etl", {"jwks": "file:e.jwks", "peers": []}), False),
    (put("routes.0.signature", {"keys": ["etl"], "components": ["@path", "x-a"]}), True),
    (put("routes.0.signature", {"components": ["@status"]}), False),
    (put("routes.0.signature", {"components": ["X-A"]}), False),
    (put("routes.0.signature", {"tag": "\n"}), False),
    (put("routes.0.signature", {"algorithms": ["rsa-v1_5-sha256"]}), False),
    (put("routes.0.signature", {"keys": []}), False),
    (put("routes.0.limits.depth", 1025), False),
    (put("routes.0.receipt", "none"), False),
    (put("receipts.origin", "http://x"), False),
    (put("receipts.durability", "none"), False),
    (put("admin", "127.0.0.1:1"), False),
]


def test_the_committed_schema_is_the_one_made_from_the_models() -> None:
    committed = (CONFIG / "schema.json").read_text(encoding="utf-8")
    assert committed == editor.text(), (
        "run: python -c 'from proxy.settings import editor; print(editor.text(), end=str())' "
        "> config/schema.json"
    )


def test_the_schema_is_itself_right() -> None:
    Draft202012Validator.check_schema(json.loads(editor.text()))


@pytest.mark.parametrize(
    "name", ["gateway.yaml", "sidecar.yaml", "tunnel-gateway.yaml", "tunnel-sidecar.yaml"]
)
def test_an_example_passes_both_and_names_the_schema(name: str) -> None:
    text = (CONFIG / name).read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=schema.json\n")
    assert list(VALIDATOR.iter_errors(yaml12.parse(text.encode(), name).data)) == []
    assert all(found.allowed for found in findings(load(CONFIG / name)))


@pytest.mark.parametrize(
    "name", ["gateway.yaml", "sidecar.yaml", "tunnel-gateway.yaml", "tunnel-sidecar.yaml"]
)
def test_an_example_names_only_files_that_certs_init_makes(name: str) -> None:
    text = (CONFIG / name).read_text(encoding="utf-8")
    named = {word.split("/")[-1].rstrip("}") for word in text.split() if "file:../certs/" in word}
    assert named
    assert named <= set(contents())


@pytest.mark.parametrize(("change", "right"), SHAPES)
def test_schema_and_loader_agree_on_shape(change: Change, right: bool) -> None:
    data = changed(change)
    assert VALIDATOR.is_valid(data) is right
    assert shapes(data) is right


def shapes(data: object) -> bool:
    text = json.dumps(data).encode()
    try:
        Settings.model_validate(yaml12.parse(text, "f").data)
    except (ValueError, ConfigError):
        return False
    return not list(valueless(data))


def test_keys_are_known_wherever_they_may_stand() -> None:
    assert "listeners" in editor.keys_at(())
    assert editor.keys_at(("keys", "any", 3)) == ["id", "secret"]
    hmac = ("routes", 0, "request", "mask", 0, "action", "hmac")
    assert editor.keys_at(hmac) == ["algorithm", "key"]
    assert editor.keys_at(("zones",)) == []
    assert editor.keys_at(("no", "such", "place")) == []
