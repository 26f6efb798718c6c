"""Clients that offer HTTP/2 over plain HTTP are served in HTTP/1.1, and no upstream hears of it."""

import json
import socket
import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.scenarios.client import Client, parse, request
from tests.scenarios.clients.senders import JSON, program
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.message import Message
from tests.scenarios.policy import SSN, policy
from tests.scenarios.proof import Watch, receipt_of
from tests.scenarios.receiver import OK, Exchange, Receiver
from tests.wire.ambiguous import H2C

ORDER = b'{"customer":{"ssn":"%b"}}' % SSN.encode()
OFFER = ["Connection: Upgrade, HTTP2-Settings", *(line.decode() for line in H2C)]


@pytest.fixture(scope="module")
def gateway(parties: Path, start_gateway: StartGateway, shared_receiver: Receiver) -> Gateway:
    """A sidecar: its senders come without TLS, by loopback."""
    config = policy(parties, shared_receiver.endpoint)
    config["listeners"]["ingest"] |= {"bind": "127.0.0.1:0", "tls": {"mode": "none"}}
    for each in config["routes"]:
        each["allow"] = [{"networks": ["127.0.0.1/32"]}]
    return start_gateway(config)


def url(gateway: Gateway, path: str) -> str:
    host, port = gateway.address()
    return f"http://{host}:{port}{path}"


def without_tls(gateway: Gateway) -> Client:
    return Client(socket.create_connection(gateway.address(), timeout=PATIENCE))


def require_no_offer(came: Message) -> None:
    names = {name for name, _ in came.fields}
    assert names.isdisjoint({"upgrade", "http2-settings", "connection"})


def test_curl_that_offers_http_2_gets_its_answers_over_one_connection_of_http_1_1(
    gateway: Gateway, receiver: Receiver
) -> None:
    command = [program("curl"), "-q", "-sSvi", "--http2", "-d", ORDER.decode()]
    command += ["-H", f"Content-Type: {JSON}"]
    done = subprocess.run(
        [*command, url(gateway, "/orders/1"), url(gateway, "/orders/2")],
        capture_output=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    said = done.stderr.lower()
    assert b"> upgrade: h2c\r\n> http2-settings: " in said, "curl has to offer it"
    assert b"re-using existing connection" in said
    assert done.stdout.count(b"HTTP/1.1 ") == done.stdout.count(b"HTTP/1.1 200 OK\r\n") == 2
    answer = parse(done.stdout.partition(OK)[0] + OK)
    assert receipt_of(gateway, answer)["kind"] == "delivered"
    for came in receiver.received[-2:]:
        assert json.loads(came.body)["customer"]["ssn"] != SSN
        require_no_offer(came)


@pytest.mark.parametrize("body", [ORDER, [ORDER[:9], ORDER[9:]]], ids=["length", "chunks"])
def test_an_offer_with_content_is_ignored_and_the_next_request_is_judged_like_any(
    gateway: Gateway, receiver: Receiver, body: bytes | list[bytes]
) -> None:
    with without_tls(gateway) as client:
        for fields in (OFFER, [*OFFER, "Expect: 100-continue"], []):
            answer = client.ask(request("/orders/1", body, *fields))
            assert (answer.status, answer.body) == (200, OK)
            assert answer.values("upgrade") == []
            require_no_offer(receiver.received[-1])


def test_an_upstream_that_would_accept_the_offer_is_not_followed(
    watch: Watch, receiver: Receiver
) -> None:
    def accept(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n")
        exchange.send(b"Upgrade: h2c\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")

    receiver.behave = accept
    with without_tls(watch.gateway) as client:
        answer = client.ask(request("/orders/1", ORDER, *OFFER))
    watch.refused(answer, "upstream-malformed", "indeterminate", reached=True)
