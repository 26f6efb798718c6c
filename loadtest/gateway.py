"""Lockgate under load: its configuration, as large as is asked for, and its start."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from loadtest.proxies import PATIENCE, Proxy, start

CIPHERS: Final = ["TLS_AES_128_GCM_SHA256"]
"""The one that Envoy takes and cannot be told: so all take it."""
_CLIENT: Final = [{"spiffe": "spiffe://lockgate.example/client"}]
_LOCAL: Final = [{"networks": ["127.0.0.1/32"]}]
_ROOM: Final = 20_000
"""Connections, and files."""
_MASK: Final = [
    {"path": "$.customer.ssn", "action": "redact"},
    {"path": "$.payment.reference", "action": {"partial": {"keep_last": 4}}},
]


@dataclass(frozen=True, slots=True)
class Setup:
    """What of the configuration is varied."""

    workers: int = 1
    routes: int = 1
    """Of the listener, with as many in front as that leaves."""
    algorithm: str = "hmac-sha256"
    engine: str = "compiled"
    replay: bool = False
    sidecar: bool = False
    """Senders come in clear, over loopback."""
    counts: str = ""
    """A file: what it does is counted, see `loadtest.counted`."""


def settings(folder: Path, pki: Path, upstream: int, setup: Setup) -> dict[str, Any]:
    """The configuration: small orders masked or passed, files, records, and a tunnel."""
    token = {"hmac": {"key": "pseudonym", "algorithm": setup.algorithm}}
    records = {
        "content": ["ndjson"],
        "mask": [_MASK[0], {"path": "$.customer.email", "action": token}],
        "detect": [{"type": "default", "action": "redact"}],
    }
    fillers = [_route(f"filler-{each}", _OPAQUE, setup) for each in range(setup.routes - 1)]
    tls = {"ciphers": CIPHERS}
    limits = {"connections": _ROOM, "idle_timeout": "1h", "handshakes_per_source": 256}
    up = {"zone": "here", "server_name": "receiver.lockgate.example", "tls": tls}
    door = {"mode": "none"} if setup.sidecar else tls
    return {
        "version": 1,
        "name": "loadtest",
        "identity": {
            "certificate": f"file:{pki}/gateway.pem",
            "key": f"file:{pki}/gateway.key",
            "trust": f"file:{pki}/ca.pem",
        },
        "workers": setup.workers,
        "sensitivity": ["low"],
        "zones": {"here": {"clearance": "low"}},
        "listeners": {
            "ingest": {"bind": "127.0.0.1:0", "zone": "here", "tls": door, "limits": limits},
            "tunnel": {"bind": "127.0.0.1:0", "zone": "here", "tls": tls, "protocol": "tcp"},
        },
        "upstreams": {
            "receiver": up
            | {
                "endpoints": [f"https://127.0.0.1:{upstream}"],
                "limits": {"connections": 2048, "idle_connections": 1024},
            },
            "raw": up | {"endpoints": [f"tls://127.0.0.1:{upstream}"]},
        },
        "routes": [
            *fillers,
            _route("orders", {"content": ["json"], "mask": _MASK}, setup),
            _route("plain", _OPAQUE, setup),
            _route("files", _OPAQUE, setup) | {"response": _OPAQUE | {"label": "low"}},
            _route("records", records, setup),
            _tunnel(),
        ],
        "keys": {"pseudonym": [{"id": "k1", "secret": f"file:{folder}/pseudonym"}]},
        "receipts": {
            "store": f"{folder}/receipts",
            "origin": "receipts.lockgate.example/loadtest",
            "key": f"file:{pki}/receipts.key",
            "log_key": f"file:{pki}/log.key",
            "log_pq_key": f"file:{pki}/log-pq.key",
            "checkpoint_every": "1h" if setup.counts else "1s",
        },
        "admin": {"bind": f"unix:{folder}/admin.sock"},
        "log": {"format": "json"},
    }


_OPAQUE: Final[dict[str, Any]] = {"content": ["opaque"]}


def _route(name: str, request: dict[str, Any], setup: Setup) -> dict[str, Any]:
    replay = {"replay": {"require": "transfer-id"}} if setup.replay else {}
    return {
        "name": name,
        "listener": "ingest",
        "match": {"path": f"/{name}/**"},
        "allow": _LOCAL if setup.sidecar else _CLIENT,
        "upstream": "receiver",
        "request": request | {"label": "low"},
        "response": {"content": ["json"], "label": "low"},
        "limits": {"body": "16GiB"},
    } | replay


def _tunnel() -> dict[str, Any]:
    way = _OPAQUE | {"label": "low"}
    return {
        "name": "tunnel",
        "listener": "tunnel",
        "allow": _CLIENT,
        "upstream": "raw",
        "request": way,
        "response": way,
    }


def start_gateway(
    folder: Path, pki: Path, upstream: int, cores: set[int], setup: Setup | None = None
) -> Proxy:
    """`lockgate run` in a folder of its own, when it is ready; a durable receipt a transfer.

    Ends the run where it does not get ready.
    """
    setup = setup or Setup()
    folder.mkdir()
    secret, config = folder / "pseudonym", folder / "gateway.yaml"
    secret.touch(0o600)
    secret.write_text(os.urandom(16).hex())
    config.write_text(json.dumps(settings(folder, pki, upstream, setup), indent=1))
    log = folder / "gateway.log"
    program = [str(Path(sys.executable).parent / "lockgate")]
    if setup.counts:
        program = [sys.executable, "-m", "loadtest.counted"]
    more = {"LOCKGATE_ENGINE": setup.engine, "LOCKGATE_COUNTS": setup.counts}
    begun = time.perf_counter()
    process = start([*program, "run", str(config)], log, cores, **more)
    listeners = _ready(process, log)
    ports = {name: int(bind.rpartition(":")[2]) for name, bind in listeners.items()}
    seconds = time.perf_counter() - begun
    return Proxy("lockgate", ports["ingest"], process, "signed", ports["tunnel"], seconds)


def _ready(process: "subprocess.Popen[bytes]", log: Path) -> dict[str, str]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            if '"event":"ready"' in line:
                listeners: dict[str, str] = json.loads(line)["listeners"]
                return listeners
        time.sleep(0.01)
    process.kill()
    raise SystemExit(f"lockgate did not get ready: {log.read_text()}")
