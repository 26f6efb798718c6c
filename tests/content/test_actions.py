"""What each action makes of a value, whatever the format: examples, and laws over every scalar."""

import csv
import io
import json
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, cast
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from proxy.content.actions import compile_action
from proxy.content.rules import compile_rules
from proxy.content.values import MARK, Masked, Replace, Scalar
from proxy.settings.actions import WrittenAction
from proxy.settings.schema import ContentPolicy, Limits
from tests.content.deeds import ACTIONS, ENCRYPT, PERSONAL
from tests.content.policies import HMAC, SCALE, masked, sent


def replace(action: Any, place: str = "$['a']") -> Replace:
    made = compile_action(TypeAdapter(WrittenAction).validate_python(action), PERSONAL, place)
    assert made is not None
    return made


def of(kind: str, text: str) -> Scalar:
    return Scalar(cast("Literal['string', 'number', 'other']", kind), text.encode())


def becomes(action: Any, kind: str, text: str) -> tuple[str, str]:
    """Kind and text after masking; those of before, where the value stays."""
    made = replace(action)(of(kind, text))
    return (kind, text) if made is None else (made.kind, made.text.decode())


# --- examples ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "kind", "text", "after"),
    [
        ({}, "string", "secret", ("string", "[REDACTED]")),
        ({"with": "***"}, "string", "secret", ("string", "***")),
        ({"with": "***"}, "number", "12", ("string", "***")),
        ({"with": ""}, "string", "secret", ("string", "")),
        ({"with": -1}, "string", "secret", ("number", "-1")),
        ({"with": 0.5}, "number", "12", ("number", "0.5")),
        ({"as": "number"}, "number", "12.50", ("number", "0")),
        ({"as": "number"}, "other", "", ("number", "0")),
        ({"as": "null"}, "string", "secret", ("null", "")),
        ({"as": "kind"}, "string", "secret", ("string", "[REDACTED]")),
        ({"as": "kind"}, "number", "-1e9", ("number", "0")),
        ({"as": "kind"}, "other", "", ("null", "")),
    ],
)
def test_redact_puts_a_constant_of_the_kind_that_is_asked_for(
    options: Any, kind: str, text: str, after: tuple[str, str]
) -> None:
    assert becomes({"redact": options}, kind, text) == after


def test_redact_by_kind_leaves_json_that_parses_as_the_same_types() -> None:
    document = '{"a":"x","b":-1.50,"c":null,"d":true,"e":[1,{}]}'
    assert json.loads(masked(document, {"$.*": {"redact": {"as": "kind"}}})) == {
        "a": "[REDACTED]", "b": 0, "c": None, "d": None, "e": None,
    }  # fmt: skip
    assert masked(document, {"$.*": {"redact": {"with": 'a"b'}}}).count(b'"a\\"b"') == 5


@pytest.mark.parametrize(
    ("kind", "text", "after"),
    [
        ("string", "4111-1111-1111-1234", ("string", "9999-9999-9999-1234")),
        ("string", "Ada Lovelace-King", ("string", "Xxx Xxxxxxxx-King")),
        ("string", "Ж5é日½\u0301\tß!", ("string", "X9xx9\u0301\tß!")),
        ("string", "abc", ("string", "xxx")),
        ("number", "123456", ("number", "993456")),
        ("number", "-10.2500", ("number", "-99.2500")),
        ("number", "12", ("number", "99")),
        ("number", "1.5E+300", ("number", "9.9E+300")),
        ("number", "1.25e-30000", ("number", "9.99e-00000")),
        ("other", "", ("string", "[REDACTED]")),
    ],
)
def test_partial_that_preserves_classes_hides_digits_and_letters_by_their_like(
    kind: str, text: str, after: tuple[str, str]
) -> None:
    action = {"partial": {"keep_last": 4, "preserve_class": True}}
    assert becomes(action, kind, text) == after
    if kind == "number":
        json.loads(after[1])


def test_what_is_neither_letter_digit_nor_ascii_punctuation_is_hidden_as_a_letter() -> None:
    action = {"partial": {"preserve_class": True}}
    assert becomes(action, "string", "e\u0301\t\u20ac\U0001f600") == ("string", "xxxxx")


@pytest.mark.parametrize(
    ("to", "text", "after"),
    [
        ("month", "2024-02-29", "2024-02"),
        ("year", "2024-02-29", "2024"),
        ("month", "2024-02-29T23:59:60.123Z", "2024-02"),
        ("month", "2024-12-31T23:59+01:00", "2024-12"),
        ("year", "2024-12-31 23:59:59,5-0130", "2024"),
        ("month", "2024-02", "2024-02"),
        ("month", "2024", "2024"),
        ("year", "2024-02", "2024"),
        *(
            ("month", text, "[REDACTED]")
            for text in (
                "2023-02-29", "2024-13-01", "2024-00-01", "0000-01-01", "24-01-01", "20240101",
                "2024-1-1", "01.02.2024", " 2024-01-01", "2024-01-01\n", "2024-01-01T24:00",
                "2024-01-01T1:00", "2024-W01-1", "2024-001", "２０２４-01-01", "", "yesterday",
                "2024-01-01T00:00Z and more", "-2024-01-01",
            )
        ),
    ],
)  # fmt: skip
def test_a_date_becomes_its_month_or_year_and_what_is_none_is_redacted(
    to: str, text: str, after: str
) -> None:
    assert becomes({"generalize": {"date": to}}, "string", text) == ("string", after)
    assert becomes({"generalize": {"date": to}}, "number", "2024") == ("string", "[REDACTED]")


@pytest.mark.parametrize(
    ("width", "text", "after"),
    [
        (10, "37", "30"),
        (10, "37.5", "30"),
        (10, "30", "30"),
        (10, "-7", "-10"),
        (10, "-10", "-10"),
        (10, "-0", "0"),
        (10, "9", "0"),
        (10, "1e3", "1000"),
        (10, "18446744073709551619", "18446744073709551610"),
        (0.1, "0.3", "0.3"),
        (0.1, "0.30", "0.3"),
        (0.1, "-0.25", "-0.3"),
        (0.25, "1", "1.00"),
        (2.5, "7.4999999999999999999", "5.0"),
        (10, "12345678901234567890123456789012345678901234567890.5",
         "12345678901234567890123456789012345678901234567890"),
    ],
)  # fmt: skip
def test_a_number_becomes_the_lower_end_of_its_bucket_exactly(
    width: float, text: str, after: str
) -> None:
    for kind in ("number", "string"):
        assert becomes({"generalize": {"bucket": width}}, kind, text) == (kind, after)


@pytest.mark.parametrize(
    "text", ["1e400", "1e90", "9" * 65, "0x10", "+1", "01", "1,000", "NaN", ""]
)
def test_what_is_no_number_of_reasonable_length_has_no_bucket(text: str) -> None:
    assert becomes({"generalize": {"bucket": 10}}, "string", text) == ("string", "[REDACTED]")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("192.0.2.77/32", "192.0.2.0/24"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("2001:db8:1:2::77", "2001:db8:1::/48"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::ffff:192.0.2.77", "::/48"),
        *(
            (text, "[REDACTED]")
            for text in ("192.0.2.256", "192.0.2", "192.000.2.1", "fe80::1%eth0", "192.0.2.1/33",
                         "192.0.2.1/255.255.255.0", "3221225985", "192.0.2.1:80", "localhost", "")
        ),
    ],
)  # fmt: skip
def test_an_address_becomes_its_network(text: str, after: str) -> None:
    assert becomes({"generalize": {"ip": "24/48"}}, "string", text) == ("string", after)


@pytest.mark.parametrize(
    ("kind", "text", "after"),
    [
        ("string", "SW1A 1AA", "SW1"),
        ("string", "94110-1234", "941"),
        ("number", "94110", "941"),
        ("string", "k1a-0b1", "k1a"),
        ("string", "M1-1AE", "M11"),
        ("string", "123", "123"),
        *(
            ("string", text, "[REDACTED]")
            for text in ("12", "1-2", "1 Main Street", "Ada Lovelace King", "123  45", "", "ÅÄÖ12")
        ),
        ("number", "-94110", "[REDACTED]"),
        ("number", "94110.5", "[REDACTED]"),
    ],
)
def test_a_postcode_becomes_its_first_letters_and_digits(kind: str, text: str, after: str) -> None:
    assert becomes({"generalize": {"prefix": 3}}, kind, text) == ("string", after)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        *((word, "a hash without a key hides nothing") for word in
          ("hash", "sha256", "SHA-512", "sha3_256", "md5", "blake2b", "unkeyed_hash", "digest")),
        ({"hash": {"algorithm": "sha256"}}, "can be hashed and compared"),
        ("hmac", "hmac: {key: NAME}"),
        ("encrypt", "encrypt: {key: NAME}"),
        ({"redact": {"with": "x", "as": "null"}}, "not both"),
        ({"redact": {"with": True}}, "text, or a number"),
        ({"redact": {"with": float("nan")}}, "text, or a number"),
        ({"redact": {"with": float("inf")}}, "text, or a number"),
        ({"generalize": {}}, "exactly one"),
        ({"generalize": {"date": "month", "bucket": 10}}, "exactly one"),
        ({"generalize": {"bucket": 0}}, "width of a bucket"),
        ({"generalize": {"bucket": True}}, "width of a bucket"),
        ({"generalize": {"ip": "33/48"}}, "24/48"),
        ({"generalize": {"ip": 24}}, "24/48"),
        ({"generalize": {"prefix": 0}}, "greater than or equal to 1"),
    ],
)  # fmt: skip
def test_actions_that_cannot_be_meant_are_refused_with_the_reason(action: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TypeAdapter(WrittenAction).validate_python(action)


# --- laws ----------------------------------------------------------------------------------------

numbers = st.one_of(
    st.integers(-(10**30), 10**30).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
).filter(lambda text: "E" not in text or text.isascii())
strings = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    numbers,
    st.datetimes().map(str),
    st.dates().map(str),
    st.ip_addresses().map(str),
    st.from_regex(r"[0-9A-Za-z]{1,6}([ -][0-9A-Za-z]{1,5})?", fullmatch=True),
    st.sampled_from(["[REDACTED]", "tok:k2:x", "enc:v2:AAAA", "2001:db8::/32", "10.0.0.0/8"]),
)
scalars = st.one_of(
    strings.map(lambda text: Scalar("string", text.encode())),
    numbers.map(lambda text: Scalar("number", text.encode())),
    st.just(Scalar("other", b"")),
)


def again(made: Masked) -> Scalar:
    return Scalar("other", b"") if made.kind == "null" else Scalar(made.kind, made.text)


@given(st.sampled_from(ACTIONS), scalars)
def test_acting_twice_equals_acting_once(action: Any, value: Scalar) -> None:
    act = replace(action)
    once = act(value)
    if once is not None:
        assert act(again(once)) in (None, once)


@pytest.mark.parametrize("action", ACTIONS, ids=str)
def test_what_is_redacted_already_stays_so_or_becomes_the_constant(action: Any) -> None:
    made = replace(action)(Scalar("string", MARK))
    constant = isinstance(action, dict) and "redact" in action
    assert made is None or made.text == MARK or constant


@given(st.sampled_from(ACTIONS), scalars)
def test_what_is_made_is_text_or_a_number_of_json(action: Any, value: Scalar) -> None:
    made = replace(action)(value)
    if made is None:
        return
    made.text.decode("utf-8")
    if made.kind == "number":
        assert json.loads(b"[%b]" % made.text, parse_float=Decimal)
        assert made.text.strip() == made.text
    if made.kind == "null":
        assert made.text == b""


@given(st.sampled_from(ACTIONS), scalars)
def test_the_same_value_becomes_the_same_every_time(action: Any, value: Scalar) -> None:
    assert replace(action)(value) == replace(action)(value)


@given(st.sampled_from([a for a in ACTIONS if a != ENCRYPT and "redact" not in a]), strings)
def test_a_number_in_quotes_and_the_same_without_are_masked_alike(action: Any, text: str) -> None:
    """But for what stays a number because it was one, which the format shows."""
    try:
        json.loads(text, parse_float=Decimal, parse_constant=lambda _: "")
    except ValueError:
        return
    number, string = (replace(action)(Scalar(kind, text.encode())) for kind in ("number", "string"))
    dated = "date" in action.get("generalize", {})
    if number is not None and string is not None and number.kind == "string" and not dated:
        assert number == string


@given(st.sampled_from(["redact", HMAC, ENCRYPT, {"partial": {}}]), st.uuids())
def test_nothing_of_the_value_is_left(action: Any, secret: Any) -> None:
    made = replace(action)(Scalar("string", str(secret).encode()))
    assert made is not None
    assert not any(part.encode() in made.text for part in str(secret).split("-"))


@given(numbers, st.sampled_from([10, 0.25, 7, 1e-3]))
def test_a_bucket_holds_its_number(text: str, width: float) -> None:
    made = replace({"generalize": {"bucket": width}})(Scalar("number", text.encode()))
    if made is not None and made.text != MARK:
        assert 0 <= Fraction(text) - Fraction(made.text.decode()) < Fraction(repr(width))


# --- the same in every format --------------------------------------------------------------------


def through(form: str, action: Any, text: str, **more: Any) -> str:
    """The string that a value becomes in this format."""
    spelt = {
        "json": json.dumps({"v": text}),
        "ndjson": json.dumps({"v": text}) + "\n",
        "csv": 'v\n"{}"\n'.format(text.replace('"', '""')),
        "tsv": 'v\tw\n"{}"\t1\n'.format(text.replace('"', '""')),
        "form": "v=" + quote(text, safe=""),
    }[form]
    policy = {"content": [form], "mask": [{"path": "$.v", "action": action}], **more}
    rules = compile_rules(
        ContentPolicy.model_validate(policy), Limits(), PERSONAL, "restricted", SCALE
    )
    out = sent(rules, form, [spelt.encode()])[0].decode()
    if form in ("json", "ndjson"):
        return str(json.loads(out)["v"])
    if form == "form":
        return parse_qsl(out, keep_blank_values=True)[0][1]
    rows = list(csv.reader(io.StringIO(out, newline=""), delimiter="," if form == "csv" else "\t"))
    return rows[1][0]


@pytest.mark.parametrize("action", [a for a in ACTIONS if a != {"redact": {"as": "null"}}], ids=str)
@pytest.mark.parametrize("text", ["078-05-1120", 'é, "\U0001f600" \\ a\tb', "2024-02-29", "12.50"])
def test_a_string_becomes_the_same_in_every_format(action: Any, text: str) -> None:
    results = {
        form: through(form, action, text) for form in ("json", "ndjson", "csv", "tsv", "form")
    }
    assert len(set(results.values())) == 1, results


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "tsv", "form"])
def test_what_masking_puts_in_place_is_not_searched_in_any_format(form: str) -> None:
    policy = {"detect": [{"type": "ip_address", "action": "redact"}], "likelihood": "possible"}
    coarser = {"generalize": {"ip": "24/48"}}
    assert through(form, coarser, "192.0.2.77", **policy) == "192.0.2.0/24"
    assert through(form, coarser, "192.0.2.0", mask=[], **policy) == "[REDACTED:ip_address]"
