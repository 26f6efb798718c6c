"""The frames of the channel: whole, in pieces, with more behind them, and malformed."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import EvidenceError
from proxy.notary.frames import MAX_FRAME, Decoder, Frame, Kind, encode

KINDS = st.sampled_from(list(Kind))
NUMBERS = st.integers(0, 2**64 - 1)
FRAMES = st.lists(st.tuples(KINDS, NUMBERS, st.binary(max_size=60)), max_size=8)


def fed(decoder: Decoder, *pieces: bytes) -> list[Frame]:
    return [frame for piece in pieces for frame in decoder.feed(piece)]


def test_the_example_of_the_format_is_what_is_written() -> None:
    assert encode(Kind.FLAG, 7, b"\1").hex(" ", 1) == "00 00 00 0a 40 00 00 00 00 00 00 00 07 01"


@given(FRAMES)
def test_frames_that_come_whole_are_read_as_they_were_written(frames: list[Frame]) -> None:
    written = b"".join(encode(Kind(kind), *rest) for kind, *rest in frames)  # type: ignore[arg-type]
    assert fed(Decoder(), written) == frames


@given(FRAMES, st.data())
def test_frames_that_come_in_pieces_are_the_same(frames: list[Frame], data: st.DataObject) -> None:
    written = b"".join(encode(Kind(kind), *rest) for kind, *rest in frames)  # type: ignore[arg-type]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(written)))))
    edges = [0, *cuts, len(written)]
    pieces = [written[a:b] for a, b in pairwise(edges)]
    assert fed(Decoder(), *pieces) == frames


def test_frames_that_come_byte_by_byte_are_each_told_with_their_last_byte() -> None:
    frames: list[Frame] = [(Kind.HELLO, 0, b""), (Kind.LEAF, 9, b"leaf"), (Kind.NOTHING, 10, b"")]
    decoder, told = Decoder(), []
    for kind, number, body in frames:
        written = encode(Kind(kind), number, body)
        for at in range(len(written) - 1):
            assert fed(decoder, written[at : at + 1]) == []
        told += fed(decoder, written[-1:])
    assert told == frames


def test_what_trails_a_frame_is_kept_for_the_next() -> None:
    decoder, second = Decoder(), encode(Kind.LEAF, 2, b"second")
    assert fed(decoder, encode(Kind.LEAF, 1, b"first") + second[:15]) == [(Kind.LEAF, 1, b"first")]
    assert fed(decoder, second[15:]) == [(Kind.LEAF, 2, b"second")]


def test_the_largest_frame_passes_in_pieces_of_a_read() -> None:
    body = bytes(MAX_FRAME - 9)
    written = encode(Kind.LEAF, 1, body)
    pieces = [written[at : at + 65_536] for at in range(0, len(written), 65_536)]
    assert fed(Decoder(), *pieces) == [(Kind.LEAF, 1, body)]


def test_a_larger_body_is_not_written() -> None:
    with pytest.raises(EvidenceError, match="larger"):
        encode(Kind.LEAF, 1, bytes(MAX_FRAME - 8))


@pytest.mark.parametrize("length", [0, 8, MAX_FRAME + 1, 2**32 - 1])
def test_a_length_that_cannot_be_ends_the_channel(length: int) -> None:
    decoder, good = Decoder(), encode(Kind.LEAF, 1, b"leaf")
    frames = decoder.feed(good + struct.pack(">IBQ", length, Kind.LEAF, 2) + good)
    assert next(frames) == (Kind.LEAF, 1, b"leaf"), "what was whole before it counts"
    with pytest.raises(EvidenceError, match="claims"):
        next(frames)
    with pytest.raises(EvidenceError):
        fed(decoder, good)


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_any_octets_are_frames_or_an_evidence_error(pieces: list[bytes]) -> None:
    try:
        frames = fed(Decoder(), *pieces)
    except EvidenceError:
        return
    assert sum(13 + len(body) for _, _, body in frames) <= sum(map(len, pieces))
