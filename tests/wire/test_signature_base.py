"""What of a message is signed, as one text: RFC 9421, section 2."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.model import Framing, Head
from proxy.wire.sfv import InnerList, parse_dictionary
from proxy.wire.signature import Message, SignatureFailure, request_message
from proxy.wire.signature_base import MOST, STRUCTURED, signature_base

POST = Message((), "POST", "/path?param=value", "https", "www.example.com")
KNOWN = {**STRUCTURED, "example-dict": "dictionary"}


def lines(message: Message, *identifiers: str) -> list[str]:
    """The lines of a base, less the last."""
    (covered,) = parse_dictionary([f"sig=({' '.join(identifiers)})".encode()]).values()
    assert isinstance(covered, InnerList)
    base = signature_base(message, covered, KNOWN)
    *first, last = base.decode().split("\n")
    assert last.startswith('"@signature-params": (')
    return first


def refused(message: Message, *identifiers: str) -> str:
    with pytest.raises(SignatureFailure) as failure:
        lines(message, *identifiers)
    return failure.value.reason


def fields(*pairs: tuple[str, str]) -> Message:
    return replace(POST, fields=tuple((name.encode(), value.encode()) for name, value in pairs))


FIELDS = fields(
    ("host", "www.example.com"),
    ("date", "Tue, 20 Apr 2021 02:07:56 GMT"),
    ("x-ows-header", "  Leading and trailing whitespace. \t"),
    ("x-obs-fold-header", "Obsolete\r\n    line folding."),
    ("cache-control", "max-age=60"),
    ("cache-control", "   must-revalidate"),
    ("example-dict", "a=1,    b=2;x=1;y=2,   c=(a   b   c), d"),
    ("example-header", "value, with, lots"),
    ("example-header", "of, commas"),
    ("x-empty-header", ""),
)


@pytest.mark.parametrize(
    "line",
    [
        '"host": www.example.com',
        '"date": Tue, 20 Apr 2021 02:07:56 GMT',
        '"x-ows-header": Leading and trailing whitespace.',
        '"x-obs-fold-header": Obsolete line folding.',
        '"cache-control": max-age=60, must-revalidate',
        '"example-dict": a=1,    b=2;x=1;y=2,   c=(a   b   c), d',
        '"x-empty-header": ',
        '"example-dict";sf: a=1, b=2;x=1;y=2, c=(a b c), d',
        '"example-dict";key="a": 1',
        '"example-dict";key="d": ?1',
        '"example-dict";key="b": 2;x=1;y=2',
        '"example-dict";key="c": (a b c)',
        '"example-dict";sf;key="c": (a b c)',
        '"example-header": value, with, lots, of, commas',
        '"example-header";bs: :dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:',
    ],
)
def test_a_field_is_covered_as_its_parameters_say(line: str) -> None:
    assert lines(FIELDS, line.partition(": ")[0]) == [line]


def test_the_wrapped_form_tells_one_line_from_two() -> None:
    one = fields(("example-header", "value, with, lots, of, commas"))
    assert lines(one, '"example-header"') == lines(FIELDS, '"example-header"')
    said = '"example-header";bs: :dmFsdWUsIHdpdGgsIGxvdHMsIG9mLCBjb21tYXM=:'
    assert lines(one, '"example-header";bs') == [said]


def test_a_trailer_is_told_from_a_field_of_its_name() -> None:
    answer = Message(
        ((b"trailer", b"Expires"), (b"expires", b"0")),
        status=200,
        trailers=((b"expires", b"Wed, 9 Nov 2022 07:28:00 GMT"),),
    )
    assert lines(answer, '"@status"', '"trailer"', '"expires"', '"expires";tr') == [
        '"@status": 200',
        '"trailer": Expires',
        '"expires": 0',
        '"expires";tr: Wed, 9 Nov 2022 07:28:00 GMT',
    ]


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (POST, '"@method": POST'),
        (POST, '"@target-uri": https://www.example.com/path?param=value'),
        (POST, '"@authority": www.example.com'),
        (POST, '"@scheme": https'),
        (replace(POST, scheme="HTTP"), '"@scheme": http'),
        (POST, '"@request-target": /path?param=value'),
        (POST, '"@path": /path'),
        (POST, '"@query": ?param=value'),
        (replace(POST, target="/a%2Fb?x=bat%2Dman"), '"@path": /a%2Fb'),
        (replace(POST, target="/a%2Fb?x=bat%2Dman"), '"@query": ?x=bat%2Dman'),
        (replace(POST, target="/path?queryString"), '"@query": ?queryString'),
        (replace(POST, target="/path?a?b"), '"@query": ?a?b'),
        (replace(POST, target="/path"), '"@query": ?'),
        (replace(POST, target="/path?"), '"@query": ?'),
        (replace(POST, target="/path?"), '"@target-uri": https://www.example.com/path?'),
        (replace(POST, authority="WWW.example.com:443"), '"@authority": www.example.com'),
        (replace(POST, authority="www.example.com:80"), '"@authority": www.example.com:80'),
        (
            replace(POST, authority="www.example.com:80", scheme="http"),
            '"@target-uri": http://www.example.com/path?param=value',
        ),
        (replace(POST, authority="[::1]:8443"), '"@authority": [::1]:8443'),
        (replace(POST, target="https://a.example"), '"@path": /'),
        (replace(POST, target="https://a.example?x"), '"@query": ?x'),
        (replace(POST, target="https://a.example/b?x"), '"@target-uri": https://a.example/b?x'),
        (replace(POST, target="https://a.example/b?x"), '"@request-target": https://a.example/b?x'),
        (replace(POST, target="/x?u=https://b.example/c"), '"@path": /x'),
        (replace(POST, target="//b.example/c"), '"@path": //b.example/c'),
        (replace(POST, target="*", method="OPTIONS"), '"@request-target": *'),
        (replace(POST, target="*", method="OPTIONS"), '"@target-uri": https://www.example.com'),
        (replace(POST, target="a.example:80", method="CONNECT"), '"@request-target": a.example:80'),
        (Message((), status=200), '"@status": 200'),
    ],
)
def test_a_component_is_derived_from_the_message(message: Message, line: str) -> None:
    assert lines(message, line.partition(": ")[0]) == [line]


QUERY = replace(POST, target="/path?param=value&foo=bar&baz=batman&qux=")
ENCODED = replace(
    POST,
    target="/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace"
    "&fa%C3%A7ade%22%3A%20=something&t=~*-._",
)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (QUERY, '"@query-param";name="baz": batman'),
        (QUERY, '"@query-param";name="qux": '),
        (QUERY, '"@query-param";name="param": value'),
        (ENCODED, '"@query-param";name="var": this%20is%20a%20big%0Amultiline%20value'),
        (ENCODED, '"@query-param";name="bar": with%20plus%20whitespace'),
        (ENCODED, '"@query-param";name="fa%C3%A7ade%22%3A%20": something'),
        (ENCODED, '"@query-param";name="t": %7E*-._'),
    ],
)
def test_a_parameter_of_the_query_is_encoded_anew(message: Message, line: str) -> None:
    assert lines(message, line.partition(": ")[0]) == [line]


def test_an_answer_covers_its_request() -> None:
    answer = Message(((b"x", b"1"),), status=200, request=replace(FIELDS, method="PUT"))
    assert lines(answer, '"@method";req', '"x"', '"example-dict";key="a";req') == [
        '"@method";req: PUT',
        '"x": 1',
        '"example-dict";key="a";req: 1',
    ]


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [
        ('"x-none"', "component-absent"),
        ('"date";tr', "component-absent"),
        ('"example-dict";key="z"', "component-absent"),
        ('"@status"', "component-absent"),
        ('"@query-param";name="none"', "component-absent"),
        ('"Date"', "component-malformed"),
        ('""', "component-malformed"),
        ('"@none"', "component-malformed"),
        ('"@signature-params"', "component-malformed"),
        ('"@method";sf', "component-malformed"),
        ('"@method";req', "component-malformed"),
        ('"@method";name="x"', "component-malformed"),
        ('"@query-param"', "component-malformed"),
        ('"@query-param";name', "component-malformed"),
        ('"@query-param";name="param";x', "component-malformed"),
        ('"date";req', "component-malformed"),
        ('"date";sf', "component-malformed"),
        ('"date";x', "component-malformed"),
        ('"date";key=1', "component-malformed"),
        ('"date";key="a"', "component-malformed"),
        ('"date";bs=?0', "component-malformed"),
        ('"date";tr=1', "component-malformed"),
        ('"example-dict";bs;sf', "component-malformed"),
        ('"example-dict";bs;key="a"', "component-malformed"),
        ('"example-dict";key="a";sf=?0', "component-malformed"),
        ("date", "malformed"),
        ("1", "malformed"),
        ('"date" "date"', "malformed"),
        ('"example-dict";key="a";sf "example-dict";sf;key="a"', "malformed"),
    ],
)
def test_what_cannot_be_said_or_in_two_ways_is_no_base(identifier: str, reason: str) -> None:
    assert refused(FIELDS, identifier) == reason


@pytest.mark.parametrize(
    ("message", "identifier"),
    [
        (replace(POST, target="/?a=1&a=2"), '"@query-param";name="a"'),
        (replace(POST, target="/?a=1", status=200), '"@query-param";name="a"'),
        (replace(POST, request=POST), '"@method";req'),
        (replace(POST, target="/?a=%ff"), '"@query-param";name="a"'),
        (replace(POST, target="/" + "\n"), '"@path"'),
        (replace(POST, target="/ü"), '"@path"'),
        (replace(POST, fields=((b"x", b"\xff"),)), '"x"'),
        (replace(POST, fields=((b"x", b"a\nb"),)), '"x"'),
        (replace(POST, fields=((b"content-digest", b"a b"),)), '"content-digest";sf'),
        (replace(POST, fields=((b"priority", b"u=1, u=2"),)), '"priority";key="u"'),
    ],
)
def test_a_message_that_reads_in_two_ways_is_not_signed(message: Message, identifier: str) -> None:
    assert refused(message, identifier) == "component-malformed"


@pytest.mark.parametrize(
    ("message", "identifier"),
    [
        (replace(POST, target="a.example:80", method="CONNECT"), '"@path"'),
        (replace(POST, target="a.example:80", method="CONNECT"), '"@target-uri"'),
        (replace(POST, method=""), '"@method"'),
        (replace(POST, authority=""), '"@authority"'),
        (replace(POST, scheme=""), '"@scheme"'),
        (replace(POST, status=200), '"@method"'),
        (Message((), status=200), '"@path"'),
    ],
)
def test_a_message_that_lacks_it_does_not_cover_it(message: Message, identifier: str) -> None:
    assert refused(message, identifier) == "component-absent"


def test_more_components_than_anybody_needs_are_refused() -> None:
    fields = tuple((b"x-%d" % number, b"") for number in range(MOST + 1))
    names = [f'"x-{number}"' for number in range(MOST + 1)]
    assert len(lines(replace(POST, fields=fields), *names[:MOST])) == MOST
    assert refused(replace(POST, fields=fields), *names) == "malformed"


def test_octets_beyond_ascii_are_covered_when_they_are_wrapped() -> None:
    assert lines(replace(POST, fields=((b"x", b"\xff"),)), '"x";bs') == ['"x";bs: :/w==:']


def test_a_request_is_taken_as_it_came() -> None:
    head = Head(
        "PUT", "/a%2F?b", "/a%2F", "b", ((b"host", b"A.example:443"), (b"x", b"1")), Framing(0)
    )
    said = request_message(head, "https")
    assert lines(said, '"@method"', '"@target-uri"', '"x"') == [
        '"@method": PUT',
        '"@target-uri": https://a.example/a%2F?b',
        '"x": 1',
    ]


@given(st.text(st.characters(max_codepoint=0x1FF), max_size=20), st.binary(max_size=20))
def test_no_value_adds_a_line_or_anything_but_ascii(target: str, value: bytes) -> None:
    said = Message(((b"x", value),), "POST", "/" + target, "https", "a.example")
    for identifiers in (('"@path"', '"@query"'), ('"x"',), ('"x";bs',), ('"@target-uri"',)):
        try:
            found = lines(said, *identifiers)
        except SignatureFailure:
            continue
        assert len(found) == len(identifiers)
        assert all(line.isascii() for line in found)
