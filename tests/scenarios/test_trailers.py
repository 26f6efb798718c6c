"""Trailers, both ways: what crosses, what ends here, what is refused, and what is said before."""

from functools import partial
from pathlib import Path

import pytest

from tests.scenarios.client import TAKES_TRAILERS, chunk, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import framing_routes, opaque, policy, route, with_routes
from tests.scenarios.proof import Watch, receipt_of
from tests.scenarios.receiver import OK, Exchange, Receiver
from tests.scenarios.test_requests import digest_field

BIG = bytes(range(256)) * 256
NDJSON, JSON = "application/x-ndjson", "application/json"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
UNSEEN = ["/files/1", "/raw/1"]
"""Held, and streamed."""


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    limits = {"hold": 4096}
    raw = route("raw", request=opaque("internal"), response=opaque("internal"), limits=limits)
    config = policy(parties, shared_receiver.endpoint)
    return start_gateway(with_routes(config, *framing_routes(), raw))


def with_trailers(
    path: str, body: bytes, trailers: bytes, *fields: str, kind: str = "a/b"
) -> bytes:
    """A request in two chunks, with trailers behind it."""
    whole = request(path, [body[:3000], body[3000:]] if body[3000:] else [body], *fields, kind=kind)
    return whole.removesuffix(b"\r\n") + trailers + b"\r\n"


def say(exchange: Exchange, body: bytes, trailers: bytes, fields: bytes = b"") -> None:
    exchange.read()
    last = b"0\r\n" + trailers + b"\r\n"
    exchange.send(CHUNKED + fields + b"\r\n" + (chunk(body) if body else b"") + last)


# --- of requests ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", UNSEEN)
@pytest.mark.parametrize("body", [b"few", BIG])
def test_trailers_of_a_request_reach_the_upstream(
    gateway: Gateway, receiver: Receiver, path: str, body: bytes
) -> None:
    sent = with_trailers(path, body, b"X-Rows: 7\r\nx-rows: 8\r\n", "Trailer: X-Rows")
    with gateway.connect() as client:
        assert client.ask(sent).status == 200
    came = receiver.received[-1]
    assert came.body == body
    assert came.trailers == [("x-rows", "7"), ("x-rows", "8")]
    assert came.value("transfer-encoding") == "chunked"
    assert came.value("trailer") == "X-Rows"


def test_a_document_that_was_held_and_masked_keeps_its_trailers_but_no_digest(
    gateway: Gateway, receiver: Receiver
) -> None:
    body = b'{"customer": {"ssn": "1"}}'
    told = f"Content-Digest: {digest_field(body)}\r\nX-Rows: 1\r\nX-Checksum-SHA256: x\r\n"
    sent = with_trailers(
        "/orders/1", body, told.encode(), "Trailer: Content-Digest, X-Rows", kind="application/json"
    )
    with gateway.connect() as client:
        assert client.ask(sent).status == 200
    came = receiver.received[-1]
    assert came.body != body
    assert came.trailers == [("x-rows", "1")]
    assert came.values("content-digest") == [digest_field(came.body)]


def test_a_stream_that_is_masked_has_its_own_digest_behind_it_and_not_the_senders(
    gateway: Gateway, receiver: Receiver
) -> None:
    body = b'{"secret": "s"}\n' * 1000
    told = f"X-Rows: 1000\r\nContent-Digest: {digest_field(body)}\r\nETag: x\r\n"
    sent = with_trailers(
        "/stream/1", body, told.encode(), "Trailer: X-Rows, ETag, Content-Digest", kind=NDJSON
    )
    with gateway.connect() as client:
        assert client.ask(sent).status == 200
    came = receiver.received[-1]
    assert came.trailers == [("x-rows", "1000"), ("content-digest", digest_field(came.body))]
    assert came.body != body
    assert came.value("trailer") == "X-Rows, Content-Digest"


@pytest.mark.parametrize("path", UNSEEN)
def test_a_digest_in_a_trailer_is_verified_and_travels_with_what_it_is_of(
    gateway: Gateway, receiver: Receiver, watch: Watch, path: str
) -> None:
    announced = "Trailer: Content-Digest"
    told = f"Content-Digest: {digest_field(BIG)}\r\n".encode()
    with gateway.connect() as client:
        assert client.ask(with_trailers(path, BIG, told, announced)).status == 200
        assert receiver.received[-1].values("content-digest") == [digest_field(BIG)]
    receiver.broken.clear()
    watch.again()
    with gateway.connect() as client:
        answer = client.ask(with_trailers(path, b"!" + BIG[1:], told, announced))
        reached = receipt_of(gateway, answer)["content"]["delivered"] is not None
        watch.refused(answer, "digest-mismatch", reached=reached)
    if reached:
        receiver.wait(lambda: bool(receiver.broken))


@pytest.mark.parametrize(
    "line",
    ["Host: x", "Content-Length: 1", "Transfer-Encoding: chunked", "Content-Type: a/b",
     "Authorization: x", "Cookie: x", "Cache-Control: x", "If-Match: x", "Range: x", "TE: x",
     "Transfer-Id: x", "Expect: x", "Trailer: x", "Connection: x", "Max-Forwards: 1", "Via: x",
     "Proxy-Authorization: x", "Content_Length: 1", "Data.Sensitivity: x"],
)  # fmt: skip
def test_what_only_a_head_may_hold_is_refused_behind_the_content(watch: Watch, line: str) -> None:
    with watch.gateway.connect() as client:
        answer = client.ask(with_trailers("/files/1", b"few", f"{line}\r\n".encode()))
        watch.refused(answer, "malformed-request")
        assert client.ended()


def test_what_would_be_acted_on_before_the_content_or_is_for_one_connection_ends_here(
    gateway: Gateway, receiver: Receiver
) -> None:
    lines = [
        "Accept: x", "Accept_Encoding: x", "Link: </x>", "Origin: x", "User-Agent: x",
        "X-Hop: x", "Transfer-Receipt: :AAAA:", "X-Real-IP: x", "SSL_Client: x", "X-HTTP-Method: x",
    ]  # fmt: skip
    trailers = "".join(f"{line}\r\n" for line in [*lines, "X-Kept: yes"]).encode()
    sent = with_trailers("/raw/1", BIG, trailers, "Connection: X-Hop")
    with gateway.connect() as client:
        assert client.ask(sent).status == 200
    assert receiver.received[-1].trailers == [("x-kept", "yes")]


CLAIMS = [
    "Forwarded", "forwarded_", "X-Forwarded-For", "X_Forwarded_For", "x.forwarded.client.cert",
    "X-Forwarded", "Client-Cert", "Client_Cert_Chain", "X_Real_IP", "True-Client-IP", "Remote_User",
]  # fmt: skip


@pytest.mark.parametrize("path", [*UNSEEN, "/orders/1"])
def test_a_claim_about_who_asks_ends_here_behind_the_content_in_every_spelling(
    gateway: Gateway, receiver: Receiver, path: str
) -> None:
    lines = "".join(f"{name}: claimed\r\n" for name in [*CLAIMS, "X-Kept"]).encode()
    sent = with_trailers(path, b"{}", lines, f"Trailer: {', '.join(CLAIMS)}, X-Kept", kind=JSON)
    with gateway.connect() as client:
        assert client.ask(sent).status == 200
    came = receiver.received[-1]
    assert came.trailers == [("x-kept", "claimed")]
    assert came.value("trailer") == "X-Kept"


# --- of answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", UNSEEN)
@pytest.mark.parametrize("body", [b"", b"few", BIG])
def test_trailers_of_an_answer_reach_the_sender(
    gateway: Gateway, receiver: Receiver, path: str, body: bytes
) -> None:
    kind = b"Content-Type: a/b\r\nTrailer: Server-Timing\r\n"
    receiver.behave = partial(say, body=body, trailers=b"Server-Timing: db;dur=5\r\n", fields=kind)
    with gateway.connect() as client:
        answer = client.ask(request(path, b"", *TAKES_TRAILERS))
        assert answer.body == body
        assert ("server-timing", "db;dur=5") in answer.trailers
        assert "Server-Timing" in answer.value("trailer")
        receipt_of(gateway, answer)
        receiver.behave = Exchange.answer
        assert client.ask(request()).status == 200


def test_an_announcement_names_what_follows_and_nothing_else(
    gateway: Gateway, receiver: Receiver
) -> None:
    told = b"Trailer: Server-Timing, ETag, Host, Link, bad name\r\nContent-Type: a/b\r\n"
    receiver.behave = partial(say, body=BIG, trailers=b"", fields=told)
    with gateway.connect() as client:
        answer = client.ask(request("/raw/1", b"", *TAKES_TRAILERS))
    assert answer.value("trailer") == "Server-Timing, ETag, Transfer-Receipt"


@pytest.mark.parametrize(("path", "crosses"), [("/files/1", True), ("/masked-answer/1", False)])
def test_a_digest_behind_an_answer_crosses_only_where_nothing_is_hidden(
    gateway: Gateway, receiver: Receiver, path: str, crosses: bool
) -> None:
    body = b'{"n": 1}\n'
    fields = b"Content-Type: application/x-ndjson\r\nTrailer: Content-Digest\r\n"
    told = f"Content-Digest: {digest_field(body)}\r\nX-Rows: 1\r\n".encode()
    receiver.behave = partial(say, body=body, trailers=told, fields=fields)
    with gateway.connect() as client:
        answer = client.ask(request(path, b""))
    assert answer.body == body
    assert bool(answer.values("content-digest")) == crosses
    assert answer.value("x-rows") == "1"


def test_what_leads_past_the_gate_does_not_come_behind_an_answer_either(
    gateway: Gateway, receiver: Receiver
) -> None:
    trailers = b'Link: </.well-known/lockgate/receipts/0>; rel="receipt"\r\nAlt-Svc: h3\r\nA: b\r\n'
    trailers += b"X_Forwarded_For: claimed\r\nForwarded: claimed\r\n"
    receiver.behave = partial(
        say, body=OK, trailers=trailers, fields=b"Content-Type: application/json\r\n"
    )
    with gateway.connect() as client:
        answer = client.ask(request())
    assert answer.trailers == [("a", "b")]
    assert len(answer.values("link")) == 1


def test_http_1_0_gets_the_content_by_its_length_and_no_trailers(
    gateway: Gateway, receiver: Receiver
) -> None:
    fields = b"Content-Type: application/json\r\nTrailer: A\r\n"
    receiver.behave = partial(say, body=OK, trailers=b"A: b\r\n", fields=fields)
    with gateway.connect() as client:
        answer = client.ask(request().replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert client.ended()
    assert (answer.body, answer.value("content-length")) == (OK, str(len(OK)))
    assert answer.trailers == []
    assert answer.values("trailer") == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (["TE: trailers", "Connection: TE"], ["trailers"]),
        (["TE: gzip;q=0.5, trailers", "Connection: close, te"], ["trailers"]),
        (["TE: trailers"], []),
        (["TE: gzip", "Connection: TE"], []),
        (["Connection: TE"], []),
    ],
)
def test_an_upstream_hears_that_trailers_are_welcome_where_the_sender_said_so_to_us(
    gateway: Gateway, receiver: Receiver, fields: list[str], told: list[str]
) -> None:
    with gateway.connect() as client:
        assert client.ask(request("/orders/1", b"{}", *fields)).status == 200
    came = receiver.received[-1]
    assert came.values("te") == told
    assert came.values("connection") == ["TE"] * len(told)
