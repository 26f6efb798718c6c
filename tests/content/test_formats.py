"""Which format a body is in: beyond case 17, where opaque content is admitted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.formats import require_format
from proxy.errors import PROBLEMS, Refusal
from proxy.settings.schema import ContentPolicy

OPAQUE = ContentPolicy(content=["opaque"])
BOTH = ContentPolicy(content=["json", "opaque"])


def test_opaque_admits_whatever_the_route_does_not_look_into() -> None:
    for value in (b"image/png", b"text/csv; charset=latin-1", b"application/json; charset=utf-16"):
        assert require_format((value,), OPAQUE) == "opaque"
    assert require_format((), OPAQUE) == "opaque"
    assert require_format((b"application/x-ndjson",), BOTH) == "opaque"


def test_what_calls_itself_json_is_looked_into_or_refused_where_the_route_admits_json() -> None:
    assert require_format((b"Application/JSON",), BOTH) == "json"
    assert require_format((b'application/x+json ; charset="UTF-8"; a=b;',), BOTH) == "json"
    with pytest.raises(Refusal):
        require_format((b"a/json; charset",), BOTH)
    with pytest.raises(Refusal):
        require_format((b"application/json;charset=utf-7",), BOTH)
    with pytest.raises(Refusal):
        require_format((), BOTH)


def test_an_empty_policy_admits_nothing() -> None:
    for types in ((), (b"application/json",), (b"image/png",)):
        with pytest.raises(Refusal) as caught:
            require_format(types, ContentPolicy())
        assert caught.value.status == PROBLEMS["content-not-allowed"][0]


@given(
    st.binary(max_size=40) | st.text('ajson/+;= \t"\\charset-utf8,', max_size=40).map(str.encode)
)
def test_any_content_type_gives_a_format_or_a_refusal(value: bytes) -> None:
    for policy in (OPAQUE, BOTH):
        try:
            assert require_format((value,), policy) in policy.content
        except Refusal as refusal:
            assert refusal.code == "content-not-allowed"  # noqa: PT017
