"""A gateway's log as auditors read it: while it runs, by URL, over changes of the receipt key."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.tls.keys import make_ed25519, private_pem
from tests.scenarios.client import request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway, lockgate, wait_until
from tests.scenarios.policy import policy
from tests.scenarios.proof import audit, store_of
from tests.scenarios.receiver import Receiver

VERIFIER = Path(__file__).resolve().parents[2] / "docs" / "verify.py"


@pytest.fixture
def gateway(start_gateway: StartGateway, receiver: Receiver, parties: Path) -> Iterator[Gateway]:
    config = policy(parties, receiver.endpoint)
    config["receipts"]["checkpoint_every"] = "50ms"
    gateway = start_gateway(config)
    yield gateway
    gateway.close()


def transfer(gateway: Gateway, times: int = 1) -> None:
    for _ in range(times):
        with gateway.connect() as client:
            assert client.ask(request("/orders/1", b"{}")).status == 200


def vkeys(gateway: Gateway) -> list[str]:
    return lockgate("receipts", "vkey", gateway.path).stdout.split()


def test_a_log_is_audited_by_its_url_while_the_gateway_writes_it(gateway: Gateway) -> None:
    demand = [word for vkey in vkeys(gateway) for word in ("--vkey", vkey)]
    key = gateway.pki / "receipts.pub"
    wait_until((store_of(gateway) / "checkpoint").exists)
    for _ in range(2):
        transfer(gateway, 3)
        url = f"http://{gateway.ready['admin']}/log"
        done = lockgate("receipts", "audit", url, "--key", key, *demand)
        assert done.returncode == 0, done.stderr
    assert gateway.stop() == 0
    audit(gateway)


def test_a_stranger_verifies_an_answers_receipt_and_its_proof(
    gateway: Gateway, tmp_path: Path
) -> None:
    with gateway.connect() as client:
        answer = client.ask(request("/orders/1", b"{}"))
    assert answer.status == 200
    number = answer.value("link").partition("receipts/")[2].partition(">")[0]
    assert gateway.stop() == 0
    proven = lockgate("receipts", "prove", store_of(gateway), number, "--output", tmp_path)
    assert proven.returncode == 0, proven.stderr
    receipt = tmp_path / f"receipt-{number}.json"
    assert receipt.read_bytes() == answer.receipt()[0]
    (tmp_path / "delivered").write_bytes(b"{}")
    words: list[str | Path] = [
        sys.executable,
        "-I",
        VERIFIER,
        gateway.pki / "receipts.pub",
        receipt,
    ]
    words += [tmp_path / "delivered", tmp_path / f"receipt-{number}.tlog-proof", *vkeys(gateway)]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == f"verified: delivered:{answer.value('transfer-id')}\n"


def test_the_first_receipt_key_is_enough_for_an_audit_after_others_came(
    gateway: Gateway, tmp_path: Path
) -> None:
    transfer(gateway)
    assert gateway.stop() == 0
    kept = tmp_path / "kept"
    kept.write_bytes((store_of(gateway) / "checkpoint").read_bytes())
    for number in (2, 3):
        key = tmp_path / f"receipts-{number}.key"
        key.write_bytes(private_pem(make_ed25519()))
        key.chmod(0o600)
        config = gateway.config
        config["receipts"] |= {"previous_key": config["receipts"]["key"], "key": f"file:{key}"}
        gateway.write(config)
        gateway.start()
        transfer(gateway)
        assert gateway.stop() == 0
    audit(gateway)  # with the first key alone
    demand = [word for vkey in vkeys(gateway) for word in ("--vkey", vkey)]
    demand += ["--key", str(gateway.pki / "receipts.pub"), "--checkpoint", str(kept)]
    done = lockgate("receipts", "audit", store_of(gateway), *demand)
    assert done.returncode == 0, done.stderr
    assert f"consistent with {kept}" in done.stdout
