"""What crosses: masked where the policy says so, and every other octet as it was sent."""

import json
from pathlib import Path

import httpx

from tests.patience import PATIENCE
from tests.scenarios.client import client_context, request
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import CARD, SSN
from tests.scenarios.proof import keyed, receipt_of, sha256, statement
from tests.scenarios.receiver import Receiver

ORDER = (
    rb'{ "z":1.10,  "big" : 18446744073709551616 , "escaped":"\u0041\/\n\ud83d\ude00",'
    rb'"customer":{"ssn":"%b","name":"A\u00e9"},'
    % SSN.encode()
    + b'"email":"a@example.com",\t"a":[1e5,-0.0,true,null,{}],'
    + b'"card":"%b" ,"\xc3\xa9":"\xe2\x82\xac"}\n' % b"4000123456789017"
)
UNMASKED = [
    rb'{ "z":1.10,  "big" : 18446744073709551616 , "escaped":"\u0041\/\n\ud83d\ude00",',
    rb'"name":"A\u00e9"}',
    b',\t"a":[1e5,-0.0,true,null,{}],',
    b' ,"\xc3\xa9":"\xe2\x82\xac"}\n',
]


def test_curl_sends_an_order_and_the_receiver_gets_it_masked_and_otherwise_octet_for_octet(
    gateway: Gateway, receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "order.json").write_bytes(ORDER)
    answer = gateway.curl(
        "/orders/1", "-H", "Content-Type: application/json",
        "--data-binary", f"@{tmp_path / 'order.json'}",
    )  # fmt: skip
    assert answer.status == 200
    came = receiver.received[-1].body
    assert SSN.encode() not in came
    assert b"a@example.com" not in came
    assert b"400012345678" not in came
    at = 0
    for part in UNMASKED:
        found = came.find(part, at)
        assert found >= at, part
        at = found + len(part)
    masked, sent = json.loads(came), json.loads(ORDER)
    assert masked["card"].endswith("9017")
    for name in ("customer", "email", "card"):
        assert masked.pop(name) != sent.pop(name)
    assert masked == sent


def test_every_record_of_a_stream_is_masked_and_the_rest_stays(
    gateway: Gateway, receiver: Receiver, tmp_path: Path
) -> None:
    lines = [b'{"n": %d, "v":1.10,"email":"u%d@example.com"}\n' % (n, n) for n in range(200)]
    (tmp_path / "orders").write_bytes(b"".join(lines))
    answer = gateway.curl(
        "/orders/1", "-H", "Content-Type: application/x-ndjson",
        "--data-binary", f"@{tmp_path / 'orders'}",
    )  # fmt: skip
    assert answer.status == 200
    came = receiver.received[-1].body.splitlines(keepends=True)
    assert len(came) == len(lines)
    pseudonyms = set()
    for n, line in enumerate(came):
        before = b'{"n": %d, "v":1.10,"email":"' % n
        assert line.startswith(before)
        assert line.endswith(b'"}\n')
        assert b"@" not in line
        pseudonyms.add(line[len(before) :])
    assert len(pseudonyms) == len(lines)


def test_the_answer_names_the_transfer_and_the_receipt_recomputes_from_key_and_body(
    gateway: Gateway, receiver: Receiver
) -> None:
    with gateway.connect() as client:
        answer = client.ask(request("/orders/1?a=b", ORDER))
    envelope, key = answer.receipt()
    said = statement(envelope, gateway.pki)
    predicate = said["predicate"]
    came = receiver.received[-1]
    assert said["subject"] == [
        {
            "name": f"delivered:{answer.value('transfer-id')}",
            "digest": {"sha256": sha256(came.body)},
        }
    ]
    content = predicate["content"]
    assert content["received"] == {"hmacSha256": keyed(key, ORDER), "bytes": str(len(ORDER))}
    assert content["delivered"] == {"sha256": sha256(came.body), "bytes": str(len(came.body))}
    assert predicate["request"]["target"] == {"hmacSha256": keyed(key, b"/orders/1?a=b")}
    assert content["changed"]
    assert predicate["kind"] == "delivered"
    assert predicate["sender"]["name"] == "spiffe://lockgate.example/client"
    assert predicate["receiver"]["sans"][0] == "spiffe://lockgate.example/receiver"
    assert sha256(ORDER).encode() not in envelope
    assert came.value("transfer-id") == answer.value("transfer-id")


def test_what_was_not_changed_has_one_plain_digest(gateway: Gateway, receiver: Receiver) -> None:
    body = b'{"n":1}'
    with gateway.connect() as client:
        content = receipt_of(gateway, client.ask(request(body=body)))["content"]
    assert content["received"] == content["delivered"] == {"sha256": sha256(body), "bytes": "7"}
    assert not content["changed"]


def test_the_link_is_served_to_the_same_sender_and_to_nobody_else(gateway: Gateway) -> None:
    with gateway.connect() as client:
        answer = client.ask(request())
        link = answer.value("link")
        path = link.removeprefix("<").partition(">")[0]
        assert link == f'<{path}>; rel="receipt"'
        assert path.startswith("/.well-known/lockgate/receipts/")
        same = client.ask(request(path, None, method="GET"))
        assert (same.status, same.body) == (200, answer.receipt()[0])
        beyond = client.ask(request(path + "000", None, method="GET"))
    with gateway.connect("stranger") as stranger:
        other = stranger.ask(request(path, None, method="GET"))
    assert (other.status, beyond.status) == (404, 404)
    assert other.body.count(b"no-route") == beyond.body.count(b"no-route") == 1


def test_the_upstream_sees_who_sent_it_and_what_it_is(gateway: Gateway, receiver: Receiver) -> None:
    forged = [
        "Forwarded: for=1.2.3.4",
        "X-Forwarded-For: 1.2.3.4",
        "X-Forwarded-Client-Cert: By=me",
        "Client-Cert: :Zm9yZ2Vk:",
        "Client_Cert: :Zm9yZ2Vk:",
        "Data-Sensitivity: public",
        "X-Real-IP: 1.2.3.4",
        "True-Client-IP: 1.2.3.4",
        "Remote-User: Zm9yZ2Vk",
        "X_Remote.User: Zm9yZ2Vk",
        "X-HTTP-Method-Override: Zm9yZ2Vk",
        "X-Original-URL: /Zm9yZ2Vk",
        "Content_Encoding: Zm9yZ2Vk",
        "Accept.Encoding: Zm9yZ2Vk",
    ]
    for_one_hop = [
        "Connection: keep-alive, X-Secret-Hop",
        "X-Secret-Hop: 1",
        "Keep-Alive: timeout=5",
        "TE: trailers",
        "Proxy-Authorization: Basic Zm9yZ2Vk",
    ]
    kept = ["Accept: text/plain", "X-Request: a, b", "Via: 1.1 elsewhere"]
    sent = request("/orders/1?x=%20", ORDER, *forged, *for_one_hop, *kept)
    with gateway.connect() as client:
        answer = client.ask(sent)
    assert answer.status == 200
    came = receiver.received[-1]
    assert came.first == "POST /orders/1?x=%20 HTTP/1.1"
    names = [name for name, _ in came.fields]
    port = receiver.endpoint.rpartition(":")[2]
    assert came.values("host") == [f"localhost:{port}"]
    assert came.value("forwarded").count("gate.example") == 1
    assert "1.2.3.4" not in came.raw_head.decode()
    assert b"Zm9yZ2Vk" not in came.raw_head
    assert came.values("via") == ["1.1 elsewhere", "1.1 gateway-a"]
    assert came.value("client-cert").startswith(":MI")
    assert "spiffe://lockgate.example/client" in came.value("x-forwarded-client-cert")
    assert came.value("data-sensitivity") == "confidential"
    assert came.value("content-digest") == _digest(came.sha256)
    assert came.value("content-length") == str(came.size)
    assert came.value("accept") == "text/plain"
    assert came.value("x-request") == "a, b"
    for gone in ("connection", "x-secret-hop", "keep-alive", "te", "proxy-authorization"):
        assert gone not in names
    assert "x-real-ip" not in names
    assert "client_cert" not in names


def _digest(hexadecimal: str) -> str:
    import base64

    return f"sha-256=:{base64.b64encode(bytes.fromhex(hexadecimal)).decode()}:"


def test_a_digest_of_the_sender_does_not_travel_past_a_change(
    gateway: Gateway, receiver: Receiver
) -> None:
    sent = request("/orders/1", ORDER, f"Content-Digest: {_digest(sha256(ORDER))}")
    with gateway.connect() as client:
        assert client.ask(sent).status == 200
    came = receiver.received[-1]
    assert came.value("content-digest") == _digest(came.sha256) != _digest(sha256(ORDER))


def test_the_sender_may_name_the_transfer(gateway: Gateway, receiver: Receiver) -> None:
    wanted = "0B62B7CB-3E2F-4E5C-9D2A-0B62B7CB3E2F"
    with gateway.connect() as client:
        answer = client.ask(request("/orders/1", b"{}", f"Transfer-Id: {wanted}"))
    assert answer.value("transfer-id") == wanted.lower()
    assert receiver.received[-1].value("transfer-id") == wanted.lower()
    assert receipt_of(gateway, answer)["transferId"] == wanted.lower()


def test_httpx_is_served_over_one_connection(gateway: Gateway, receiver: Receiver) -> None:
    context = client_context(gateway.pki, "client")
    with httpx.Client(verify=context, base_url=gateway.url(""), timeout=PATIENCE) as client:
        for n in range(5):
            answer = client.post("/orders/1", json={"n": n, "customer": {"ssn": SSN}})
            assert answer.status_code == 200
            assert answer.json() == {"ok": True}
            assert json.loads(receiver.received[-1].body)["n"] == n
    assert CARD not in receiver.received[-1].body.decode()
