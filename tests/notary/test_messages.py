"""What stands in the frames: each value comes out as it went in, and nothing else comes out."""

import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import PROBLEMS, TROUBLES, EvidenceError, LogFailure, Refusal
from proxy.model import Claim, Earlier, Missed, Receipt, Submission, Trouble, Verdict
from proxy.notary import messages, submissions
from proxy.notary.frames import Decoder, Kind

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SHA256 = st.binary(min_size=32, max_size=32)
INDEX = st.integers(0, 2**63 - 1)
WINDOW = st.floats(0, 1e9)
CLAIMS = st.builds(Claim, TEXT, TEXT, TEXT, WINDOW, st.booleans(), st.none() | SHA256)
TIMES = st.datetimes(timezones=st.just(UTC))


@st.composite
def any_submission(draw: st.DrawFn) -> Submission:
    transfer_id, sender, route = draw(TEXT), draw(TEXT), draw(st.none() | TEXT)
    claim = None
    if route is not None and draw(st.booleans()):
        nonce = draw(st.none() | SHA256)
        claim = Claim(sender, route, transfer_id, draw(WINDOW), draw(st.booleans()), nonce)
    return Submission(
        attempt_id=draw(st.binary(min_size=16, max_size=16)),
        transfer_id=transfer_id,
        verdict=draw(st.sampled_from(Verdict)),
        status=draw(st.none() | st.integers(0, 999)),
        problem=draw(st.none() | TEXT),
        sender=sender,
        route=route,
        received_at=draw(TIMES),
        details=draw(st.binary(max_size=100)),
        delivered_sha256=draw(st.none() | SHA256),
        claim=claim,
        content_sha256=draw(st.none() | SHA256),
        duplicate_of=draw(st.none() | INDEX),
        owed=draw(st.booleans()),
    )


@given(any_submission())
def test_a_submission_comes_out_as_it_went_in(found: Submission) -> None:
    assert submissions.unpack_submission(submissions.pack_submission(found)) == found


@given(CLAIMS, st.binary(min_size=16, max_size=16), SHA256)
def test_a_claim_comes_out_as_it_went_in(claim: Claim, attempt_id: bytes, sha256: bytes) -> None:
    packed = messages.pack_claim(claim)
    assert messages.unpack_claim(packed) == claim
    assert messages.unpack_held(attempt_id + packed) == (attempt_id, claim)
    assert messages.unpack_compared(sha256 + packed) == (sha256, claim)


@given(INDEX, st.integers(0, 999), st.binary(max_size=50))
def test_an_answer_comes_out_as_it_went_in(index: int, status: int, envelope: bytes) -> None:
    receipt, earlier = Receipt(index, envelope), Earlier(status, index, envelope)
    ((kind, number, body),) = Decoder().feed(messages.receipt_frame(7, receipt))
    assert (kind, number, messages.unpack_receipt(body)) == (Kind.RECEIPT, 7, receipt)
    assert messages.unpack_earlier(messages.pack_earlier(earlier)) == earlier
    assert messages.unpack_index(messages.pack_index(index)) == index


@pytest.mark.parametrize("code", PROBLEMS)
@pytest.mark.parametrize("after", [None, 0, 1, 60])
def test_a_refusal_comes_out_as_it_went_in(code: str, after: int | None) -> None:
    packed = messages.pack_refusal(Refusal(code, "why — not", retry_after=after))
    found = messages.unpack_refusal(packed)
    assert (found.code, found.reason) == (code, "why — not")
    if code == "log-unavailable":
        assert isinstance(found, LogFailure)
        assert found.retry_after == 1
    else:
        assert found.retry_after == after


@pytest.mark.parametrize("trouble", [None, Trouble("disk-full", "why — not")])
def test_a_trouble_comes_out_as_it_went_in(trouble: Trouble | None) -> None:
    assert messages.unpack_trouble(messages.pack_trouble(trouble)) == trouble


@given(st.dictionaries(st.sampled_from(list(TROUBLES)), st.integers(1, 2**60), min_size=1), TIMES)
def test_what_was_missed_comes_out_as_it_went_in(counts: dict[str, int], when: datetime) -> None:
    since = max(when, datetime(1970, 1, 1, tzinfo=UTC))
    found = Missed(counts, since, max(since, datetime(2026, 5, 1, tzinfo=UTC)))
    assert messages.unpack_missed(messages.pack_missed(found)) == found


@pytest.mark.parametrize(
    ("since", "until", "counts"),
    [
        (1, 2, b"{}"),
        (1, 2, b'{"a peer\'s own": 1}'),
        (1, 2, b'{"disk-full": 0}'),
        (2, 1, b'{"disk-full": 1}'),
        (1, 2**64 - 1, b'{"disk-full": 1}'),
    ],
)
def test_what_no_worker_of_ours_missed_does_not_read(since: int, until: int, counts: bytes) -> None:
    with pytest.raises(EvidenceError):
        messages.unpack_missed(struct.pack(">QQ", since, until) + counts)


@pytest.mark.parametrize("body", [b"\0", b"\2", b"\1\0", b"\0" + messages.pack_texts("none", "x")])
def test_a_trouble_that_has_no_name_does_not_read(body: bytes) -> None:
    with pytest.raises(EvidenceError):
        messages.unpack_trouble(body)


def test_a_reason_without_end_is_cut() -> None:
    assert len(messages.pack_refusal(LogFailure("x" * 5_000_000))) < 1100


def test_the_example_of_the_format_is_what_is_written() -> None:
    packed = messages.pack_claim(Claim("uid:7", "orders", "a", 300.0))
    written = "4072c00000000000 00 00000005 7569643a37 00000006 6f7264657273 00000001 61"
    assert packed == bytes.fromhex(written)


def test_the_example_of_a_submission_is_what_is_written() -> None:
    found = replace(
        FOUND,
        attempt_id=b"abcdefghabcdefgh",
        transfer_id="a",
        claim=None,
        received_at=datetime(2026, 5, 1, 12, tzinfo=UTC),
    )
    written = (
        "61626364656667686162636465666768 02 0004 0000 000650c05200f000 0000000000000000"
        "0000000000000000" + 64 * "00" + "00000001 00000005 00000000 00000006 61 7569643a37"
        "6f7264657273 7b7d"
    )
    assert submissions.pack_submission(found) == bytes.fromhex(written)


FOUND = Submission(
    b"a" * 16, "id", Verdict.FAILED, None, None, "uid:7", "orders", datetime.now(UTC), b"{}",
    claim=Claim("uid:7", "orders", "id", 300.0),
)  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt_id": b"a" * 16, "claim": Claim("uid:8", "orders", "id", 300.0)},
        {"claim": Claim("uid:7", "other", "id", 300.0)},
        {"claim": Claim("uid:7", "orders", "other", 300.0)},
        {"route": None},
    ],
)
def test_the_claim_of_another_transfer_does_not_travel(changes: dict[str, object]) -> None:
    with pytest.raises(EvidenceError, match="another transfer"):
        submissions.pack_submission(replace(FOUND, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes", [{"status": 70_000}, {"problem": "\ud800"}, {"duplicate_of": 2**64}, {"status": -1}]
)
def test_what_the_channel_cannot_say_is_not_sent(changes: dict[str, object]) -> None:
    with pytest.raises(EvidenceError, match="cannot say"):
        submissions.pack_submission(replace(FOUND, **changes))  # type: ignore[arg-type]


DECODERS: list[tuple[Callable[[bytes], object], bytes]] = [
    (messages.unpack_claim, messages.pack_claim(FOUND.claim or Claim("", "", "", 0))),
    (messages.unpack_index, messages.pack_index(7)),
    (messages.unpack_flag, b"\1"),
    (lambda data: messages.unpack_texts(data, 2), messages.pack_texts("one", "two")),
    (messages.unpack_counts, b'{"ingest:no_certificate":12}'),
]
"""These know where they end."""


@pytest.mark.parametrize(("unpack", "packed"), DECODERS)
def test_what_is_cut_off_or_has_more_behind_it_does_not_read(
    unpack: Callable[[bytes], object], packed: bytes
) -> None:
    unpack(packed)
    for end in range(len(packed)):
        with pytest.raises(EvidenceError):
            unpack(packed[:end])
    with pytest.raises(EvidenceError):
        unpack(packed + b"\0")


def test_a_submission_that_ends_before_its_details_does_not_read() -> None:
    packed = submissions.pack_submission(FOUND)
    for end in range(len(packed) - len(FOUND.details)):
        with pytest.raises(EvidenceError):
            submissions.unpack_submission(packed[:end])


def test_a_verdict_that_is_none_does_not_read() -> None:
    packed = bytearray(submissions.pack_submission(FOUND))
    packed[16] = 4
    with pytest.raises(EvidenceError):
        submissions.unpack_submission(bytes(packed))


@pytest.mark.parametrize("window", [-1.0, float("nan"), float("inf")])
def test_a_window_that_is_no_time_does_not_read(window: float) -> None:
    with pytest.raises(EvidenceError):
        messages.unpack_claim(struct.pack(">dB", window, 0) + messages.pack_texts("a", "b", "c"))
    found = replace(FOUND, claim=Claim("uid:7", "orders", "id", window))
    with pytest.raises(EvidenceError):
        submissions.unpack_submission(submissions.pack_submission(found))


def test_a_refusal_that_the_table_of_problems_does_not_know_does_not_read() -> None:
    with pytest.raises(EvidenceError):
        messages.unpack_refusal(struct.pack(">iB", 1, 4) + b"nonewhy")


@pytest.mark.parametrize(
    "counts",
    [
        *(b"[]", b"{", b'{"a":0}', b'{"a":-1}', b'{"a":1.5}', b'{"a":true}'),
        *(b'{"":1}', b'{"a b":1}', b'{"a\\n":1}', b'{"%s":1}' % (b"a" * 101)),
    ],
)
def test_counts_that_count_nothing_we_name_do_not_read(counts: bytes) -> None:
    with pytest.raises(EvidenceError):
        messages.unpack_counts(counts)


@given(st.binary(max_size=200))
def test_any_octets_are_a_value_or_an_evidence_error(data: bytes) -> None:
    for unpack in (
        submissions.unpack_submission,
        messages.unpack_claim,
        messages.unpack_held,
        messages.unpack_compared,
        messages.unpack_receipt,
        messages.unpack_earlier,
        messages.unpack_refusal,
        messages.unpack_counts,
    ):
        try:
            unpack(data)
        except EvidenceError:
            pass
