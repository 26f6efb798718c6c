"""Gigabytes through two gateways, one after the other: each process stays small."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import pytest

from tests.scenarios.client import chunk
from tests.scenarios.client import request as http
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Config, Gateway
from tests.scenarios.hops import by_unix
from tests.scenarios.policy import opaque, policy, route
from tests.scenarios.proof import receipt_of, statement
from tests.scenarios.receiver import Exchange, Receiver
from tests.scenarios.test_volume import BLOCK, GIB, MEMORY, MIB, RECORDS, blocks

Chain = tuple[Gateway, Gateway]
UPSTREAM = {"spiffe": "spiffe://lockgate.example/gateway"}

large = pytest.mark.large
pytestmark = pytest.mark.parametrize("workers", [2], ids=["two-workers"], indirect=True)


@pytest.fixture(scope="module")
def chain(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Chain:
    """A sidecar on a unix socket that forwards octets unseen, and a gateway that may mask them."""
    wide: Config = {"limits": {"body": "8GiB"}}
    records = {
        "content": ["ndjson"],
        "label": "internal",
        "mask": [{"path": "$.email", "action": {"hmac": {"key": "pseudonym"}}}],
        "detect": [{"type": "credit_card", "action": "reject"}],
    }
    config = policy(parties, shared_receiver.endpoint)
    config["routes"] = [
        route("up", request=opaque("internal"), allow=[UPSTREAM], **wide),
        route("records", request=records, allow=[UPSTREAM], **wide),
    ]
    gateway = start_gateway(config)
    host, port = gateway.address("ingest")
    near = policy(parties, f"https://{host}:{port}", name="sidecar", workers=1)
    near["upstreams"]["warehouse"] |= {
        "server_name": "gateway.lockgate.example",
        "peer": UPSTREAM,
    }
    local = {"bind": "unix:egress.sock", "zone": "partner", "tls": {"mode": "none"}}
    near["listeners"] = {"ingest": local}
    anybody = [{"local": {"uid": [os.getuid()]}}]
    near["routes"] = [
        route(name, request=opaque("internal"), allow=anybody, **wide) for name in ("up", "records")
    ]
    return start_gateway(near), gateway


@pytest.fixture
def measured(
    chain: Chain,
    request: pytest.FixtureRequest,
    record_testsuite_property: Callable[[str, object], None],
) -> Iterator[Callable[[int], None]]:
    """Notes what a transfer cost each process, and demands that each stayed small."""
    sizes: list[int] = []
    before, started = [hop.cpu_seconds() for hop in chain], time.monotonic()
    yield sizes.append
    seconds = time.monotonic() - started
    cost = [f"{sum(sizes)} octets in {seconds:.1f} s"]
    for hop, cpu in zip(chain, before, strict=True):
        name, used = hop.config["name"], hop.cpu_seconds() - cpu
        cost.append(f"{name}: {used:.1f} s CPU, {hop.peak_memory()} resident at most")
    record_testsuite_property(request.node.name, "; ".join(cost))
    assert [hop.peak_memory() for hop in chain if hop.peak_memory() >= MEMORY] == []


def swallow(exchange: Exchange) -> None:
    exchange.read(keep=False)
    exchange.send(b"HTTP/1.1 204 No Content\r\n\r\n")


@pytest.mark.parametrize("size", [32 * MIB, pytest.param(5 * GIB, marks=large)])
def test_an_opaque_upload_through_both(
    chain: Chain, receiver: Receiver, measured: Callable[[int], None], size: int
) -> None:
    receiver.behave = swallow
    digest = hashlib.sha256()
    head = http("/up/1", b"", kind="application/octet-stream")
    with by_unix(chain[0]) as client:
        client.send(head.replace(b"Content-Length: 0", b"Content-Length: %d" % size))
        for block in blocks(size, BLOCK):
            digest.update(block)
            client.send(block)
        answer = client.answer(bodiless=True)
    assert answer.status == 204
    measured(size)
    assert receiver.received.pop().sha256 == digest.hexdigest()
    told = {"sha256": digest.hexdigest(), "bytes": str(size)}
    for envelope, hop in zip(reversed(answer.receipts()), chain, strict=True):
        content = statement(envelope, hop.pki)["predicate"]["content"]
        assert (content["received"], content["delivered"]) == (told, told)


@pytest.mark.parametrize("size", [16 * MIB, pytest.param(GIB, marks=large)])
def test_records_that_the_second_masks(
    chain: Chain, receiver: Receiver, measured: Callable[[int], None], size: int
) -> None:
    receiver.behave = swallow
    rounds = size // len(RECORDS) + 1
    with by_unix(chain[0]) as client:
        client.send(http("/records/1", (), kind="application/x-ndjson").removesuffix(b"0\r\n\r\n"))
        for records in repeat(RECORDS, rounds):
            client.send(chunk(records))
        client.send(b"0\r\n\r\n")
        answer = client.answer(bodiless=True)
    assert answer.status == 204
    measured(rounds * len(RECORDS))
    theirs, ours = (statement(each, chain[0].pki)["predicate"] for each in answer.receipts())
    assert theirs["content"]["masked"] == {"$.email": str(4000 * rounds)}
    assert theirs["content"]["delivered"]["sha256"] == receiver.received.pop().sha256
    assert ours["content"]["delivered"]["bytes"] == theirs["content"]["received"]["bytes"]
    assert receipt_of(chain[0], answer) == ours
