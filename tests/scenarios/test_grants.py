"""What a grant does not admit is refused by the running program, whenever that shows."""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.client import Client, begun, chunk, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Config, Gateway, wait_until
from tests.scenarios.leaving import a_while, reload
from tests.scenarios.policy import CARD, CLIENT, opaque, policy, route
from tests.scenarios.proof import receipt_of
from tests.scenarios.receiver import Receiver

OCTETS = "application/octet-stream"
PIECE = chunk(b"x" * 65536)
CARDS = f'{{"card":"{CARD}"}}'.encode()


def granted(**keys: Any) -> list[Config]:
    return [CLIENT | keys]


def routes() -> list[Config]:
    raised = {
        "content": ["json", "ndjson"],
        "label": "internal",
        "detect": [{"type": "credit_card", "action": "flag", "raises": "confidential"}],
    }
    plain = opaque("internal")
    return [
        route("methods", allow=granted(methods=["POST"])),
        route("paths", allow=granted(paths=["/paths/*/in"])),
        route("content", allow=granted(content=["ndjson"])),
        route("label", request=raised, allow=granted(label="internal")),
        route("size", request=plain, allow=granted(size=100_000), limits={"hold": 4096}),
        route("floor", request=plain, deny=[{"size": 100_000}], limits={"hold": 4096}),
        route("night", allow=granted(when={"not_before": "2200-01-01"})),
        route("cut", request=plain),
        route("finish", request=plain, on_expiry="finish"),
    ]


@pytest.fixture(scope="module")
def started(parties: Path, start_gateway: StartGateway, shared_receiver: Receiver) -> Gateway:
    return start_gateway(policy(parties, shared_receiver.endpoint, routes=routes()))


@pytest.fixture
def gateway(started: Gateway, receiver: Receiver) -> Iterator[Gateway]:
    """The module's, as it was, for each test."""
    config = started.config
    yield started
    if started.config is not config:
        reload(started, config)


@pytest.mark.parametrize(
    ("good", "bad", "key"),
    [
        (request("/methods/1"), request("/methods/1", method="PUT"), "methods"),
        (request("/paths/1/in"), request("/paths/1/out"), "paths"),
        (request("/content/1", kind="application/x-ndjson"), request("/content/1"), "content"),
        (request("/label/1"), request("/label/1", CARDS), "label"),
        (request("/size/1", b"x" * 100_000, kind=OCTETS),
         request("/size/1", b"x" * 100_001, kind=OCTETS), "size"),
        (None, request("/night/1"), "when"),
    ],
)  # fmt: skip
def test_what_a_grant_does_not_admit_gets_403_and_its_key_is_in_the_log(
    gateway: Gateway, receiver: Receiver, good: bytes | None, bad: bytes, key: str
) -> None:
    before = len(receiver.received)
    if good is not None:
        with gateway.connect() as client:
            assert client.ask(good).status == 200
        receiver.wait(lambda: len(receiver.received) == before + 1)
    since = gateway.mark()
    with gateway.connect() as client:
        answer = client.ask(bad)
    assert answer.status == 403
    predicate = receipt_of(gateway, answer)
    assert (predicate["kind"], predicate["disposition"]["problem"]) == ("rejected", "not-allowed")
    line = gateway.wait_for("transfer", since, problem="not-allowed")
    name = line["route"]
    assert line["reason"] == f"allow[0] of route {name} names the peer, and does not hold: {key}"
    assert len(receiver.received) == before + (good is not None), "it never reaches the upstream"


@pytest.mark.parametrize(
    ("name", "reason"), [("size", "does not hold: size"), ("floor", "deny[0] of route floor")]
)
def test_a_stream_that_grows_beyond_its_grant_is_broken_off(
    gateway: Gateway, receiver: Receiver, name: str, reason: str
) -> None:
    delivered, since, before = len(receiver.received), gateway.mark(), receiver.octets
    with gateway.connect() as client:
        client.send(begun(f"/{name}/1", kind=OCTETS) + PIECE)
        wait_until(lambda: receiver.octets - before >= 65536)
        client.send(PIECE)
        answer = client.answer()
    assert answer.status == 403
    receiver.wait_until_broken(answer.value("transfer-id"))
    assert len(receiver.received) == delivered
    line = gateway.wait_for("transfer", since, problem="not-allowed")
    assert reason in line["reason"]


def uploading(gateway: Gateway, receiver: Receiver, name: str) -> Client:
    client, before = gateway.connect(), receiver.octets
    client.send(begun(f"/{name}/1", kind=OCTETS) + PIECE * 4)
    wait_until(lambda: receiver.octets - before > 65536)
    return client


def limited(gateway: Gateway, until: datetime) -> None:
    """A reload, after which the client may use `cut` and `finish` until then."""
    config = copy.deepcopy(gateway.config)
    for each in config["routes"][-2:]:
        each["allow"] = granted(when={"until": f"{until:%Y-%m-%dT%H:%M:%SZ}"})
    reload(gateway, config)


def test_a_transfer_whose_grant_ends_meanwhile_is_cut_off_or_comes_to_its_end(
    gateway: Gateway, receiver: Receiver
) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=a_while(gateway))
    limited(gateway, until)
    since = gateway.mark()
    with (
        uploading(gateway, receiver, "cut") as cut,
        uploading(gateway, receiver, "finish") as finish,
    ):
        answer = cut.answer()
        assert until <= datetime.now(UTC) < until + timedelta(seconds=5)
        assert answer.status == 403
        assert receipt_of(gateway, answer)["kind"] == "rejected"
        assert (
            "does not hold: when"
            in gateway.wait_for("transfer", since, problem="not-allowed")["reason"]
        )
        reload(gateway, gateway.config | {"log": {"format": "json"}})
        finish.send(PIECE + b"0\r\n\r\n")
        assert finish.answer().status == 200
    with gateway.connect() as client:
        assert client.ask(request("/finish/2", kind=OCTETS)).status == 403


def test_what_is_under_way_is_judged_by_the_grant_that_a_reload_brings(
    gateway: Gateway, receiver: Receiver
) -> None:
    with uploading(gateway, receiver, "cut") as client:
        config = copy.deepcopy(gateway.config)
        config["routes"][-2]["allow"] = granted(size=65536)
        reload(gateway, config)
        answer = client.answer()
    assert answer.status == 403
    assert receipt_of(gateway, answer)["disposition"]["problem"] == "not-allowed"
