"""A gateway that has been busy: what a policy is asked about afterwards."""

import copy
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.scenarios.client import request
from tests.scenarios.gateway import Config, Gateway, lockgate
from tests.scenarios.policy import CARD, CLIENT, STRANGER, opaque, policy, route

OCTETS = "application/octet-stream"
CARDS = f'{{"card":"{CARD}"}}'.encode()
SHADED = [
    CLIENT | {"networks": "192.0.2.0/24", "shadow": True},
    CLIENT | {"networks": "127.0.0.0/8", "shadow": True},
]
REVOKED = {"spiffe": "spiffe://lockgate.example/gone"}


def routes() -> list[Config]:
    flags = {"type": "credit_card", "action": "flag", "raises": "confidential"}
    json_only = {"content": ["json"], "label": "internal", "detect": [flags]}
    lists = [{"spiffe": "spiffe://lockgate.example/**", "methods": ["GET", "POST"]}, REVOKED]
    return [
        route("orders", request=json_only, allow=lists),
        route("files", request=opaque("internal"), allow=[CLIENT | {"networks": "127.0.0.0/8"}]),
        route("unused", allow=[STRANGER]),
        route("paths", allow=[CLIENT | {"paths": "/paths/in/**"}], deny=SHADED),
    ]


SENT: list[tuple[str, bytes, int]] = [
    ("client", request("/orders/1", b'{"a":1}'), 200),
    ("client", request("/orders/2", CARDS), 200),
    ("client", request("/orders/3", b"a\n1\n", kind="text/csv"), 415),
    ("client", request("/orders/4", None, method="GET"), 200),
    ("client", request("/files/1", b"x" * 5000, kind=OCTETS), 200),
    ("stranger", request("/orders/5", b'{"a":2}'), 200),
    ("stranger", request("/files/2", b"x", kind=OCTETS), 403),
    ("client", request("/nowhere", b"{}"), 404),
    ("client", request("/paths/in/1", b"{}"), 200),
    ("client", request("/orders/6", b"{", kind="application/json"), 422),
]
"""Who, what, and how it ends."""


@dataclass
class Past:
    """The folder of a gateway that has ended, and what its log is asked about."""

    folder: Path
    config: Config
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def store(self) -> Path:
        return self.folder / "var" / "receipts"

    def candidate(self, *changes: Callable[[Config], object]) -> Path:
        """The configuration of then, changed; with none, another file that says the same."""
        config = copy.deepcopy(self.config)
        for change in changes:
            change(config)
        path = self.folder / "candidate.yaml"
        path.write_text(json.dumps(config, indent=2))
        return path

    def replay(self, path: Path, *more: str | Path) -> tuple[int, dict[str, Any]]:
        done = lockgate("explain", path, "--receipts", self.store, "--json", *more)
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout)


def lived(gateway: Gateway) -> Past:
    """Send what is to be past, and end the gateway."""
    for name, octets, status in SENT:
        with gateway.connect(name) as client:
            assert client.ask(octets).status == status
    assert gateway.stop() == 0
    return Past(gateway.folder, gateway.config, gateway.logged("transfer"))


def busy(pki: Path, endpoint: str) -> Config:
    return policy(pki, endpoint, routes=routes())


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — their name
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL of a folder that a web server serves."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
