"""The cases that a masking proxy must pass, by their numbers in docs/masking.md."""

import json

import pytest

from proxy.content.formats import require_format
from proxy.errors import Refusal
from proxy.settings.schema import ContentPolicy
from tests.content.policies import EVERYTHING, HMAC, compiled, masked, sent
from tests.content.tables import read, tables, through

pytestmark = pytest.mark.usefixtures("either_engine")

REDACT = {"$..ssn": "redact"}
CARD = "4111 1111 1111 1111"


def refused(document: bytes, mask: object = REDACT, form: str = "json", **limits: int) -> str:
    inspector = compiled(mask, **limits).open(form)  # type: ignore[arg-type]
    with pytest.raises(Refusal) as caught:
        inspector.feed(document) + inspector.finish()
    return caught.value.code


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_case_1_of_duplicate_keys_neither_survives(form: str) -> None:
    top = masked(b'{"ssn":"A","ssn":"B"}', {"$.ssn": "redact"}, form=form)
    assert top == b'{"ssn":"[REDACTED]","ssn":"[REDACTED]"}'
    nested = masked(b'{"c":{"ssn":"A"},"c":{"ssn":"B","ssn":"C"}}', {"$.c.ssn": "redact"})
    assert nested.count(b"[REDACTED]") == 3
    assert masked(b'{"ssn":{"x":"A"},"ssn":["B"]}', {"$.ssn": "drop"}) == b"{}"


@pytest.mark.parametrize("key", [r"\u0065mail", r"\u0065\u006dail", r"email", r"em\u0061il"])
def test_case_2_escaped_keys_are_compared_decoded_and_stay_as_spelt(key: str) -> None:
    document = f'{{"a":1,"{key}":"x@example.com"}}'
    assert masked(document, {"$.email": "redact"}).decode() == f'{{"a":1,"{key}":"[REDACTED]"}}'
    assert masked(f'{{"\\u0045mail":1,"{key}":2}}', {"$.Email": "drop"}).decode() == (
        f'{{"{key}":2}}'
    )


@pytest.mark.parametrize("octets", [b"\xc0\xaf", b"\xff", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"])
def test_case_4_invalid_utf8_where_nothing_is_masked_is_refused(octets: bytes) -> None:
    assert refused(b'{"ssn":"A","other":{"x":"' + octets + b'"}}') == "unparseable"
    assert refused(b'{"ssn":"A","' + octets + b'":1}\n', form="ndjson") == "unparseable"


def test_case_5_a_byte_order_mark_and_wider_encodings_are_refused() -> None:
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        for form in ("json", "ndjson"):
            assert refused('{"ssn":"A"}'.encode(encoding), form=form) == "unparseable"
    for encoding in ("utf-8-sig", "utf-16"):
        for form in ("json", "ndjson"):
            with pytest.raises(Refusal, match="begins with a byte order mark"):
                masked('{"ssn":"A"}'.encode(encoding), form=form)


def test_case_6_numbers_stay_as_they_are_spelt() -> None:
    numbers = ["18446744073709551616", "1.10", "1e400", "-0", "-0.0e-0", "1E+2", "7" * 5000]
    numbers += ["-1e999999", "0.1e1", "123456789012345678901234567890.5"]
    before = '{"ssn":1,"n":[' + " , ".join(numbers) + '],"s":"1e400"}'
    after = before.replace('"ssn":1,', '"ssn":"[REDACTED]",')
    assert masked(before, REDACT).decode() == after
    assert masked(before + "\n", REDACT, form="ndjson").decode() == after + "\n"
    for wrong in (
        "01e400",
        "1e400e5",
        "1.e400",
        "+1e400",
        "1e400 1",
        "--1e400",
        "1e400x",
        ".1e400",
    ):
        assert refused(f"[{wrong}]".encode()) == "unparseable"


@pytest.mark.parametrize(
    "value", ["12", "-1.5e3", "null", "true", '["A",["B"]]', '{"a":{"b":"A"}}']
)
def test_case_7_whatever_a_masked_field_holds_goes_whole(value: str) -> None:
    for action in ("redact", {"partial": {"keep_last": 1}}, HMAC):
        out = masked(f'{{"x":0,"ssn": {value} ,"y":1}}', {"$.ssn": action})
        ssn = json.loads(out)["ssn"]
        assert isinstance(ssn, str)
        assert ssn != value
        assert out.startswith(b'{"x":0,"ssn": "')
        assert out.endswith(b'" ,"y":1}')
        if value[0] in "ntf[{" or action == "redact":
            assert ssn == "[REDACTED]"


@pytest.mark.parametrize(
    "document",
    [
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b'{"a":1,}',
        b"[1,]",
        b"01",
        b"[-]",
        b"1 2",
        b"{}{}",
        b"{}x",
        b"\x00",
        b"[1]\x00",
        b'["\x00"]',
        b"",
        b" ",
        b"{'a':1}",
        b'"\t"',
        b'["\\x41"]',
    ],
)
def test_case_8_what_is_not_one_json_text_is_refused(document: bytes) -> None:
    assert refused(document) == "unparseable"
    if document.strip():
        assert refused(document + b"\n", form="ndjson") == "unparseable"


@pytest.mark.parametrize("levels", [1025, 100_000])
@pytest.mark.parametrize("mask", [{}, REDACT, {"$..[-1]": "redact"}])
def test_case_9_deep_nesting_is_refused_cleanly(levels: int, mask: dict[str, str]) -> None:
    for document in (b"[" * levels, b'{"a":' * levels, b"[" * levels + b"]" * levels):
        assert refused(document, mask, depth=1024) == "unparseable"
    assert refused(b"[" * 257 + b"]" * 257, mask) == "unparseable"
    assert masked(b"[" * 1023 + b"1" + b"]" * 1023, {}, depth=1023).count(b"[") == 1023
    for flat in (b'["[[[[{{{{","\\"[[[["]', b'["[","[",""]', rb'["\\[","\\\"{"]'):
        assert masked(flat, {}, depth=1) == flat


@pytest.mark.parametrize(
    "end", [rb"\ud800", rb"\udc00", rb"\ud800\u0041", rb"\uD83D", rb"\ud800\ud800"]
)
def test_case_10_a_lone_surrogate_is_refused_not_waited_for(end: bytes) -> None:
    inspector = compiled(REDACT).open("ndjson")
    with pytest.raises(Refusal, match="unparseable"):
        inspector.feed(b'{"x":"' + end + b'"}\n')
    assert refused(b'{"x":"' + end + b'"}') == "unparseable"
    assert masked(rb'{"x":"\ud83d\ude00","ssn":1}', REDACT).startswith(rb'{"x":"\ud83d\ude00"')


LINES = (
    b'{"ssn":"078-05-1120","n":1.10,"note":"caf\xc3\xa9 4111 1111 1111 1111"}\r\n\r\n  \n'
    b'{"\\u0073sn":[1,{"a":"\\ud83d\\ude00"}],"mail":"a\\u0040b.example"}\n[]\n"jane@example.com"'
)


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_case_11_split_anywhere_the_output_is_the_same(form: str) -> None:
    data = LINES if form == "ndjson" else b"[" + b",".join(LINES.split()[:1]) + b' "}]'
    data = data if form == "ndjson" else b'{"a": [1, {"ssn" : "A", "x":"jane@example.com"}]} '
    rules = compiled({"$..ssn": HMAC}, EVERYTHING)
    whole, report = sent(rules, form, [data])
    assert report.changed
    assert b"example" not in whole.replace(b"b.example", b"")
    for offset in range(len(data) + 1):
        assert sent(rules, form, [data[:offset], data[offset:]]) == (whole, report)
    assert sent(rules, form, [bytes([octet]) for octet in data]) == (whole, report)
    assert sent(rules, form, [b"", data, b""]) == (whole, report)


def test_case_12_a_secret_across_feeds_and_at_the_very_end_is_found() -> None:
    line = json.dumps({"note": f"pay with {CARD}"}).encode()
    rules = compiled({}, EVERYTHING)
    for form, data in (("json", line), ("ndjson", b"{}\n" + line)):
        for offset in range(len(data)):
            output, report = sent(rules, form, [data[:offset], data[offset:]])
            assert b"1111" not in output
            assert report.findings == {"credit_card": 1}
    bare, _ = sent(rules, "ndjson", [b"[]\n", b"41111111", b"11111111"])
    assert bare == b'[]\n"[REDACTED:credit_card]"'


@pytest.mark.parametrize(
    ("escaped", "kind"),
    [
        (r"123\u002d45-6789", "us_ssn"),
        (r"4111\u00201111\u00201111\u00201111", "credit_card"),
        (r"\u0034111111111111111", "credit_card"),
        (r"jane\u0040example.com", "email"),
        (r"a\/jane@example.com", "email"),
        (r"\n4111111111111111", "credit_card"),
        (r"\"jane@example.com\"", "email"),
        (r"\u0044E89370400440532013000", "iban"),
        (r"\u0041KIAIOSFODNN7EXAMPLE", "aws_key"),
    ],
)
def test_case_13_escapes_hide_nothing(escaped: str, kind: str) -> None:
    for form in ("json", "ndjson"):
        for document in (f'{{"n":"{escaped}"}}', f'["x",{{"{escaped}":1}}]', f'"{escaped}"'):
            output, report = sent(compiled({}, EVERYTHING), form, [document.encode()])
            assert report.findings == {kind: 1}
            assert f"[REDACTED:{kind}]".encode() in output
            json.loads(output)
    keyed = masked(rb'{"\u0073sn":{"x":["\u0031 23456789","\u003123456789"]}}', {}, EVERYTHING)
    assert keyed == rb'{"\u0073sn":{"x":["\u0031 23456789","[REDACTED:us_ssn]"]}}'


def test_case_17_the_route_decides_whatever_content_type_says() -> None:
    policy = ContentPolicy(content=["json", "ndjson"])
    only = ContentPolicy(content=["ndjson"])
    assert require_format((b"application/json; charset=UTF-8",), policy) == "json"
    assert require_format((b"application/problem+json",), policy) == "json"
    assert require_format((b"application/x-ndjson",), policy) == "ndjson"
    assert require_format((), only) == "ndjson"
    bad = [
        (),
        (b"application/json", b"application/json"),
        (b"application/json, application/json",),
        (b"application/json; charset=utf-16",),
        (b"application/json; charset",),
        (b"application/json;charset=utf-8;charset=latin-1",),
        (b"text/json",),
        (b"application/octet-stream",),
        (b"application/json-seq",),
        (b"",),
        (b"json",),
    ]
    for types in bad:
        with pytest.raises(Refusal) as caught:
            require_format(types, policy)
        assert caught.value.code == "content-not-allowed"
    with pytest.raises(Refusal):  # a lie about the type does not make it another one
        sent(compiled(), "json", [b'{"a":1}\n{"a":2}\n'])


TABLE = (
    b'\xef\xbb\xbfid;ssn;"a ""note"""\r\n1;078-05-1120;"x;\ny"\r\n2;"caf\xc3\xa9;""";\n'
    b'"";4;"jane@example.com\r"\r\n4;5;4111 1111 1111 1111'
)


@pytest.mark.parametrize("delimiter", [";", "inspect"])
def test_case_11_a_table_split_anywhere_comes_out_the_same(delimiter: str) -> None:
    rules = tables({"$.ssn": HMAC, "$.id": "drop"}, EVERYTHING, delimiter=delimiter)
    whole, report = sent(rules, "csv", [TABLE])
    assert report.findings == {"email": 1, "credit_card": 1}
    for offset in range(len(TABLE) + 1):
        assert sent(rules, "csv", [TABLE[:offset], TABLE[offset:]]) == (whole, report)
    assert sent(rules, "csv", [bytes([octet]) for octet in TABLE]) == (whole, report)
    assert sent(rules, "csv", [b"", TABLE, b""]) == (whole, report)


def test_case_12_a_secret_in_a_table_across_feeds_and_at_the_very_end_is_found() -> None:
    rules = tables({}, EVERYTHING)
    for cell in (f"pay with {CARD}", f'"pay with\n""{CARD}"""'):
        data = f"id,note\n1,{cell}".encode()
        for offset in range(len(data)):
            output, report = sent(rules, "csv", [data[:offset], data[offset:]])
            assert b"1111" not in output
            assert report.findings == {"credit_card": 1}


def test_case_18_tables() -> None:
    ssn = {"$.ssn": "redact", "$['a b']": "redact"}
    for delimiter in (";", "\t"):
        for header in ("ssn;a b;x", "a b;ssn;x", "ssn;a b;ssn", '"ssn";"a b";x'):
            for mark in ("", "\ufeff"):
                rows = f'{mark}{header}\r\nA;A;A\r\n"A\nA";"A""A";A'.replace(";", delimiter)
                out = read(through(rows, ssn, delimiter=delimiter), delimiter)
                hidden = [n for n, name in enumerate(out[0]) if name in ("ssn", "a b")]
                assert {row[n] for row in out[1:] for n in hidden} == {"[REDACTED]"}
    for wrong in ("ssn;x", "a b", "ssn;ab", "ssn; a b", "ssn;a b ", "ssn;a\u00a0b", "ssn;A B"):
        inspector = tables(ssn, delimiter=";").open("csv")
        with pytest.raises(Refusal, match="no column for"):
            inspector.feed(wrong.encode() + b"\nA;A\n")
    for ragged in ("A", "A;A;A", ""):
        with pytest.raises(Refusal, match="unparseable"):
            through(f"ssn;a b\nA;A\n{ragged}\n", ssn, delimiter=";")


def test_case_19_line_ends_blank_lines_and_a_missing_last_newline_stay() -> None:
    before = b'\r\n{"ssn":"A"}\r\n\n \t\n{"ssn":"B"}\n\r\n{"ssn":"C"}'
    output, report = sent(compiled(REDACT), "ndjson", [before])
    expected = before
    for letter in (b"A", b"B", b"C"):
        expected = expected.replace(b'"%b"' % letter, b'"[REDACTED]"')
    assert output == expected
    assert report.records == 3
    assert sent(compiled(REDACT), "ndjson", []) == (b"", compiled(REDACT).open("ndjson").report())


def test_case_19_an_oversize_line_is_refused_before_it_is_whole() -> None:
    rules = compiled(REDACT, record=20)
    line = b'{"a":"%b"}' % (b"x" * 12)
    assert len(line) == 20
    assert sent(rules, "ndjson", [line + b"\r\n" + line + b"\n" + line])[1].records == 3
    for late in (line.replace(b"x", b"xx", 1) + b"\n", line + b" \r\n", b" " * 22):
        inspector = rules.open("ndjson")
        with pytest.raises(Refusal) as caught:
            inspector.feed(line + b"\n" + late)
        assert caught.value.code == "content-too-large"
    with pytest.raises(Refusal, match="content-too-large"):
        sent(rules, "ndjson", [b"1"] * 22)


def test_case_19_one_bad_line_refuses_and_nothing_follows() -> None:
    inspector = compiled(REDACT).open("ndjson")
    assert inspector.feed(b'{"ssn":"A"}\n' * 1000).count(b"REDACTED") == 1000
    with pytest.raises(Refusal, match="line 1002 is not valid JSON"):
        inspector.feed(b'{"ssn":"B"}\n{"ssn":"C"\n{"ssn":"D"}\n')
    with pytest.raises(Refusal):
        inspector.feed(b"{}\n")
    with pytest.raises(Refusal):
        inspector.finish()


@pytest.mark.parametrize(
    "innocent",
    [
        '{"ts":1700000000000,"until":1893456000123}',
        '{"us":1700000000000000,"ns":1700000000000000000}',
        '{"id":"3f2504e0-4f89-41d3-9a0c-411111111111"}',
        '{"id":"12345678-4111-1111-1111-111111111111"}',
        '{"id":"deadbeef-dead-4111-8111-411111111111"}',
        "[2.3500000000000001E-3, 0.4111111111111111, 4111111111111111.5]",
        "[4111111111111111e1, 41111111111111111e-1, 4111111111111111e-16, 4111e999999999999]",
        '{"ssn":[536904399.5, 5.36904399e9, 536904399e-1, 0e0, 0.0]}',
        '["2.3500000000000001E-3", "v1.4111111111111111"]',
        '["0000000000000000", "0000 0000 0000 0000", 4444444444444444]',
        '["4111 1111 1111 11112", "1.4111111111111111", "411111111111-1", "4222222222222-1"]',
        '["12345-6789", "94103-1234", "555-12-34561"]',
        '["da39a3ee5e6b4b0d3255bfef95601890afd80709", "4111111111111111abcdef0123456789"]',
        '["000-12-3456", "666-12-3456", "912-12-3456", "123-00-4567", "123-45-0000"]',
        '{"classname":123456789,"lessness":"123456789","social":"123456789"}',
        '["user@localhost", "@handle", "a@b", "x @ y.com"]',
        '["GB82 WEST 1234 5698 7654 33", "DE893704004405320130001", "XX82WEST12345698765432"]',
        '["eyJhbGciOiJub25lIn0", "eyJhIjoxfQ.eyJhIjoxfQ.x", "example.com.au"]',
        '["AKIAIOSFODNN7EXAMPL", "AKIAIOSFODNN7EXAMPLES", "xAKIAIOSFODNN7EXAMPLE"]',
        '["-----BEGIN CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----"]',
    ],
)
def test_case_20_what_only_looks_like_a_finding_is_none(innocent: str) -> None:
    output, report = sent(compiled({}, EVERYTHING), "json", [innocent.encode()])
    assert report.findings == {}
    assert output == innocent.encode()
    assert not report.changed
    assert report.label is None


def test_case_20_masking_twice_equals_masking_once() -> None:
    rules = compiled(
        {"$.a": HMAC, "$.b": {"partial": {"keep_last": 4}}, "$..c": "redact", "$.d": "drop"},
        EVERYTHING,
    )
    document = b'{"a":"x","b":"4111111111111111","c":[1],"d":1,"a":2, "e":"jane@example.com"}'
    once, first = sent(rules, "json", [document])
    twice, second = sent(rules, "json", [once])
    assert once == twice
    assert first.changed
    assert not second.changed
