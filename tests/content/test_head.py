"""Header fields and query parameters: every occurrence, strict reading, nothing else touched."""

from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.head import HeadMasks, compile_head
from proxy.errors import Refusal
from proxy.settings.schema import MaskRule
from tests.content.policies import HMAC, KEYS

SECRET = "a@example.com"
PERSONAL = KEYS | {"vault": [("v1", b"1" * 32)]}


def fields(*rules: dict[str, Any]) -> HeadMasks:
    return compile_head(map(MaskRule.model_validate, rules), PERSONAL)


def query(text: str, *rules: dict[str, Any]) -> str | None:
    rules = rules or ({"query": "email", "action": {"redact": {"with": "x y"}}},)
    return fields(*rules).masked_query(text, {})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("email=a", "email=x%20y"),
        ("email=a&id=7&email=b", "email=x%20y&id=7&email=x%20y"),
        ("%65mail=a", "%65mail=x%20y"),
        ("e%6Dail=a+b%20c", "e%6Dail=x%20y"),
        ("email[]=a&email[0]=b&email%5B1%5D=c", "email[]=x%20y&email[0]=x%20y&email%5B1%5D=x%20y"),
        ("+email=a&%20email%20=b", "+email=x%20y&%20email%20=x%20y"),
        ("email", "email=x%20y"),
        ("email=a=b", "email=x%20y"),
        ("", ""),
        ("&&a=%C3%A9+&=&b", "&&a=%C3%A9+&=&b"),
        ("Email=a&emails=b&mail=c", "Email=a&emails=b&mail=c"),
    ],
)
def test_every_parameter_of_the_name_is_masked_and_the_rest_stays(before: str, after: str) -> None:
    assert query(before) == after


@pytest.mark.parametrize("bad", ["%", "%4", "%zz", "%u0065", "%FF", "%C0%80", "%00", "%0a", "a;b"])
@pytest.mark.parametrize("place", ["{}=1", "id={}", "email={}"])
def test_a_query_that_can_be_read_in_two_ways_is_refused(bad: str, place: str) -> None:
    with pytest.raises(Refusal, match="unparseable") as caught:
        query(place.format(bad))
    assert bad not in caught.value.reason


def test_a_query_of_so_many_parameters_is_refused() -> None:
    assert query("&".join(["email"] * 1000)) == "&".join(["email=x%20y"] * 1000)
    with pytest.raises(Refusal, match="unparseable"):
        query("&" * 1000)


def test_a_parameter_is_dropped_and_with_the_last_the_query() -> None:
    drop = {"query": "email", "action": "drop"}
    assert query("a=1&email=2&b=3", drop) == "a=1&b=3"
    assert query("email=1&email=2", drop) is None


def test_counts_are_by_name_as_written_in_the_rule() -> None:
    counts: dict[str, int] = {}
    rules = fields({"query": "email", "action": "redact"}, {"header": "X-User", "action": "redact"})
    rules.masked_query("email=1&email[]=2&x=3", counts)
    rules.header(b"x-user", b"a", counts)
    rules.header(b"x-other", b"a", counts)
    assert counts == {"query email": 2, "header x-user": 1}


def test_the_first_rule_of_a_name_decides() -> None:
    one, other = ({"header": name, "action": {"redact": {"with": name}}} for name in ("A", "a"))
    assert fields(one, other).header(b"a", b"", {}) == b"A"


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("redact", b"secret", b"[REDACTED]"),
        ("drop", b"secret", None),
        ({"redact": {"as": "null"}}, b"secret", b""),
        ({"partial": {"keep_last": 2}}, b"secret", b"****et"),
        ({"partial": {"keep_last": 1}}, "né".encode(), "*é".encode()),
        ({"partial": {"keep_last": 1}}, "né".encode("latin-1"), "*é".encode()),
        ({"partial": {"keep_first": 1}}, b"a", b"*"),
        ({"generalize": {"ip": "24/48"}}, b"192.0.2.7", b"192.0.2.0/24"),
    ],
)
def test_a_field_line_is_masked_as_one_string(
    action: Any, before: bytes, after: bytes | None
) -> None:
    assert fields({"header": "X", "action": action}).header(b"x", before, {}) == after


def test_what_no_field_may_hold_is_never_written() -> None:
    made = fields({"header": "X", "action": {"redact": {"with": "a\r\nB: c"}}})
    assert made.header(b"x", b"v", {}) == b"[REDACTED]"


def test_a_token_in_a_field_is_the_one_of_the_content_and_stays() -> None:
    header = fields({"header": "X", "action": HMAC})
    once = header.header(b"x", SECRET.encode(), {})
    assert once is not None
    assert header.header(b"x", once, {}) == once
    masked = query("email=" + quote(SECRET), {"query": "email", "action": HMAC})
    assert masked is not None
    assert dict(parse_qsl(masked)) == {"email": once.decode()}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["email", "id", "é"]),
            st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
        ),
        min_size=1,
    ),
    st.sampled_from(
        [HMAC, {"encrypt": {"key": "vault"}}, "redact", {"partial": {"preserve_class": True}}]
    ),
)
def test_masking_a_query_twice_equals_once_and_other_parameters_stay(
    pairs: list[tuple[str, str]], action: Any
) -> None:
    text = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in pairs)
    rule = {"query": "email", "action": action}
    once = query(text, rule)
    assert once is not None
    assert query(once, rule) == once
    before, after = (parse_qsl(each, keep_blank_values=True) for each in (text, once))
    assert [pair for pair in after if pair[0] != "email"] == [
        pair for pair in before if pair[0] != "email"
    ]
    assert [name for name, _ in after] == [name for name, _ in before]
