"""Each program on the page of signed requests delivers an order to a gateway that demands them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.tls.keys import make_key, private_pem
from tests.project.tree import read
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.hops import example
from tests.scenarios.policy import SSN
from tests.scenarios.receiver import Receiver

ORDER = b'{"customer":{"ssn":"%b"},"email":"ada@example.com","total":1.10}\n' % SSN.encode()
PAGE = read("docs/signatures.md")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.fixture(scope="module")
def gateway(parties: Path, start_gateway: StartGateway, shared_receiver: Receiver) -> Gateway:
    config = example("gateway", parties, receiver=shared_receiver.endpoint)
    (orders,) = (route for route in config["routes"] if "replay" in route)
    orders["replay"]["require"] = "signature"
    return start_gateway(config)


def test_the_page_has_a_program_for_each_way() -> None:
    assert len(PROGRAMS) == 3


@pytest.mark.parametrize("number", range(3))
def test_a_program_works_as_printed_and_not_without_its_signature(
    gateway: Gateway, receiver: Receiver, tmp_path: Path, number: int
) -> None:
    (tmp_path / "certs").symlink_to(gateway.pki)
    (tmp_path / "order.json").write_bytes(ORDER)
    text = PROGRAMS[number]
    assert text.count("localhost:8443") == 1
    here = text.replace("localhost:8443", gateway.url("").removeprefix("https://"))
    received = len(receiver.received)
    assert run(here, tmp_path).returncode == 0
    (came,) = receiver.received[received:]
    assert json.loads(came.body)["email"].startswith("tok:k1:")
    (tmp_path / "other.key").write_bytes(private_pem(make_key()))
    other = here.replace('("certs/client.key")', '("other.key")')
    assert other != here
    assert run(other, tmp_path).returncode != 0
    assert len(receiver.received) == received + 1


def run(text: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    script = folder / "program.py"
    script.write_text(text)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    sys.stdout.buffer.write(done.stdout + done.stderr)
    return done
