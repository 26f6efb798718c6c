"""What Lockgate adds to the fields that cross the gate, in both directions."""

import orjson
import pytest

from proxy.errors import ADVICE, PROBLEMS, LogFailure, Refusal
from proxy.wire import headers as wire
from tests.wire.fields import DIGEST, ID, answered, forwarded, received, returned, values

# --- what is added ---


def test_the_upstream_gets_its_own_host_first() -> None:
    fields = forwarded(received(b"A: b"))
    assert fields[0] == (b"host", b"up.example:9443")
    assert len(values(fields, b"host")) == 1


def test_the_delivered_digest_is_told_where_none_is_kept() -> None:
    digest = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    line = b"Content-Digest: sha-512=:YQ==:"
    assert values(forwarded(received(), content_digest=digest), b"content-digest") == [DIGEST]
    kept = forwarded(received(line), content_digest=digest)
    assert values(kept, b"content-digest") == [b"sha-512=:YQ==:"]
    changed = forwarded(received(line), content_digest=digest, keep_digest=False)
    assert values(changed, b"content-digest") == [DIGEST]
    assert not values(forwarded(received()), b"content-digest")


def test_the_label_is_ours() -> None:
    fields = forwarded(received(b"Data-Sensitivity: public"), label="confidential")
    assert values(fields, b"data-sensitivity") == [b"confidential"]


def test_the_transfer_id_is_told_to_both_sides_once() -> None:
    line = b"Transfer-Id: 11111111-1111-1111-1111-111111111111"
    assert values(forwarded(received(line)), b"transfer-id") == [ID.encode()]
    assert values(returned(answered(line)), b"transfer-id") == [ID.encode()]


def test_only_a_gateway_says_that_a_transfer_came_again() -> None:
    line = b"Transfer-Duplicate: ?1"
    assert not values(forwarded(received(line)), b"transfer-duplicate")
    assert values(returned(answered(line)), b"transfer-duplicate") == [b"?1"]
    for said in (b"?0", b"1", b"?1, ?1", b"?1;a"):
        head = answered(b"Transfer-Duplicate: " + said)
        assert not values(returned(head), b"transfer-duplicate")
    assert not values(returned(answered(line, line)), b"transfer-duplicate")
    assert wire.repeated(ID) == [(b"transfer-id", ID.encode()), (b"transfer-duplicate", b"?1")]


def test_via_grows_by_one_entry_a_hop() -> None:
    head = received(b"Via: 1.1 first, 1.0 second (x)", b"Via: 2 third", version=b"1.0")
    expected = [b"1.1 first, 1.0 second (x)", b"2 third", b"1.0 gate-a"]
    assert values(forwarded(head), b"via") == expected
    assert values(returned(answered(b"Via: 1.1 gate-a")), b"via") == [b"1.1 gate-a", b"1.1 gate-a"]


@pytest.mark.parametrize(
    "via",
    [
        b"1.1 gate-a",
        b"1.1 GATE-A",
        b"1.1 other, 1.1 gate-a",
        b"1.1\tgate-a",
        b"HTTP/1.1 gate-a (Lockgate)",
        b"1.1 gate-a(x)",
        b"1.1 x,1.1 gate-a,1.1 y",
    ],
)
def test_a_loop_is_refused(via: bytes) -> None:
    for lines in ([b"Via: " + via], [b"Via: 1.1 x", b"Via: " + via]):
        with pytest.raises(Refusal) as caught:
            forwarded(received(*lines))
        assert caught.value.code == "loop"


@pytest.mark.parametrize(
    "via", [b"1.1 gate-ab", b"1.1 a.gate-a", b"1.1 x (gate-a)", b"gate-a", b""]
)
def test_another_gateway_is_no_loop(via: bytes) -> None:
    forwarded(received(b"Via: " + via))


def test_an_answer_does_not_lead_past_the_gate() -> None:
    fields = returned(
        answered(
            b'Alt-Svc: h3=":443"',
            b'Link: </.well-known/lockgate/receipts/7>; rel="receipt"',
            b"Link: </style>; rel=preload",
        )
    )
    assert values(fields, b"alt-svc") == []
    assert values(fields, b"link") == [b"</style>; rel=preload"]


# --- ids and receipts ---


def test_an_upstreams_receipts_are_taken_off() -> None:
    head = answered(b"Transfer-Receipt: :YQ==:, :Yg==:", b"Transfer-Receipt-Key: :eA==:")
    assert not {b"transfer-receipt", b"transfer-receipt-key"} & dict(returned(head)).keys()


def test_a_transfer_id_is_read_in_lower_case() -> None:
    assert wire.transfer_id(received()) is None
    assert wire.transfer_id(received(b"Transfer-Id: " + ID.upper().encode())) == ID


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"1",
        ID.encode()[:-1],
        ID.encode() + b"0",
        ID.replace("-", "").encode(),
        b"{" + ID.encode() + b"}",
        b"urn:uuid:" + ID.encode(),
        ID.encode() + b", " + ID.encode(),
        ID.replace("0", "g").encode(),
        b'"' + ID.encode() + b'"',
    ],
)
def test_a_malformed_transfer_id_is_refused(value: bytes) -> None:
    with pytest.raises(Refusal, match="transfer-id-malformed"):
        wire.transfer_id(received(b"Transfer-Id: " + value))


def test_two_transfer_ids_are_refused_even_when_equal() -> None:
    line = b"Transfer-Id: " + ID.encode()
    with pytest.raises(Refusal, match="transfer-id-malformed"):
        wire.transfer_id(received(line, line))


# --- problems ---


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_problem_tells_the_code_and_nothing_of_the_reason(code: str) -> None:
    fields, body = wire.problem(Refusal(code, "s3cr3t reason"), ID)
    status, title = PROBLEMS[code]
    assert orjson.loads(body) == {
        "type": f"urn:lockgate:problem:{code}",
        "title": title,
        "status": status,
        "detail": ADVICE[code],
        "instance": f"urn:uuid:{ID}",
    }
    assert dict(fields)[b"content-type"] == b"application/problem+json"
    assert dict(fields)[b"transfer-id"] == ID.encode()
    assert b"s3cr3t" not in repr(fields).encode()
    assert b"retry-after" not in dict(fields)


def test_a_problem_that_passes_says_when_to_try_again() -> None:
    fields, _ = wire.problem(LogFailure("the disk is full"), ID)
    assert dict(fields)[b"retry-after"] == b"1"
