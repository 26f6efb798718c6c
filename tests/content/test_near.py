"""What is left out of an outline is nothing that the outline is searched for."""

import functools
import json
from collections.abc import Callable, Iterator
from importlib import import_module

import hyperscan
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content import near
from proxy.content.native import Native
from proxy.content.outline import RESPELT, outline
from proxy.content.registry import KINDS

WANTED = [
    *(each for rows in KINDS.values() for kind in rows for each in kind.outlines),
    *RESPELT[:3],
    *RESPELT[-6:],
]


def _forms() -> Iterator[Callable[[bytes], bytes]]:
    yield near.near
    try:
        yield import_module("proxy.content._near").near
    except ImportError:
        pass


FORMS = list(_forms())


@functools.cache
def scanner(expression: bytes) -> hyperscan.Database:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(expressions=[expression], ids=[0], flags=hyperscan.HS_FLAG_SINGLEMATCH)
    return database


def matches(expression: bytes, text: bytes) -> bool:
    found: list[object] = []
    scanner(expression).scan(text, lambda *match: found.append(match))
    return bool(found)


octets = st.text(alphabet='0000eA-.: _"{}zq', max_size=150).map(str.encode)


@pytest.mark.parametrize("expression", WANTED)
@given(data=st.data(), before=octets, behind=octets)
def test_what_an_outline_is_searched_for_is_near_digits(
    expression: bytes, data: st.DataObject, before: bytes, behind: bytes
) -> None:
    text = before + data.draw(st.from_regex(expression, fullmatch=True)) + behind
    if matches(expression, outline(text)):
        for form in FORMS:
            assert matches(expression, outline(form(text)))


@given(st.lists(st.one_of(octets, st.binary(max_size=80)), max_size=6).map(b"".join))
def test_both_forms_take_the_same(text: bytes) -> None:
    first, *others = [form(text) for form in FORMS]
    assert all(other == first for other in others)


@pytest.mark.parametrize("at", range(0, 140, 3))
def test_a_match_is_seen_wherever_it_stands_among_whole_words_of_octets(at: int) -> None:
    card, iban = b"4111 1111 1111 1111", b"gb82west12345678"
    for found in (card, iban, b"123456789", b"536-90-4399", b"4.1e15"):
        for text in (b" " * at + found, b" " * at + found + b" " * 99):
            assert [found in form(text) for form in FORMS] == [True] * len(FORMS)


def test_records_as_they_usually_are_have_nothing_to_outline() -> None:
    order = {
        "id": "ord-00000001",
        "created": "2026-11-23T16:01:30Z",
        "items": [{"sku": "A-1001", "quantity": 2, "price": 19.95}],
        "total": 45.15,
    }
    lines = b"".join(json.dumps(order).encode() + b"\n" for _ in range(40))
    assert [form(lines) for form in FORMS] == [b""] * len(FORMS)


def test_where_nothing_is_compiled_all_of_a_text_is_taken() -> None:
    assert Native(compiled=False).near(b"any") == b"any"
