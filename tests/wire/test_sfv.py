"""Structured fields (RFC 9651), read whole and written in the one strict form."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.sfv import (
    Bare,
    Date,
    DisplayString,
    InnerList,
    Item,
    Member,
    Token,
    parse_dictionary,
    parse_item,
    parse_members,
)
from proxy.wire.sfv_write import format_dictionary, format_member, format_members, reserialize
from proxy.wire.structured import NotStructured

# What the RFC gives as examples (sections 3.1 to 3.3), and the edges of its grammar.
ITEMS: list[tuple[bytes, Bare, str]] = [
    (b"42", 42, "42"),
    (b"-0", 0, "0"),
    (b"999999999999999", 999999999999999, "999999999999999"),
    (b"007", 7, "7"),
    (b"4.5", Decimal("4.5"), "4.5"),
    (b"4.50", Decimal("4.5"), "4.5"),
    (b"1.0", Decimal(1), "1.0"),
    (b"-999999999999.999", Decimal("-999999999999.999"), "-999999999999.999"),
    (b'"hello world"', "hello world", '"hello world"'),
    (rb'"a \"b\" \\c"', 'a "b" \\c', r'"a \"b\" \\c"'),
    (b'""', "", '""'),
    (b"foo123/456", Token("foo123/456"), "foo123/456"),
    (b"*a:b!#$%&'*+-.^_`|~/", Token("*a:b!#$%&'*+-.^_`|~/"), "*a:b!#$%&'*+-.^_`|~/"),
    (b":cHJldGVuZCB0aGlz:", b"pretend this", ":cHJldGVuZCB0aGlz:"),
    (b"::", b"", "::"),
    (b"?1", True, "?1"),
    (b"?0", False, "?0"),
    (b"@1659578233", Date(1659578233), "@1659578233"),
    (b"@-62135596800", Date(-62135596800), "@-62135596800"),
    (
        b'%"This is intended for display to %c3%bcsers."',
        DisplayString("This is intended for display to üsers."),
        '%"This is intended for display to %c3%bcsers."',
    ),
    (b'%"%25%22 ~"', DisplayString('%" ~'), '%"%25%22 ~"'),
]


@pytest.mark.parametrize(("text", "value", "strict"), ITEMS)
def test_an_item_of_each_type_is_read_and_written(text: bytes, value: Bare, strict: str) -> None:
    item = parse_item([text])
    assert (type(item.value), item.value) == (type(value), value)
    assert format_member(item) == strict
    assert parse_item([b"  " + text + b" "]) == item


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"1 2",
        b"1,",
        b"\t1",
        b"1\t",
        b"--1",
        b"-",
        b"+1",
        b"1.",
        b".1",
        b"1.2345",
        b"1000000000000000",
        b"1000000000000.0",
        b"1e3",
        b'"a',
        b'"\\a"',
        b'"\x7f"',
        b'"\xc3\xbc"',
        b"'a'",
        b"3a",
        b"a\xc3\xbc",
        b":YQ=:",
        b":YR==:",
        b":Y-_=:",
        b":YQ==",
        b"?2",
        b"?",
        b"?true",
        b"@",
        b"@1.0",
        b"@a",
        b'%"%C3%BC"',
        b'%"%c3"',
        b'%"%"',
        b'%"a',
        b"%a",
        b"a;",
        b"a;A=1",
        b"a;b=",
        b"a; b =1",
        b"a ;b",
        b"(a",
        b"(a)",
        b"(a\tb)",
        "é".encode(),
    ],
)
def test_what_is_no_item_is_refused(text: bytes) -> None:
    with pytest.raises(NotStructured):
        parse_item([text])


LISTS: list[tuple[list[bytes], str]] = [
    ([], ""),
    ([b""], ""),
    ([b"sugar, tea, rum"], "sugar, tea, rum"),
    ([b"sugar, tea", b"rum"], "sugar, tea, rum"),
    ([b"sugar", b"", b"rum"], "sugar, rum"),
    ([b'("foo" "bar"), ("bat" "one"), ()'], '("foo" "bar"), ("bat" "one"), ()'),
    ([b'("foo"; a=1;b=2);lvl=5, ("bar");lvl=1'], '("foo";a=1;b=2);lvl=5, ("bar");lvl=1'),
    ([b'abc;a=1; cde_456, (ghi;jk=4 l);q="9";r=w'], 'abc;a=1;cde_456, (ghi;jk=4 l);q="9";r=w'),
    ([b"(  a   b  )"], "(a b)"),
    ([b"1 \t,\t 2"], "1, 2"),
    ([b"a;x=?1;y=?0"], "a;x;y=?0"),
    ([b"a;x=1;y;x=2"], "a;x=2;y"),
]


@pytest.mark.parametrize(("values", "strict"), LISTS)
def test_a_list_is_read_and_written(values: list[bytes], strict: str) -> None:
    assert format_members(parse_members(values)) == strict
    assert reserialize("list", values) == strict


@pytest.mark.parametrize(
    ("values", "strict"),
    [
        ([b'en="Applepie", da=:w4ZibGV0w6ZydGU=:'], 'en="Applepie", da=:w4ZibGV0w6ZydGU=:'),
        ([b"a=?0, b, c; foo=bar"], "a=?0, b, c;foo=bar"),
        ([b"rating=1.5, feelings=(joy sadness)"], "rating=1.5, feelings=(joy sadness)"),
        ([b"a=(1 2), b=3, c=4;aa=bb, d=(5 6);valid"], "a=(1 2), b=3, c=4;aa=bb, d=(5 6);valid"),
        ([b"a=1,    b=2;x=1;y=2,   c=(a   b   c)"], "a=1, b=2;x=1;y=2, c=(a b c)"),
        ([b"a=1", b"b=?1"], "a=1, b"),
        ([b"*a_-.*9=1"], "*a_-.*9=1"),
    ],
)
def test_a_dictionary_is_read_and_written(values: list[bytes], strict: str) -> None:
    assert format_dictionary(parse_dictionary(values)) == strict
    assert reserialize("dictionary", values) == strict


@pytest.mark.parametrize(
    "text",
    [
        b"a,",
        b",a",
        b"a,,b",
        b"a b",
        b"a;b=c d",
        b"(a b",
        b"(a,b)",
        b"(a)b",
        b'("a""b")',
        b"((a))",
        b"a\x00",
    ],
)
def test_what_is_no_list_or_dictionary_is_refused(text: bytes) -> None:
    for parse in (parse_members, parse_dictionary):
        with pytest.raises(NotStructured):
            parse([text])


@pytest.mark.parametrize("text", [b"a=1, a=2", b"a, a", b"A=1", b"1=a", b"a =1", b"a= 1"])
def test_a_key_that_comes_twice_or_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(NotStructured):
        parse_dictionary([text])


@pytest.mark.parametrize(
    "value", ["ü", "\n", Token(""), Token("1a"), Token("a b"), 10**15, Decimal(10**12), object()]
)
def test_what_has_no_form_is_not_written(value: object) -> None:
    with pytest.raises(NotStructured):
        format_member(Item(value))  # type: ignore[arg-type]


def test_a_decimal_is_rounded_to_the_nearest_and_then_to_the_even() -> None:
    for written, value in (("0.002", "0.0015"), ("0.002", "0.0025"), ("1.001", "1.0007")):
        assert format_member(Item(Decimal(value))) == written


_KEYS = st.from_regex(r"\A[a-z*][a-z0-9_.*-]{0,8}\Z")
_BARE = st.one_of(
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.decimals(-999_999, 999_999, places=3).map(lambda value: value + 0),
    st.from_regex(r"\A[\x20-\x7e]{0,9}\Z"),
    st.from_regex(r"\A[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]{0,8}\Z").map(Token),
    st.binary(max_size=9),
    st.booleans(),
    st.integers(-(10**15) + 1, 10**15 - 1).map(Date),
    st.text(max_size=9).map(DisplayString),
)
_PARAMETERS = st.dictionaries(_KEYS, _BARE, max_size=3)
_ITEM = st.builds(Item, _BARE, _PARAMETERS)
_MEMBER: st.SearchStrategy[Member] = st.one_of(
    _ITEM, st.builds(InnerList, st.lists(_ITEM, max_size=3).map(tuple), _PARAMETERS)
)


@given(st.dictionaries(_KEYS, _MEMBER, max_size=4))
def test_what_is_written_reads_as_the_same_and_is_written_the_same(
    members: dict[str, Member],
) -> None:
    text = format_dictionary(members)
    assert parse_dictionary([text.encode()]) == members
    assert format_dictionary(parse_dictionary([text.encode()])) == text


@given(st.lists(_MEMBER, max_size=4))
def test_the_members_of_a_list_may_come_in_lines_of_their_own(members: list[Member]) -> None:
    lines = [format_member(member).encode() for member in members]
    assert parse_members(lines) == tuple(members) == parse_members([b",".join(lines)])


@given(st.binary(max_size=40) | st.text('ab1."\\:;=, ()?@%*-', max_size=40).map(str.encode))
def test_any_octets_are_read_or_refused_and_what_is_read_has_one_strict_form(
    octets: bytes,
) -> None:
    for kind in ("item", "list", "dictionary"):
        try:
            strict = reserialize(kind, [octets])
        except NotStructured:
            continue
        assert reserialize(kind, [strict.encode()]) == strict
