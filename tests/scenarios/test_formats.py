"""Tables, forms and text through the running proxy: masked, streamed, refused, receipted."""

from pathlib import Path

import pytest

from tests.scenarios.client import begun, chunk, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import CARD, policy, route, with_routes
from tests.scenarios.proof import Watch, receipt_of, sha256
from tests.scenarios.receiver import Receiver

CSV, FORM, TEXT = "text/csv; header=present", "application/x-www-form-urlencoded", "text/plain"
FIELDS = {
    "content": ["csv", "tsv", "form"],
    "label": "internal",
    "mask": [
        {"path": "$.ssn", "action": "redact"},
        {"path": "$['e mail']", "action": {"hmac": {"key": "pseudonym"}}},
    ],
    "detect": [{"type": "credit_card", "action": "reject"}],
}
SEARCHED = {
    "content": ["text"],
    "label": "internal",
    "detect": [{"type": "private_key", "action": "redact"}],
}
ONLY = {"content": ["json", "ndjson", "csv"], "label": "internal", "allow_only": ["$.id"]}
ROW = b'7,"536-90-4399",jane@example.com,"x\r\n""y"""\r\n'
KEY = b"-----BEGIN PRIVATE KEY-----\n" + b"MIIEvQ/+\n" * 300 + b"-----END PRIVATE KEY-----\n"


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    limits = {"hold": 4096}
    return start_gateway(
        with_routes(
            policy(parties, shared_receiver.endpoint),
            route("fields", request=FIELDS, limits=limits),
            route("text", request=SEARCHED, limits=limits),
            route("only", request=ONLY, limits=limits),
        )
    )


@pytest.mark.parametrize("rows", [1, 20_000])
def test_a_table_reaches_the_upstream_masked_and_is_receipted(
    gateway: Gateway, receiver: Receiver, tmp_path: Path, rows: int
) -> None:
    """Held whole, and streamed."""
    sent = tmp_path / "orders.csv"
    sent.write_bytes(b"id,ssn,e mail,note\r\n" + ROW * rows)
    answer = gateway.curl("/fields/1", "--data-binary", f"@{sent}", "-H", f"Content-Type: {CSV}")
    came = receiver.received[-1].body
    assert answer.status == 200
    assert came.startswith(b'id,ssn,e mail,note\r\n7,"[REDACTED]",tok:k1:')
    assert came.count(b',"x\r\n""y"""\r\n') == rows
    assert b"536-90" not in came
    assert b"jane" not in came
    content = receipt_of(gateway, answer)["content"]
    assert (content["format"], content["records"]) == ("csv", str(rows))
    assert content["masked"] == {"$.ssn": str(rows), "$['e mail']": str(rows)}
    assert content["delivered"]["sha256"] == sha256(came)
    assert "sha256" not in content["received"]


def test_a_form_reaches_the_upstream_masked(gateway: Gateway, receiver: Receiver) -> None:
    answer = gateway.curl("/fields/1", "--data", "a=%C3%a9+%26&ssn=536-90-4399")
    assert answer.status == 200
    assert receiver.received[-1].body == b"a=%C3%a9+%26&ssn=%5BREDACTED%5D"
    assert receipt_of(gateway, answer)["content"]["format"] == "form"


def test_a_long_text_reaches_the_upstream_without_its_key(
    gateway: Gateway, receiver: Receiver
) -> None:
    prose = b"the quick brown fox jumps over the lazy dog\n" * 1500
    with gateway.connect() as client:
        answer = client.ask(request("/text/1", [prose[:-10], prose[-10:] + KEY, prose], kind=TEXT))
    assert answer.status == 200
    came = receiver.received[-1].body
    assert came == prose + b"[REDACTED:private_key]\n" + prose
    assert receipt_of(gateway, answer)["content"]["findings"] == {"private_key": "1"}


@pytest.mark.parametrize(
    ("path", "body", "kind", "code"),
    [
        ("fields", b"id,e mail\r\n1,2\r\n", "text/csv", "unparseable"),
        ("fields", b"ssn,e mail\r\n1\r\n", "text/csv", "unparseable"),
        ("fields", b'{"ssn":"1","e mail":"2"}', "text/csv", "unparseable"),
        ("fields", b'{"ssn":"1","e mail":"2"}', FORM, "unparseable"),
        ("fields", b'{"ssn":"1","e mail":"2"}', TEXT, "content-not-allowed"),
        ("fields", b"ssn=1;a=2", FORM, "unparseable"),
        ("fields", b"note=" + CARD.replace(" ", "%20").encode(), FORM, "finding-rejected"),
        ("fields", b"ssn,e mail\r\n", "text/csv; header=absent", "content-not-allowed"),
        ("fields", b"ssn,e mail\r\n", "text/csv; charset=latin-1", "content-not-allowed"),
        ("text", b"a\xff", TEXT, "unparseable"),
        ("text", b"a\0b", TEXT, "unparseable"),
        ("only", b'"secret"', "application/json", "unparseable"),
        ("only", b"ssn,a\r\n1,2\r\n", "text/csv", "unparseable"),
    ],
)
def test_what_is_not_what_the_route_demands_is_refused(
    watch: Watch, path: str, body: bytes, kind: str, code: str
) -> None:
    with watch.gateway.connect() as client:
        watch.refused(client.ask(request(f"/{path}/1", body, kind=kind)), code)


def test_a_bad_row_far_in_never_ends_cleanly_upstream(watch: Watch) -> None:
    table = b"id,ssn,e mail,note\r\n" + ROW * 20_000
    with watch.gateway.connect() as client:
        client.send(begun("/fields/1", kind="text/csv"))
        client.send(chunk(table) + chunk(b"8,536-90-4399\r\n") + b"0\r\n\r\n")
        assert client.answer().status == 422
    watch.cut_short("rejected", "unparseable")
    assert b"536-90" not in b"".join(each.body for each in watch.receiver.received)


def test_only_listed_fields_cross(gateway: Gateway, receiver: Receiver) -> None:
    for kind, sent, expected in (
        ("application/json", b'{"id":1,"ssn":2}', b'{"id":1}'),
        ("application/x-ndjson", b'{"id":1}\n{"ssn":2}\n', b'{"id":1}\n{}\n'),
        ("text/csv", b"ssn,id\n1,2\n", b"id\n2\n"),
    ):
        with gateway.connect() as client:
            answer = client.ask(request("/only/1", sent, kind=kind))
        assert (answer.status, receiver.received[-1].body) == (200, expected)
        assert receipt_of(gateway, answer)["content"]["masked"] == {"allow_only": "1"}
