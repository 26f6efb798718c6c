"""Rules in shadow show to neither side, and are in receipt, log and metric."""

import base64
import hashlib
from pathlib import Path

import pytest

from tests.scenarios.client import request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import CLIENT, SSN, STRANGER, policy, route, with_routes
from tests.scenarios.proof import Watch, receipt_of
from tests.scenarios.receiver import Receiver

SHADOW = {"shadow": True}
BODY = b'{"t":"%b","a":1}' % SSN.encode()
RULES = {
    "content": ["json", "ndjson"],
    "label": "internal",
    "mask": [
        {"path": "$.a", "action": "drop"} | SHADOW,
        {"header": "X-User", "action": "redact"} | SHADOW,
        {"query": "email", "action": "redact"} | SHADOW,
    ],
    "detect": [{"type": "us_ssn", "action": "reject"} | SHADOW],
}
ANSWER = {
    "content": ["json"],
    "label": "internal",
    "detect": [{"type": "us_ssn", "action": "reject"} | SHADOW],
}
NOTED = {
    "deny[0]": "1",
    "request.mask[0]": "1",
    "request.mask[1]": "1",
    "request.mask[2]": "1",
    "request.detect[0]": "1",
}


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    config = with_routes(
        policy(parties, shared_receiver.endpoint),
        route("shaded", request=RULES, response=ANSWER, deny=[CLIENT | {"size": 5} | SHADOW]),
        route("new", allow=[STRANGER, CLIENT | SHADOW]),
        route("late", allow=[CLIENT | {"size": 5}, CLIENT | SHADOW]),
    )
    return start_gateway(config)


def digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def test_what_they_would_have_done_is_in_receipt_log_and_metric(watch: Watch) -> None:
    metric, way = "lockgate_shadow_transfers_total", {"route": "shaded", "direction": "request"}
    before = watch.gateway.metric(metric, **way)
    declared = f"Content-Digest: {digest(BODY)}"
    with watch.gateway.connect() as client:
        answer = client.ask(request("/shaded/1?email=x", BODY, "X-User: me", declared))
    came = watch.receiver.received[-1]
    assert (answer.status, came.body, came.value("x-user")) == (200, BODY, "me")
    assert came.first.split()[1] == "/shaded/1?email=x"
    assert came.value("content-digest") == digest(BODY), "nothing of it was hidden"
    content = receipt_of(watch.gateway, answer)["content"]
    assert (content["shadow"], content["changed"], content["masked"]) == (NOTED, False, {})
    assert content["findings"] == {}
    line = watch.logged_one()
    assert line["shadow"] == dict.fromkeys(NOTED, 1)
    assert watch.gateway.metric(metric, **way) == before + len(NOTED)


def test_an_answer_is_looked_at_likewise(gateway: Gateway, receiver: Receiver) -> None:
    receiver.behave = lambda exchange: exchange.answer(200, BODY)
    with gateway.connect() as client:
        answer = client.ask(request("/shaded/1"))
    assert (answer.status, answer.body) == (200, BODY)
    predicate = receipt_of(gateway, answer)
    assert predicate["answer"]["shadow"] == {"response.detect[0]": "1"}
    assert "shadow" not in predicate["content"]


def test_whom_only_a_grant_in_shadow_names_is_refused_and_the_receipt_tells(watch: Watch) -> None:
    with watch.gateway.connect() as client:
        predicate = watch.refused(client.ask(request("/new/1")), "not-allowed")
    assert predicate["content"]["shadow"] == {"allow[1]": "1"}
    assert watch.logged_one()["shadow"] == {"allow[1]": 1}


def test_one_that_would_have_stood_in_mid_stream_is_told_too(watch: Watch) -> None:
    with watch.gateway.connect() as client:
        predicate = watch.refused(client.ask(request("/late/1", [BODY])), "not-allowed")
    assert predicate["content"]["shadow"] == {"allow[1]": "1"}


def test_a_transfer_that_none_concerns_says_nothing_of_them(
    gateway: Gateway, receiver: Receiver
) -> None:
    with gateway.connect() as client:
        answer = client.ask(request("/shaded/1", b"{}"))
    predicate = receipt_of(gateway, answer)
    assert "shadow" not in predicate["content"]
    assert "shadow" not in predicate["answer"]
