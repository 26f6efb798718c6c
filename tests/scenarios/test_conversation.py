"""How a conversation goes: interim and early answers, pipelining, closing, half-closed peers."""

import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.scenarios.client import TAKES_TRAILERS, Client, chunk, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import framing_routes, opaque, policy, route, with_routes
from tests.scenarios.proof import Watch, receipt_of
from tests.scenarios.receiver import OK, Exchange, Held, Receiver

HERE = [{"networks": ["127.0.0.1/32"]}]
FILES = "/files/1"
MUCH = b"x" * 3_000_000
"""A document of more than one piece, and more than a socket keeps."""


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    config = policy(parties, shared_receiver.endpoint)
    config["listeners"]["plain"] = {
        "bind": "127.0.0.1:0", "zone": "partner", "tls": {"mode": "none"}
    }  # fmt: skip
    unseen = opaque("internal")
    small = {"hold": 4096}
    return start_gateway(
        with_routes(
            config,
            *framing_routes(),
            route("raw", request=unseen, response=unseen, limits=small),
            route("much", limits={"hold": "8MiB"}),
            route("near", listener="plain", allow=HERE, request=unseen, response=unseen),
        )
    )


def plain(gateway: Gateway) -> Client:
    return Client(socket.create_connection(gateway.address("plain"), timeout=PATIENCE))


DOORS: dict[str, tuple[str, Callable[[Gateway], Client]]] = {
    "tls": ("/raw/1", Gateway.connect),
    "plain": ("/near/1", plain),
}
"""Where a sender may come in: a path, and how to connect."""


# --- interim answers -----------------------------------------------------------------------------

INTERIM = (
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 102 Processing\r\n\r\n"
    b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nLink: </a>\r\n"
    b'Link: </.well-known/lockgate/receipts/0>; rel="receipt"\r\nTransfer-Receipt: :AAAA:\r\n'
    b"Content-Length: 0\r\nAlt-Svc: h3\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: x\r\n\r\n"
)


def hint(exchange: Exchange) -> None:
    exchange.send(INTERIM)
    exchange.answer()


@pytest.mark.parametrize("path", ["/orders/1", FILES, "/raw/1"])
def test_interim_answers_reach_a_sender_of_http_1_1(
    gateway: Gateway, receiver: Receiver, path: str
) -> None:
    receiver.behave = hint
    with gateway.connect() as client:
        for _ in range(2):
            assert client.ask(request(path)).body == OK
            proceed, processing, hints = client.interim
            assert proceed.first == "HTTP/1.1 100 Continue"
            assert processing.first == "HTTP/1.1 102 Processing"
            assert hints.first == "HTTP/1.1 103 Early Hints"
            assert hints.fields == [
                ("link", "</style.css>; rel=preload"), ("link", "</a>"), ("via", "1.1 gateway-a")
            ]  # fmt: skip


def test_interim_answers_come_while_the_content_is_still_on_its_way(
    gateway: Gateway, receiver: Receiver
) -> None:
    receiver.behave = hint
    head, _, _ = request(FILES, []).partition(b"0\r\n")
    with gateway.connect() as client:
        client.send(head + chunk(b"x" * 9000))
        assert client.reader.head().status == 100
        assert client.reader.head().status == 102
        client.send(chunk(b"y" * 9000) + b"0\r\n\r\n")
        assert client.answer().body == OK
    assert receiver.received[-1].body == b"x" * 9000 + b"y" * 9000


def test_who_waits_for_the_go_ahead_gets_it_from_us_before_the_upstream_has_heard_anything(
    gateway: Gateway, receiver: Receiver
) -> None:
    head, _, body = request(FILES, b"{}", "Expect: 100-continue").rpartition(b"{}")
    octets = receiver.octets
    with gateway.connect() as client:
        client.send(head)
        assert client.reader.head().first == "HTTP/1.1 100 Continue"
        assert receiver.octets == octets
        client.send(b"{}" + body)
        assert client.answer().status == 200


def test_no_interim_answer_ever_goes_to_http_1_0(gateway: Gateway, receiver: Receiver) -> None:
    receiver.behave = hint
    old = request(FILES, b"{}", "Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0")
    with gateway.connect() as client:
        assert client.ask(old).body == OK
        assert client.interim == []


def test_an_upstream_that_switches_protocols_is_refused(watch: Watch, receiver: Receiver) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")

    receiver.behave = behave
    with watch.gateway.connect() as client:
        answer = client.ask(request())
    watch.refused(answer, "upstream-malformed", "indeterminate", reached=True)


def test_an_interim_answer_tells_no_tag_of_what_is_looked_into(
    gateway: Gateway, receiver: Receiver
) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.send(b'HTTP/1.1 103 Early Hints\r\nETag: "x"\r\nA: b\r\n\r\n')
        exchange.answer()

    receiver.behave = behave
    with gateway.connect() as client:
        client.ask(request())
        assert client.interim[0].fields[0] == ("a", "b")
        client.ask(request(FILES))
        assert client.interim[0].fields[0] == ("etag", '"x"')


# --- early answers -------------------------------------------------------------------------------


def early(exchange: Exchange, status: int = 413) -> None:
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
    exchange.send(head.encode() + b"{}")


def test_an_early_answer_to_a_held_document_ends_the_sending_too(
    watch: Watch, receiver: Receiver
) -> None:
    """The upstream reads no further, and nobody waits for it to."""

    def deaf(exchange: Exchange) -> None:
        early(exchange)
        exchange.receiver.wait(lambda: exchange.receiver.behave is not deaf)

    receiver.behave = deaf
    document = b'["' + MUCH * 2 + b'"]'
    with watch.gateway.connect() as client:
        answer = client.ask(request("/much/1", document))
    assert (answer.status, answer.body) == (413, b"{}")
    predicate = receipt_of(watch.gateway, answer)
    assert (predicate["kind"], predicate["answer"]["status"]) == ("failed", 413)
    assert 0 < int(predicate["content"]["delivered"]["bytes"]) < len(document)
    assert "sha256" not in predicate["content"]["delivered"]
    watch.cut_short("failed", None)


def test_an_early_answer_says_that_the_connection_ends(
    gateway: Gateway, receiver: Receiver
) -> None:
    receiver.behave = early
    head, _, _ = request(FILES, []).partition(b"0\r\n")
    with gateway.connect() as client:
        client.send(head + chunk(b"x" * 9000))
        answer = client.answer()
        assert (answer.status, answer.value("connection")) == (413, "close")
        assert client.ended()


def test_an_upstream_connection_with_half_a_request_on_it_is_not_used_again(
    gateway: Gateway, receiver: Receiver
) -> None:
    met: list[socket.socket] = []

    def cut_short(exchange: Exchange) -> None:
        met.append(exchange.sock)
        early(exchange)

    def whole(exchange: Exchange) -> None:
        met.append(exchange.sock)
        exchange.answer()

    receiver.behave = cut_short
    head, _, _ = request(FILES, []).partition(b"0\r\n")
    with gateway.connect() as client:
        client.send(head + chunk(b"x" * 9000))
        client.answer()
    receiver.behave = whole
    with gateway.connect() as client:
        assert client.ask(request()).status == 200
    before, after = met
    assert after is not before


# --- pipelining ----------------------------------------------------------------------------------


def test_pipelined_requests_of_every_kind_are_answered_in_order(
    gateway: Gateway, receiver: Receiver
) -> None:
    def behave(exchange: Exchange) -> None:
        name = exchange.request.first.split(" ")[1]
        if "none" in name:
            exchange.read()
            exchange.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        else:
            exchange.answer(200, b'"%b"' % name.encode())

    receiver.behave = behave
    sent = [
        request("/files/1", None, method="GET"),
        request("/files/none", b""),
        request("/files/2", [b"x" * 9000, b"y"]),
        request("/nowhere/3"),
        request("/files/4", b"z" * 5000),
    ]
    with gateway.connect() as client:
        client.send(b"".join(sent))
        answers = [client.answer(bodiless=at == 1) for at in range(5)]
    assert [each.status for each in answers] == [200, 204, 200, 404, 200]
    assert [each.body for each in (answers[0], answers[2], answers[4])] == [
        b'"/files/1"', b'"/files/2"', b'"/files/4"'
    ]  # fmt: skip


def test_nothing_behind_a_request_that_asks_to_close_is_served(
    gateway: Gateway, receiver: Receiver
) -> None:
    with gateway.connect() as client:
        client.send(request("/orders/1", b"{}", "Connection: close") + request("/orders/2"))
        assert client.answer().value("connection") == "close"
        assert client.ended()
    assert receiver.received[-1].first.startswith("POST /orders/1 ")


def test_nothing_behind_a_request_that_is_malformed_is_served(watch: Watch) -> None:
    with watch.gateway.connect() as client:
        client.send(request("/orders/1", b"{}", "Bad Name: x") + request("/orders/2"))
        answer = client.answer()
        watch.refused(answer, "malformed-request")
        assert answer.value("connection") == "close"
        assert client.ended()


# --- closing, and half-closed peers --------------------------------------------------------------


def test_an_upstream_that_asks_to_close_is_not_asked_again_and_the_sender_does_not_notice(
    gateway: Gateway, receiver: Receiver
) -> None:
    receiver.behave = lambda exchange: exchange.answer(200, OK, "Connection: close")
    with gateway.connect() as client:
        connections = receiver.connections
        for _ in range(3):
            answer = client.ask(request())
            assert (answer.status, answer.values("connection")) == (200, [])
    assert receiver.connections >= connections + 2


def say_no_more(client: Client) -> None:
    """End our half: over TLS with close_notify, and then of TCP too."""
    if isinstance(client.sock, ssl.SSLSocket):
        client.sock.settimeout(0)
        with pytest.raises(ssl.SSLWantReadError):
            client.sock.unwrap()
        client.sock.settimeout(PATIENCE)
    else:
        client.sock.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("door", ["tls", "plain"])
def test_a_sender_that_has_closed_its_half_still_gets_all_its_answers(
    gateway: Gateway, receiver: Receiver, door: str
) -> None:
    held = receiver.behave = Held()
    path, connect = DOORS[door]
    with connect(gateway) as client:
        client.send(request(path, MUCH[:9000]) + request(path))
        say_no_more(client)
        assert held.asked.wait(PATIENCE)
        held.go.set()
        assert [client.answer().body for _ in range(2)] == [OK, OK]
        assert client.ended()


@pytest.mark.parametrize("door", ["tls", "plain"])
def test_a_sender_that_closes_its_half_inside_its_content_is_told_so(
    gateway: Gateway, door: str
) -> None:
    path, connect = DOORS[door]
    with connect(gateway) as client:
        client.send(request(path, b"x" * 9000)[:-10])
        say_no_more(client)
        answer = client.answer()
    assert json.loads(answer.body)["type"] == "urn:lockgate:problem:request-incomplete"
    assert answer.value("connection") == "close"


def test_an_upstream_that_closes_its_half_before_it_has_answered_has_not_answered(
    watch: Watch, receiver: Receiver
) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.read()
        exchange.sock.unwrap()  # type: ignore[attr-defined]

    receiver.behave = behave
    with watch.gateway.connect() as client:
        answer = client.ask(request())
    watch.refused(answer, "upstream-closed", "indeterminate", reached=True)


# --- HTTP/1.0 ------------------------------------------------------------------------------------


def old(data: bytes) -> bytes:
    return data.replace(b"HTTP/1.1", b"HTTP/1.0", 1)


def stream(exchange: Exchange) -> None:
    exchange.read()
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n")
    exchange.send(chunk(MUCH[:50000]) + chunk(MUCH[:50000]) + b"0\r\n\r\n")


@pytest.mark.parametrize("asked", ["keep-alive", "close", None])
def test_an_http_1_0_sender_is_answered_once_and_told_so(
    gateway: Gateway, asked: str | None
) -> None:
    fields = [f"Connection: {asked}"] if asked else []
    with gateway.connect() as client:
        client.send(old(request("/orders/1", b"{}", *fields)) + old(request()))
        answer = client.answer()
        assert answer.first.startswith("HTTP/1.1 200")
        assert answer.value("content-length") == str(len(OK))
        assert answer.value("connection") == "close"
        receipt_of(gateway, answer)
        assert client.ended()


def test_http_1_0_gets_no_chunks_but_a_stream_that_ends_with_the_connection_and_a_link(
    gateway: Gateway, receiver: Receiver
) -> None:
    receiver.behave = stream
    with gateway.connect() as client:
        answer = client.ask(old(request("/raw/1", b"")))
    assert (answer.size, answer.body) == (100_000, MUCH[:100_000])
    assert answer.values("transfer-encoding") == answer.values("content-length") == []
    assert answer.values("transfer-receipt") == answer.values("trailer") == []
    with gateway.connect() as client:
        link = answer.value("link").removeprefix("<").partition(">")[0]
        assert client.ask(request(link, None, method="GET")).status == 200


@pytest.mark.parametrize("path", ["/files/1", "/trailer/1", "/log/1"])
def test_http_1_0_gets_a_length_wherever_one_is_known(
    gateway: Gateway, receiver: Receiver, path: str
) -> None:
    receiver.behave = lambda exchange: exchange.answer(200, b"[1]")
    with gateway.connect() as client:
        answer = client.ask(old(request(path)))
    assert (answer.body, answer.value("content-length")) == (b"[1]", "3")
    assert bool(answer.values("transfer-receipt")) == (path == "/files/1")
    assert bool(answer.values("link")) == (path != "/log/1")


@pytest.mark.parametrize("door", ["tls", "plain"])
def test_a_stream_to_http_1_0_that_breaks_off_is_reset_so_that_nobody_takes_it_for_whole(
    gateway: Gateway, receiver: Receiver, door: str
) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        exchange.send(chunk(MUCH) + chunk(MUCH)[:-9])
        exchange.reset()

    receiver.behave = behave
    path, connect = DOORS[door]
    with connect(gateway) as client:
        client.send(old(request(path, b"")))
        with pytest.raises(OSError, match=r"reset|EOF occurred in violation"):
            read_to_the_end(client.sock)


def read_to_the_end(sock: socket.socket) -> None:
    if isinstance(sock, ssl.SSLSocket):
        sock.suppress_ragged_eofs = False  # type: ignore[attr-defined]
    while sock.recv(65536):
        pass


def close_after(data: bytes, *, notify: bool) -> Callable[[Exchange], None]:
    """An HTTP/1.0 server: no length, and the end is the end."""

    def behave(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + data)
        if notify:
            exchange.sock.unwrap()  # type: ignore[attr-defined]
        else:
            exchange.sock.shutdown(socket.SHUT_RDWR)

    return behave


@pytest.mark.parametrize("path", ["/orders/1", FILES, "/raw/1"])
def test_an_answer_of_http_1_0_ends_where_tls_says_that_it_ends(
    gateway: Gateway, receiver: Receiver, path: str
) -> None:
    body = b'["' + MUCH[:50_000] + b'"]'
    receiver.behave = close_after(body, notify=True)
    with gateway.connect() as client:
        for _ in range(2):
            answer = client.ask(request(path, b"{}", *TAKES_TRAILERS))
            assert answer.body == body
            assert receipt_of(gateway, answer)["kind"] == "delivered"


def test_an_answer_of_http_1_0_that_tls_did_not_end_is_not_whole(
    watch: Watch, receiver: Receiver
) -> None:
    receiver.behave = close_after(OK, notify=False)
    with watch.gateway.connect() as client:
        answer = client.ask(request())
    watch.refused(answer, "upstream-closed", "indeterminate", reached=True)


# --- the end, which ends the module's gateway ----------------------------------------------------


def test_while_draining_the_answer_under_way_says_close_and_nothing_behind_it_is_served(
    gateway: Gateway, receiver: Receiver, workers: int
) -> None:
    if workers > 1:
        pytest.skip("which of the workers has heard of the end cannot be told from outside")
    held = receiver.behave = Held()
    with gateway.connect() as idle, gateway.connect() as client:
        client.send(request("/orders/1") + request("/orders/2"))
        assert held.asked.wait(PATIENCE)
        gateway.process.terminate()
        assert idle.ended()
        held.go.set()
        answer = client.answer()
        assert (answer.body, answer.value("connection")) == (OK, "close")
        assert client.ended()
    assert gateway.wait() == 0
    assert receiver.received[-1].first.startswith("POST /orders/1 ")
