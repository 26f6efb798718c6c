"""What could be read in two ways, in the table's names, through the running proxy.

Nothing of it reaches the upstream, or the sender; every refusal of a transfer is receipted.
"""

import json
import threading
from pathlib import Path

import pytest

from proxy.errors import PROBLEMS
from tests.patience import PATIENCE
from tests.scenarios.client import request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.message import Message
from tests.scenarios.policy import policy, route, with_routes
from tests.scenarios.proof import receipts
from tests.scenarios.receiver import OK, Exchange, Receiver
from tests.wire.ambiguous import BEHIND, CONTENTS, METHODS, NEXT, ONE_READING, PATHS, REQUESTS, Row
from tests.wire.ambiguous_answers import ANSWERS, FORGED, UNASKED
from tests.wire.readings import one_request


@pytest.fixture(scope="module")
def workers() -> int:
    """One process: what is read is read alike in every form."""
    return 1


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    """The usual policy; heads are small; and what is smuggled would find a route."""
    config = with_routes(policy(parties, shared_receiver.endpoint), route("smuggled"))
    config["listeners"]["ingest"]["limits"] = {"head": 8192}
    config["upstreams"]["warehouse"]["limits"] = {"head": "4KiB"}
    return start_gateway(config)


@pytest.fixture(scope="module")
def expected(gateway: Gateway) -> dict[str, tuple[str, str]]:
    """Of this gateway, transfer id -> (verdict, problem) of what it refused."""
    return {}


Expected = dict[str, tuple[str, str]]
OF_OTHER_PROTOCOLS = {b"upgrade", b"http2-settings", b"http2_settings"}


def told(answer: Message, code: str) -> str:
    """The id of the transfer that was refused, as the answer that says so has it."""
    assert answer.status == PROBLEMS[code][0]
    if answer.body:
        assert json.loads(answer.body)["type"] == f"urn:lockgate:problem:{code}"
    answer.receipt()
    return answer.value("transfer-id")


def rows(*tables: tuple[Row, ...]) -> pytest.MarkDecorator:
    every = [row for table in tables for row in table]
    return pytest.mark.parametrize("row", every, ids=lambda row: row.name)


# --- from the sender -----------------------------------------------------------------------------


@rows(REQUESTS, CONTENTS)
def test_an_ambiguous_request_ends_the_connection_and_nothing_reaches_the_upstream(
    gateway: Gateway, receiver: Receiver, expected: Expected, row: Row
) -> None:
    before = receiver.octets
    with gateway.connect() as client:
        client.send(row.octets + request("/orders/behind"))
        expected[told(client.answer(), row.code)] = ("rejected", row.code)
        assert client.ended()
    assert receiver.octets == before


@rows(PATHS, METHODS)
def test_an_odd_path_or_method_is_refused_and_the_next_request_is_answered(
    gateway: Gateway, receiver: Receiver, expected: Expected, row: Row
) -> None:
    before = receiver.octets
    with gateway.connect() as client:
        client.send(row.octets)
        refused = client.answer(bodiless=row.octets.startswith(b"HEAD"))
        expected[told(refused, row.code)] = ("rejected", row.code)
        assert receiver.octets == before
        assert client.ask(request()).body == OK


@rows(BEHIND)
def test_what_is_no_request_behind_a_good_one_is_refused(
    gateway: Gateway, receiver: Receiver, expected: Expected, row: Row
) -> None:
    receiver.wire = bytearray()
    with gateway.connect() as client:
        assert client.ask(row.octets).body == OK
        expected[told(client.answer(), row.code)] = ("rejected", row.code)
        assert client.ended()
    one_request(bytes(receiver.wire))


@rows(ONE_READING)
def test_what_has_one_reading_reaches_the_upstream_as_one_message(
    gateway: Gateway, receiver: Receiver, row: Row
) -> None:
    receiver.wire = bytearray()
    with gateway.connect() as client:
        assert client.ask(row.octets).body == OK
    reading = one_request(bytes(receiver.wire))
    assert reading.first[1].startswith(("/orders/1", "/files/1"))
    assert reading.first[0] in ("POST", "PUT", "GET")
    assert {name for name, _ in reading.fields}.isdisjoint(OF_OTHER_PROTOCOLS)
    assert b"claimed" not in [value for _, value in (*reading.fields, *reading.trailers)]


# --- from the upstream ---------------------------------------------------------------------------


@rows(ANSWERS)
def test_an_ambiguous_answer_is_refused(
    gateway: Gateway, receiver: Receiver, expected: Expected, row: Row
) -> None:
    receiver.behave = lambda exchange: said(exchange, row.octets)
    with gateway.connect() as client:
        expected[told(client.ask(request()), row.code)] = ("indeterminate", row.code)


def said(exchange: Exchange, data: bytes) -> None:
    exchange.read()
    exchange.send(data)


@pytest.mark.parametrize("octets", [octets for _, octets in UNASKED], ids=[n for n, _ in UNASKED])
def test_octets_behind_an_answer_are_nobodys_answer(
    gateway: Gateway, receiver: Receiver, octets: bytes
) -> None:
    receiver.behave = lambda exchange: said(exchange, octets)
    with gateway.connect() as first, gateway.connect() as second:
        first.send(request())
        answer = first.reader.head()
        first.reader.body(answer, bodiless=answer.status in (204, 304))
        assert answer.status in (200, 204, 304)
        assert answer.body in (b"{}", b"")
        receiver.behave = Exchange.answer
        for client in (second, first):
            assert client.ask(request()).body == OK


def test_an_answer_from_an_idle_connection_is_nobodys_answer(
    gateway: Gateway, receiver: Receiver
) -> None:
    answered, forged = threading.Event(), threading.Event()

    def behave(exchange: Exchange) -> None:
        exchange.answer()
        answered.wait(PATIENCE)
        receiver.behave = Exchange.answer
        exchange.send(FORGED)
        forged.set()

    receiver.behave = behave
    with gateway.connect() as first, gateway.connect() as second:
        assert first.ask(request()).body == OK
        answered.set()
        assert forged.wait(PATIENCE)
        for client in (second, first, second):
            assert client.ask(request()).body == OK


def test_no_smuggled_request_ever_reached_the_upstream_and_each_transfer_has_one_receipt(
    gateway: Gateway, receiver: Receiver, expected: Expected
) -> None:
    assert NEXT.split()[1] == b"/smuggled"
    assert not [each for each in receiver.received if "smuggled" in each.first]
    found = receipts(gateway)
    stored = sorted(each["transferId"] for each in found)
    gateway.wait_for_count("transfer", len(stored))
    assert sorted(line["transfer_id"] for line in gateway.logged("transfer")) == stored
    assert len(stored) == len(set(stored))
    said = {each["transferId"]: (each["kind"], each["disposition"]["problem"]) for each in found}
    assert {each: said[each] for each in expected} == expected
    lines = {line["transfer_id"]: line for line in gateway.logged("transfer")}
    for each, (verdict, problem) in expected.items():
        assert (lines[each]["verdict"], lines[each]["problem"]) == (verdict, problem)
