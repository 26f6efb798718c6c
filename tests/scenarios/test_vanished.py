"""Senders that vanish, stall or do not read, and what becomes of their transfers."""

import threading
import time
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.scenarios.client import begun, chunk, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway, wait_until
from tests.scenarios.policy import opaque, policy, route, with_routes
from tests.scenarios.proof import Watch, receipts
from tests.scenarios.receiver import Exchange, Receiver

RECORD = b'{"n": 1, "text": "' + b"x" * 100 + b'"}\n'
NDJSON = "application/x-ndjson"


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    limits = {"hold": 4096, "record": 1024, "stall_timeout": "1s"}
    records = {"content": ["ndjson"], "label": "internal"}
    config = policy(parties, shared_receiver.endpoint)
    unread = route("unread", request=opaque("internal"), response=opaque("internal"))
    unread["limits"] = {"stall_timeout": "1s"}
    streamed = route("stream", request=records, response=opaque("internal"), limits=limits)
    patient = route("patient", request=records, response=opaque("internal"))
    patient["limits"] = {"hold": 4096, "record": 1024}
    return start_gateway(with_routes(config, streamed, patient, unread))


def test_a_sender_that_vanishes_while_its_content_is_held(watch: Watch) -> None:
    head = begun("/orders/1")
    with watch.gateway.connect() as client:
        client.send(head + chunk(b'{"a":'))
        watch.gateway.wait_for_metric(1, "lockgate_transfers_in_flight")
        client.vanish()
    watch.cut_short("failed", "request-incomplete")
    assert watch.receiver.octets == watch.octets


def test_a_sender_that_vanishes_in_mid_upload(watch: Watch) -> None:
    watch.receiver.broken.clear()
    watch.receiver.behave = Exchange.answer
    head = begun("/files/1", kind="a/b")
    with watch.gateway.connect() as client:
        client.send(head + chunk(b"x" * 200000))
        wait_until(lambda: watch.receiver.octets > watch.octets + 200000)
        client.vanish()
    line = watch.cut_short("failed", "request-incomplete")
    assert line["delivered_bytes"] == 200000
    watch.receiver.wait(lambda: len(watch.receiver.broken) == 1)


def test_a_sender_that_stalls(watch: Watch) -> None:
    head = begun("/stream/1", kind=NDJSON)
    with watch.gateway.connect() as client:
        client.send(head + chunk(RECORD))
        watch.refused(client.answer(), "request-timeout", "failed")


def test_a_sender_that_vanishes_in_mid_answer(watch: Watch, receiver: Receiver) -> None:
    going = threading.Event()

    def behave(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = chunk(b"x" * 60000)
        exchange.send(piece * 2)
        going.wait(PATIENCE)
        for _ in range(1000):
            exchange.send(piece)  # until the gateway has had enough

    receiver.behave = behave
    with watch.gateway.connect() as client:
        client.send(request("/patient/1", RECORD, kind=NDJSON))
        assert client.reader.head().status == 200
        client.vanish()
        going.set()
    watch.cut_short("delivered", None)


def test_a_sender_that_vanishes_while_the_upstream_thinks(watch: Watch, receiver: Receiver) -> None:
    asked, gone = threading.Event(), threading.Event()

    def behave(exchange: Exchange) -> None:
        asked.set()
        gone.wait(PATIENCE)
        exchange.answer()

    receiver.behave = behave
    with watch.gateway.connect() as client:
        client.send(request())
        assert asked.wait(PATIENCE)
        client.vanish()
    gone.set()
    watch.cut_short("delivered", None)


def test_a_sender_that_does_not_read_its_answer_holds_back_the_upstream(
    gateway: Gateway, receiver: Receiver
) -> None:
    sent = [0]

    def behave(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = chunk(b"x" * 65536)
        for _ in range(1600):
            exchange.send(piece)
            sent[0] += 1
        exchange.send(b"0\r\n\r\n")

    receiver.behave = behave
    with gateway.connect() as client:
        client.send(request("/unread/1", b"", kind=""))
        assert client.reader.head().status == 200
        stalled = -1
        while sent[0] != stalled:
            stalled = sent[0]
            time.sleep(0.3)
        assert stalled < 1600
        assert gateway.peak_memory() < 150 * 2**20


def test_each_of_them_has_one_receipt_and_nothing_is_in_flight(gateway: Gateway) -> None:
    gateway.wait_for_metric(0, "lockgate_transfers_in_flight")
    stored = sorted(each["transferId"] for each in receipts(gateway))
    gateway.wait_for_count("transfer", len(stored))  # a line is read a moment after it is written
    assert sorted(line["transfer_id"] for line in gateway.logged("transfer")) == stored
