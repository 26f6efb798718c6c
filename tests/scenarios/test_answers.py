"""How answers are framed, where their receipts stand, and what of them goes back."""

from functools import partial
from pathlib import Path

import pytest

from tests.scenarios.client import TAKES_TRAILERS, chunk, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import framing_routes, policy, with_routes
from tests.scenarios.proof import Watch, receipt_of, sha256, statement
from tests.scenarios.receiver import OK, Exchange, Receiver

BIG = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    return start_gateway(with_routes(policy(parties, shared_receiver.endpoint), *framing_routes()))


def say(exchange: Exchange, head: bytes, body: bytes = b"") -> None:
    exchange.read()
    exchange.send(b"HTTP/1.1 " + head + b"\r\n\r\n" + body)


def test_a_chunked_answer_that_is_not_held_has_its_receipt_in_a_trailer(
    gateway: Gateway, receiver: Receiver
) -> None:
    receiver.behave = lambda exchange: say(
        exchange,
        b"200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked",
        chunk(BIG[:9000]) + chunk(BIG[9000:]) + b"0\r\n\r\n",
    )
    with gateway.connect() as client:
        answer = client.ask(request("/stream/1", b"", *TAKES_TRAILERS, kind=""))
        assert answer.body == BIG
        assert answer.value("trailer") == "Transfer-Receipt"
        names = {name for name, _ in answer.trailers}
        assert {"transfer-receipt", "transfer-receipt-key"} <= names
        predicate = receipt_of(gateway, answer)
        assert predicate["answer"]["delivered"]["sha256"] == sha256(BIG)
        receiver.behave = Exchange.answer
        assert client.ask(request()).status == 200


def test_a_large_answer_keeps_its_length_and_links_to_its_receipt(
    gateway: Gateway, receiver: Receiver
) -> None:
    receiver.behave = lambda exchange: exchange.answer(200, BIG, kind="a/b")
    with gateway.connect() as client:
        answer = client.ask(request("/stream/1", b"", kind=""))
        assert answer.body == BIG
        assert answer.value("content-length") == str(len(BIG))
        assert answer.values("transfer-receipt") == []
        path = f"/.well-known/lockgate/receipts/{answer.value('transfer-id')}"
        assert answer.value("link") == f'<{path}>; rel="receipt"'
        receipt = client.ask(request(path, None, method="GET"))
        unknown = client.ask(request(path[:-12] + "0" * 12, None, method="GET"))
        assert unknown.status == 404
    predicate = statement(receipt.body, gateway.pki)["predicate"]
    assert predicate["transferId"] == answer.value("transfer-id")
    assert predicate["answer"]["delivered"]["sha256"] == sha256(BIG)


def test_an_answer_until_close_ends_as_chunks(gateway: Gateway, receiver: Receiver) -> None:
    def behave(exchange: Exchange) -> None:
        say(exchange, b"200 OK\r\nContent-Type: a/b\r\nConnection: close", BIG)
        exchange.sock.unwrap()  # type: ignore[attr-defined]

    receiver.behave = behave
    with gateway.connect() as client:
        answer = client.ask(request("/stream/1", b"", *TAKES_TRAILERS, kind=""))
        assert answer.value("transfer-encoding") == "chunked"
        assert answer.body == BIG
        assert receipt_of(gateway, answer)["kind"] == "delivered"


def test_a_long_answer_is_masked_on_its_way(gateway: Gateway, receiver: Receiver) -> None:
    lines = [b'{"n": %d,"secret":"s%d"}\n' % (n, n) for n in range(1000)]
    kind = "application/x-ndjson"
    receiver.behave = lambda exchange: exchange.answer(200, b"".join(lines), kind=kind)
    with gateway.connect() as client:
        answer = client.ask(request("/masked-answer/1", b"{}", *TAKES_TRAILERS))
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


TELLING = [
    'ETag: "9e107d9d"',
    "Repr-Digest: sha-256=:yj0WO6sFU4GCciYUBWjzvvfqrBh869doeOC2Pp5EI1Y=:",  # of {} and LF
    "X-Amz-Checksum-SHA256: x",
    "X-Goog-Hash: md5=x",
    "Content-MD5: x",
]
TELLING_NAMES = [line.partition(":")[0].lower() for line in TELLING]


@pytest.mark.parametrize(
    ("path", "crosses"), [("/masked-answer/1", False), ("/stream/1", True), ("/trailer/1", False)]
)
def test_an_answer_without_content_tells_no_digest_of_what_is_looked_into(
    gateway: Gateway, receiver: Receiver, path: str, crosses: bool
) -> None:
    with gateway.connect() as client:
        for method, status in (("HEAD", "200 OK"), ("GET", "304 Not Modified"), ("PUT", "204 No")):
            head = "\r\n".join([status, *TELLING, "Last-Modified: x"]).encode()
            receiver.behave = partial(say, head=head)
            client.send(request(path, None, method=method))
            answer = client.answer(bodiless=True)
            assert answer.status == int(status[:3])
            assert answer.values("last-modified") == ["x"]
            for name in TELLING_NAMES:
                assert bool(answer.values(name)) == crosses


def test_an_unchanged_answer_tells_no_digest_where_another_would_be_masked(
    gateway: Gateway, receiver: Receiver
) -> None:
    kind = "application/x-ndjson"
    with gateway.connect() as client:
        for status in (200, 412):
            receiver.behave = lambda exchange, status=status: exchange.answer(  # type: ignore[misc]
                status, b"{}\n", *TELLING, kind=kind
            )
            answer = client.ask(request("/masked-answer/1", b"{}", *TAKES_TRAILERS))
            assert (answer.status, answer.body) == (status, b"{}\n")
            assert not set(TELLING_NAMES) & {name for name, _ in answer.fields}


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
    assert answer.receipts()[0] == b"\0\0\0"
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
