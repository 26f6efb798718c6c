"""Upstreams that are down, are somebody else, or misbehave: what the sender and the log learn."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.scenarios.client import chunk, request
from tests.scenarios.conftest import StartGateway, StartReceiver
from tests.scenarios.gateway import Gateway
from tests.scenarios.message import Broken
from tests.scenarios.parties import pin
from tests.scenarios.policy import RECEIVER, opaque, policy, route, with_routes
from tests.scenarios.proof import Watch, receipts
from tests.scenarios.receiver import OK, Exchange, Receiver

IMPOSTORS = {
    "misnamed": ("misnamed-receiver", "name"),
    "other": ("other-receiver", "identity"),
    "foreign": ("foreign-receiver", "untrusted"),
    "expired": ("expired-receiver", "expired"),
    "client-only": ("client-only-receiver", "usage"),
    "unpinned": ("receiver", "pin"),
}
SHORT = {"connect_timeout": "1s"}


@pytest.fixture(scope="module")
def nowhere() -> Iterator[str]:
    """An address that is taken, so that nobody else comes there, and at which nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"https://localhost:{closed.getsockname()[1]}"


@pytest.fixture(scope="module")
def gateway(
    start_gateway: StartGateway,
    start_receiver: StartReceiver,
    shared_receiver: Receiver,
    nowhere: str,
    parties: Path,
) -> Gateway:
    config = policy(parties, shared_receiver.endpoint)
    config["upstreams"]["hasty"] = config["upstreams"]["warehouse"] | {
        "limits": {"answer_timeout": "400ms"}
    }
    for name, (party, _) in IMPOSTORS.items():
        pool = config["upstreams"][name] = {
            "zone": "warehouse",
            "endpoints": [start_receiver(party).endpoint],
            "server_name": "receiver.lockgate.example",
            "peer": RECEIVER,
        }
        if name == "other":
            pool["server_name"] = "other.lockgate.example"
        if name == "unpinned":
            pool["pins"] = [pin(parties, "other-receiver")]
        config = with_routes(config, route(name, upstream=name))
    config["upstreams"]["nowhere"] = {"zone": "warehouse", "endpoints": [nowhere]}
    both = {"zone": "warehouse", "endpoints": [nowhere, shared_receiver.endpoint]}
    config["upstreams"]["second"] = both
    plain = start_receiver(None).endpoint.replace("http:", "https:")
    config["upstreams"]["plain"] = {"zone": "warehouse", "endpoints": [plain], "limits": SHORT}
    return start_gateway(
        with_routes(
            config,
            route("nowhere", upstream="nowhere"),
            route("second", upstream="second"),
            route("plain", upstream="plain"),
            route("hasty", upstream="hasty", limits={"stall_timeout": "400ms"}),
            route("stream", response=opaque("internal"), limits={"hold": 1024, "record": 512}),
        )
    )


def test_an_upstream_that_is_down(watch: Watch) -> None:
    with watch.gateway.connect() as client:
        answer = client.ask(request("/nowhere/1"))
        watch.refused(answer, "upstream-unreachable", "failed")


def test_the_next_endpoint_is_tried(gateway: Gateway) -> None:
    with gateway.connect() as client:
        assert client.ask(request("/second/1")).status == 200


def test_an_upstream_that_does_not_speak_tls(watch: Watch) -> None:
    with watch.gateway.connect() as client:
        watch.refused(client.ask(request("/plain/1")), "upstream-unreachable", "failed")


@pytest.mark.parametrize("name", IMPOSTORS)
def test_an_upstream_that_is_not_who_it_should_be(watch: Watch, name: str) -> None:
    reason = IMPOSTORS[name][1]
    handshakes = {"side": "upstream", "name": name, "result": reason}
    before = watch.gateway.metric("lockgate_handshakes_total", **handshakes)
    with watch.gateway.connect() as client:
        watch.refused(client.ask(request(f"/{name}/1")), "upstream-identity", "failed")
    assert watch.gateway.metric("lockgate_handshakes_total", **handshakes) == before + 1
    assert watch.logged_one()["reason"].startswith(f"{reason}:")


# --- misbehaviour after the request has gone: nobody knows what became of it ---------------------


def said(data: bytes) -> Callable[[Exchange], None]:
    def behave(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(data)

    return behave


def hang_up(exchange: Exchange) -> None:
    exchange.read()
    exchange.reset()


def test_garbage_instead_of_an_answer(watch: Watch, receiver: Receiver) -> None:
    receiver.behave = said(bytes(range(256)))
    with watch.gateway.connect() as client:
        answer = client.ask(request())
    watch.refused(answer, "upstream-malformed", "indeterminate", reached=True)


def test_a_reset_instead_of_an_answer(watch: Watch, receiver: Receiver) -> None:
    receiver.behave = hang_up
    with watch.gateway.connect() as client:
        answer = client.ask(request())
    watch.refused(answer, "upstream-closed", "indeterminate", reached=True)


def test_no_answer_in_time(watch: Watch, receiver: Receiver) -> None:
    receiver.behave = said(b"")
    started = time.monotonic()
    with watch.gateway.connect() as client:
        answer = client.ask(request("/hasty/1"))
    assert 0.3 < time.monotonic() - started < PATIENCE
    watch.refused(answer, "upstream-timeout", "indeterminate", reached=True)


def test_an_answer_that_stalls_while_it_is_held(watch: Watch, receiver: Receiver) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    receiver.behave = said(head)
    with watch.gateway.connect() as client:
        answer = client.ask(request("/hasty/1"))
    watch.refused(answer, "upstream-timeout", "indeterminate", reached=True)


def test_an_answer_that_breaks_off_while_it_streams(watch: Watch, receiver: Receiver) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.read()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n"
        exchange.send(head + chunk(b"x" * 50000) + chunk(b"y" * 50000))
        exchange.reset()

    receiver.behave = behave
    with watch.gateway.connect() as client:
        client.send(request("/stream/1"))
        with pytest.raises(Broken):
            client.answer()
    line = watch.cut_short("indeterminate", "upstream-closed")
    assert line["upstream_status"] == 200


def test_an_idle_connection_that_the_upstream_closed_is_not_used_again(
    gateway: Gateway, receiver: Receiver
) -> None:
    closed = threading.Semaphore(0)

    def once(exchange: Exchange) -> None:
        exchange.answer()
        exchange.reset()
        closed.release()

    receiver.behave = once
    with gateway.connect() as client:
        for _ in range(5):
            assert client.ask(request()).body == OK
            assert closed.acquire(timeout=PATIENCE)


def test_octets_behind_an_answer_are_not_taken_for_the_next(
    gateway: Gateway, receiver: Receiver
) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.answer()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")

    receiver.behave = behave
    with gateway.connect() as client:
        answers = [client.ask(request()) for _ in range(5)]
    assert all(answer.body == OK for answer in answers if answer.status == 200)
    assert answers[0].status == 200


def test_the_log_has_one_receipt_for_each_of_them(gateway: Gateway) -> None:
    stored = sorted(each["transferId"] for each in receipts(gateway))
    gateway.wait_for_count("transfer", len(stored))  # a line is read a moment after it is written
    assert sorted(line["transfer_id"] for line in gateway.logged("transfer")) == stored
    assert len(stored) == len(set(stored))
