"""What the content stops refuse, what has been before, and answers that may not go back."""

import base64
import hashlib
import json
from pathlib import Path

import pytest

from tests.scenarios.client import begun, chunk, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import CARD, SSN, policy, route, with_routes
from tests.scenarios.proof import Watch, receipt_of
from tests.scenarios.receiver import Receiver

FLAG = [{"type": "us_ssn", "action": "flag", "raises": "restricted"}]


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    """The usual policy, and a route for each stop that looks at content."""
    small = {"body": 4096, "document": 1024, "record": 512, "hold": 2048}
    labels = {"content": ["json"], "label_from": "X-Label"}
    config = with_routes(
        policy(parties, shared_receiver.endpoint),
        route("small", limits=small),
        route("labelled", request=labels),
        route("flagged", request={"content": ["json"], "label": "internal", "detect": FLAG}),
        route("raising", request={"content": ["json"], "label": "internal", "detect": [
            FLAG[0] | {"raises": "confidential"}]}),
        route("digested", integrity={"require": "content-digest"}),
        route("silent", response={"label": "internal"}),
        route("clean", response={"content": ["json"], "label": "internal", "detect": [
            {"type": "credit_card", "action": "reject"}]}),
        route("high", response={"content": ["json"], "label": "restricted"}),
        route("raised", response={"content": ["json"], "label": "internal", "detect": FLAG}),
    )  # fmt: skip
    return start_gateway(config)


def _declared(body: bytes, of: bytes) -> str:
    digest = base64.b64encode(hashlib.sha256(of).digest()).decode()
    return f"Content-Digest: sha-256=:{digest}:"


@pytest.mark.parametrize(
    ("code", "sent"),
    {
        "too large, unannounced": ("content-too-large", request("/small/1", [b" " * 1000] * 5)),
        "a document too large": ("content-too-large", request("/small/1", b" " * 1030 + b"{}")),
        "no JSON": ("unparseable", request(body=b"{")),
        "JSON with more behind it": ("unparseable", request(body=b"{} {}")),
        "not UTF-8": ("unparseable", request(body=b'{"a":"\xff"}')),
        "NaN": ("unparseable", request(body=b'{"a":NaN}')),
        "a lone surrogate": ("unparseable", request(body=rb'{"a":"\ud800"}')),
        "too deep": ("unparseable", request(body=b"[" * 300 + b"]" * 300)),
        "a record that is none": (
            "unparseable", request(body=b'{}\n{\n{}\n', kind="application/x-ndjson")),
        "a card number": ("finding-rejected", request(body=b'{"t":"no %b"}' % CARD.encode())),
        "an escaped card number": (
            "finding-rejected", request(body=b'{"t":"\\u0034%b"}' % CARD[1:].encode())),
        "a finding raises the label": (
            "above-clearance", request("/flagged/1", b'{"t":"%b"}' % SSN.encode())),
        "another digest": (
            "digest-mismatch", request("/orders/1", b"{}", _declared(b"{}", of=b"{ }"))),
        "another digest of a digested route": (
            "digest-mismatch", request("/digested/1", b"{}", _declared(b"{}", of=b"[]"))),
    }.values(),
)  # fmt: skip
def test_a_body_that_no_stop_admits(watch: Watch, code: str, sent: bytes) -> None:
    with watch.gateway.connect() as client:
        watch.refused(client.ask(sent), code)


@pytest.mark.parametrize(
    "body", [b"5\r\nhelloX\r\n0\r\n\r\n", b"0x5\r\n", b"5\n", b"-1\r\n", b"\r\n"]
)
def test_chunks_that_are_malformed(watch: Watch, body: bytes) -> None:
    head = begun("/orders/1")
    with watch.gateway.connect() as client:
        client.send(head + body)
        watch.refused(client.answer(), "malformed-request")
        assert client.ended()


def test_a_digest_that_comes_late_decides_as_well(watch: Watch) -> None:
    good = _declared(b"", of=b"[1,2]").encode()
    bad = _declared(b"", of=b"[2,1]").encode()
    head = begun("/digested/1", "Trailer: Content-Digest")
    with watch.gateway.connect() as client:
        assert client.ask(head + chunk(b"[1,2]") + b"0\r\n" + good + b"\r\n\r\n").status == 200
        watch.again()
        answer = client.ask(head + chunk(b"[1,2]") + b"0\r\n" + bad + b"\r\n\r\n")
        watch.refused(answer, "digest-mismatch")


def test_the_receipt_of_a_refusal_reveals_no_digest_of_the_content(watch: Watch) -> None:
    body = b'{"t":"%b"}' % CARD.encode()
    with watch.gateway.connect() as client:
        answer = client.ask(request(body=body))
    watch.refused(answer, "finding-rejected")
    envelope, _ = answer.receipt()
    payload = base64.b64decode(json.loads(envelope)["payload"])
    assert hashlib.sha256(body).hexdigest().encode() not in payload
    assert CARD.encode() not in payload


def test_a_finding_that_rejects_is_in_receipt_log_and_metric(watch: Watch) -> None:
    kind = {"route": "orders", "direction": "request", "type": "credit_card"}
    before = watch.gateway.metric("lockgate_findings_total", **kind)
    spaced = " ".join(CARD[at : at + 4] for at in range(0, 16, 4))
    with watch.gateway.connect() as client:
        answer = client.ask(request(body=b'{"note":"%b"}' % spaced.encode()))
    predicate = watch.refused(answer, "finding-rejected")
    assert predicate["content"]["findings"] == {"credit_card": "1"}
    assert predicate["content"]["foundAt"] == {"credit_card": {"$.note": "1"}}
    logged = watch.logged_one()
    assert logged["findings"] == {"credit_card": 1}
    assert logged["found_at"] == {"credit_card": {"$.note": 1}}
    assert watch.gateway.metric("lockgate_findings_total", **kind) == before + 1


def test_what_was_not_looked_into_is_in_receipt_log_and_metric(watch: Watch) -> None:
    way = {"route": "orders", "direction": "request"}
    before = watch.gateway.metric("lockgate_unscanned_total", **way)
    inside = json.dumps({"n": f"{CARD[:4]}-x"})
    with watch.gateway.connect() as client:
        answer = client.ask(request(body=json.dumps([inside, {"x": inside}]).encode()))
    assert answer.status == 200
    assert receipt_of(watch.gateway, answer)["content"]["unscanned"] == "2"
    assert watch.logged_one()["unscanned"] == 2
    assert watch.gateway.metric("lockgate_unscanned_total", **way) == before + 2


@pytest.mark.parametrize(
    ("path", "body", "field", "label"),
    [
        ("/labelled/1", b"{}", "X-Label: public", "public"),
        ("/labelled/1", b"{}", "X-Label: confidential", "confidential"),
        ("/raising/1", b"{}", "A: b", "internal"),
        ("/raising/1", b'{"t":"%b"}' % SSN.encode(), "A: b", "confidential"),
    ],
)
def test_what_is_cleared_passes_and_says_its_label(
    gateway: Gateway, receiver: Receiver, path: str, body: bytes, field: str, label: str
) -> None:
    with gateway.connect() as client:
        answer = client.ask(request(path, body, field))
    assert answer.status == 200
    assert receiver.received[-1].value("data-sensitivity") == label
    assert receipt_of(gateway, answer)["content"]["label"] == label


# --- the answer ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/orders/1", b"text", "text/plain"),
        ("/orders/1", b"{", "application/json"),
        ("/orders/1", b"text", ""),
        ("/silent/1", b"{}", "application/json"),
        ("/clean/1", b'{"t":"%b"}' % CARD.encode(), "application/json"),
        ("/high/1", b"{}", "application/json"),
        ("/raised/1", b'{"t":"%b"}' % SSN.encode(), "application/json"),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_answer_that_may_not_go_back(
    watch: Watch, receiver: Receiver, path: str, body: bytes, kind: str, status: int
) -> None:
    receiver.behave = lambda exchange: exchange.answer(status, body, kind=kind)
    with watch.gateway.connect() as client:
        answer = client.ask(request(path))
    verdict = "delivered" if status == 200 else "failed"
    predicate = watch.refused(answer, "answer-refused", verdict, reached=True)
    assert predicate["answer"]["status"] == status
    assert predicate["content"]["delivered"]["sha256"] == receiver.received[-1].sha256
    assert body not in answer.body or not body.strip(b"{}")
