"""Much of it: gigabytes in bounded memory, and thousands of transfers of which none is lost."""

import hashlib
import hmac
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scenarios.client import request as http
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Config, Gateway
from tests.scenarios.policy import opaque, policy, route, with_routes
from tests.scenarios.proof import audit, receipt_of, receipts, statement
from tests.scenarios.receiver import Exchange, Receiver

MIB, GIB = 2**20, 2**30
MEMORY = 150 * 10**6
"""Octets that the gateway may have resident at most, whatever crosses it."""
BLOCK = os.urandom(MIB)
RECORDS = b"".join(
    b'{"id": %d, "email":"u%d@example.com", "amount":1.10,"text":"%b"}\n' % (n, n, b"word " * 30)
    for n in range(4000)
)

large = pytest.mark.large


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    records = {
        "content": ["ndjson"],
        "label": "internal",
        "mask": [{"path": "$.email", "action": {"hmac": {"key": "pseudonym"}}}],
        "detect": [{"type": "credit_card", "action": "reject"}],
    }
    wide: Config = {"limits": {"body": "4GiB"}}
    return start_gateway(
        with_routes(
            policy(parties, shared_receiver.endpoint),
            route("up", request=opaque("internal"), **wide),
            route("down", response=opaque("internal"), **wide),
            route("records", request=records, **wide),
        )
    )


@pytest.fixture
def measured(
    gateway: Gateway,
    request: pytest.FixtureRequest,
    record_testsuite_property: Callable[[str, object], None],
) -> Iterator[Callable[[int], None]]:
    """Notes what a test cost the gateway, and demands that its memory stayed bounded."""
    sizes: list[int] = []
    cpu, started = gateway.cpu_seconds(), time.monotonic()
    yield sizes.append
    cpu, seconds = gateway.cpu_seconds() - cpu, time.monotonic() - started
    cost = (
        f"{sum(sizes)} octets, {gateway.peak_memory()} resident, {cpu:.2f} s CPU, {seconds:.2f} s"
    )
    record_testsuite_property(request.node.name, cost)
    assert gateway.peak_memory() < MEMORY


def blocks(size: int, block: bytes) -> Iterator[bytes]:
    """`size` octets of `block` over and over, no two MiB alike."""
    for number in range(size // len(block)):
        yield block[:-8] + b"%08d" % number


@pytest.mark.parametrize("size", [64 * MIB, pytest.param(2 * GIB, marks=large)])
def test_an_opaque_upload(
    gateway: Gateway, receiver: Receiver, measured: Callable[[int], None], size: int
) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.read(keep=False)
        exchange.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    receiver.behave = behave
    digest = hashlib.sha256()
    head = http("/up/1", b"", kind="application/octet-stream")
    with gateway.connect() as client:
        client.send(head.replace(b"Content-Length: 0", b"Content-Length: %d" % size))
        for block in blocks(size, BLOCK):
            digest.update(block)
            client.send(block)
        client.sock.settimeout(60)
        answer = client.answer(bodiless=True)
    assert answer.status == 204
    measured(size)
    came, content = receiver.received.pop(), receipt_of(gateway, answer)["content"]
    assert came.sha256 == digest.hexdigest()
    assert content["delivered"] == {"sha256": digest.hexdigest(), "bytes": str(size)}
    assert content["received"] == content["delivered"]


@pytest.mark.parametrize("size", [64 * MIB, pytest.param(2 * GIB, marks=large)])
def test_an_opaque_download(
    gateway: Gateway, receiver: Receiver, measured: Callable[[int], None], size: int
) -> None:
    digest = hashlib.sha256()

    def behave(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: %d\r\n\r\n" % size)
        for block in blocks(size, BLOCK):
            digest.update(block)
            exchange.send(block)

    receiver.behave = behave
    with gateway.connect() as client:
        client.send(http("/down/1", None, method="GET"))
        answer = client.answer(keep=False)
        assert (answer.status, answer.size) == (200, size)
        measured(size)
        line = gateway.wait_for("transfer", transfer_id=answer.value("transfer-id"))
        path = f"/.well-known/lockgate/receipts/{line['receipt']}"
        receipt = client.ask(http(path, None, method="GET"))
    assert answer.sha256 == digest.hexdigest()
    predicate = statement(receipt.body, gateway.pki)["predicate"]
    assert predicate["transferId"] == answer.value("transfer-id")
    assert predicate["answer"]["delivered"] == {"sha256": answer.sha256, "bytes": str(size)}


@pytest.mark.parametrize("size", [64 * MIB, pytest.param(GIB, marks=large)])
def test_an_upload_of_records_that_are_masked(
    gateway: Gateway, receiver: Receiver, measured: Callable[[int], None], size: int
) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.read(keep=False)
        exchange.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    receiver.behave = behave
    rounds = size // len(RECORDS) + 1
    length = rounds * len(RECORDS)
    plain = hashlib.sha256()
    head = http("/records/1", b"", kind="application/x-ndjson")
    with gateway.connect() as client:
        client.send(head.replace(b"Content-Length: 0", b"Content-Length: %d" % length))
        for _ in range(rounds):
            plain.update(RECORDS)
            client.send(RECORDS)
        client.sock.settimeout(60)
        answer = client.answer(bodiless=True)
    assert answer.status == 204
    measured(length)
    came, content = receiver.received.pop(), receipt_of(gateway, answer)["content"]
    keyed = hmac.new(answer.receipt()[1], digestmod="sha256")
    for _ in range(rounds):
        keyed.update(RECORDS)
    assert content["received"] == {"hmacSha256": keyed.hexdigest(), "bytes": str(length)}
    assert content["delivered"] == {"sha256": came.sha256, "bytes": str(came.size)}
    assert came.sha256 != plain.hexdigest()
    assert content["records"] == content["masked"]["$.email"] == str(rounds * 4000)


@pytest.mark.parametrize(
    ("connections", "transfers"), [(50, 1000), pytest.param(200, 20000, marks=large)]
)
def test_no_transfer_of_many_connections_is_lost(
    start_gateway: StartGateway,
    parties: Path,
    receiver: Receiver,
    record_testsuite_property: Callable[[str, object], None],
    connections: int,
    transfers: int,
) -> None:
    gateway = start_gateway(policy(parties, receiver.endpoint))
    receiver.received.clear()
    sent: list[str] = []
    failures: list[object] = []

    def send() -> None:
        try:
            with gateway.connect() as client:
                for number in range(transfers // connections):
                    answer = client.ask(http(f"/orders/{number}", b'{"n":%d}' % number))
                    assert answer.status == 200
                    sent.append(answer.value("transfer-id"))
        except Exception as error:
            failures.append(error)

    started = time.monotonic()
    senders = [threading.Thread(target=send) for _ in range(connections)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    cpu, seconds = gateway.cpu_seconds(), time.monotonic() - started
    cost = f"{gateway.peak_memory()} resident, {cpu:.2f} s CPU, {seconds:.2f} s"
    record_testsuite_property(f"{transfers} transfers", cost)
    assert not failures
    assert len(set(sent)) == transfers
    assert sorted(each.value("transfer-id") for each in receiver.received) == sorted(sent)
    assert gateway.metric("lockgate_transfers_total", verdict="delivered") == transfers
    gateway.wait_for_metric(0, "lockgate_connections", listener="ingest")
    assert gateway.stop() == 0
    assert len(gateway.logged("transfer")) == transfers
    written = receipts(gateway)
    assert all(each["kind"] == "delivered" for each in written)
    assert sorted(each["transferId"] for each in written) == sorted(sent)
    audit(gateway)
