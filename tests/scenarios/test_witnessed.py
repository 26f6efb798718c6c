"""Two programs that watch each other: a gateway, and `lockgate witness` beside it."""

import json
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy.notary.keys import vkeys
from proxy.receipt import note
from proxy.receipt.quorum import CHECKPOINT, WITNESSED
from proxy.receipt.vkey import ed25519_cosignature_vkey
from proxy.tls.keys import make_ed25519, private_pem
from tests.patience import PATIENCE
from tests.scenarios.client import request
from tests.scenarios.gateway import BIN, Config, Gateway, lockgate, wait_until
from tests.scenarios.policy import policy
from tests.scenarios.receiver import Receiver

NAME = "witness.site-b.example"
ORIGIN = "receipts.lockgate.example/gateway-a"


class Witness:
    """One running `lockgate witness`."""

    def __init__(self, folder: Path, logs: list[str]) -> None:
        self.folder, self.logs = folder, logs
        key = make_ed25519()
        folder.mkdir()
        (folder / "witness.key").write_bytes(private_pem(key))
        self.vkey = str(ed25519_cosignature_vkey(NAME, key))
        self.bind = "127.0.0.1:0"
        self.start()

    def start(self) -> None:
        command = [str(BIN / "lockgate"), "witness", str(self.folder), "--name", NAME]
        command += ["--bind", self.bind, *(f"--log={vkey}" for vkey in self.logs)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        ready = json.loads(self.process.stderr.readline())
        assert (ready["event"], self.process.stdout.readline().strip()) == ("ready", self.vkey)
        self.bind = ready["witness"]
        self.remembers = ready["logs"][ORIGIN]

    def stop(self, number: int = signal.SIGKILL) -> int:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=PATIENCE)
        assert "Traceback" not in errors
        return self.process.returncode


@pytest.fixture(scope="module")
def witness(
    tmp_path_factory: pytest.TempPathFactory, parties: Path, workers: int
) -> Iterator[Witness]:
    """One for each form in which the gateway runs."""
    keys = [(parties / name).read_bytes() for name in ("log.key", "log-pq.key")]
    folder = tmp_path_factory.mktemp(f"witness-{workers}") / "store"
    found = Witness(folder, [str(vkey) for vkey in vkeys(ORIGIN, *keys)])
    yield found
    if found.process.poll() is None:
        assert found.stop(signal.SIGTERM) == 0


@pytest.fixture(scope="module")
def trust(witness: Witness) -> Path:
    """The policy file that the gateway offers by, and that everybody verifies by."""
    path = witness.folder.with_name("trust.policy")
    logs = "".join(f"log {vkey}\n" for vkey in witness.logs)
    path.write_text(f"{logs}witness b {witness.vkey} http://{witness.bind}\nquorum b\n")
    return path


@pytest.fixture(scope="module")
def gateway(
    start_gateway: Callable[[Config], Gateway],
    shared_receiver: Receiver,
    parties: Path,
    trust: Path,
) -> Gateway:
    config = policy(parties, shared_receiver.endpoint)
    config["receipts"] |= {"policy": f"file:{trust}", "checkpoint_every": "100ms"}
    return start_gateway(config)


def transfer(gateway: Gateway) -> None:
    with gateway.connect() as client:
        assert client.ask(request("/orders/1", b"{}")).status == 200


def store(gateway: Gateway) -> Path:
    return gateway.folder / "var/receipts"


def size_of(path: Path) -> int:
    if not path.exists():
        return 0
    return note.parse_checkpoint(note.parse(path.read_bytes()).text).size


def wait_for_witnessed(gateway: Gateway, size: int) -> None:
    wait_until(lambda: size_of(store(gateway) / WITNESSED) >= size)


def test_what_was_witnessed_is_proven_verified_and_audited(
    gateway: Gateway, trust: Path, tmp_path: Path, parties: Path
) -> None:
    transfer(gateway)
    wait_for_witnessed(gateway, 2)
    kept, key = tmp_path / "kept", parties / "receipts.pub"
    proven = lockgate("receipts", "prove", store(gateway), "1", "--output", kept, "--policy", trust)
    assert proven.returncode == 0, proven.stderr
    assert "cosigned by b at 20" in proven.stdout
    demand = ("--key", key, "--policy", trust, "--require", "ml-dsa-44")
    proof = ("--proof", kept / "receipt-1.tlog-proof")
    verified = lockgate("receipts", "verify", kept / "receipt-1.json", *proof, *demand)
    assert verified.returncode == 0, verified.stderr
    assert "entry 1 of" in verified.stdout
    assert "cosigned by b at 20" in verified.stdout
    audited = lockgate("receipts", "audit", store(gateway), *demand)
    assert audited.returncode == 0, audited.stderr
    assert gateway.logged("not_cosigned") == gateway.logged("witness_disagrees") == []


def test_a_witness_that_dies_delays_nothing_and_is_asked_again_when_it_lives(
    gateway: Gateway, witness: Witness
) -> None:
    wait_for_witnessed(gateway, 1)
    witness.stop()
    since = gateway.mark()
    transfer(gateway)
    gateway.wait_for("not_cosigned", since, witness="b", result="unreachable")
    transfer(gateway)
    size = size_of(store(gateway) / CHECKPOINT)
    assert witness.remembers < size
    witnessed = size_of(store(gateway) / WITNESSED)
    witness.start()
    assert witness.remembers == witnessed
    wait_for_witnessed(gateway, size)
    gateway.wait_for_metric(
        size_of(store(gateway) / WITNESSED), "lockgate_witness_cosigned_entries", witness="b"
    )


def test_a_log_that_was_set_back_is_found_out_by_its_witness(
    gateway: Gateway, tmp_path: Path
) -> None:
    wait_for_witnessed(gateway, 1)
    gateway.stop()
    shutil.copytree(store(gateway), tmp_path / "backup")
    gateway.start()
    for _ in range(8):
        transfer(gateway)
    wait_for_witnessed(gateway, 10)
    gateway.stop()
    shutil.rmtree(store(gateway))
    shutil.copytree(tmp_path / "backup", store(gateway))
    since = gateway.mark()
    gateway.start()
    found = gateway.wait_for("witness_disagrees", since, witness="b")
    assert found["result"] == "ahead"
    transfer(gateway)
