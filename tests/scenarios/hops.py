"""The committed example configurations as they stand, but for ports and paths: a chain of three."""

import os
import socket
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.settings import yaml12
from proxy.tls.keys import private_pem, public_pem
from tests.patience import PATIENCE
from tests.project.tree import ROOT
from tests.scenarios.client import Client
from tests.scenarios.gateway import Config, Gateway


def example(name: str, pki: Path, **endpoints: str) -> Config:
    """`config/NAME.yaml` with the keys of `pki`, any free ports, and these endpoints of upstreams.

    What a test cannot have of it is the user of whoever installed it, and its place on the disk.
    """
    octets = (ROOT / "config" / f"{name}.yaml").read_bytes()
    config: Config = _moved(yaml12.parse(octets, name).data, pki)
    for listener in config["listeners"].values():
        if not listener["bind"].startswith("unix:"):
            listener["bind"] = "127.0.0.1:0"
    config["admin"]["bind"] = "127.0.0.1:0"
    for upstream, endpoint in endpoints.items():
        config["upstreams"][upstream]["endpoints"] = [endpoint]
    for each in config["routes"]:
        for rule in each["allow"]:
            if "local" in rule:
                rule["local"]["uid"].append(os.getuid())
    return config


def _moved(value: Any, pki: Path) -> Any:
    if isinstance(value, dict):
        return {key: _moved(inner, pki) for key, inner in value.items()}
    if isinstance(value, list):
        return [_moved(inner, pki) for inner in value]
    if isinstance(value, str):
        return value.replace("../certs", str(pki)).replace("../var/", "")
    return value


def own_receipt_key(config: Config, folder: Path) -> Path:
    """Give a hop a receipt key of its own; the path of its public half."""
    key, private, public = Ed25519PrivateKey.generate(), folder / "own.key", folder / "own.pub"
    private.write_bytes(private_pem(key))
    private.chmod(0o600)
    public.write_bytes(public_pem(key))
    config["receipts"]["key"] = f"file:{private}"
    return public


def by_unix(gateway: Gateway, name: str = "egress.sock") -> Client:
    """The application beside a sidecar."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(PATIENCE)
    sock.connect(str(gateway.folder / name))
    return Client(sock)
