"""What the notary takes from a worker, and what no worker can make it sign."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import EvidenceError
from proxy.model import Content, Digest, Outcome, Peer, Report, Submission, Verdict
from proxy.receipt import details, reading, statement
from tests.receipt import anything, plain
from tests.receipt.outcomes import CERTIFICATE, ORIGIN, START, outcome, refusal

PLACE = statement.Place(1, "spiffe://example/etl/orders/orders", 42, b"\x01" * 32)
FOUND = outcome()
OURS = statement.submission(FOUND)
GOOD = replace(OURS, details=bytes(OURS.details))
"""As it comes through a channel."""
TOLD: dict[str, Any] = orjson.loads(GOOD.details)


def build(submission: Submission) -> dict[str, Any]:
    built = statement.build(submission, PLACE, origin=ORIGIN, completed=START)
    value: dict[str, Any] = orjson.loads(built)["predicate"]
    return value


def forged(**changes: Any) -> Submission:
    return replace(GOOD, details=orjson.dumps(TOLD | changes))


@given(anything.OUTCOME)
def test_details_are_the_octets_of_the_plain_construction(found: Outcome) -> None:
    assert details.details(found) == plain.details(found)
    assert details.details(found) == plain.details(found)  # what is remembered says the same


@pytest.mark.parametrize("letter", ["x", "ä", "\x01"], ids=["plain", "wide", "escaped"])
def test_a_peer_with_endless_names_gets_details_that_fit(letter: str) -> None:
    names = tuple(f"spiffe://example/{letter * 450}{n}" for n in range(500))
    peer = Peer(certificate=replace(CERTIFICATE, uris=(*names, "u" * 9000), spiffe=names[0]))
    masked = {f"$.{letter * 450}{n}": 1 for n in range(500)}
    request = replace(FOUND.request, report=Report("json", 1, masked))
    found = outcome(
        sender=peer, receiver=peer.certificate, request=request, answer=request, method="M" * 30_000
    )
    said = details.details(found)
    assert said == plain.details(found)
    assert len(said) <= details.MAX_DETAILS
    told = orjson.loads(bytes(said))
    assert len(told["sender"]["sans"]) < 32
    assert len(told["sender"]["sans"]) + int(told["sender"]["otherSans"]) == 502
    assert build(statement.submission(found))["sender"] == told["sender"]


@pytest.mark.parametrize("field", ["method", "route", "listener", "upstream"])
def test_text_that_is_not_unicode_is_refused_and_nothing_else_is_raised(field: str) -> None:
    changes: dict[str, Any] = {field: "\ud800"}
    with pytest.raises(EvidenceError):
        details.details(outcome(**changes))


def test_two_peers_of_the_same_address_in_turn_are_not_taken_for_each_other() -> None:
    for number in range(3000):
        found = outcome(sender=Peer(address=f"10.0.0.{number}"))
        assert orjson.loads(bytes(details.details(found)))["sender"] == {
            "name": f"ip:10.0.0.{number}"
        }


# --- the notary's side ---------------------------------------------------------------------------


@pytest.mark.parametrize("key", sorted(TOLD))
def test_no_part_may_be_missing(key: str) -> None:
    part = orjson.dumps({name: value for name, value in TOLD.items() if name != key})
    with pytest.raises(EvidenceError):
        build(replace(GOOD, details=part))


@pytest.mark.parametrize(
    "key", ["sequence", "time", "log", "attempt", "attemptId", "transferId", "kind", "unknown"]
)
@pytest.mark.parametrize("first", [True, False])
def test_a_worker_says_nothing_that_is_the_notarys_to_say(key: str, first: bool) -> None:
    more = {key: {"origin": "another.example"}}
    forgery = more | TOLD if first else TOLD | more
    with pytest.raises(EvidenceError):
        build(replace(GOOD, details=orjson.dumps(forgery)))


@pytest.mark.parametrize("key", sorted(TOLD))
def test_no_key_comes_twice(key: str) -> None:
    again = b"," + orjson.dumps({key: TOLD[key]})[1:]
    for forgery in (GOOD.details[:-1] + again, b"{" + again[1:-1] + b"," + GOOD.details[1:]):
        with pytest.raises(EvidenceError):
            build(replace(GOOD, details=forgery))


@pytest.mark.parametrize("key", sorted(TOLD))
@pytest.mark.parametrize("value", [7, "x", [], [{}], True])
def test_each_part_is_an_object(key: str, value: object) -> None:
    with pytest.raises(EvidenceError):
        build(forged(**{key: value}))


@pytest.mark.parametrize("first", range(6))
def test_the_parts_stand_in_their_order(first: int) -> None:
    parts = list(TOLD.items())
    parts[first : first + 2] = reversed(parts[first : first + 2])
    with pytest.raises(EvidenceError):
        build(replace(GOOD, details=orjson.dumps(dict(parts))))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{}",
        b"null",
        GOOD.details + b" ",
        GOOD.details[:-1],
        GOOD.details.replace(b":", b": ", 1),
        GOOD.details.replace(b"POST", b"\\u0050OST"),
        GOOD.details.replace(b"POST", b"PO\xffT"),
        GOOD.details + GOOD.details,
        GOOD.details[:-1] + b'},"log":{"origin":"x"}',
    ],
)
def test_other_octets_than_ours_are_refused(octets: bytes) -> None:
    with pytest.raises(EvidenceError):
        build(replace(GOOD, details=octets))


def test_details_that_are_larger_than_ours_are_refused() -> None:
    def stuffed(octets: int) -> Submission:
        return forged(content=TOLD["content"] | {"masked": {"$" * octets: "1"}})

    room = details.MAX_DETAILS - len(stuffed(0).details)
    build(stuffed(room))
    with pytest.raises(EvidenceError):
        build(stuffed(room + 1))


@given(st.data())
def test_nothing_that_passes_says_more_than_a_workers_part(data: st.DataObject) -> None:
    """Any edit of good details is refused, or changes nothing outside of them."""
    at = data.draw(st.integers(0, len(GOOD.details)))
    cut = data.draw(st.integers(0, 12))
    bits = st.sampled_from([b'"', b"}", b"{", b",", b'"sender":', b'"time":{}', b"\\", b"1"])
    piece = b"".join(data.draw(st.lists(bits, max_size=5)))
    edited = GOOD.details[:at] + piece + GOOD.details[at + cut :]
    try:
        told = build(replace(GOOD, details=edited))
    except EvidenceError:
        return
    ours = build(GOOD)
    assert list(told) == list(ours)
    for key in told.keys() - TOLD.keys():
        assert told[key] == ours[key]
    assert orjson.dumps({key: told[key] for key in TOLD}) == edited
    said = statement.build(replace(GOOD, details=edited), PLACE, origin=ORIGIN, completed=START)
    assert reading.summarise(said).place == PLACE


@given(anything.OUTCOME)
def test_whatever_a_worker_writes_is_taken_through_a_channel_and_without(found: Outcome) -> None:
    ours = statement.submission(found)
    told = build(replace(ours, details=bytes(ours.details)))
    assert told == build(ours)
    assert {key: told[key] for key in TOLD} == orjson.loads(plain.details(found))


@pytest.mark.parametrize(
    "claimed",
    [
        replace(GOOD, route="payments"),
        replace(GOOD, route=None),
        replace(GOOD, sender="spiffe://example/etl/payments"),
        replace(GOOD, delivered_sha256=b"\x00" * 32),
        replace(GOOD, delivered_sha256=None),
        forged(request=TOLD["request"] | {"route": "payments"}),
        forged(policy=TOLD["policy"] | {"route": "payments"}),
        forged(sender=TOLD["sender"] | {"name": "spiffe://example/etl/payments"}),
        forged(content=TOLD["content"] | {"delivered": None}),
    ],
)
def test_details_agree_with_the_submission(claimed: Submission) -> None:
    with pytest.raises(EvidenceError):
        build(claimed)


DELIVERED: str = TOLD["content"]["delivered"]["sha256"]


@pytest.mark.parametrize(
    ("sha256", "claimed"),
    [
        (DELIVERED.upper(), GOOD.delivered_sha256),
        (DELIVERED[:2] + " " + DELIVERED[2:], GOOD.delivered_sha256),
        (None, None),
    ],
    ids=["capitals", "spaced", "null"],
)
def test_no_digest_is_taken_that_a_reader_would_refuse(
    sha256: str | None, claimed: bytes | None
) -> None:
    """It would stand in the log, and the log could not be read again."""
    content = TOLD["content"] | {"delivered": {"sha256": sha256, "bytes": "1"}}
    with pytest.raises(EvidenceError):
        build(replace(forged(content=content), delivered_sha256=claimed))


@pytest.mark.parametrize("index", [-1, -(2**63), 2**63, 10**19])
def test_no_index_is_taken_that_a_reader_would_refuse(index: int) -> None:
    for found in (OURS, GOOD):
        with pytest.raises(EvidenceError):
            build(replace(found, duplicate_of=index))


@pytest.mark.parametrize("index", [0, 2**63 - 1])
def test_the_first_index_and_the_last_are_read_back(index: int) -> None:
    found = replace(GOOD, duplicate_of=index)
    said = statement.build(found, PLACE, origin=ORIGIN, completed=START)
    assert reading.summarise(said).duplicate_of == index


@pytest.mark.parametrize(
    "changes",
    [
        {"route": "payments"},
        {"route": None},
        {"sender": "spiffe://example/etl/payments"},
        {"delivered_sha256": bytes(32)},
    ],
)
def test_details_of_this_process_agree_with_the_submission_too(changes: dict[str, Any]) -> None:
    build(OURS)
    with pytest.raises(EvidenceError):
        build(replace(OURS, **changes))


def test_a_part_named_like_the_cut_confuses_nobody() -> None:
    report = Report("json", 1, {"sender": 1}, {',"sender":{"name":"x"}': 2})
    request = Content(Digest(1), None, report, "sender")
    for found in (refusal(request=request), outcome(Verdict.FAILED, answer=request)):
        assert build(statement.submission(found))["request"]["route"] == "orders"


def test_remembered_connections_are_those_of_this_submission_still() -> None:
    build(GOOD)
    with pytest.raises(EvidenceError):
        build(replace(GOOD, sender="spiffe://example/etl/payments"))


def test_a_submission_is_read_back_as_what_it_was() -> None:
    said = statement.build(GOOD, PLACE, origin=ORIGIN, completed=START)
    summary = reading.summarise(said)
    assert (summary.transfer_id, summary.attempt_id) == (GOOD.transfer_id, GOOD.attempt_id)
    assert summary.delivered_sha256 == GOOD.delivered_sha256
