"""CSV and TSV: what is a table, what becomes of its columns, and that nothing else changes."""

from typing import Any

import pytest

from proxy.content.dialect import SAMPLE
from proxy.errors import Refusal
from tests.content.policies import EVERYTHING, HMAC, compiled, sent
from tests.content.tables import read, reported, tables, through

REDACT = {"$.ssn": "redact"}


def refused(data: bytes | str, mask: Any = REDACT, **options: Any) -> str:
    with pytest.raises(Refusal) as caught:
        through(data, mask, **options)
    assert caught.value.code == "unparseable"
    return caught.value.reason


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_masked_column_is_masked_in_every_row_and_all_else_stays(end: str) -> None:
    lines = ['id,ssn,"a ""note"""', '1,078-05-1120," x "', '"2","A","=1+1"', "3,,", '4,"",""']
    expected = [
        'id,ssn,"a ""note"""',
        '1,[REDACTED]," x "',
        '"2","[REDACTED]","=1+1"',
        "3,[REDACTED],",
        '4,"[REDACTED]",""',
    ]
    for last in ("", end):
        assert through(end.join(lines) + last, REDACT) == (end.join(expected) + last).encode()
    plain = [line.replace('"', "") for line in lines]
    out = through(end.join(plain), REDACT).decode().split(end)
    assert out == [line.replace('"', "") for line in expected]


def test_rows_are_counted_without_the_header_and_fields_by_rule() -> None:
    report = reported("ssn,b,ssn\n1,2,3\n4,5,6\n", {"$.ssn": HMAC, "$.b": "drop"})
    assert report.format == "csv"
    assert report.records == 2
    assert report.masked == {"$.ssn": 4, "$.b": 2}
    assert report.changed
    assert not reported("a,b\n1,2\n").changed


def test_columns_of_the_same_name_are_all_masked() -> None:
    assert through("ssn,a,ssn\nA,x,B\n", REDACT) == b"ssn,a,ssn\n[REDACTED],x,[REDACTED]\n"


@pytest.mark.parametrize(
    "header",
    [
        "id,note",
        "id,SSN",
        "id, ssn",
        "id,ssn ",
        'id," ssn"',
        "id,s\u017fn",
        "id,\ufeffssn",
        "",
    ],
)
def test_a_masked_column_that_is_not_there_refuses(header: str) -> None:
    assert "no column for $.ssn" in refused(f"{header}\n1,2\n")
    assert "no column for $..ssn" in refused(f"{header}\n1,2\n", {"$..ssn": "redact"})
    assert "no column for" in refused(f"ssn,{header}\n", {"$['ssn','email']": "redact"})


def test_names_are_compared_exactly_and_wherever_they_stand() -> None:
    for header in ("ssn,id", "id,ssn"):
        assert b"x" not in through(f"{header}\nx,x\n", {"$.ssn": "redact", "$.id": "redact"})
    for path in ("$['a column']", "$[' x']", "$['q\"']", "$['']"):
        out = read(through('a column, x,"q""",\nA,A,A,A\n', {path: "redact"}))
        assert out[0] == ["a column", " x", 'q"', ""]
        assert out[1].count("[REDACTED]") == 1
        assert out[1][out[0].index(path[3:-2])] == "[REDACTED]"


def test_a_byte_order_mark_stays_and_is_no_part_of_the_first_name() -> None:
    for name in ("ssn", '"ssn"'):
        for rest in (b"\nA\n", b",x\r\nA,B", b""):
            data = b"\xef\xbb\xbf" + name.encode() + rest
            out = through(data, REDACT)
            assert out.startswith(b"\xef\xbb\xbf" + name.encode())
            assert b"A" not in out.replace(b"[REDACTED]", b"")
    assert through(b"\xef\xbb\xbfA,B\n", {"$[0]": "drop"}, header=False) == b"\xef\xbb\xbfB\n"
    assert "no column" in refused(b"\xef\xbb\xbf\xef\xbb\xbfssn\n")


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        ("$.*", "ab"),
        ("$..*", "ab"),
        ("$", "ab"),
        ("$[*]", "ab"),
        ("$..b", "b"),
        ("$['a','b']", "ab"),
        ("$['b', 0]", "b"),
    ],
)
def test_paths_select_columns(path: str, masked: str) -> None:
    rows = read(through("a,b\nA,B\n", {path: "redact"}))
    assert [name for name, cell in zip(*rows, strict=True) if cell == "[REDACTED]"] == list(masked)


def test_the_first_rule_that_matches_decides() -> None:
    mask = [("$.b", {"partial": {"keep_last": 1}}), ("$.*", "redact")]
    assert through("a,b\nxyz,xyz\n", mask) == b"a,b\n[REDACTED],**z\n"


def test_without_a_header_columns_are_counted() -> None:
    assert through("A,B,C\nD,E,F", {"$[1]": "redact"}, header=False) == (
        b"A,[REDACTED],C\nD,[REDACTED],F"
    )
    assert through("A,B,C\n", {"$[-1]": "drop", "$[0]": "redact"}, header=False) == (
        b"[REDACTED],B\n"
    )
    assert reported("A\nB", {"$[0]": "redact"}, header=False).records == 2
    assert "no column for $[3]" in refused("A,B,C\n", {"$[3]": "redact"}, header=False)


@pytest.mark.parametrize(
    ("path", "header"), [("$.a.b", True), ("$[0]", True), ("$.a", False), ("$..a[*]", True)]
)
def test_a_path_that_could_never_match_a_column_is_refused_at_load(path: str, header: bool) -> None:
    with pytest.raises(ValueError, match="could never match"):
        tables({path: "redact"}, header=header)


def test_beside_json_such_a_path_is_of_a_column_that_is_missing() -> None:
    both = {"content": ["json", "csv"]}
    rules = compiled({"$.customer.ssn": "redact", "$..email": "redact"}, policy=both)
    for header in (b"email,customer", b"email,customer.ssn", b"email,ssn"):
        with pytest.raises(Refusal, match=r"no column for \$\.customer\.ssn"):
            sent(rules, "csv", [header + b"\n1,2\n"])
    assert b"1" not in sent(rules, "json", [b'{"customer":{"ssn":1}}'])[0]


@pytest.mark.parametrize(
    "data",
    [
        "ssn,b\n1\n",
        "ssn,b\n1,2,3\n",
        "ssn,b\n1,2\n\n",
        "ssn,b\n\n1,2\n",
        'ssn,b\n"1,2\n',
        'ssn,b\n1,2"\n',
        'ssn,b\n1,5" pipe\n',
        'ssn,b\n"1"x,2\n',
        'ssn,b\n"1" ,2\n',
        'ssn,b\n1, "2"\n',
        'ssn,b\n"1""",2"\n',
        '"ssn,b\n1,2\n',
        'ss"n,b\n1,2\n',
        "ssn,b\n1,2\r3,4\n",
        "ssn,b\n1,2\r",
        'ssn,b\n"1",2\r',
        "ssn,b\r1,2\n3,4\r",
        "ssn,b\r1,2\r\n",
        "ssn,b\n1,\x002\n",
        "ssn,b\x00\n",
        b"ssn,b\n1,\xff\n",
        b"ssn,\xc0\xaf\n1,2\n",
        b"ssn,b\n1,\xed\xa0\x80\n",
        "ssn\n1\n".encode("utf-16"),
    ],
)
def test_what_is_no_table_is_refused(data: bytes | str) -> None:
    refused(data)
    octets = data.encode() if isinstance(data, str) else data
    with pytest.raises(Refusal):
        sent(tables(REDACT), "csv", [bytes([octet]) for octet in octets])


def test_the_reason_names_the_row_and_nothing_in_it() -> None:
    assert refused("ssn,b\n1,2\n3,4,secret\n") == "row 2 has 3 cells instead of 2"
    assert refused('ssn,b\n"1",2\n"3",4,secret\n') == "row 2 has 3 cells instead of 2"
    assert refused('ssn,b\n"1",2\n3,x"secret"\n') == "row 2 is malformed"
    assert refused('{"ssn":"1"}\n') == "the first row is malformed"


def test_line_ends_may_be_mixed_where_they_mean_the_same() -> None:
    for quoted in ("x", '"x"'):
        before = f"ssn,b\n1,{quoted}\r\n2,{quoted}\n"
        assert through(before, REDACT).decode() == before.replace("1,", "[REDACTED],").replace(
            "2,", "[REDACTED],"
        )


def test_quoted_line_ends_and_delimiters_are_of_the_cell() -> None:
    data = 'ssn,note\r\n"a\r\nb","c\n""d"", e"\r\nf,"\r"\r\n'
    out = through(data, {"$.ssn": {"partial": {"keep_last": 1}}})
    assert read(out) == [["ssn", "note"], ["***b", 'c\n"d", e'], ["*", "\r"]]


def test_a_masked_cell_is_quoted_where_what_stands_in_it_needs_it() -> None:
    keep = {"$.ssn": {"partial": {"keep_first": 2}}}
    out = through('ssn,b\n"a,bcd",x\n', keep)
    assert out == b'ssn,b\n"a,***",x\n'
    assert through('ssn;b\n"x;y";1\n', keep, delimiter=";") == b'ssn;b\n"x;*";1\n'


def test_dropped_columns_go_with_their_names() -> None:
    assert through("a,ssn,b\n1,2,3\n4,5,6\n", {"$.ssn": "drop"}) == b"a,b\n1,3\n4,6\n"
    assert through('ssn,b\r\n"x,\ny",3\r\n', {"$.ssn": "drop"}) == b"b\r\n3\r\n"
    assert through("ssn,b\n1,\n", {"$.ssn": "drop"}) == b'b\n""\n'
    assert "no column that may cross" in refused("ssn\n1\n", {"$.ssn": "drop"})


def test_only_what_is_listed_crosses() -> None:
    only = ["$.id", "$['a b']", "$.items[*].sku"]
    data = "id,ssn,a b,c\n1,2,3,4\n"
    assert through(data, allow_only=only) == b"id,a b\n1,3\n"
    assert through(data, {"$.id": "redact"}, allow_only=only) == b"id,a b\n[REDACTED],3\n"
    assert reported(data, allow_only=only).masked == {"allow_only": 2}
    assert through("A,B,C\n", allow_only=["$[0,2]"], header=False) == b"A,C\n"
    assert through(data, allow_only=["$"]) == data.encode()
    assert "no column that may cross" in refused(data, {}, allow_only=["$.none"])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_of_the_route_or_told_by_the_first_rows(delimiter: str) -> None:
    data = "ssn,note\nA,x\nB,y\n".replace(",", delimiter)
    expected = "ssn,note\n[REDACTED],x\n[REDACTED],y\n".replace(",", delimiter).encode()
    assert through(data, REDACT, delimiter=delimiter) == expected
    assert through(data, REDACT, delimiter="inspect") == expected
    quoted = data.replace("x", '"a,b;c\td|e"')
    assert through(quoted, REDACT, delimiter="inspect").count(b"[REDACTED]") == 2
    if delimiter == "\t":
        assert through(data, REDACT, form="tsv") == expected


@pytest.mark.parametrize(
    "data",
    [
        "ssn,a;b\n1,2;3\n",
        "ssn,a\n1,2,3\n",
        "ssn\ta|b\n1\t2|3\n",
        'ssn,b\n1,2"3\n',
        "ssn\nA,B\n",
    ],
)
def test_a_delimiter_that_could_be_another_is_refused(data: str) -> None:
    reason = refused(data, delimiter="inspect")
    assert "divides the first rows alike" in reason


def test_inspection_keeps_back_no_more_than_its_sample() -> None:
    row = b"A;12345\n"
    data = b"ssn;b\n" + row * (2 * SAMPLE // len(row))
    inspector = tables(REDACT, delimiter="inspect").open("csv")
    assert inspector.feed(data[: SAMPLE - 1]) == b""
    assert inspector.held == SAMPLE - 1
    assert inspector.feed(data[SAMPLE - 1 : SAMPLE]).startswith(b"ssn;b\n[REDACTED];12345\n")
    assert inspector.held < len(row)
    late = data + b"1,2\n"  # one that the sample does not reach
    with pytest.raises(Refusal, match="1 cells instead of 2"):
        through(late, REDACT, delimiter="inspect")
    assert through("ssn\nA\n", REDACT, delimiter="inspect") == b"ssn\n[REDACTED]\n"


def test_without_quotes_every_octet_is_of_its_cell() -> None:
    options: dict[str, Any] = {"form": "tsv", "quote": "none"}
    data = 'ssn\tinches\n"A\t5"\nB"\t"\n'
    assert through(data, REDACT, **options) == b'ssn\tinches\n[REDACTED]\t5"\n[REDACTED]\t"\n'
    assert "cells" in refused('ssn\tb\n"A\tB"\tC\n', **options)


def test_another_quote_can_be_of_the_route() -> None:
    out = through("ssn,b\n'a,''b','x\"'\n", {"$.ssn": {"partial": {"keep_last": 2}}}, quote="'")
    assert out == b"ssn,b\n'**''b','x\"'\n"


@pytest.mark.parametrize("data", ["x" * 30, '"' + "x" * 30, "ssn,b\n" + "x" * 20 + ",y"])
def test_a_row_over_the_limit_is_refused_before_it_is_whole(data: str) -> None:
    inspector = tables({}, record=20).open("csv")
    with pytest.raises(Refusal, match="content-too-large"):
        list(map(inspector.feed, [letter.encode() for letter in data]))


def test_rows_at_the_limit_pass_and_longer_ones_in_a_block_do_not() -> None:
    row = "a" * 9 + "," + "b" * 10
    for text in (row, '"' + "a" * 7 + '",' + "b" * 10):
        assert len(text) == 20
        assert reported(f"x,y\r\n{text}\r\n{text}\r\n{text}", record=20).records == 3
        for longer in (f"x,y\n{text}\n{text}b\n{text}\n", f"x,y\n{text}\n{text}b"):
            with pytest.raises(Refusal, match="content-too-large"):
                through(longer, record=20)


def test_what_came_before_a_bad_row_is_given_and_nothing_after_it() -> None:
    inspector = tables(REDACT).open("csv")
    assert inspector.feed(b"ssn,b\n" + b"A,B\n" * 1000).count(b"REDACTED") == 1000
    with pytest.raises(Refusal, match="row 1002 has 3 cells"):
        inspector.feed(b"A,B\nA,B,C\nA,B\n")
    with pytest.raises(Refusal):
        inspector.feed(b"A,B\n")
    with pytest.raises(Refusal):
        inspector.finish()


def test_findings_in_columns_that_no_rule_masks_are_judged() -> None:
    data = 'id,note\n1,"mail ""jane@example.com"" or 4111 1111 1111 1111"\n2,x\n3,536-90-4399\n'
    rules = tables({"$.id": "redact"}, EVERYTHING)
    out, report = sent(rules, "csv", [data.encode()])
    assert read(out)[1:] == [
        ["[REDACTED]", 'mail "[REDACTED:email]" or [REDACTED:credit_card]'],
        ["[REDACTED]", "x"],
        ["[REDACTED]", "[REDACTED:us_ssn]"],
    ]
    assert report.findings == {"email": 1, "credit_card": 1, "us_ssn": 1}
    masked = {"$.note": {"partial": {"keep_first": 40}}}
    assert sent(tables(masked, EVERYTHING), "csv", [data.encode()])[1].findings == {}


def test_the_name_of_a_column_is_context_in_every_row_of_a_long_table() -> None:
    rules = tables({}, {"us_ssn": "redact"})
    row = b"x,536904399\n"
    inspector = rules.open("csv")
    inspector.feed(b"id,customerSsn\n" + row * 100)
    assert inspector.feed(row) == b"x,[REDACTED:us_ssn]\n"
    assert through("id,lessness\nx,536904399\n", {}, EVERYTHING) == b"id,lessness\nx,536904399\n"


def test_findings_in_the_header_are_judged_too() -> None:
    out = through("jane@example.com,b\nx,y\n", {}, EVERYTHING)
    assert out == b"[REDACTED:email],b\nx,y\n"
    with pytest.raises(Refusal, match="the first row"):
        through("jane@example.com,b\n", {}, {"email": "reject"})


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_what_detection_leaves_starts_no_formula(start: str) -> None:
    out = through('note\n"a1+1"\n', {"$.note": {"partial": {"keep_last": 3}}})
    assert out == b'note\n"*1+1"\n'
    kept = through(f'note\n"{start}1+1"\n', {"$.note": {"partial": {"keep_first": 3}}})
    assert read(kept)[1] == [f"{start}1+*"]


def test_a_masked_cell_starts_no_formula_that_was_not_sent() -> None:
    formula = {"$.a": {"redact": {"with": "=x"}}}
    once = through("a,b\n1,2\n=y,3\n", formula)
    assert once == b"a,b\n'=x,2\n=x,3\n"
    assert through(once, formula) == once
    assert through("a,b\n1,2\n", {"$.a": {"redact": {"with": "-5"}}}) == b"a,b\n-5,2\n"


def test_what_looks_like_the_end_of_a_row_in_quotes_stays() -> None:
    for data in ('a,b\n"x,\n,y",1\n', 'a,b\r\n",\n,",1\r\n'):
        assert through(data) == data.encode()
        assert through(data, {"$.b": "redact"}) == data.replace("1", "[REDACTED]").encode()


def test_an_only_cell_that_becomes_empty_is_no_blank_line() -> None:
    assert through("ssn\n1\n", {"$.ssn": {"redact": {"as": "null"}}}) == b'ssn\n""\n'


@pytest.mark.parametrize("quoted", [False, True])
def test_a_constant_with_delimiters_and_line_ends_stays_one_cell(quoted: bool) -> None:
    constant = {"redact": {"with": "a,\n,b"}}
    cell = '"jane@example.com"' if quoted else "jane@example.com"
    data = f"id,to,n\r\n1,{cell},2\r\n3,{cell},4\r\n"
    mask = [{"type": "email", "action": constant}]
    rules = compiled(policy={"content": ["csv"], "mask": mask})
    for out in (through(data, {"$.to": constant}), sent(rules, "csv", [data.encode()])[0]):
        assert out == b'id,to,n\r\n1,"a,\n,b",2\r\n3,"a,\n,b",4\r\n'


def test_what_has_a_quote_in_it_is_found_where_quotes_are_doubled() -> None:
    own = {"badge": {"pattern": 'id="[0-9]{4}"'}}
    rules = compiled({}, {"badge": "redact"}, policy={"content": ["csv"]}, own=own)
    for name in ("note", '"id=""1234"""'):
        data = f'n,{name}\n1,"by id=""1234"", and"\n'
        out, report = sent(rules, "csv", [data.encode()])
        assert read(out)[1] == ["1", "by [REDACTED:badge], and"]
        assert report.findings == {"badge": 1 + (name != "note")}
