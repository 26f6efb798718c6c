"""How messages are framed on both sides: lengths, chunks, trailers, connections that stay open."""

import base64
import hashlib
import json
from functools import partial
from pathlib import Path

import pytest

from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway, chunk, request
from tests.scenarios.policy import opaque, policy, route, with_routes
from tests.scenarios.proof import Watch, receipt_of, sha256, statement
from tests.scenarios.receiver import OK, Exchange, Receiver

HOLD = 4096
BIG = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    limits = {"hold": HOLD, "record": 1024}
    masked = {
        "content": ["ndjson"],
        "label": "internal",
        "mask": [{"path": "$.secret", "action": "redact"}],
    }
    return start_gateway(
        with_routes(
            policy(parties, shared_receiver.endpoint),
            route("stream", request=masked, response=opaque("internal"), limits=limits),
            route("trailer", receipt="trailer"),
            route("log", receipt="log"),
            route("masked-answer", response=masked, limits=limits),
        )
    )


def say(exchange: Exchange, head: bytes, body: bytes = b"") -> None:
    exchange.read()
    exchange.send(b"HTTP/1.1 " + head + b"\r\n\r\n" + body)


def digest_field(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


# --- requests ------------------------------------------------------------------------------------


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


# --- answers -------------------------------------------------------------------------------------


def test_a_chunked_answer_that_is_not_held_has_its_receipt_in_a_trailer(
    gateway: Gateway, receiver: Receiver
) -> None:
    receiver.behave = lambda exchange: say(
        exchange,
        b"200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked",
        chunk(BIG[:9000]) + chunk(BIG[9000:]) + b"0\r\n\r\n",
    )
    with gateway.connect() as client:
        answer = client.ask(request("/stream/1", b"", kind=""))
        assert answer.body == BIG
        assert answer.value("trailer") == "Transfer-Receipt"
        names = {name for name, _ in answer.trailers}
        assert {"transfer-receipt", "transfer-receipt-key"} <= names
        predicate = receipt_of(gateway, answer)
        assert predicate["answer"]["delivered"]["sha256"] == sha256(BIG)
        receiver.behave = Exchange.answer
        assert client.ask(request()).status == 200


def test_a_large_answer_keeps_its_length_and_its_receipt_is_in_the_log(
    gateway: Gateway, receiver: Receiver
) -> None:
    receiver.behave = lambda exchange: exchange.answer(200, BIG, kind="a/b")
    with gateway.connect() as client:
        answer = client.ask(request("/stream/1", b"", kind=""))
        assert answer.body == BIG
        assert answer.value("content-length") == str(len(BIG))
        assert answer.values("transfer-receipt") == []
        line = gateway.wait_for("transfer", transfer_id=answer.value("transfer-id"))
        path = f"/.well-known/lockgate/receipts/{line['receipt']}"
        receipt = client.ask(request(path, None, method="GET"))
    predicate = statement(receipt.body, gateway.pki)["predicate"]
    assert predicate["transferId"] == answer.value("transfer-id")
    assert predicate["answer"]["delivered"]["sha256"] == sha256(BIG)


def test_an_answer_until_close_ends_as_chunks(gateway: Gateway, receiver: Receiver) -> None:
    def behave(exchange: Exchange) -> None:
        say(exchange, b"200 OK\r\nContent-Type: a/b\r\nConnection: close", BIG)
        exchange.sock.unwrap()  # type: ignore[attr-defined]

    receiver.behave = behave
    with gateway.connect() as client:
        answer = client.ask(request("/stream/1", b"", kind=""))
        assert answer.value("transfer-encoding") == "chunked"
        assert answer.body == BIG
        assert receipt_of(gateway, answer)["kind"] == "delivered"


def test_a_long_answer_is_masked_on_its_way(gateway: Gateway, receiver: Receiver) -> None:
    lines = [b'{"n": %d,"secret":"s%d"}\n' % (n, n) for n in range(1000)]
    kind = "application/x-ndjson"
    receiver.behave = lambda exchange: exchange.answer(200, b"".join(lines), kind=kind)
    with gateway.connect() as client:
        answer = client.ask(request("/masked-answer/1"))
    assert answer.body.count(b"\n") == 1000
    assert b'"s1' not in answer.body
    predicate = receipt_of(gateway, answer)
    assert predicate["answer"]["delivered"]["sha256"] == answer.sha256
    assert "sha256" not in predicate["answer"]["received"]


@pytest.mark.parametrize(("path", "place"), [("/trailer/1", "trailer"), ("/log/1", "log")])
def test_a_route_may_say_where_the_receipt_goes(gateway: Gateway, path: str, place: str) -> None:
    with gateway.connect() as client:
        answer = client.ask(request(path))
    assert answer.body == OK
    trailing = [name for name, _ in answer.trailers if name == "transfer-receipt"]
    assert bool(trailing) == (place == "trailer")
    assert bool(answer.values("transfer-receipt")) == (place == "trailer")


def test_head_204_and_304_have_no_content_and_their_receipts_in_the_head(
    gateway: Gateway, receiver: Receiver
) -> None:
    with gateway.connect() as client:
        for method, head in (
            ("HEAD", b"200 OK\r\nContent-Type: a/b\r\nContent-Length: 12345"),
            ("GET", b"204 No Content"),
            ("GET", b'304 Not Modified\r\nETag: "x"\r\nContent-Length: 12345'),
        ):
            receiver.behave = partial(say, head=head)
            client.send(request("/files/1", None, method=method))
            answer = client.answer(bodiless=True)
            assert answer.status == int(head[:3])
            lengths = [] if answer.status == 204 else ["12345"]
            assert answer.values("content-length") == lengths
            assert receipt_of(gateway, answer)["kind"] == "delivered"
        receiver.behave = Exchange.answer
        assert client.ask(request()).body == OK


def test_a_refusal_of_head_says_its_length_and_sends_no_content(gateway: Gateway) -> None:
    with gateway.connect() as client:
        client.send(request("/nowhere", None, method="HEAD"))
        answer = client.answer(bodiless=True)
        assert answer.status == 404
        assert int(answer.value("content-length")) > 100
        assert client.ask(request()).status == 200


def test_nothing_of_one_connection_comes_back(gateway: Gateway, receiver: Receiver) -> None:
    receiver.behave = lambda exchange: exchange.answer(
        200, OK, "Connection: keep-alive, X-Hop", "X-Hop: 1", "Keep-Alive: timeout=9",
        "Proxy-Authenticate: Basic", "Transfer-Id: 1", "Transfer-Receipt: :AAAA:",
        "Transfer-Receipt-Key: :AAAA:", 'Link: </.well-known/lockgate/receipts/0>; rel="receipt"',
        'Link: </other>; rel="next"', "X-Kept: yes", "Via: 1.1 inner", 'Alt-Svc: h3=":443"',
    )  # fmt: skip
    with gateway.connect() as client:
        answer = client.ask(request())
    assert answer.value("x-kept") == "yes"
    assert answer.values("via") == ["1.1 inner", "1.1 gateway-a"]
    for gone in ("connection", "x-hop", "keep-alive", "proxy-authenticate", "alt-svc"):
        assert answer.values(gone) == []
    assert len(answer.values("link")) == 2
    assert "</.well-known/lockgate/receipts/0>" not in answer.raw_head.decode()
    assert len(answer.value("transfer-id")) == 36
    assert answer.value("transfer-receipt").startswith(":AAAA:, :")
    receipt_of(gateway, answer)


def test_an_error_of_the_upstream_goes_back_as_it_is_and_the_transfer_failed(
    watch: Watch, receiver: Receiver
) -> None:
    receiver.behave = lambda exchange: exchange.answer(418, b'{"tea": true}')
    with watch.gateway.connect() as client:
        answer = client.ask(request())
    assert (answer.status, answer.body) == (418, b'{"tea": true}')
    predicate = receipt_of(watch.gateway, answer)
    assert (predicate["kind"], predicate["disposition"]["problem"]) == ("failed", None)
    watch.cut_short("failed", None)


def test_interim_answers_are_passed_over(gateway: Gateway, receiver: Receiver) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.send(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        )
        exchange.answer()

    receiver.behave = behave
    with gateway.connect() as client:
        assert client.ask(request()).body == OK


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_route_that_looks_at_nothing_takes_every_type(
    gateway: Gateway, receiver: Receiver, coding: str
) -> None:
    with gateway.connect() as client:
        answer = client.ask(request("/files/1", b"{", f"Content-Encoding: {coding}"))
    assert answer.status == 200
    assert receiver.received[-1].body == b"{"
