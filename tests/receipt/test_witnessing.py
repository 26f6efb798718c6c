"""What a log and a witness say to each other, and a witness's judgement, without a network."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.errors import EvidenceError
from proxy.receipt import note
from proxy.receipt.consistency import consistency
from proxy.receipt.note import Checkpoint
from proxy.receipt.witnessing import (
    Declined,
    Offer,
    never,
    parse_offer,
    parse_size,
    render_offer,
    require_continued,
    require_known,
)
from tests.receipt.test_merkle import MOST, ROOTS, read
from tests.receipt.witnesses import ED, MLDSA, ORIGIN, VKEYS, by_log, by_witnesses, head

LOGS = {ORIGIN: [ED, MLDSA]}


def signed(found: Checkpoint, *, pq: bool = True) -> bytes:
    return note.render(found.text, by_log(found, pq=pq))


def offer(old: int, new: int) -> Offer:
    return Offer(old, tuple(consistency(old, new, read)), signed(head(new)))


def status(found: Offer, latest: Checkpoint) -> int:
    """What a witness that has cosigned `latest` answers."""
    try:
        checkpoint, _ = require_known(found, LOGS)
        require_continued(found, checkpoint, latest)
    except Declined as declined:
        told = latest.size if declined.status == 409 else None
        return declined.status if declined.size == told else -1
    return 200


def test_an_offer_is_written_as_the_specification_does() -> None:
    made = render_offer(offer(3, 7))
    lines = made.split(b"\n")
    assert lines[0] == b"old 3"
    assert [base64.b64decode(line) for line in lines[1:5]] == consistency(3, 7, read)
    assert b"\n".join(lines[5:]) == b"\n" + signed(head(7))
    assert parse_offer(made) == offer(3, 7)
    assert render_offer(offer(0, 7)) == b"old 0\n\n" + signed(head(7))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"old 3",
        b"old 3\n",
        b"old\n\n" + signed(head()),
        b"old 03\n\n" + signed(head()),
        b"old -1\n\n" + signed(head()),
        b"old  3\n\n" + signed(head()),
        b"old 3 \n\n" + signed(head()),
        b"old 3\r\n\n" + signed(head()),
        b"Old 3\n\n" + signed(head()),
        b"old \xd9\xa3\n\n" + signed(head()),
        b"old 3\nAAAA\n\n" + signed(head()),
        b"old 3\n" + b"A" * 42 + b"B=\n\n" + signed(head()),
        b"old 3\n" + (base64.b64encode(bytes(32)) + b"\n") * 64 + b"\n" + signed(head()),
        b"old " + b"9" * 20 + b"\n\n" + signed(head()),
    ],
)
def test_what_is_not_an_offer_is_answered_400(data: bytes) -> None:
    with pytest.raises(Declined) as caught:
        parse_offer(data)
    assert caught.value.status == 400


def test_sixty_three_hashes_are_read() -> None:
    many = Offer(3, (bytes(32),) * 63, signed(head()))
    assert parse_offer(render_offer(many)) == many


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_octets_are_judged_or_declined(data: bytes) -> None:
    for octets in (data, b"old 0\n\n" + data):
        with pytest.raises(Declined) as caught:
            require_known(parse_offer(octets), LOGS)
        assert caught.value.status in (400, 404)


def test_every_growth_is_cosigned() -> None:
    for new in (1, 2, 7, 8, 255, 256, 257, MOST):
        for old in {0, 1, new // 2, new - 1, new} - {0}:
            assert status(offer(old, new), head(old)) == 200
        assert status(offer(0, new), never(ORIGIN)) == 200
    assert status(offer(0, 0), never(ORIGIN)) == 200


def test_the_size_that_was_cosigned_last_is_told() -> None:
    for old in (0, 3, 8):
        assert status(offer(old, 9), head(7)) == 409
    assert status(offer(3, 9), never(ORIGIN)) == 409


def test_an_old_size_above_the_checkpoint_is_malformed_even_where_it_is_right() -> None:
    made = Offer(9, (), signed(head(7)))
    assert status(made, head(9)) == 400
    assert status(made, head(7)) == 400


def test_a_fork_is_never_cosigned() -> None:
    forked = Checkpoint(ORIGIN, 7, ROOTS[6])
    assert status(Offer(7, (), signed(forked)), head(7)) == 409
    longer = Checkpoint(ORIGIN, 9, ROOTS[8])
    assert status(Offer(7, tuple(consistency(7, 9, read)), signed(longer)), head(7)) == 422
    assert status(offer(7, 9), Checkpoint(ORIGIN, 7, ROOTS[6])) == 422


def test_a_proof_that_is_empty_too_long_or_of_others_is_declined() -> None:
    good = offer(7, 9)
    for path in ((), good.path[:-1], (*good.path, bytes(32)), tuple(reversed(good.path))):
        assert status(Offer(7, path, good.checkpoint), head(7)) == 422
    assert status(Offer(0, (bytes(32),), signed(head(7))), never(ORIGIN)) == 422
    assert status(Offer(7, (bytes(32),), signed(head(7))), head(7)) == 422


def test_a_log_that_nobody_named_is_unknown_whoever_signed_it() -> None:
    other = head(origin="other.example/log")
    assert status(Offer(0, (), signed(other)), never(ORIGIN)) == 404


def test_a_checkpoint_that_the_log_did_not_sign_is_forbidden() -> None:
    found = head()
    good = by_log(found)
    wrong = note.Signature(good[0].name, good[0].key_id, bytes(64))
    for signatures in (
        by_witnesses(found, ["north"]),
        good[:1],
        good[1:],
        [wrong, good[1]],
        [*good, wrong],
        by_log(head(8)),
    ):
        assert status(Offer(0, (), note.render(found.text, signatures)), never(ORIGIN)) == 403


def test_a_checkpoint_that_is_no_note_is_malformed() -> None:
    for checkpoint in (b"", b"x", signed(head())[:-1], head().text.encode()):
        assert status(Offer(0, (), checkpoint), never(ORIGIN)) == 400


def test_signatures_of_strangers_are_passed_over_and_not_kept() -> None:
    found = head()
    own = by_log(found)
    noisy = note.render(found.text, [*by_witnesses(found, VKEYS), *own, *own, *own])
    assert require_known(Offer(0, (), noisy), LOGS) == (found, own)


@given(at=st.integers(0, 10_000), octet=st.integers(0, 255))
@example(at=0, octet=ord("o"))  # what is there already
def test_a_damaged_offer_is_declined_or_says_the_same(at: int, octet: int) -> None:
    good = render_offer(offer(7, 9))
    at %= len(good)
    data = good[:at] + bytes([octet]) + good[at + 1 :]
    try:
        found = parse_offer(data)
        checkpoint, signatures = require_known(found, LOGS)
        require_continued(found, checkpoint, head(7))
    except Declined:
        return
    assert (checkpoint, signatures) == (head(9), by_log(head(9)))


@pytest.mark.parametrize("text", ["", "01", "-1", "+1", "1 ", "1\n", "x", "9" * 20, "\u0661"])
def test_a_size_has_one_spelling(text: str) -> None:
    with pytest.raises(EvidenceError):
        parse_size(text)
    assert (parse_size("0"), parse_size("20852163")) == (0, 20852163)
