"""Transfers that end before their end: violations in mid-stream, early answers."""

from pathlib import Path

import pytest

from tests.scenarios.client import begun, chunk, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.message import Broken
from tests.scenarios.policy import CARD, opaque, policy, route, with_routes
from tests.scenarios.proof import Watch, receipt_of
from tests.scenarios.receiver import Exchange, Receiver

RECORD = b'{"n": 1, "text": "' + b"x" * 100 + b'"}\n'
NDJSON = "application/x-ndjson"
MANY = 4000
"""Records that fill no socket buffer, but go far beyond what is held."""


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    detect = [{"type": "credit_card", "action": "reject"}]
    limits = {"hold": 4096, "record": 1024, "body": "1MiB"}
    checked = {"content": ["ndjson"], "label": "internal", "detect": detect}
    config = with_routes(
        policy(parties, shared_receiver.endpoint),
        route("stream", request=checked, response=opaque("internal"), limits=limits),
        route("raw", request=opaque("internal"), limits={"hold": 4096}),
        route("answers", response=checked, limits=limits),
    )
    return start_gateway(config)


def refused_in_midstream(watch: Watch, answer_of: bytes, code: str) -> None:
    """The sender is told; the upstream never gets the end of a message."""
    before = len(watch.receiver.received)
    with watch.gateway.connect() as client:
        client.send(answer_of)
        answer = client.answer()
    predicate = watch.refused(answer, code, reached=True)
    broken = watch.receiver.wait_until_broken(answer.value("transfer-id"))
    assert len(watch.receiver.received) == before
    sent = predicate["content"]["delivered"]
    assert set(sent) == {"bytes"}
    assert 4096 < int(sent["bytes"]) < len(answer_of)
    assert broken.size <= int(sent["bytes"])
    assert watch.logged_one()["delivered_bytes"] == int(sent["bytes"])


@pytest.mark.parametrize(
    ("code", "bad"),
    [
        ("unparseable", b"{\n"),
        ("finding-rejected", b'{"t": "%b"}\n' % CARD.encode()),
        ("content-too-large", b'"' + b"x" * 2000 + b'"\n'),
        ("content-too-large", RECORD * 6000),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_violation_late_in_a_stream_aborts_the_upstream_message(
    watch: Watch, code: str, bad: bytes, chunked: bool
) -> None:
    watch.receiver.behave = Exchange.answer
    body = RECORD * MANY + bad + RECORD
    if len(body) > 2**20 and not chunked:
        with watch.gateway.connect() as client:
            watch.refused(client.ask(request("/stream/1", body, kind=NDJSON)), code)
        return
    pieces = [body[at : at + 16000] for at in range(0, len(body), 16000)]
    refused_in_midstream(
        watch, request("/stream/1", pieces if chunked else body, kind=NDJSON), code
    )


def test_a_digest_that_turns_out_wrong_aborts_as_well(watch: Watch) -> None:
    body = RECORD * MANY
    declared = "Content-Digest: sha-256=:" + "A" * 43 + "=:"
    refused_in_midstream(
        watch, request("/stream/1", body, declared, kind=NDJSON), "digest-mismatch"
    )


def test_a_sized_upload_is_not_whole_before_its_digest_was_right(watch: Watch) -> None:
    """Its length alone would complete it: the last piece stays back until all of it is judged."""
    body = b"x" * 300_000
    declared = "Content-Digest: sha-256=:" + "A" * 43 + "=:"
    sent = request("/raw/1", body, declared, kind="a/b")
    refused_in_midstream(watch, sent, "digest-mismatch")


def test_an_upstream_that_answers_at_the_last_octet_has_taken_it_all(
    watch: Watch, receiver: Receiver
) -> None:
    receiver.behave = lambda exchange: exchange.answer(200, b"{}")
    with watch.gateway.connect() as client:
        for number in range(100):
            answer = client.ask(request("/raw/1", b"%08d" % number * 40_000, kind="a/b"))
            predicate = receipt_of(watch.gateway, answer)
            assert predicate["kind"] == "delivered"
            assert predicate["content"]["delivered"]["sha256"] == receiver.received[-1].sha256


def test_an_answer_that_is_refused_in_midstream_is_never_complete(
    watch: Watch, receiver: Receiver
) -> None:
    body = RECORD * MANY + b'{"t": "%b"}\n' % CARD.encode() + RECORD
    receiver.behave = lambda exchange: exchange.answer(200, body, kind=NDJSON)
    with watch.gateway.connect() as client:
        client.send(request("/answers/1"))
        with pytest.raises(Broken) as caught:
            client.answer()
    assert CARD.encode() not in caught.value.body
    watch.cut_short("delivered", "answer-refused")


def test_a_sized_answer_is_not_whole_before_its_digest_was_right(
    watch: Watch, receiver: Receiver
) -> None:
    declared = "Content-Digest: sha-256=:" + "A" * 43 + "=:"
    body = b"x" * 300_000
    receiver.behave = lambda exchange: exchange.answer(200, body, declared, kind="a/b")
    with watch.gateway.connect() as client:
        client.send(request("/stream/1", b"", kind=""))
        with pytest.raises(Broken):
            client.answer()
    watch.cut_short("delivered", "answer-refused")


# --- early answers -------------------------------------------------------------------------------


def early(exchange: Exchange, status: int = 413) -> None:
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\n"
    exchange.send(head.encode() + b"early")


def test_an_early_answer_ends_the_sending_and_reaches_the_sender(
    watch: Watch, receiver: Receiver
) -> None:
    receiver.behave = early
    head = begun("/files/1", kind="a/b")
    with watch.gateway.connect() as client:
        client.send(head + chunk(b"x" * 100000))
        answer = client.answer()
        assert (answer.status, answer.body) == (413, b"early")
        assert client.ended()
    predicate = receipt_of(watch.gateway, answer)
    assert (predicate["kind"], predicate["answer"]["status"]) == ("failed", 413)
    watch.cut_short("failed", None)


def test_an_early_yes_is_no_delivery(watch: Watch, receiver: Receiver) -> None:
    receiver.behave = lambda exchange: early(exchange, 200)
    head = begun("/files/1", kind="a/b")
    with watch.gateway.connect() as client:
        client.send(head + chunk(b"x" * 100000))
        answer = client.answer()
    assert receipt_of(watch.gateway, answer)["kind"] == "failed"


def test_a_sender_that_goes_on_sending_can_still_read_the_early_answer(
    watch: Watch, receiver: Receiver
) -> None:
    receiver.behave = early
    head = begun("/files/1", kind="a/b")
    with watch.gateway.connect() as client:
        client.send(head + chunk(b"x" * 100000))
        client.send(chunk(b"y" * 300000))
        answer = client.answer()
    assert (answer.status, answer.body) == (413, b"early")
