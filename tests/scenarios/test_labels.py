"""The label of content: told to both sides, and kept below the ceiling by redaction."""

from pathlib import Path

import pytest

from tests.scenarios.client import request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import CLIENT, SSN, opaque, policy, route, with_routes
from tests.scenarios.proof import Watch, receipt_of
from tests.scenarios.receiver import Receiver

FOUND = b'{"t":"%b"}' % SSN.encode()
REDACTED = b'{"t":"[REDACTED:us_ssn]"}'


def raising(label: str, **changes: object) -> dict[str, object]:
    """Content that is `internal` until an SSN is found in it."""
    detect = [{"type": "us_ssn", "action": "flag", "raises": label}]
    return {"content": ["json", "ndjson"], "label": "internal", "detect": detect} | changes


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    """The warehouse is cleared for `confidential`, the partner for `internal`."""
    redact = {"on_violation": "redact"}
    named = raising("restricted", label_from="X-Label", **redact)
    del named["label"]
    config = with_routes(
        policy(parties, shared_receiver.endpoint),
        route("redacts", request=raising("restricted", **redact)),
        route("rejects", request=raising("restricted")),
        route("cleared", request=raising("confidential", **redact)),
        route("granted", allow=[CLIENT | {"label": "internal"}],
              request=raising("confidential", **redact)),
        route("denied", deny=[CLIENT | {"label": "confidential"}],
              request=raising("confidential", **redact)),
        route("named", request=named),
        route("answers", response=raising("confidential", **redact)),
        route("believed",
              response={"content": ["json"], "label_from": "Data-Sensitivity"}),
        route("streams", request=raising("confidential"), response=opaque("public"),
              limits={"hold": 64, "record": 64}),
        route("bounded", request=raising("restricted", **redact), limits={"hold": 64}),
    )  # fmt: skip
    return start_gateway(config)


@pytest.mark.parametrize("path", ["/redacts/1", "/granted/1", "/denied/1"])
def test_a_finding_that_would_raise_the_label_too_high_is_redacted(
    gateway: Gateway, receiver: Receiver, path: str
) -> None:
    with gateway.connect() as client:
        answer = client.ask(request(path, FOUND))
    came = receiver.received[-1]
    assert (answer.status, came.body) == (200, REDACTED)
    assert came.value("data-sensitivity") == "internal"
    content = receipt_of(gateway, answer)["content"]
    assert (content["label"], content["lowered"]) == ("internal", {"us_ssn": "1"})


def test_log_and_metric_count_what_was_redacted_for_the_label(watch: Watch) -> None:
    kind = {"route": "redacts", "direction": "request", "type": "us_ssn"}
    before = watch.gateway.metric("lockgate_lowered_total", **kind)
    with watch.gateway.connect() as client:
        client.ask(request("/redacts/1", FOUND))
    assert watch.logged_one()["lowered"] == {"us_ssn": 1}
    assert watch.gateway.metric("lockgate_lowered_total", **kind) == before + 1


def test_a_finding_below_the_ceiling_stays_and_raises_the_label(
    gateway: Gateway, receiver: Receiver
) -> None:
    with gateway.connect() as client:
        answer = client.ask(request("/cleared/1", FOUND))
    came = receiver.received[-1]
    assert (came.body, came.value("data-sensitivity")) == (FOUND, "confidential")
    content = receipt_of(gateway, answer)["content"]
    assert content["label"] == "confidential"
    assert "lowered" not in content


def test_without_on_violation_it_is_refused(watch: Watch) -> None:
    with watch.gateway.connect() as client:
        watch.refused(client.ask(request("/rejects/1", FOUND)), "above-clearance")


def test_a_label_that_the_sender_gives_cannot_be_redacted_away(watch: Watch) -> None:
    with watch.gateway.connect() as client:
        answer = client.ask(request("/named/1", FOUND, "X-Label: restricted"))
        watch.refused(answer, "above-clearance")
        watch.again()
        assert client.ask(request("/named/1", FOUND, "X-Label: confidential")).status == 200
    came = watch.receiver.received[-1]
    assert (came.body, came.value("data-sensitivity")) == (REDACTED, "confidential")


def test_an_answer_bears_its_label_and_not_what_the_upstream_says_of_it(
    gateway: Gateway, receiver: Receiver
) -> None:
    receiver.behave = lambda exchange: exchange.answer(
        200, FOUND, "Data-Sensitivity: public", kind="application/json"
    )
    with gateway.connect() as client:
        answer = client.ask(request("/answers/1"))
    assert (answer.body, answer.value("data-sensitivity")) == (REDACTED, "internal")
    assert receipt_of(gateway, answer)["answer"]["lowered"] == {"us_ssn": "1"}


@pytest.mark.parametrize(
    ("said", "status"), [("public", 200), ("internal", 200), ("restricted", 502), (None, 502)]
)
def test_what_a_peer_says_of_a_label_is_believed_where_label_from_asks_for_it(
    gateway: Gateway, receiver: Receiver, said: str | None, status: int
) -> None:
    fields = [f"Data-Sensitivity: {said}"] if said else []
    receiver.behave = lambda exchange: exchange.answer(200, b"{}", *fields)
    with gateway.connect() as client:
        answer = client.ask(request("/believed/1"))
    assert answer.status == status
    assert answer.values("data-sensitivity") == ([said] if status == 200 else [])


def test_an_answer_without_content_bears_no_label(gateway: Gateway, receiver: Receiver) -> None:
    receiver.behave = lambda exchange: exchange.answer(
        200, b"", "Data-Sensitivity: public", kind="application/json"
    )
    with gateway.connect() as client:
        assert client.ask(request("/answers/1")).values("data-sensitivity") == []


def test_what_streams_is_told_by_the_highest_label_that_it_may_have(
    gateway: Gateway, receiver: Receiver
) -> None:
    lines = b'{"n":1}\n' * 40
    with gateway.connect() as client:
        answers = [
            client.ask(request("/streams/1", body, kind="application/x-ndjson"))
            for body in (lines, lines + FOUND + b"\n", b'{"n":1}\n')
        ]
        came = receiver.received[-3:]
        bounded = client.ask(request("/bounded/1", lines, kind="application/x-ndjson"))
    told = [each.value("data-sensitivity") for each in came]
    assert told == ["confidential", "confidential", "internal"]
    turned_out = [receipt_of(gateway, answer)["content"]["label"] for answer in answers]
    assert turned_out == ["internal", "confidential", "internal"]
    assert receiver.received[-1].value("data-sensitivity") == "internal"
    assert receipt_of(gateway, bounded)["content"]["label"] == "internal"
