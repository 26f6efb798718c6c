"""Lists and dictionaries of byte sequences (RFC 9651), strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.structured import (
    NotStructured,
    format_bytes,
    format_list,
    parse_dictionary,
    parse_list,
)


@pytest.mark.parametrize(
    ("values", "members"),
    [
        ([], ()),
        ([b""], ()),
        ([b"::"], (b"",)),
        ([b":aGVsbG8=:"], (b"hello",)),
        ([b":YQ==:, :YmM=:"], (b"a", b"bc")),
        ([b":YQ==:,:YmM=:"], (b"a", b"bc")),
        ([b":YQ==:\t,\t:YmM=:"], (b"a", b"bc")),
        ([b":YQ==:", b":YmM=:"], (b"a", b"bc")),
        ([b":YQ==:", b"", b":YmM=:"], (b"a", b"bc")),
    ],
)
def test_a_list_is_read(values: list[bytes], members: tuple[bytes, ...]) -> None:
    assert parse_list(values) == members


@pytest.mark.parametrize(
    "value",
    [
        b"YQ==",
        b":YQ==",
        b":YQ==:,",
        b",:YQ==:",
        b":YQ==: :YQ==:",
        b":YQ==:,,:YQ==:",
        b":YQ==:;a=1",
        b":YQ:",
        b":YQ=:",
        b":YR==:",
        b":Y-_=:",
        b":Y Q==:",
        b":=YQ=:",
        b"1",
        b'"YQ=="',
        b"(:YQ==:)",
        b"?1",
        b":YQ==:\xff",
    ],
)
def test_what_is_no_list_of_byte_sequences_is_refused(value: bytes) -> None:
    with pytest.raises(NotStructured):
        parse_list([value])


def test_a_dictionary_is_read_in_order() -> None:
    values = [b"sha-512=:YmM=: , *b_.-*1=::", b"sha-256=:YQ==:"]
    found = parse_dictionary(values)
    assert list(found.items()) == [("sha-512", b"bc"), ("*b_.-*1", b""), ("sha-256", b"a")]


@pytest.mark.parametrize(
    "value",
    [
        b"sha-256",
        b"sha-256=",
        b"sha-256=1",
        b'sha-256="YQ=="',
        b"sha-256 =:YQ==:",
        b"sha-256= :YQ==:",
        b"SHA-256=:YQ==:",
        b"1a=:YQ==:",
        b"=:YQ==:",
        b"sha-256=:YQ==:;a",
        b"a=:YQ==:, a=:YQ==:",
        b"a=:YQ==:,",
        b"a=:YQ==: b=:YQ==:",
        b"a=(:YQ==:)",
    ],
)
def test_what_is_no_dictionary_of_byte_sequences_is_refused(value: bytes) -> None:
    with pytest.raises(NotStructured) as caught:
        parse_dictionary([value])
    assert "YQ" not in str(caught.value)


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_what_is_written_is_read_again(members: list[bytes]) -> None:
    assert parse_list([format_list(members)]) == tuple(members)
    assert parse_list(map(format_bytes, members)) == tuple(members)


@given(st.binary(max_size=30))
def test_any_octets_parse_or_are_refused(value: bytes) -> None:
    for parse in (parse_list, parse_dictionary):
        try:
            parse([value])
        except NotStructured:
            continue
