"""Where a receipt stands, what waits for it, and to whom it is shown afterwards."""

import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from proxy.receipt.header import parse_items
from tests.patience import PATIENCE
from tests.scenarios.client import TAKES_TRAILERS, Client, chunk, parse, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Config, Gateway, wait_until
from tests.scenarios.message import Message
from tests.scenarios.policy import STRANGER, opaque, policy, route, with_routes
from tests.scenarios.proof import Watch, receipt_of, statement
from tests.scenarios.receiver import OK, Behaviour, Exchange, Receiver

HOLD = 4096
FITS, MORE = b"x" * HOLD, b"x" * (HOLD + 1)
PLACES = ["auto", "header", "trailer", "log"]
HERE = [{"networks": ["127.0.0.1/32"]}]


@pytest.fixture(scope="module", params=[2])
def workers(request: pytest.FixtureRequest) -> int:
    """Workers beside a notary, so that the log alone can be made to wait."""
    count: int = request.param
    return count


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    config = policy(parties, shared_receiver.endpoint)
    config["listeners"]["door"] = {
        "bind": "unix:door.sock", "zone": "partner", "tls": {"mode": "none"}
    }  # fmt: skip
    config["listeners"]["plain"] = {
        "bind": "127.0.0.1:0", "zone": "partner", "tls": {"mode": "none"}
    }  # fmt: skip
    config["routes"][1]["allow"].append(STRANGER)
    unseen: Config = {"request": opaque("internal"), "response": opaque("internal")}
    limits = {"hold": HOLD, "record": 1024}
    local = [{"local": {"uid": [os.getuid()]}}]
    placed = [route(place, receipt=place, limits=limits) | unseen for place in PLACES]
    doors = [
        route("local", listener="door", allow=local) | unseen,
        route("near", listener="plain", allow=HERE) | unseen,
    ]
    return start_gateway(with_routes(config, *placed, *doors))


def answer_with(body: bytes, *, sized: bool, fields: str = "") -> Behaviour:
    def behave(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(f"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n{fields}".encode())
        if sized:
            exchange.send(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        else:
            exchange.send(b"Transfer-Encoding: chunked\r\n\r\n" + chunk(body) + b"0\r\n\r\n")

    return behave


def place_of(answer: Message) -> str:
    """Where the receipt stands."""
    name = "transfer-receipt"
    if name in dict(answer.trailers):
        assert name not in dict(answer.fields)
        return "trailer"
    if name in dict(answer.fields):
        return "header"
    return "link" if answer.values("link") else "log"


EXPECTED = {
    ("auto", "fits"): "header",
    ("auto", "chunked"): "trailer",
    ("auto", "sized"): "link",
    ("header", "fits"): "header",
    ("header", "chunked"): "link",
    ("header", "sized"): "link",
    ("trailer", "fits"): "trailer",
    ("trailer", "chunked"): "trailer",
    ("trailer", "sized"): "trailer",
    ("log", "fits"): "log",
    ("log", "chunked"): "log",
    ("log", "sized"): "log",
}
"""(what the route says, what the answer is) -> where its receipt stands."""


@pytest.mark.parametrize(("wanted", "kind"), EXPECTED)
def test_a_receipt_stands_where_the_route_says_as_far_as_the_answer_lets_it(
    gateway: Gateway, receiver: Receiver, wanted: str, kind: str
) -> None:
    body = FITS if kind == "fits" else MORE
    receiver.behave = answer_with(body, sized=kind == "sized")
    with gateway.connect() as client:
        answer = client.ask(request(f"/{wanted}/1", b"", *TAKES_TRAILERS))
        assert answer.body == body
        assert place_of(answer) == EXPECTED[wanted, kind]
        assert bool(answer.values("transfer-receipt-key")) == (wanted != "log")
        path = f"/.well-known/lockgate/receipts/{answer.value('transfer-id')}"
        kept = client.ask(request(path, None, method="GET"))
    predicate = statement(kept.body, gateway.pki)["predicate"]
    assert predicate["transferId"] == answer.value("transfer-id")
    assert predicate["answer"]["delivered"]["bytes"] == str(len(body))


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ([], "link"),
        (["TE: trailers"], "link"),
        (["TE: deflate", "Connection: TE"], "link"),
        (["TE: deflate, trailers", "Connection: TE"], "trailer"),
        (["Via: 1.1 gateway-b"], "trailer"),
    ],
)
def test_a_receipt_comes_behind_the_content_for_those_who_say_that_they_look_there(
    gateway: Gateway, receiver: Receiver, fields: list[str], place: str
) -> None:
    receiver.behave = answer_with(MORE, sized=False)
    with gateway.connect() as client:
        answer = client.ask(request("/auto/1", b"", *fields))
        assert answer.body == MORE
        assert place_of(answer) == place
        assert bool(answer.trailers) == (place == "trailer")
        path = f"/.well-known/lockgate/receipts/{answer.value('transfer-id')}"
        kept = client.ask(request(path, None, method="GET")).body
    assert statement(kept, gateway.pki)["predicate"]["answer"]["status"] == 200


@pytest.mark.parametrize(("wanted", "place"), [("auto", "header"), ("trailer", "link")])
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "HEAD"])
def test_an_answer_without_content_has_no_trailer_for_it(
    gateway: Gateway, receiver: Receiver, wanted: str, place: str, status: str
) -> None:
    head = "200 OK\r\nContent-Length: 9" if status == "HEAD" else status

    def behave(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(f"HTTP/1.1 {head}\r\n\r\n".encode())

    receiver.behave = behave
    with gateway.connect() as client:
        method = "HEAD" if status == "HEAD" else "GET"
        client.send(request(f"/{wanted}/1", None, method=method))
        assert place_of(client.answer(bodiless=True)) == place


# --- what waits for it ---------------------------------------------------------------------------


def until_quiet(sock: socket.socket, seconds: float) -> bytes:
    """What comes until the end, or until nothing has come for so long."""
    sock.settimeout(seconds)
    came = b""
    try:
        while data := sock.recv(65536):
            came += data
    except TimeoutError:
        pass
    return came


@pytest.mark.parametrize(
    ("path", "body", "sized"),
    [
        ("/auto/1", FITS, True),
        ("/auto/1", MORE * 20, False),
        ("/auto/1", MORE * 20, True),
        ("/log/1", FITS, True),
        ("/log/1", MORE * 20, True),
    ],
)
def test_an_answer_does_not_end_before_its_receipt_is_durable(
    gateway: Gateway, receiver: Receiver, path: str, body: bytes, sized: bool
) -> None:
    """The log is stopped when the request has come: a held answer waits whole, a streamed one with
    its last octets, and both end when the log goes on."""
    notary, answered = gateway.log_writer, threading.Event()

    def behave(exchange: Exchange) -> None:
        os.kill(notary, signal.SIGSTOP)
        answer_with(body, sized=sized)(exchange)
        answered.set()

    receiver.behave = behave
    with gateway.connect() as client:
        client.send(request(path, b"", "Connection: close"))
        try:
            assert answered.wait(PATIENCE)
            before = client.sock.recv(1) if body != FITS else b""
            before += until_quiet(client.sock, 0.4)
        finally:
            os.kill(notary, signal.SIGCONT)
        after = until_quiet(client.sock, PATIENCE)
    assert bool(before) == (body != FITS)
    assert before.count(b"x") < len(body)
    answer = parse(before + after)
    assert answer.body == body
    wait_until(lambda: gateway.admin("/readyz")[0] == 200)


# --- where it can be had afterwards --------------------------------------------------------------


def path_of(answer: Message) -> str:
    """Where the Link leads."""
    return answer.value("link").removeprefix("<").partition(">")[0]


@pytest.mark.parametrize("wanted", ["auto", "header"])
def test_a_link_is_good_for_the_sender_that_it_was_given_to_and_for_nobody_else(
    gateway: Gateway, receiver: Receiver, watch: Watch, wanted: str
) -> None:
    """By index, where the receipt came with the answer, and by transfer id, where it could not."""
    body = FITS if wanted == "auto" else MORE
    receiver.behave = answer_with(body, sized=True)
    with gateway.connect() as client:
        answer = client.ask(request(f"/{wanted}/1", b""))
        path = path_of(answer)
        assert path.endswith(answer.value("transfer-id")) == (wanted == "header")
        same = client.ask(request(path, None, method="GET"))
        assert (same.status, same.value("content-type")) == (200, "application/vnd.in-toto+json")
        assert same.value("cache-control") == "private"
        client.send(request(path, None, method="HEAD"))
        assert client.answer(bodiless=True).value("content-length") == str(len(same.body))
    watch.again()
    with gateway.connect("stranger") as stranger:
        watch.refused(stranger.ask(request(path, None, method="GET")), "no-route")
        receiver.behave = Exchange.answer
        own = stranger.ask(request("/files/1", b""))
        assert stranger.ask(request(path_of(own), None, method="GET")).status == 200


@pytest.mark.parametrize("name", ["", "0/", "-1", "999999999", "9" * 30, "x", "%2e%2e", "0?a=b/c"])
def test_a_receipt_that_is_not_there_is_like_one_that_is_anothers(watch: Watch, name: str) -> None:
    path = f"/.well-known/lockgate/receipts/{name}"
    with watch.gateway.connect("stranger") as stranger:
        answer = stranger.ask(request(path, None, method="GET"))
        watch.refused(answer, "no-route")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_a_receipt_can_only_be_read(gateway: Gateway, receiver: Receiver, method: str) -> None:
    with gateway.connect() as client:
        path = path_of(client.ask(request("/files/1", b"")))
        assert client.ask(request(path, b"", method=method)).status == 404


def test_a_process_that_the_kernel_names_can_read_its_receipts_and_an_address_has_none_to_read(
    gateway: Gateway,
) -> None:
    door = socket.socket(socket.AF_UNIX)
    door.settimeout(PATIENCE)
    door.connect(str(gateway.folder / "door.sock"))
    with Client(door) as client:
        answer = client.ask(request("/local/1", b""))
        assert client.ask(request(path_of(answer), None, method="GET")).body == answer.receipt()[0]
    with Client(socket.create_connection(gateway.address("plain"), timeout=PATIENCE)) as client:
        answer = client.ask(request("/near/1", b""))
        assert receipt_of(gateway, answer)["kind"] == "delivered"
        assert answer.values("link") == []


# --- receipts of the hops behind us --------------------------------------------------------------


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize(("octets", "come"), [(3000, True), (9000, False), (40_000, False)])
def test_receipts_of_earlier_hops_that_are_too_long_stay_behind_and_ours_comes_alone(
    gateway: Gateway, receiver: Receiver, octets: int, come: bool, sized: bool
) -> None:
    earlier = ":" + "A" * (octets // 4 * 4) + ":"
    fields = f"Transfer-Receipt: {earlier}\r\n"
    receiver.behave = answer_with(FITS if sized else MORE, sized=sized, fields=fields)
    with gateway.connect() as client:
        answer = client.ask(request("/auto/1", b"", *TAKES_TRAILERS))
    assert answer.status == 200
    lines = answer.values("transfer-receipt")
    assert len(parse_items(",".join(lines))) == 1 + come
    assert max(map(len, lines)) <= 8192
    assert receipt_of(gateway, answer)["kind"] == "delivered"


def test_receipts_of_earlier_hops_that_are_no_list_stay_behind(
    gateway: Gateway, receiver: Receiver
) -> None:
    receiver.behave = lambda exchange: exchange.answer(200, OK, "Transfer-Receipt: :no base64:")
    with gateway.connect() as client:
        answer = client.ask(request())
    assert len(parse_items(answer.value("transfer-receipt"))) == 1
