"""A small configuration that is right, for tests to break in one place."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from proxy.errors import ConfigError, Problem
from proxy.settings.load import Loaded, load
from proxy.settings.schema import Settings

Data = dict[str, Any]

PIN = "sha256:" + "A" * 43 + "="

BASE: Data = {
    "version": 1,
    "name": "gate",
    "identity": {"certificate": "file:c.pem", "key": "file:c.key", "trust": "file:ca.pem"},
    "keys": {"pseudonym": [{"id": "k1", "secret": "file:p.key"}]},
    "sensitivity": ["public", "internal", "secret"],
    "zones": {"near": {"clearance": "secret"}, "far": {"clearance": "internal"}},
    "listeners": {"in": {"bind": "127.0.0.1:8443", "zone": "far"}},
    "upstreams": {"out": {"zone": "near", "endpoints": ["https://receiver.example:9443"]}},
    "routes": [
        {
            "name": "orders",
            "listener": "in",
            "match": {"path": "/orders/**", "methods": ["POST"]},
            "allow": [{"spiffe": "spiffe://acme/etl/*"}],
            "upstream": "out",
            "request": {
                "content": ["json"],
                "mask": [{"path": "$..email", "action": {"hmac": {"key": "pseudonym"}}}],
            },
        }
    ],
    "receipts": {
        "store": "var",
        "origin": "log.example/gate",
        "key": "file:r",
        "log_key": "file:l",
    },
    "admin": {"bind": "127.0.0.1:9090"},
}

Change = Callable[[Data], object]


def put(path: str, value: object) -> Change:
    """A change that sets `routes.0.match.path` and the like, making mappings on the way."""

    def change(data: Data) -> None:
        *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        inner: Any = data
        for step in way:
            inner = inner[step] if isinstance(step, int) else inner.setdefault(step, {})
        if isinstance(last, int) and last == len(inner):
            inner.append(value)
        else:
            inner[last] = value

    return change


def changed(*changes: Change) -> Data:
    data = copy.deepcopy(BASE)
    for change in changes:
        change(data)
    return data


def settings(*changes: Change) -> Settings:
    return Settings.model_validate(changed(*changes))


def write(folder: Path, data: object) -> Path:
    """JSON is YAML: one key a line, so that lines tell places apart."""
    path = folder / "gate.yaml"
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")
    return path


def loaded(folder: Path, *changes: Change) -> Loaded:
    return load(write(folder, changed(*changes)))


def warned(found: Loaded) -> tuple[Problem, ...]:
    """What is warned of, but for what the example itself has: no pins, no ends, zones uphill."""
    own = ("unpinned-upstream", "opaque-downhill", "endless-grants")
    return tuple(warning for warning in found.warnings if warning.code not in own)


def mistakes(folder: Path, data: object) -> list[tuple[str, str]]:
    """(path, message) of every mistake; none when it loads."""
    try:
        load(write(folder, data))
    except ConfigError as error:
        return [(problem.path, problem.message) for problem in error.problems]
    return []
