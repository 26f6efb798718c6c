"""docs/identity.md, `Running an authority`: its commands, typed as printed, do what it says."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from proxy.tls.credentials import parse_chain
from proxy.tls.identity import format_pin, identify
from tests.patience import PATIENCE
from tests.project.tree import read
from tests.scenarios.client import request
from tests.scenarios.conftest import StartReceiver
from tests.scenarios.gateway import BIN, Config, Gateway
from tests.scenarios.message import Broken
from tests.scenarios.policy import policy
from tests.scenarios.test_reload import served_certificate

_, _, PAGE = read("docs/identity.md").partition("## Running an authority\n")
PARTS = re.findall(r"^### (.+?)\n(.*?)(?=^### |\Z)", PAGE.partition("\n## ")[0], re.M | re.S)
COMMANDS = {
    title: re.findall(r"^ {4}((?:lockgate|cp|mkdir) .*)$", text, re.M) for title, text in PARTS
}


class Shell:
    """Somebody who types what a part of the page prints, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 8443
        self.left = dict(COMMANDS)
        """What has not been typed yet."""

    def type(self, title: str) -> str:
        """What all commands of the part said. Each has to succeed."""
        said = []
        for command in self.left.pop(title):
            done = subprocess.run(
                ["sh", "-c", command.replace(":8443", f":{self.port}")],
                cwd=self.folder, env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"},
                capture_output=True, text=True, timeout=PATIENCE, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            said.append(done.stdout)
        assert said, f"{title} prints no command"
        return "".join(said)


def pin(path: Path) -> str:
    return format_pin(identify(parse_chain(path.read_bytes())[0]).spki_sha256)


@pytest.fixture
def config(parties: Path, start_receiver: StartReceiver) -> Config:
    identity = {
        "certificate": "file:etc/gateway.pem",
        "key": "file:etc/gateway.key",
        "trust": "file:etc/ca.pem",
        "crl": "file:etc/ca.crl",
    }
    config = policy(parties, start_receiver(None).endpoint, identity=identity, workers=1)
    config["reload"] = {"settle": "0.05s"}
    for key in ("server_name", "peer"):
        del config["upstreams"]["warehouse"][key]
    config["routes"][0]["allow"] = [{"spiffe": "spiffe://acme.example/etl"}]
    return config


def test_the_page_leads_from_nothing_to_a_revoked_peer(tmp_path: Path, config: Config) -> None:
    shell = Shell(tmp_path)
    shell.type("An authority")
    assert "etl" in shell.type("Certificates")
    gateway = Gateway(tmp_path, tmp_path / "ca", config)
    try:
        shell.port = gateway.address()[1]
        assert "verdict     accepted" in shell.type("Before anything ends")
        old = _certificate(gateway)

        since = gateway.mark()
        shell.type("Renewing")
        gateway.wait_for("reloaded", since)
        assert _certificate(gateway) != old

        pins = [pin(tmp_path / "ca" / "etl.pem")]
        assert pins[0] in shell.type("Pinning")
        rotation = shell.left.pop("Rotating a key that is pinned")
        shell.left |= {"announce": rotation[:1], "finish": rotation[1:]}
        announced = re.findall(r"sha256:[A-Za-z0-9+/=]{44}", shell.type("announce"))
        assert announced[1:] == pins
        since = gateway.mark()
        config["routes"][0]["allow"][0]["pins"] = announced
        gateway.write(config)
        gateway.wait_for("reloaded", since)
        with gateway.connect("etl") as client:
            assert client.ask(request()).status == 200, "with the old key"
        shell.type("finish")
        with gateway.connect("etl") as client:
            assert client.ask(request()).status == 200, "with the new key"
        rows = json.loads(gateway.admin("/status")[1])["pins"]
        assert {row["pin"]: row["position"] for row in rows} == dict(
            zip(announced, (0, 1), strict=True)
        )

        since = gateway.mark()
        shell.type("Revoking")
        gateway.wait_for("reloaded", since)
        with gateway.connect("etl") as client, pytest.raises((OSError, Broken)):
            client.ask(request())
        assert gateway.wait_for("handshake_refused", since)["reason"] == "revoked"
    finally:
        gateway.close()
    assert not shell.left, "every part was typed"


def _certificate(gateway: Gateway) -> bytes:
    with gateway.connect("etl") as client:
        assert client.ask(request()).status == 200
        return served_certificate(gateway, client)
