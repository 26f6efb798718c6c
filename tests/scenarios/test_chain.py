"""An application, a sidecar, a gateway and a receiver: each hop its own process and its own log."""

import socket
import uuid
from pathlib import Path

import pytest

from proxy.receipt.header import parse_items
from tests.patience import PATIENCE
from tests.scenarios.client import Client, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Config, Gateway, lockgate
from tests.scenarios.policy import SSN, policy, route
from tests.scenarios.proof import keyed, receipt_of, receipts, sha256, statement, store_of
from tests.scenarios.receiver import Receiver

GATEWAY = {"spiffe": "spiffe://lockgate.example/gateway"}
BODY = b'{"customer":{"ssn":"' + SSN.encode() + b'"},"price":1.10}'


@pytest.fixture(scope="module")
def chain(
    start_gateway: StartGateway, shared_receiver: Receiver, parties: Path
) -> tuple[Gateway, Gateway]:
    """A sidecar without masking, whose senders are known by network, before a masking gateway."""
    config = policy(parties, shared_receiver.endpoint)
    config["routes"].append(route("once", replay={"require": "transfer-id"}))
    config["routes"] += [route("quiet", receipt="log"), route("trailing", receipt="trailer")]
    for each in config["routes"]:
        each["allow"] = [GATEWAY]
    gateway = start_gateway(config)
    host, port = gateway.address("ingest")
    egress = policy(parties, f"https://{host}:{port}", name="sidecar-a")
    egress["upstreams"]["warehouse"] |= {
        "server_name": "gateway.lockgate.example",
        "peer": GATEWAY,
    }
    plain = {"bind": "127.0.0.1:0", "zone": "partner", "tls": {"mode": "none"}}
    egress["listeners"] = {"egress": plain, "narrow": plain | {"limits": {"receipts": "8KiB"}}}
    here: Config = {"listener": "egress", "allow": [{"networks": ["127.0.0.1/32"]}]}
    egress["routes"] = [route(name, **here) for name in ("orders", "once", "quiet")]
    egress["routes"].append(route("trailing", receipt="trailer", **here))
    egress["routes"].append(route("narrow", **here | {"listener": "narrow"}))
    egress["routes"][-1]["match"]["path"] = "/orders/**"
    return start_gateway(egress), gateway


def entries(gateway: Gateway) -> list[bytes]:
    """The very octets of the log's entries, oldest first."""
    done = lockgate("receipts", "export", store_of(gateway), "--format", "intoto")
    assert done.returncode == 0, done.stderr
    return done.stdout.encode().splitlines()


def test_each_hop_has_a_receipt_and_what_one_delivered_the_next_received(
    chain: tuple[Gateway, Gateway], shared_receiver: Receiver
) -> None:
    sidecar, gateway = chain
    with Client(socket.create_connection(sidecar.address("egress"), timeout=PATIENCE)) as client:
        answer = client.ask(request("/orders/1", BODY))
    assert answer.status == 200
    ours = receipt_of(sidecar, answer)
    (theirs,) = receipts(gateway)
    assert ours["transferId"] == theirs["transferId"] == answer.value("transfer-id")
    assert (ours["kind"], theirs["kind"]) == ("delivered", "delivered")
    assert ours["content"]["delivered"]["sha256"] == sha256(BODY)
    masked = shared_receiver.received[-1].body
    assert SSN.encode() not in masked
    assert theirs["content"]["delivered"]["sha256"] == sha256(masked)
    assert shared_receiver.received[-1].values("via") == ["1.1 sidecar-a", "1.1 gateway-a"]


def test_a_receipt_of_ours_comes_along_and_names_those_that_are_too_long_for_the_listener(
    chain: tuple[Gateway, Gateway],
) -> None:
    sidecar, gateway = chain
    with Client(socket.create_connection(sidecar.address("narrow"), timeout=PATIENCE)) as client:
        answer = client.ask(request("/orders/2", BODY))
    assert len(answer.receipts()) == 1
    assert len(parse_items(answer.value("transfer-receipt-key"))) == 1
    ours = receipt_of(sidecar, answer)
    assert ours["answer"]["receipts"] == [sha256(entries(gateway)[-1])]


def test_a_hop_whose_receipt_is_only_in_its_log_is_not_named(
    chain: tuple[Gateway, Gateway],
) -> None:
    sidecar, _ = chain
    with Client(socket.create_connection(sidecar.address("egress"), timeout=PATIENCE)) as client:
        answer = client.ask(request("/quiet/1", b"{}"))
    assert len(answer.receipts()) == 1
    assert receipt_of(sidecar, answer)["answer"]["receipts"] is None


def test_a_receipt_that_comes_behind_the_answer_is_named_and_passed_on(
    chain: tuple[Gateway, Gateway], tmp_path: Path
) -> None:
    sidecar, gateway = chain
    with Client(socket.create_connection(sidecar.address("egress"), timeout=PATIENCE)) as client:
        answer = client.ask(request("/trailing/1", b"{}"))
    assert [name for name, _ in answer.trailers].count("transfer-receipt") == 2
    theirs, _ = answer.receipts()
    assert theirs == entries(gateway)[-1]
    assert receipt_of(sidecar, answer)["answer"]["receipts"] == [sha256(theirs)]
    keys = parse_items(answer.value("transfer-receipt-key"))
    theirs_said = statement(theirs, gateway.pki)["predicate"]["request"]["target"]
    assert theirs_said["hmacSha256"] == keyed(keys[0], b"/trailing/1")


def test_a_loop_is_refused(chain: tuple[Gateway, Gateway]) -> None:
    sidecar, _ = chain
    with Client(socket.create_connection(sidecar.address("egress"), timeout=PATIENCE)) as client:
        answer = client.ask(request("/orders/3", BODY, "Via: 1.1 sidecar-a"))
    assert answer.status == 508


def test_the_sender_hears_that_a_gateway_further_on_had_delivered_it(
    chain: tuple[Gateway, Gateway], shared_receiver: Receiver
) -> None:
    sidecar, _ = chain
    sent = request("/once/1", b"{}", f"Transfer-Id: {uuid.uuid4()}")
    before = len(shared_receiver.received)
    with Client(socket.create_connection(sidecar.address("egress"), timeout=PATIENCE)) as client:
        first, again = client.ask(sent), client.ask(sent)
    assert (first.status, first.values("transfer-duplicate")) == (200, [])
    assert (again.status, again.value("transfer-duplicate"), again.body) == (200, "?1", b"")
    assert len(shared_receiver.received) == before + 1
    assert "duplicate" not in receipt_of(sidecar, first)["answer"]
    ours = receipt_of(sidecar, again)
    assert ours["answer"]["duplicate"] is True
    assert (ours["attempt"], ours["kind"], ours["answer"]["status"]) == ("2", "delivered", 200)
