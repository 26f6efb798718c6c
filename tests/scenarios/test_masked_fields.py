"""Header fields and query parameters are masked on their way, and nothing else tells of them."""

import json
from pathlib import Path

import pytest

from tests.scenarios.client import request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import opaque, policy, route
from tests.scenarios.proof import keyed, receipt_of, receipts
from tests.scenarios.receiver import Exchange, Receiver
from tests.scenarios.test_reload import reload
from tests.scenarios.test_trailers import say, with_trailers

SECRET = "ada-lovelace-1815"
HMAC = {"hmac": {"key": "pseudonym"}}
REQUEST = [
    {"header": "X-User", "action": HMAC},
    {"header": "Authorization", "action": "drop"},
    {"query": "email", "action": HMAC},
    {"query": "key", "action": "drop"},
]
ANSWER = [{"header": "X-Owner", "action": "redact"}]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("1", "2"):
        (folder / name).write_bytes(name.encode() * 32)
    return folder


@pytest.fixture(scope="module")
def gateway(
    parties: Path, keys: Path, start_gateway: StartGateway, shared_receiver: Receiver
) -> Gateway:
    masked = {"label": "internal", "mask": REQUEST}
    answered = {"label": "internal", "mask": ANSWER}
    vault = {"path": "$.ssn", "action": {"encrypt": {"key": "vault", "tenant": "acme"}}}
    config = policy(parties, shared_receiver.endpoint)
    config["keys"]["vault"] = [{"id": "v1", "secret": f"file:{keys / '1'}"}]
    config["routes"] += [
        route(
            "seen",
            request=masked | {"content": ["json"]},
            response=answered | {"content": ["json"]},
        ),
        route(
            "unseen",
            request=masked | {"content": ["opaque"]},
            response=answered | {"content": ["opaque"]},
        ),
        route(
            "only",
            response={"content": ["csv"], "label": "internal", "allow_only": ["$.id"]},
        ),
        route("vault", request={"content": ["json"], "label": "internal", "mask": [vault]}),
        route("plain", request=opaque("internal")),
    ]
    return start_gateway(config)


@pytest.mark.parametrize("path", ["/seen/1", "/unseen/1"])
def test_masked_fields_and_parameters_reach_the_upstream_masked_wherever_they_stand(
    gateway: Gateway, receiver: Receiver, path: str
) -> None:
    target = f"{path}?a=%41+1&email={SECRET}&key={SECRET}&%65mail={SECRET}&z"
    with gateway.connect() as client:
        answer = client.ask(
            request(
                target, b"{}", f"X-User: {SECRET}", f"x_user: {SECRET}", f"X-USER: {SECRET}",
                f"Authorization: Bearer {SECRET}", "X-Other: stays", f"Referer: https://a/?{SECRET}",
                f"Signature: sig1=:{SECRET}:", 'Signature-Input: sig1=("x-user")',
                f"Content-Location: /?email={SECRET}",
            )
        )  # fmt: skip
    assert answer.status == 200
    came = receiver.received[-1]
    assert SECRET.encode() not in came.raw_head + came.body
    tokens = came.values("x-user") + came.values("x_user")
    assert len(tokens) == 3
    assert len(set(tokens)) == 1
    assert tokens[0].startswith("tok:k1:")
    assert came.first.split(" ")[1] == (f"{path}?a=%41+1&email={tokens[0]}&%65mail={tokens[0]}&z")
    assert came.value("x-other") == "stays"
    for name in ("authorization", "signature", "signature-input", "referer", "content-location"):
        assert came.values(name) == []
    said = receipt_of(gateway, answer)
    assert said["content"]["masked"] == {
        "header x-user": "3", "header authorization": "1", "query email": "2", "query key": "1",
    }  # fmt: skip
    assert not said["content"]["changed"]
    key = answer.receipt()[1]
    assert said["request"]["target"] == {"hmacSha256": keyed(key, target.encode())}
    assert SECRET not in json.dumps(said)
    line = gateway.wait_for("transfer", transfer_id=said["transferId"])
    assert line["masked"] == 7
    assert SECRET not in json.dumps(gateway.lines)


def test_a_request_without_content_is_masked_and_counted_too(
    gateway: Gateway, receiver: Receiver
) -> None:
    with gateway.connect() as client:
        sent = request(f"/seen/1?email={SECRET}", None, f"X-User: {SECRET}", method="GET")
        answer = client.ask(sent)
    assert answer.status == 200
    assert SECRET.encode() not in receiver.received[-1].raw_head
    assert receipt_of(gateway, answer)["content"]["masked"] == {
        "header x-user": "1",
        "query email": "1",
    }


@pytest.mark.parametrize("path", ["/seen/1", "/unseen/1"])
def test_masked_fields_of_answers_and_interim_answers_do_not_reach_the_sender(
    gateway: Gateway, receiver: Receiver, path: str
) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.send(f"HTTP/1.1 103 Hints\r\nX-Owner: {SECRET}\r\n\r\n".encode())
        exchange.answer(200, b"{}", f"X-Owner: {SECRET}", f"x_owner: {SECRET}", "X-Other: stays")

    receiver.behave = behave
    with gateway.connect() as client:
        answer = client.ask(request(path))
        (hints,) = client.interim
    assert answer.values("x-owner") == answer.values("x_owner") == ["[REDACTED]"]
    assert hints.values("x-owner") == ["[REDACTED]"]
    assert answer.value("x-other") == "stays"
    assert receipt_of(gateway, answer)["answer"]["masked"] == {"header x-owner": "3"}


def test_a_tag_of_the_answer_crosses_where_only_fields_beside_the_content_are_masked(
    gateway: Gateway, receiver: Receiver
) -> None:
    receiver.behave = lambda exchange: exchange.answer(200, b"{}", 'ETag: "v1"')
    with gateway.connect() as client:
        assert client.ask(request("/seen/1")).value("etag") == '"v1"'
        sent = request("/seen/1", b"{}", 'If-Match: "v1"', method="PUT")
        assert client.ask(sent).status == 200


def test_a_tag_of_content_of_which_fields_are_dropped_does_not_cross(
    gateway: Gateway, receiver: Receiver
) -> None:
    receiver.behave = lambda exchange: exchange.answer(
        200, b"id\r\n1\r\n", 'ETag: "v1"', kind="text/csv"
    )
    with gateway.connect() as client:
        answer = client.ask(request("/only/1"))
        assert (answer.body, answer.values("etag")) == (b"id\r\n1\r\n", [])
        sent = request("/only/1", b"{}", 'If-Match: "v1"', method="PUT")
        assert client.ask(sent).status == 412


@pytest.mark.parametrize("size", [2, 3_000_000])
def test_masked_fields_of_trailers_are_masked_whether_held_or_streamed(
    gateway: Gateway, receiver: Receiver, size: int
) -> None:
    body = b"x" * size
    trailers = f"X-Owner: {SECRET}\r\nX-User: {SECRET}\r\n".encode()
    announced = "Trailer: X-Owner, X-User"
    receiver.behave = lambda exchange: say(exchange, body, trailers, f"{announced}\r\n".encode())
    with gateway.connect() as client:
        sent = with_trailers(
            "/unseen/1", body, trailers, announced, "TE: trailers", "Connection: TE"
        )
        answer = client.ask(sent)
    came = receiver.received[-1]
    assert came.value("x-owner") == SECRET  # which only answers mask
    assert came.value("x-user").startswith("tok:k1:")
    assert answer.value("x-owner") == "[REDACTED]"
    assert answer.value("x-user") == SECRET
    assert receipts(gateway)[-1]["answer"]["masked"] == {"header x-owner": "1"}


@pytest.mark.parametrize("bad", ["%", "%zz", "%FF", "a;b", "%00"])
def test_a_query_that_cannot_be_read_is_refused_where_parameters_are_masked(
    gateway: Gateway, receiver: Receiver, bad: str
) -> None:
    before = len(receiver.received)
    with gateway.connect() as client:
        answer = client.ask(request(f"/seen/1?id={bad}"))
    assert answer.status == 422
    assert receipt_of(gateway, answer)["disposition"]["problem"] == "unparseable"
    assert len(receiver.received) == before
    with gateway.connect() as client:
        assert client.ask(request(f"/plain/1?id={bad}", kind="a/b")).status == 200


def test_a_reload_takes_a_new_key_up_and_reads_what_the_old_one_made(
    gateway: Gateway, receiver: Receiver, keys: Path
) -> None:
    def token(ssn: str) -> str:
        with gateway.connect() as client:
            assert client.ask(request("/vault/1", json.dumps({"ssn": ssn}).encode())).status == 200
        made: str = json.loads(receiver.received[-1].body)["ssn"]
        return made

    old = token(SECRET)
    assert old.startswith("enc:v1:")
    assert token(old) == old
    before = gateway.config
    config = json.loads(json.dumps(before))
    config["keys"]["vault"].insert(0, {"id": "v2", "secret": f"file:{keys / '2'}"})
    gateway.write(config)
    reload(gateway, "reloaded")
    assert token(SECRET).startswith("enc:v2:")
    assert token(old) == old
    gateway.write(before)
    reload(gateway, "reloaded")
    assert token(SECRET) == old
