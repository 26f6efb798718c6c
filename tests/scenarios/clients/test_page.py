"""Each example of the page of clients delivers an order, masked, with a receipt that verifies.

The gateway is that of the example configuration, as whoever has followed the README runs it.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.tree import read
from tests.scenarios.clients.senders import program
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import BIN, Gateway
from tests.scenarios.hops import example
from tests.scenarios.policy import SSN
from tests.scenarios.receiver import Receiver

ORDER = b'{"customer":{"ssn":"%b"},"email":"ada@example.com","total":1.10}\n' % SSN.encode()
BLOCKS = re.findall(r"^## (.+?)\n[^#]*?^```(\w+)\n(.*?)^```$", read("docs/clients.md"), re.M | re.S)
(VERIFY,) = re.findall(r"^lockgate receipts verify .*$", read("docs/clients.md"), re.M)


@pytest.fixture(scope="module")
def gateway(parties: Path, start_gateway: StartGateway, shared_receiver: Receiver) -> Gateway:
    return start_gateway(example("gateway", parties, receiver=shared_receiver.endpoint))


def command(language: str, text: str, folder: Path) -> list[str]:
    if language == "sh":
        return ["sh", "-ec", text]
    script = folder / {"python": "example.py", "js": "example.mjs"}[language]
    script.write_text(text)
    return [sys.executable if language == "python" else program("node"), str(script)]


def run(words: list[str], folder: Path) -> None:
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder)}
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_has_an_example_for_every_client() -> None:
    assert len(BLOCKS) == 9


@pytest.mark.parametrize(("name", "language", "text"), BLOCKS, ids=[name for name, *_ in BLOCKS])
def test_an_example_works_as_printed(
    gateway: Gateway, receiver: Receiver, tmp_path: Path, name: str, language: str, text: str
) -> None:
    (tmp_path / "certs").symlink_to(gateway.pki)
    (tmp_path / "order.json").write_bytes(ORDER)
    assert text.count("localhost:8443") == 1, name
    here = text.replace("localhost:8443", gateway.url("").removeprefix("https://"))
    received = len(receiver.received)
    run(command(language, here, tmp_path), tmp_path)
    (came,) = receiver.received[received:]
    assert json.loads(came.body)["email"].startswith("tok:k1:")
    assert SSN.encode() not in came.body
    run(["sh", "-ec", VERIFY], tmp_path)
    (tmp_path / "order.json").write_bytes(ORDER + b" ")
    with pytest.raises(AssertionError):
        run(["sh", "-ec", VERIFY], tmp_path)
