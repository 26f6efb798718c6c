"""`lockgate certs inspect HOST:PORT`: what a running listener says, and what we would say of it."""

import json
import socket
import threading
from pathlib import Path

import pytest

from proxy.tls.credentials import parse_chain
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway, lockgate
from tests.scenarios.parties import pin
from tests.scenarios.policy import policy
from tests.scenarios.receiver import Receiver


@pytest.fixture(scope="module", params=[1], ids=["one-process"])
def workers() -> int:
    return 1


def place(gateway: Gateway) -> str:
    return f"localhost:{gateway.address()[1]}"


def test_a_listener_is_shown_with_its_handshake_and_whom_it_asks_for(gateway: Gateway) -> None:
    done = lockgate("certs", "inspect", place(gateway), "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["version"], said["group"]) == ("TLSv1.3", "X25519MLKEM768")
    assert said["asks_for_certificates_of"] == ["O=Lockgate throwaway PKI,CN=Lockgate throwaway CA"]
    (leaf, *_) = said["certificates"]
    assert leaf["pin"] == pin(gateway.pki, "gateway")
    (parsed, *_) = parse_chain((gateway.pki / "gateway.pem").read_bytes())
    assert leaf["serial"] == f"{parsed.serial_number:x}"
    assert "verdict" not in said


@pytest.mark.parametrize(
    ("trust", "name", "verdict"),
    [
        ("ca.pem", "localhost", "accepted"),
        ("impostor.pem", "localhost", None),
        ("ca.pem", "elsewhere.example", "name: "),
        ("foreign-ca.pem", "localhost", "untrusted: "),
    ],
)
def test_with_trust_it_says_what_a_handshake_of_ours_would_say(
    gateway: Gateway, foreign: Path, trust: str, name: str, verdict: str | None
) -> None:
    bundle = foreign if trust == "foreign-ca.pem" else gateway.pki / trust
    words = "--trust", bundle, "--server-name", name
    done = lockgate("certs", "inspect", place(gateway), *words)
    if verdict is None:
        assert done.returncode == 1
        assert "not that of a CA" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert f"  verdict     {verdict}" in done.stdout
    assert "  handshake   TLSv1.3, " in done.stdout
    assert pin(gateway.pki, "gateway") in done.stdout


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("foreign")
    assert lockgate("certs", "init", folder / "ca", "--authority", "Foreign").returncode == 0
    return folder / "ca" / "ca.pem"


def test_a_server_that_wants_a_certificate_is_shown_one(
    gateway: Gateway, receiver: Receiver
) -> None:
    words: list[str | Path] = ["certs", "inspect", receiver.endpoint.removeprefix("https://")]
    for option, kind in (("--cert", "pem"), ("--key", "key")):
        words += [option, gateway.pki / f"gateway.{kind}"]
    done = lockgate(*words)
    assert done.returncode == 0, done.stderr
    assert pin(gateway.pki, "receiver") in done.stdout


def test_what_does_not_answer_or_speaks_no_tls_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"

        def serve() -> None:
            sock, _ = server.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(b"220 smtp.example ready\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        done = lockgate("certs", "inspect", place, "localhost:1")
        thread.join()
    assert done.returncode == 1
    garbage, refused = done.stderr.splitlines()
    assert garbage.startswith(f"{place}: garbage: ")
    assert refused == "localhost:1: Connection refused"


def test_a_file_that_is_not_there_and_a_port_that_cannot_be_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "authorities.pem"
    done = lockgate("certs", "inspect", "localhost:1", "--trust", missing)
    assert (done.returncode, done.stderr) == (1, f"{missing}: No such file or directory\n")
    done = lockgate("certs", "inspect", "localhost:99999")
    assert (done.returncode, done.stderr) == (1, "localhost:99999: there is no port 99999\n")


def test_a_server_is_named_as_it_was_asked_for_also_where_it_is_an_ipv6_address(
    start_gateway: StartGateway, parties: Path, receiver: Receiver
) -> None:
    config = policy(parties, receiver.endpoint)
    config["listeners"]["ingest"]["bind"] = "[::1]:0"
    six = start_gateway(config).ready["listeners"]["ingest"]
    done = lockgate("certs", "inspect", six, "--trust", parties / "ca.pem", "--json")
    assert (json.loads(done.stdout)["endpoint"], done.returncode) == (six, 0)
