"""Coded content: looked into decoded, bounded, and coded again. Cases 15 and 16 of the twenty."""

import gzip
import itertools
import json
import subprocess
import tracemalloc
import zlib
from collections.abc import Callable, Iterable

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.codings import accepted_codings, require_codings
from proxy.content.rules import Rules
from proxy.errors import Refusal
from proxy.model import Report
from tests.content.policies import compiled

SSN = b"536-90-4399"
ROWS = [b'{"n": %d, "ssn": "%b"}\n' % (n, SSN) for n in range(400)]
LINES = b"".join(ROWS)
MASKED = LINES.replace(SSN, b"[REDACTED]")
RULES = compiled({"$.ssn": "redact"})
BOTH = ("gzip", "zstd")

Code = Callable[[bytes], bytes]
CODE: dict[str, Code] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zstd": lambda data: zstd.compress(data),
}
DECODE: dict[str, Code] = {"gzip": gzip.decompress, "zstd": zstd.decompress}


def coded(data: bytes, *codings: str) -> bytes:
    for coding in codings:
        data = CODE[coding](data)
    return data


def decoded(data: bytes, *codings: str) -> bytes:
    for coding in reversed(codings):
        data = DECODE[coding](data)
    return data


def sent(
    rules: Rules, codings: Iterable[str], pieces: Iterable[bytes], form: str = "ndjson"
) -> tuple[bytes, Report]:
    inspector = rules.open(form, tuple(codings))
    output = b"".join([inspector.feed(piece) for piece in pieces]) + inspector.finish()
    return output, inspector.report()


def refused(rules: Rules, codings: Iterable[str], *pieces: bytes, form: str = "ndjson") -> Refusal:
    with pytest.raises(Refusal) as caught:
        sent(rules, codings, pieces, form)
    return caught.value


@pytest.mark.parametrize("codings", [("gzip",), ("zstd",), ("gzip", "zstd"), ("zstd", "gzip")])
@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_coded_content_is_masked_and_coded_again_as_it_came(
    form: str, codings: tuple[str, ...]
) -> None:
    data = json.dumps([json.loads(line) for line in LINES.splitlines()]).encode()
    data = data if form == "json" else LINES
    rules = compiled({"$..ssn": "redact"})
    output, report = sent(rules, codings, [coded(data, *codings)], form)
    assert decoded(output, *codings) == data.replace(SSN, b"[REDACTED]")
    assert (report.format, report.codings, report.changed) == (form, codings, True)
    assert report.masked == {"$..ssn": 400}


def test_programs_of_the_field_read_what_was_coded_again() -> None:
    output, _ = sent(RULES, ["gzip"], [coded(LINES, "gzip")])
    told = subprocess.run(["gzip", "-dc"], input=output, stdout=subprocess.PIPE, check=True)
    assert told.stdout == MASKED


@given(st.lists(st.integers(0, 400), max_size=12), st.sampled_from(["gzip", "zstd"]))
def test_case_11_any_split_of_coded_content_gives_the_same(cuts: list[int], coding: str) -> None:
    first, second = b"".join(ROWS[:300]), b"".join(ROWS[300:])
    data = coded(first, coding) + coded(second, coding)
    edges = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    for each in (pieces, [data[n : n + 1] for n in range(len(data))]):
        output, _ = sent(RULES, [coding], each)
        assert decoded(output, coding) == MASKED


def test_what_one_feed_makes_can_be_decoded_at_once() -> None:
    for coding, reader in (("gzip", zlib.decompressobj(31)), ("zstd", zstd.ZstdDecompressor())):
        source = zlib.compressobj(wbits=31) if coding == "gzip" else None
        frame = zstd.ZstdCompressor()
        inspector = RULES.open("ndjson", (coding,))
        for line in ROWS[:5]:
            if source is not None:
                data = source.compress(line) + source.flush(zlib.Z_SYNC_FLUSH)
            else:
                data = frame.compress(line, frame.FLUSH_BLOCK)
            seen = reader.decompress(inspector.feed(data))
            assert seen == line.replace(SSN, b"[REDACTED]")


@pytest.mark.parametrize("coding", BOTH)
def test_case_15_members_and_frames_are_one_content_and_each_is_masked(coding: str) -> None:
    data = coded(b'{"n": 1}\n', coding) + coded(LINES, coding) + coded(b"", coding)
    output, report = sent(RULES, [coding], [data])
    assert decoded(output, coding) == b'{"n": 1}\n' + MASKED
    assert report.masked == {"$.ssn": 400}


@pytest.mark.parametrize("coding", BOTH)
def test_case_15_what_is_behind_the_last_member_is_refused(coding: str) -> None:
    data = coded(LINES, coding)
    for rest in (b"\0", b"x", b"\r\n", LINES, data[:-1], data[:5]):
        assert refused(RULES, [coding], data + rest).code == "unparseable"


@pytest.mark.parametrize("coding", BOTH)
def test_case_15_a_wrong_checksum_or_a_missing_end_is_refused(coding: str) -> None:
    data = gzip.compress(LINES)
    if coding == "zstd":
        data = zstd.compress(LINES, options={zstd.CompressionParameter.checksum_flag: 1})
    last = -8 if coding == "gzip" else -1
    broken = data[:last] + bytes([data[last] ^ 1]) + data[len(data) + last + 1 :]
    assert refused(RULES, [coding], broken).code == "unparseable"
    for end in (1, 4, 9, len(data) // 2, len(data) - 1):
        assert refused(RULES, [coding], data[:end]).code == "unparseable"


@pytest.mark.parametrize("coding", BOTH)
@given(st.binary(min_size=1, max_size=200))
def test_what_is_not_coded_at_all_is_refused(coding: str, data: bytes) -> None:
    assert refused(RULES, [coding], data).code == "unparseable"


@pytest.mark.parametrize("codings", [("gzip",), ("zstd",), ("gzip", "zstd"), ("zstd", "gzip")])
@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_case_16_a_bomb_is_refused_in_bounded_memory(form: str, codings: tuple[str, ...]) -> None:
    bomb = coded(b" " * 64 * 2**20, *codings)
    assert len(bomb) < 2**17
    rules = compiled({"$.ssn": "redact"}, body="1GiB", document="1GiB", record="1GiB")
    tracemalloc.start()
    try:
        assert refused(rules, codings, bomb, form=form).code == "content-too-large"
        assert tracemalloc.get_traced_memory()[1] < 48 * 2**20
    finally:
        tracemalloc.stop()


def test_case_16_content_that_decodes_to_more_than_the_body_limit_is_refused() -> None:
    rules = compiled({"$.ssn": "redact"}, body=len(LINES) - 1)
    refusal = refused(rules, ["zstd"], coded(LINES, "zstd"))
    assert (refusal.code, refusal.reason) == (
        "content-too-large",
        f"decodes to more than {len(LINES) - 1} octets",
    )


@pytest.mark.parametrize("coding", BOTH)
def test_case_16_a_body_passes_up_to_the_ratio_and_a_small_one_over_it(coding: str) -> None:
    many = coded(LINES * 200, coding)
    ratio = -(-len(LINES) * 200 // len(many))
    sent(compiled({"$.ssn": "redact"}, ratio=ratio), [coding], [many])
    tight = compiled({"$.ssn": "redact"}, ratio=ratio - 1)
    assert refused(tight, [coding], many).code == "content-too-large"
    assert sent(tight, [coding], [coded(LINES, coding)])[0]


@pytest.mark.parametrize("coding", BOTH)
def test_case_16_members_are_counted(coding: str) -> None:
    rules = compiled({"$.ssn": "redact"}, members=10)
    sent(rules, [coding], [coded(b"{}\n", coding) * 10])
    refusal = refused(rules, [coding], coded(b"{}\n", coding) * 11)
    assert (refusal.code, refusal.reason) == ("content-too-large", "more than 10 members")


def test_a_window_over_eight_mebibytes_is_refused() -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 24}
    frame = zstd.ZstdCompressor(options=options)
    data = frame.compress(LINES) + frame.flush()
    assert refused(RULES, ["zstd"], data).code == "unparseable"


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((), ()),
        ((b"identity",), ()),
        ((b"",), ()),
        ((b"gzip",), ("gzip",)),
        ((b"X-GZIP",), ("gzip",)),
        ((b" zstd ,",), ("zstd",)),
        ((b"gzip, zstd",), ("gzip", "zstd")),
        ((b"zstd", b"gzip"), ("zstd", "gzip")),
    ],
)
def test_codings_are_read_in_the_order_in_which_they_were_applied(
    values: tuple[bytes, ...], found: tuple[str, ...]
) -> None:
    assert require_codings(values, BOTH) == found


@pytest.mark.parametrize(
    ("values", "admitted"),
    [
        ((b"gzip",), ()),
        ((b"gzip",), ("zstd",)),
        ((b"br",), BOTH),
        ((b"deflate",), BOTH),
        ((b"gzip;q=1",), BOTH),
        ((b"aws-chunked",), BOTH),
        ((b"\xff",), BOTH),
        ((b"gzip, gzip",), BOTH),
        ((b"gzip, x-gzip",), BOTH),
        ((b"gzip", b"zstd, gzip"), BOTH),
    ],
)
def test_case_16_other_codings_and_the_same_twice_are_refused(
    values: tuple[bytes, ...], admitted: tuple[str, ...]
) -> None:
    with pytest.raises(Refusal) as caught:
        require_codings(values, admitted)
    assert caught.value.code == "content-not-allowed"


@pytest.mark.parametrize(
    ("values", "admitted", "asked"),
    [
        ((), BOTH, b"identity"),
        ((b"gzip, br;q=0.5, zstd;q=0.1",), ("gzip",), b"gzip"),
        ((b"br, zstd ; q=0.1", b"*"), BOTH, b"zstd ; q=0.1"),
        ((b"gzip",), (), b"identity"),
    ],
)
def test_the_upstream_is_asked_for_what_sender_and_route_both_take(
    values: tuple[bytes, ...], admitted: tuple[str, ...], asked: bytes
) -> None:
    assert accepted_codings(values, admitted) == asked
