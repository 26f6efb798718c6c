"""The gate lets by whatever can be found, and nothing of what usually crosses."""

import json
import uuid

import hyperscan
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.decode import BASE64_MARKED, JSON_INSIDE
from proxy.content.detect import Detector
from proxy.content.fold import digits_of
from proxy.content.gate import gate
from proxy.content.kinds import Kind, Likelihood
from proxy.content.outline import RESPELT, outline
from proxy.content.registry import KINDS
from proxy.content.watch import watches
from proxy.settings.schema import DetectRule

OUTLINED = [kind for rows in KINDS.values() for kind in rows if kind.outlines]
DEFAULT = tuple(kind for rows in KINDS.values() for kind in rows if kind.default)


def matches(expressions: tuple[bytes, ...], text: bytes) -> bool:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=list(expressions),
        ids=list(range(len(expressions))),
        flags=hyperscan.HS_FLAG_SINGLEMATCH,
    )
    found: list[object] = []
    database.scan(text, lambda *match: found.append(match))
    return bool(found)


parts = st.sampled_from(
    ["4111", "1111", "378282", "12345", "536", "90", "4399", "DE89", "gb82", "EE38", "6304", "1800"]
)
joints = st.sampled_from(["", "", " ", "  ", "-", ".", ":", '"', "a", "e", "E", "A", "_", "ab-"])


@pytest.mark.parametrize("kind", OUTLINED, ids=lambda kind: f"{kind.name}-{kind.alone.name}")
@given(text=st.lists(st.tuples(joints, parts), max_size=9).map(lambda p: "".join(map("".join, p))))
def test_where_the_gate_matches_its_outline_does(kind: Kind, text: str) -> None:
    if matches(kind.gates, text.encode()):
        assert matches(kind.outlines, outline(text.encode()))


@given(
    st.sampled_from(["", "[", '{"a":', "[1, ", "[\n"]),
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?[eE][+-]?[0-9]{1,3}", fullmatch=True),
)
def test_the_outline_of_a_number_with_an_exponent_is_seen(before: str, number: str) -> None:
    if len(digits_of(number.encode())) >= 9:
        assert matches(RESPELT, outline(f"{before}{number} ".encode()))


def test_the_outline_is_as_long_as_what_it_is_of() -> None:
    text = b'{"Due":"2026-11-23", "card_no":"4111 1111", "at":4.1E3}\n\xc3\xa9'
    assert outline(text) == b'""Aae":"0000-00-00"::"aaaaaaa":"0000:0000"::"aa":0.0e0":""'


def test_records_as_they_usually_are_have_no_suspect() -> None:
    records = [
        {
            "id": str(uuid.UUID(int=(n * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128, version=4)),
            "at": f"2026-11-{n % 28 + 1:02}T16:07:21.{n % 1000:03}Z",
            "ms": 1_700_000_000_000 + n,
            "customer": {"ssn": "[REDACTED]", "email": "tok:k1:ER-1oiT0LnZznNSv-N0U-sVklOHG6p5m"},
            "items": [{"sku": f"SKU-{n:05}", "price": n / 7, "qty": n % 9}],
            "hash": f"{n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**160:040x}",
            "seq": 1_000_000 + n,
        }
        for n in range(1, 2000)
    ]
    lines = "\n".join(json.dumps(record) for record in records).encode()
    assert gate((*DEFAULT, JSON_INSIDE, BASE64_MARKED), Likelihood.LIKELY).in_json(lines) == set()


@given(
    st.lists(
        st.sampled_from(
            [
                '{"a":"4111111111111111"}',
                '"4111 1111 1111 1111"',
                "4111111111111111",
                '{"ssn":536904399}',
                '{"a":536904399}',
                '"ssn"',
                '"x\\u0040y.example"',
                '"a\\n@b.example"',
                "{}",
                "",
                '["jane@example.com"]',
                "4.111111111111111e15",
            ]
        ),
        max_size=60,
    ),
    st.booleans(),
)
def test_every_line_that_something_is_in_is_chosen(lines: list[str], odd: bool) -> None:
    block = "\n".join(lines if odd else [line for line in lines if "e15" not in line]).encode()
    watched = watches([DetectRule(type="default", action="redact")], (), KINDS, "top")
    detector = Detector(watched, Likelihood.LIKELY)
    suspects = detector.suspects(block)
    wanted = {n for n, line in enumerate(block.split(b"\n")) if detector.suspects(line)}
    if wanted:
        assert wanted <= set(detector.lines(block, suspects))


def test_a_long_word_takes_linear_time() -> None:
    """Of all types together: hyperscan may take more where each of them alone does not."""
    every = tuple(kind for rows in KINDS.values() for kind in rows)
    for word in (b"A1", b"0x", b"bc1"):
        gate(every, Likelihood.LIKELY).in_text(word * 8_000_000)
