"""A transfer that comes again: delivered once, answered as often as it comes, after any restart."""

import base64
import hashlib
import itertools
import json
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.scenarios.client import chunk, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.forms import BOTH_FORMS
from tests.scenarios.gateway import Config, Gateway, wait_until
from tests.scenarios.message import Broken, Message
from tests.scenarios.policy import CLIENT, SSN, STRANGER, opaque, policy, route, with_routes
from tests.scenarios.proof import Predicate, Watch, audit, receipts, statement
from tests.scenarios.receiver import Exchange, Held, Receiver

workers = BOTH_FORMS

HOLD = 4096
LARGE = bytes(range(256)) * 64
ONCE = {"require": "transfer-id", "window": "5m"}
BOTH: Config = {"allow": [CLIENT, STRANGER], "limits": {"hold": HOLD, "record": 1024}}
MASKED = {
    "content": ["json"],
    "label": "internal",
    "mask": [{"path": "$.ssn", "action": "redact"}],
}
SECRET = b'{"ssn": "%b"}' % SSN.encode()


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    free = opaque("internal")
    return start_gateway(
        with_routes(
            policy(parties, shared_receiver.endpoint),
            route("once", request=free, replay=ONCE, **BOTH),
            route("other", request=free, replay=ONCE, **BOTH),
            route("masked", request=MASKED, replay=ONCE),
            route("again", request=free, replay={**ONCE, "after_indeterminate": "forward"}),
            route("short", request=free, replay={**ONCE, "window": "1s"}),
            route("free", request=free),
            route("answers", request=free, response=free, replay=ONCE),
        )
    )


def new_id() -> str:
    return str(uuid.uuid4())


def digest(body: bytes, name: str = "sha256") -> str:
    value = base64.b64encode(hashlib.new(name, body).digest()).decode()
    return f"Content-Digest: {name[:3]}-{name[3:]}=:{value}:"


def named(mine: str, path: str = "/once/1", body: bytes = b"{}", *fields: str) -> bytes:
    return request(path, body, f"Transfer-Id: {mine}", *fields)


def ask(gateway: Gateway, data: bytes, name: str = "client") -> Message:
    with gateway.connect(name) as client:
        return client.ask(data)


def code(answer: Message) -> str:
    said: str = json.loads(answer.body)["type"].removeprefix("urn:lockgate:problem:")
    return said


def is_duplicate(answer: Message) -> bool:
    return answer.values("transfer-duplicate") == ["?1"]


def predicate_of(gateway: Gateway, answer: Message) -> Predicate:
    """What the one receipt in an answer says that may come without its key, verified."""
    octets = base64.b64decode(answer.value("transfer-receipt").strip(":"))
    predicate: Predicate = statement(octets, gateway.pki)["predicate"]
    return predicate


# --- the same again ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/once/1", b"{}", []),
        ("/once/1", b"", []),
        ("/masked/1", SECRET, []),
        ("/once/1", LARGE, [digest(LARGE)]),
        ("/once/1", LARGE, [digest(LARGE, "sha512")]),
    ],
    ids=["held", "empty", "masked", "by sha-256", "by sha-512"],
)
def test_the_same_again_is_answered_as_then(
    gateway: Gateway, receiver: Receiver, watch: Watch, path: str, body: bytes, fields: list[str]
) -> None:
    mine = new_id()
    receiver.behave = lambda exchange: exchange.answer(201, b"{}", "Location: /1")
    first = ask(gateway, named(mine, path, body, *fields))
    assert (first.status, first.body) == (201, b"{}")
    envelope, key = first.receipt()
    for _ in range(2):
        watch.again()
        again = ask(gateway, named(mine, path, body, *fields))
        assert (again.status, again.body) == (201, b"")
        assert is_duplicate(again)
        assert again.value("transfer-id") == mine
        assert base64.b64decode(again.value("transfer-receipt").strip(":")) == envelope
        assert not again.values("transfer-receipt-key") + again.values("location")
        assert base64.b64encode(key) not in again.raw_head
        line = watch.logged_one(mine)
        watch.counted_one("rejected", "duplicate")
        assert (line["verdict"], line["problem"], line["status"]) == ("rejected", "duplicate", 201)
        assert receiver.octets == watch.octets
        said = _entry(gateway, line["receipt"])
        assert said["kind"] == "rejected"
        assert said["disposition"]["duplicateOf"] == _index_of(first)
        assert said["content"]["delivered"] is None
        assert "sha256" not in said["content"]["received"]
    link = again.value("link").partition(">")[0].removeprefix("<")
    fetched = ask(gateway, request(link, None, method="GET"))
    assert fetched.body == envelope


def _entry(gateway: Gateway, index: int) -> Predicate:
    """What a receipt of the client says, fetched from the gateway."""
    path = f"/.well-known/lockgate/receipts/{index}"
    found = ask(gateway, request(path, None, method="GET"))
    predicate: Predicate = statement(found.body, gateway.pki)["predicate"]
    return predicate


def _index_of(answer: Message) -> str:
    return answer.value("link").partition(">")[0].rpartition("/")[2]


def test_digests_in_trailers_expectations_and_http_1_0(gateway: Gateway) -> None:
    mine = new_id()
    assert ask(gateway, named(mine, "/once/1", LARGE)).status == 200
    late = request("/once/1", [LARGE], f"Transfer-Id: {mine}", "Trailer: Content-Digest")
    told = late.removesuffix(b"\r\n") + digest(LARGE).encode() + b"\r\n\r\n"
    assert is_duplicate(ask(gateway, told))
    wrong = late.removesuffix(b"\r\n") + digest(b"else").encode() + b"\r\n\r\n"
    assert code(ask(gateway, wrong)) == "digest-mismatch"
    old = named(mine, "/once/1", LARGE, digest(LARGE)).replace(b"HTTP/1.1", b"HTTP/1.0")
    assert is_duplicate(ask(gateway, old))
    asking = named(mine, "/once/1", LARGE, digest(LARGE), "Expect: 100-continue")
    with gateway.connect() as client:
        client.send(asking.removesuffix(LARGE))
        assert client.reader.head().status == 100
        client.send(LARGE)
        assert is_duplicate(client.answer())


def test_a_sender_that_did_not_wait_learns_how_it_ended(
    gateway: Gateway, receiver: Receiver
) -> None:
    mine, held = new_id(), Held()
    body = b"x" * 2**22

    def behave(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(b"HTTP/1.1 202 Said\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(body))
        held.asked.set()
        held.go.wait(PATIENCE)
        exchange.reset()

    receiver.behave = behave
    since = gateway.mark()
    with gateway.connect() as client:
        client.send(named(mine, "/answers/1"))
        assert client.reader.head().status == 202
        client.vanish()
    line = gateway.wait_for("transfer", since, transfer_id=mine)
    held.go.set()
    assert (line["verdict"], line.get("status"), line["upstream_status"]) == (
        "delivered", None, 202,
    )  # fmt: skip
    again = ask(gateway, named(mine, "/answers/1"))
    assert (again.status, is_duplicate(again)) == (202, True)
    assert predicate_of(gateway, again)["disposition"]["status"] is None


def test_when_the_window_has_passed_the_id_is_free(gateway: Gateway) -> None:
    mine = new_id()
    assert ask(gateway, named(mine, "/short/1")).status == 200

    def forwarded() -> bool:
        answer = ask(gateway, named(mine, "/short/1"))
        assert answer.status == 200
        return not is_duplicate(answer)

    wait_until(forwarded)


# --- something else ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "changed"),
    {
        "content": ("id-reused", lambda mine: named(mine, body=b"[]")),
        "no content": ("id-reused", lambda mine: named(mine, body=b"")),
        "by digest": (
            "id-reused", lambda mine: named(mine, "/once/1", LARGE, digest(LARGE))),
        "target": ("id-reused", lambda mine: named(mine, "/once/2")),
        "method": (
            "id-reused",
            lambda mine: request("/once/1", b"{}", f"Transfer-Id: {mine}", method="PUT")),
        "nobody vouches": ("replayed", lambda mine: named(mine, body=LARGE)),
        "nobody vouches, chunked": (
            "replayed", lambda mine: request("/once/1", [LARGE], f"Transfer-Id: {mine}")),
        "without content": (
            "replayed",
            lambda mine: request("/once/1", None, f"Transfer-Id: {mine}", method="GET")),
        "wrong digest": (
            "digest-mismatch", lambda mine: named(mine, "/once/1", b"{}", digest(b"[]"))),
    }.values(),
)  # fmt: skip
def test_something_else_under_a_delivered_id_is_refused(
    watch: Watch, expected: str, changed: object
) -> None:
    assert callable(changed)
    mine = new_id()
    first = ask(watch.gateway, named(mine))
    assert first.status == 200
    watch.again()
    answer = ask(watch.gateway, changed(mine))
    assert not is_duplicate(answer)
    predicate = watch.refused(answer, expected)
    assert predicate["disposition"]["duplicateOf"] == _index_of(first)
    assert is_duplicate(ask(watch.gateway, named(mine)))


def test_other_senders_and_other_routes_have_ids_of_their_own(
    gateway: Gateway, receiver: Receiver
) -> None:
    mine, before = new_id(), len(receiver.received)
    for path, name in itertools.product(("/once/1", "/other/1"), ("client", "stranger")):
        answer = ask(gateway, named(mine, path), name)
        assert (answer.status, is_duplicate(answer)) == (200, False)
        assert is_duplicate(ask(gateway, named(mine, path), name))
    assert len(receiver.received) == before + 4


def test_ids_are_labels_where_none_is_required(gateway: Gateway, receiver: Receiver) -> None:
    mine, before = new_id(), len(receiver.received)
    for _ in range(2):
        answer = ask(gateway, named(mine, "/free/1"))
        assert (answer.status, is_duplicate(answer)) == (200, False)
    assert len(receiver.received) == before + 2


# --- what does not use an id up ------------------------------------------------------------------


def test_failed_and_rejected_do_not(gateway: Gateway, receiver: Receiver) -> None:
    mine = new_id()
    assert code(ask(gateway, named(mine, "/masked/1", b"{"))) == "unparseable"
    receiver.behave = lambda exchange: exchange.answer(503)
    assert ask(gateway, named(mine, "/masked/1", SECRET)).status == 503
    receiver.behave = Exchange.answer
    delivered = ask(gateway, named(mine, "/masked/1", SECRET))
    assert (delivered.status, is_duplicate(delivered)) == (200, False)
    assert predicate_of(gateway, delivered)["attempt"] == "3"
    assert is_duplicate(ask(gateway, named(mine, "/masked/1", SECRET)))


def test_after_an_undecided_attempt_the_route_says_what_follows(
    gateway: Gateway, receiver: Receiver, watch: Watch
) -> None:
    def reset(exchange: Exchange) -> None:
        exchange.read()
        exchange.reset()

    refused, forwarded = new_id(), new_id()
    receiver.behave = reset
    for sent in (named(refused), named(forwarded, "/again/1")):
        answer = ask(gateway, sent)
        assert code(answer) == "upstream-closed"
        assert predicate_of(gateway, answer)["kind"] == "indeterminate"
    receiver.behave = Exchange.answer
    watch.again()
    watch.refused(ask(gateway, named(refused)), "undecided")
    assert ask(gateway, named(forwarded, "/again/1")).status == 200
    assert is_duplicate(ask(gateway, named(forwarded, "/again/1")))


def test_an_id_in_flight_is_refused_for_now(watch: Watch, receiver: Receiver) -> None:
    held = receiver.behave = Held()
    mine = new_id()
    with watch.gateway.connect() as client:
        client.send(named(mine))
        assert held.asked.wait(PATIENCE)
        watch.octets = receiver.octets
        answer = ask(watch.gateway, named(mine))
        watch.refused(answer, "in-flight")
        assert answer.value("retry-after") == "1"
        held.go.set()
        assert client.answer().status == 200
    assert is_duplicate(ask(watch.gateway, named(mine)))


def test_a_storm_of_one_id_is_one_delivery(gateway: Gateway, receiver: Receiver) -> None:
    mine, before = new_id(), len(receiver.received)
    sent = named(mine, "/once/1", LARGE, digest(LARGE))
    answers: list[Message] = []
    together = threading.Barrier(24)

    def one() -> None:
        together.wait(PATIENCE)
        while True:  # a connection that was answered before its content had come may end
            with gateway.connect() as client:
                answer = client.ask(sent)
            if answer.status != 409:
                break
            assert code(answer) == "in-flight"
        answers.append(answer)

    threads = [threading.Thread(target=one) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(receiver.received) == before + 1
    assert [answer.status for answer in answers] == [200] * 24
    assert sum(is_duplicate(answer) for answer in answers) == 23
    assert len({answer.value("transfer-receipt") for answer in answers}) == 1


# --- a restart -----------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [Gateway.stop, Gateway.crash])
def test_what_is_known_of_ids_outlives_the_process(
    start_gateway: StartGateway,
    receiver: Receiver,
    parties: Path,
    workers: int,
    end: Callable[[Gateway], object],
) -> None:
    again = {**ONCE, "after_indeterminate": "forward"}
    config = with_routes(
        policy(parties, receiver.endpoint),
        route("once", request=opaque("internal"), replay=ONCE, **BOTH),
        route("again", request=opaque("internal"), replay=again),
    )
    config["shutdown"] = {"drain": "100ms"}
    gateway = start_gateway(config)
    delivered, failed, cut, repeated = (new_id() for _ in range(4))
    first = ask(gateway, named(delivered, "/once/1", LARGE))
    assert first.status == 200
    receiver.behave = lambda exchange: exchange.answer(500)
    assert ask(gateway, named(failed)).status == 500
    held = receiver.behave = Held()
    with gateway.connect() as one, gateway.connect() as two:
        one.send(named(cut))
        two.send(named(repeated, "/again/1"))
        receiver.wait(lambda: _both_arrived(receiver, cut, repeated))
        end(gateway)
        for client in (one, two):
            with pytest.raises(Broken):
                client.answer()
    held.go.set()
    receiver.behave = Exchange.answer
    for _ in range(2 if workers == 1 else 1):
        gateway.start()
        before = len(receiver.received)
        answer = ask(gateway, named(delivered, "/once/1", LARGE, digest(LARGE)))
        assert (answer.status, is_duplicate(answer)) == (200, True)
        assert answer.value("transfer-receipt") == first.value("transfer-receipt")
        assert code(ask(gateway, named(delivered))) == "id-reused"
        assert code(ask(gateway, named(cut))) == "undecided"
        assert len(receiver.received) == before
        for sent in (named(failed), named(repeated, "/again/1")):
            assert ask(gateway, sent).status == 200
        end(gateway)
    kinds = Counter((each["transferId"], each["kind"]) for each in receipts(gateway))
    assert kinds[delivered, "delivered"] == kinds[repeated, "delivered"] == 1
    assert kinds[failed, "failed"] == kinds[failed, "delivered"] == 1
    assert kinds[cut, "indeterminate"] == kinds[repeated, "indeterminate"] == 1
    assert kinds[cut, "delivered"] == 0
    audit(gateway)


def _both_arrived(receiver: Receiver, *ids: str) -> bool:
    arrived = {each.value("transfer-id") for each in receiver.received}
    return set(ids) <= arrived
