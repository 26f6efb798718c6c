"""Clients of the field do their work through the gateway and see nothing odd."""

import json
import os
from pathlib import Path

import pytest

from proxy.receipt.header import parse_items
from tests.scenarios.clients.commands import (
    send_by_ab,
    send_by_curl,
    send_by_fetch,
    send_by_node,
    send_by_wget,
)
from tests.scenarios.clients.libraries import (
    send_by_aiohttp,
    send_by_http_client,
    send_by_httpx,
    send_by_requests,
)
from tests.scenarios.clients.senders import Ask, Place, Sender
from tests.scenarios.gateway import Gateway, lockgate
from tests.scenarios.message import Message
from tests.scenarios.policy import CARD, SSN
from tests.scenarios.proof import receipt_of, sha256, statement
from tests.scenarios.receiver import Exchange, Receiver

SENDERS = [
    Sender("curl", send_by_curl, expects=True),
    Sender("wget", send_by_wget, chunks=False),
    Sender("ab", send_by_ab, chunks=False, bodies=False, keeps=False),
    Sender("http.client", send_by_http_client),
    Sender("requests", send_by_requests),
    Sender("httpx", send_by_httpx),
    Sender("aiohttp", send_by_aiohttp, expects=True),
    Sender("fetch", send_by_fetch),
    Sender("https.request", send_by_node, expects=True),
]
EVERY = pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.name)
WITH_CHUNKS = pytest.mark.parametrize(
    "sender", [sender for sender in SENDERS if sender.chunks], ids=lambda sender: sender.name
)
THAT_WAIT = pytest.mark.parametrize(
    "sender", [sender for sender in SENDERS if sender.expects], ids=lambda sender: sender.name
)

ORDER = b'{"customer":{"ssn":"%b"},"email":"ada@example.com","total":1.10}' % SSN.encode()
MEBIBYTE = 1 << 20
UPSTREAM_FIELDS = {"content-length": "", "content-type": "", "date": "", "etag": '"v1"'}
OUR_FIELDS = {
    "data-sensitivity",
    "link",
    "transfer-id",
    "transfer-receipt",
    "transfer-receipt-key",
    "via",
}
DATE = "Date: Mon, 23 Nov 2026 08:00:00 GMT"
BIG = os.urandom(2 * MEBIBYTE)
HELLO = b"hello\n"


def serve(exchange: Exchange) -> None:
    """A small site."""
    path, fields = exchange.request.first.split(" ")[1], [DATE, 'ETag: "v1"']
    if path == "/files/missing":
        exchange.answer(404, b"no such file\n", *fields, kind="text/plain")
    elif path == "/files/stream":
        exchange.read()
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(BIG), 65536):
            exchange.send(b"10000\r\n" + BIG[start : start + 65536] + b"\r\n")
        exchange.send(b"0\r\n\r\n")
    elif exchange.request.first.startswith("HEAD "):
        exchange.read()
        head = ["HTTP/1.1 200 OK", *fields, "Content-Type: text/plain", "Content-Length: 6"]
        exchange.send("\r\n".join([*head, "", ""]).encode())
    elif path.startswith("/files/"):
        exchange.answer(200, HELLO, *fields, kind="text/plain")
    else:
        exchange.answer(200, b'{"ok": true}', *fields)


@pytest.fixture(autouse=True)
def site(receiver: Receiver) -> Receiver:
    receiver.behave = serve
    return receiver


def ask_once(sender: Sender, place: Place, ask: Ask) -> Message:
    (answer,) = sender.send(place, ask, 1)
    return answer


def require_body(sender: Sender, answer: Message, body: bytes) -> None:
    assert not sender.bodies or sha256(answer.body) == sha256(body)


def require_nothing_odd(answer: Message, *missing: str) -> None:
    """Every field once: what the upstream said, and what the contract adds."""
    of_connection = {"connection", "keep-alive"}
    names = [name for name, _ in answer.fields if name not in of_connection]
    assert sorted(names) == sorted((UPSTREAM_FIELDS.keys() | OUR_FIELDS) - set(missing))
    assert answer.value("date") == DATE.removeprefix("Date: ")


@EVERY
def test_an_order_arrives_masked_and_its_receipt_verifies(
    sender: Sender, gateway: Gateway, place: Place, site: Receiver
) -> None:
    answer = ask_once(sender, place, Ask("POST", "/orders/1", ORDER))
    assert answer.status == 200
    require_body(sender, answer, b'{"ok": true}')
    require_nothing_odd(answer)
    came = json.loads(site.received[-1].body)
    assert came["customer"]["ssn"] != SSN
    assert came["email"].startswith("tok:k1:")
    predicate = receipt_of(gateway, answer)
    assert predicate["kind"] == "delivered"
    assert predicate["content"]["delivered"]["sha256"] == sha256(site.received[-1].body)
    require_verified(gateway, answer, place.folder)


def require_verified(gateway: Gateway, answer: Message, folder: Path) -> None:
    """`lockgate receipts verify` says of the envelope and the key that they are of the order."""
    (key,) = parse_items(answer.value("transfer-receipt-key"))
    assert key
    (folder / "receipt.json").write_bytes(answer.receipt()[0])
    (folder / "order.json").write_bytes(ORDER)
    done = lockgate(
        "receipts", "verify", folder / "receipt.json", "--key", gateway.pki / "receipts.pub",
        "--content", folder / "order.json",
        "--receipt-key", answer.value("transfer-receipt-key").strip(":"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@EVERY
def test_a_file_is_fetched(sender: Sender, gateway: Gateway, place: Place) -> None:
    answer = ask_once(sender, place, Ask("GET", "/files/1"))
    assert answer.status == 200
    require_body(sender, answer, HELLO)
    require_nothing_odd(answer)
    assert receipt_of(gateway, answer)["answer"]["delivered"]["sha256"] == sha256(HELLO)


@EVERY
def test_a_head_tells_what_a_get_would(sender: Sender, gateway: Gateway, place: Place) -> None:
    answer = ask_once(sender, place, Ask("HEAD", "/files/1"))
    assert (answer.status, answer.body) == (200, b"")
    assert answer.value("content-length") == str(len(HELLO))
    require_nothing_odd(answer, "data-sensitivity")  # which is about content
    assert receipt_of(gateway, answer)["kind"] == "delivered"


@EVERY
def test_a_large_upload_arrives_octet_for_octet(
    sender: Sender, gateway: Gateway, place: Place, site: Receiver
) -> None:
    ask = Ask("POST", "/files/big", BIG, "application/octet-stream")
    answer = ask_once(sender, place, ask)
    assert answer.status == 200
    came = site.received[-1]
    assert came.sha256 == sha256(BIG)
    assert came.values("content-length") == [str(len(BIG))]
    assert receipt_of(gateway, answer)["content"]["received"]["sha256"] == sha256(BIG)


@WITH_CHUNKS
def test_an_upload_in_chunks_arrives_octet_for_octet(
    sender: Sender, gateway: Gateway, place: Place, site: Receiver
) -> None:
    ask = Ask("POST", "/files/big", BIG, "application/octet-stream", chunked=True)
    answer = ask_once(sender, place, ask)
    assert answer.status == 200
    came = site.received[-1]
    assert came.sha256 == sha256(BIG)
    assert came.values("transfer-encoding") == ["chunked"]
    assert receipt_of(gateway, answer)["kind"] == "delivered"


@EVERY
def test_a_large_answer_in_chunks_is_read_whole_and_its_link_leads_to_the_receipt(
    sender: Sender, gateway: Gateway, place: Place
) -> None:
    mark = gateway.mark()
    answer = ask_once(sender, place, Ask("GET", "/files/stream"))
    assert answer.status == 200
    require_body(sender, answer, BIG)
    assert gateway.wait_for("transfer", mark)["verdict"] == "delivered"
    path, _, relation = answer.value("link").removeprefix("<").partition(">")
    assert relation == '; rel="receipt"'
    found = ask_once(sender, place, Ask("GET", path))
    assert found.status == 200
    if sender.bodies:
        said = statement(found.body, gateway.pki)["predicate"]
        assert said["answer"]["delivered"]["sha256"] == sha256(BIG)


@EVERY
def test_a_404_of_the_upstream_is_passed_on(sender: Sender, gateway: Gateway, place: Place) -> None:
    answer = ask_once(sender, place, Ask("GET", "/files/missing"))
    assert answer.status == 404
    require_body(sender, answer, b"no such file\n")
    require_nothing_odd(answer)
    assert receipt_of(gateway, answer)["kind"] == "failed"


@EVERY
def test_a_refusal_says_why(sender: Sender, gateway: Gateway, place: Place, site: Receiver) -> None:
    octets = site.octets
    answer = ask_once(sender, place, Ask("POST", "/orders/1", b'{"note":"%b"}' % CARD.encode()))
    assert answer.status == 422
    assert answer.value("content-type") == "application/problem+json"
    if sender.bodies:
        problem = json.loads(answer.body)
        assert problem["status"] == 422
        assert problem["instance"] == f"urn:uuid:{answer.value('transfer-id')}"
    assert receipt_of(gateway, answer)["kind"] == "rejected"
    assert site.octets == octets


@EVERY
def test_many_requests_go_over_one_connection(
    sender: Sender, gateway: Gateway, place: Place, site: Receiver
) -> None:
    def made() -> float:
        return gateway.metric("lockgate_handshakes_total", side="listener", result="ok")

    before, received = made(), len(site.received)
    answers = sender.send(place, Ask("POST", "/orders/1", ORDER), 3)
    assert [answer.status for answer in answers] == [200] * 3
    assert len({answer.value("transfer-id") for answer in answers}) == 3
    assert {receipt_of(gateway, answer)["kind"] for answer in answers} == {"delivered"}
    assert len(site.received) - received == 3
    assert made() - before == (1 if sender.keeps else 3)


@THAT_WAIT
def test_who_waits_for_100_continue_hears_it_from_the_gateway(
    sender: Sender, gateway: Gateway, place: Place, site: Receiver
) -> None:
    answer = ask_once(sender, place, Ask("POST", "/orders/1", ORDER, expect=True))
    assert answer.status == 200
    assert receipt_of(gateway, answer)["kind"] == "delivered"
    assert site.received[-1].values("expect") == []
