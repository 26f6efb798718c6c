"""How requests are framed on both sides: lengths, chunks, connections that stay open."""

import base64
import hashlib
import json
from pathlib import Path

import pytest

from tests.scenarios.client import request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import framing_routes, policy, with_routes
from tests.scenarios.proof import Watch, receipt_of, sha256
from tests.scenarios.receiver import OK, Receiver

BIG = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    return start_gateway(with_routes(policy(parties, shared_receiver.endpoint), *framing_routes()))


def digest_field(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def test_many_transfers_use_one_connection_on_both_sides(
    gateway: Gateway, receiver: Receiver
) -> None:
    with gateway.connect() as client:
        assert client.ask(request()).status == 200
        connections = receiver.connections
        ids = {client.ask(request()).value("transfer-id") for _ in range(50)}
    assert len(ids) == 50
    assert receiver.connections == connections


def test_pipelined_requests_are_answered_in_order(gateway: Gateway, receiver: Receiver) -> None:
    before = len(receiver.received)
    with gateway.connect() as client:
        client.send(b"".join(request(f"/orders/{n}", b'{"n":%d}' % n) for n in range(8)))
        assert [client.answer().status for _ in range(8)] == [200] * 8
    assert [json.loads(each.body)["n"] for each in receiver.received[before:]] == [*range(8)]


def test_a_chunked_document_is_held_and_goes_on_with_a_length(
    gateway: Gateway, receiver: Receiver
) -> None:
    with gateway.connect() as client:
        assert client.ask(request(body=[b'{"a"', b":", b"1.10}"])).status == 200
    came = receiver.received[-1]
    assert (came.body, came.value("content-length")) == (b'{"a":1.10}', "10")


def test_a_long_stream_goes_on_record_by_record_with_its_digest_in_a_trailer(
    gateway: Gateway, receiver: Receiver
) -> None:
    lines = [b'{"n": %d,"secret":"s%d"}\n' % (n, n) for n in range(1000)]
    with gateway.connect() as client:
        answer = client.ask(request("/stream/1", b"".join(lines), kind="application/x-ndjson"))
    came = receiver.received[-1]
    assert came.value("transfer-encoding") == "chunked"
    assert came.trailers == [("content-digest", digest_field(came.body))]
    got = came.body.splitlines(keepends=True)
    assert len(got) == 1000
    assert all(line.startswith(b'{"n": %d,"secret":' % n) for n, line in enumerate(got))
    assert b'"s1' not in came.body
    content = receipt_of(gateway, answer)["content"]
    assert content["delivered"] == {"sha256": came.sha256, "bytes": str(came.size)}
    assert content["records"] == "1000"


@pytest.mark.parametrize("chunked", [False, True])
def test_opaque_octets_stream_as_they_are(
    gateway: Gateway, receiver: Receiver, chunked: bool
) -> None:
    body = [BIG[:70000], BIG[70000:]] if chunked else BIG
    with gateway.connect() as client:
        answer = client.ask(request("/files/1", body, kind="application/octet-stream"))
    came = receiver.received[-1]
    assert came.sha256 == sha256(BIG)
    assert came.values("content-length") == ([] if chunked else [str(len(BIG))])
    content = receipt_of(gateway, answer)["content"]
    assert content["delivered"]["sha256"] == came.sha256
    assert content["opaque"]


def test_curl_waits_for_the_go_ahead_and_the_upstream_never_hears_of_it(
    gateway: Gateway, receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "big").write_bytes(BIG * 2)
    answer = gateway.curl(
        "/files/1", "-v", "-H", "Expect: 100-continue", "-H", "Content-Type: a/b",
        "--expect100-timeout", "30", "--data-binary", f"@{tmp_path / 'big'}",
    )  # fmt: skip
    assert answer.status == 200, json.dumps(gateway.lines[-1])
    came = receiver.received[-1]
    assert came.sha256 == sha256(BIG * 2)
    assert came.values("expect") == []


def test_who_waits_for_the_go_ahead_learns_at_once_of_a_refusal(watch: Watch) -> None:
    head, _, _ = request("/nowhere", b"{}", "Expect: 100-continue").rpartition(b"{}")
    with watch.gateway.connect() as client:
        watch.refused(client.ask(head), "no-route")


def test_http_1_0_is_served_once(gateway: Gateway) -> None:
    with gateway.connect() as client:
        answer = client.ask(request().replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert (answer.status, answer.body) == (200, OK)
        assert client.ended()


def test_what_is_looked_into_is_asked_for_whole_and_uncoded(
    gateway: Gateway, receiver: Receiver
) -> None:
    wishes = ["Accept-Encoding: gzip, zstd", "Range: bytes=0-1", "If-Range: x"]
    with gateway.connect() as client:
        client.ask(request("/orders/1", b"{}", *wishes))
        seen = receiver.received[-1]
        assert seen.values("accept-encoding") == ["identity"]
        assert seen.values("range") == seen.values("if-range") == []
        client.ask(request("/files/1", b"", *wishes))
        unseen = receiver.received[-1]
    assert unseen.values("accept-encoding") == ["gzip, zstd"]
    assert (unseen.value("range"), unseen.value("if-range")) == ("bytes=0-1", "x")


def test_what_is_masked_cannot_be_guessed_by_its_tag(
    gateway: Gateway, receiver: Receiver, watch: Watch
) -> None:
    tags = ['If-None-Match: "guess"', 'If-Match: "guess"', 'If: (["guess"])']
    with gateway.connect() as client:
        client.ask(request("/masked-answer/1", None, *tags, method="GET"))
        seen = receiver.received[-1]
        assert not {"if-match", "if-none-match", "if"} & {name for name, _ in seen.fields}
        client.ask(request("/masked-answer/1", b"{}", "If-None-Match: *"))
        assert receiver.received[-1].value("if-none-match") == "*"
        client.ask(request("/files/1", b"", *tags))
        assert receiver.received[-1].value("if-match") == '"guess"'
        for tag in tags:
            watch.again()
            watch.refused(client.ask(request("/masked-answer/1", b"{}", tag)), "condition-refused")


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_route_that_looks_at_nothing_takes_every_type(
    gateway: Gateway, receiver: Receiver, coding: str
) -> None:
    with gateway.connect() as client:
        answer = client.ask(request("/files/1", b"{", f"Content-Encoding: {coding}"))
    assert answer.status == 200
    assert receiver.received[-1].body == b"{"
