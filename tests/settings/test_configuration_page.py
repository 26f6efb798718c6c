"""docs/configuration.md names every key, with its default, and its example loads."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.settings import editor
from proxy.settings.load import load

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "configuration.md").read_text("utf-8")
ROWS = {
    (section, key): rest
    for section, part in re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S)
    for key, rest in re.findall(r"^\| `([a-z_]+)` \|(.*)$", part, re.M)
}
SECTIONS = {
    "Settings": "The file",
    "Identity": "identity",
    "Revocation": "revocation",
    "Hygiene": "hygiene",
    "MaskingKey": "keys",
    "Zone": "zones",
    "Listener": "listeners",
    "ListenerTls": "listeners: tls",
    "ListenerLimits": "listeners: limits",
    "Upstream": "upstreams",
    "Tls": "upstreams: tls",
    "UpstreamLimits": "upstreams: limits",
    "Route": "routes",
    "Match": "routes: match",
    "Principal": "routes: allow and deny",
    "Grant": "routes: allow and deny",
    "When": "routes: when",
    "Policy": "policy",
    "Local": "routes: local",
    "ContentPolicy": "routes: request and response",
    "Csv": "routes: csv",
    "Tsv": "routes: tsv",
    "MaskRule": "routes: mask",
    "DetectRule": "routes: detect",
    "OwnType": "detectors",
    "Replay": "routes: replay",
    "Integrity": "routes: integrity",
    "Signature": "routes: signature",
    "Signers": "signers",
    "Limits": "routes: limits",
    "Receipts": "receipts",
    "Bind": "admin and metrics",
    "Users": "users",
    "Memory": "memory",
    "Spill": "spill",
    "TransferIds": "transfer_ids",
    "Rates": "rates",
    "Shutdown": "shutdown",
    "Reload": "reload",
    "Log": "log",
}
"""Model -> the heading under which its keys stand."""


def keys() -> Iterator[tuple[str, str, object]]:
    """(model, key, default) of the whole schema."""
    schema = editor.schema()
    for model, definition in {"Settings": schema, **schema["$defs"]}.items():
        for key, shape in definition["properties"].items():
            yield model, key, shape.get("default")


@pytest.mark.parametrize(("model", "key", "default"), list(keys()))
def test_every_key_is_explained_with_its_default(model: str, key: str, default: object) -> None:
    row = ROWS[SECTIONS[model], key]
    if isinstance(default, str):
        assert f"`{default}`" in row
    if isinstance(default, bool):
        assert f"`{str(default).lower()}`" in row
    elif isinstance(default, int):
        assert f"`{default}`" in row or f"`{binary(default)}`" in row


def binary(octets: int) -> str:
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if octets >> shift:
            return f"{octets >> shift}{unit}"
    return str(octets)


def test_nothing_is_explained_that_there_is_not() -> None:
    known = {(SECTIONS[model], key) for model, key, _ in keys()}
    actions = {
        ("routes: mask actions", key)
        for key in ("drop", "redact", "partial", "generalize", "hmac", "encrypt")
    }
    assert set(ROWS) == known | actions


def test_the_example_on_the_page_loads(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(version: 1\n.*?)```", PAGE, re.S)
    path = tmp_path / "example.yaml"
    path.write_text(example)
    assert load(path).warnings == ()
