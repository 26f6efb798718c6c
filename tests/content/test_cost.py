"""What detection costs, counted in calls: it grows with the octets that are sent, and little."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.content.policies import EVERYTHING, compiled, sent

DEFAULT = [{"type": "default", "action": "redact"}]
FORMATS = {"content": ["json", "ndjson", "csv", "text", "form"]}
WORDS = b"ssn passport phone nino tfn aba routing driver licence nhs npi mrn birth nif tax mac ip"
SECRET = b"536-90-4399"
DEPTH = 200
NUMBERS = b",".join(b"%09d" % (123456789 - n) for n in range(1000))
MAILS = b",".join(b'"a@b%04d.co"' % n for n in range(1000))
CALLS = 15
"""An octet, at most; a call takes some 60 ns."""


def calls(work: Callable[[], object]) -> int:
    """How many functions are called."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def cost(detect: Any, form: str, data: bytes) -> int:
    rules = compiled((), detect, policy=FORMATS)
    sent(rules, form, [data])  # once what is worked out once
    return calls(lambda: sent(rules, form, [data]))


def nested(values: bytes, depth: int) -> bytes:
    return b'{"ssn":1,"x":%b[%b]%b}' % (b'{"abcd":' * depth, values, b"}" * depth)


@pytest.mark.parametrize("values", [NUMBERS, MAILS], ids=["unlikely", "found"])
def test_the_keys_above_a_value_are_read_once_and_not_for_every_value(values: bytes) -> None:
    flat, deep = (cost(EVERYTHING, "json", nested(values, depth)) for depth in (1, DEPTH))
    assert deep - flat < 40 * DEPTH


@pytest.mark.parametrize("detect", [DEFAULT, EVERYTHING], ids=["default", "all"])
@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("json", nested(NUMBERS, DEPTH)),
        ("json", b'{"w":"%b","x":[%b]}' % (WORDS, NUMBERS)),
        ("json", b'{"w":"%b","x":"%b"}' % (WORDS, NUMBERS)),
        *(
            ("json", b'{"w":"%b %b","x":[%b1]}' % (WORDS, SECRET, value * 1000))
            for value in (b'"\\/",', b"1e1,", b'"",', b'"\xef\xbc\x91",', b"1,")
        ),
        ("csv", b",".join(b"c%d" % n for n in range(200)) + (b"\n" + SECRET + b"," * 199) * 9),
        ("form", b"a=1&" * 1000 + b"s=" + SECRET),
        ("text", b"ssn " + NUMBERS.replace(b",", b" ")),
        ("ndjson", b"1\n" * 1000 + b'"%b"\n' % SECRET),
    ],
)  # fmt: skip
def test_an_octet_costs_a_few_calls_whatever_is_sent(detect: Any, form: str, data: bytes) -> None:
    assert cost(detect, form, data) < CALLS * len(data)
