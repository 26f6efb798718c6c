"""An application, a sidecar, a gateway and a receiver: each hop its own process and its own log."""

import socket
import uuid
from pathlib import Path

import pytest

from tests.scenarios.client import Client, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import SSN, policy, route
from tests.scenarios.proof import receipt_of, receipts, sha256
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
    for each in config["routes"]:
        each["allow"] = [GATEWAY]
    gateway = start_gateway(config)
    host, port = gateway.address("ingest")
    egress = policy(parties, f"https://{host}:{port}", name="sidecar-a")
    egress["upstreams"]["warehouse"] |= {
        "server_name": "gateway.lockgate.example",
        "peer": GATEWAY,
    }
    egress["listeners"] = {
        "egress": {"bind": "127.0.0.1:0", "zone": "partner", "tls": {"mode": "none"}}
    }
    here = [{"networks": ["127.0.0.1/32"]}]
    egress["routes"] = [route(name, listener="egress", allow=here) for name in ("orders", "once")]
    return start_gateway(egress), gateway


def test_each_hop_has_a_receipt_and_what_one_delivered_the_next_received(
    chain: tuple[Gateway, Gateway], shared_receiver: Receiver
) -> None:
    sidecar, gateway = chain
    with Client(socket.create_connection(sidecar.address("egress"), timeout=15)) as client:
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


def test_a_receipt_of_ours_comes_along_even_where_those_of_all_hops_are_too_long(
    chain: tuple[Gateway, Gateway],
) -> None:
    sidecar, _ = chain
    with Client(socket.create_connection(sidecar.address("egress"), timeout=15)) as client:
        answer = client.ask(request("/orders/2", BODY))
    assert len(answer.value("transfer-receipt")) <= 8 * 1024
    assert receipt_of(sidecar, answer)["log"]["origin"] == "receipts.lockgate.example/gateway-a"


def test_a_loop_is_refused(chain: tuple[Gateway, Gateway]) -> None:
    sidecar, _ = chain
    with Client(socket.create_connection(sidecar.address("egress"), timeout=15)) as client:
        answer = client.ask(request("/orders/3", BODY, "Via: 1.1 sidecar-a"))
    assert answer.status == 508


def test_the_sender_hears_that_a_gateway_further_on_had_delivered_it(
    chain: tuple[Gateway, Gateway], shared_receiver: Receiver
) -> None:
    sidecar, _ = chain
    sent = request("/once/1", b"{}", f"Transfer-Id: {uuid.uuid4()}")
    before = len(shared_receiver.received)
    with Client(socket.create_connection(sidecar.address("egress"), timeout=15)) as client:
        first, again = client.ask(sent), client.ask(sent)
    assert (first.status, first.values("transfer-duplicate")) == (200, [])
    assert (again.status, again.value("transfer-duplicate"), again.body) == (200, "?1", b"")
    assert len(shared_receiver.received) == before + 1
    ours = receipt_of(sidecar, again)
    assert (ours["attempt"], ours["kind"], ours["answer"]["status"]) == ("2", "delivered", 200)
