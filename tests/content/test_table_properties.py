"""Any table, written in any way and split anywhere."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.rules import Rules
from proxy.errors import Refusal
from tests.content.policies import EVERYTHING, HMAC, sent
from tests.content.tables import Table, cells, column, read, tables, written

ACTIONS = {
    "redact": "redact",
    "partial": {"partial": {"keep_first": 1, "keep_last": 1}},
    "hmac": HMAC,
}
ANY: dict[str, Rules] = {
    name: tables({"$.ssn": action}, EVERYTHING) for name, action in ACTIONS.items()
}
DROPPED = tables({"$.ssn": "drop"}, EVERYTHING)
DELIMITERS = st.sampled_from([",", ";", "\t", "|"])


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted(cut % (len(data) + 1) for cut in cuts)
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@pytest.mark.parametrize("action", ACTIONS)
@given(written(), st.lists(st.integers(0, 2**16), max_size=5))
def test_any_split_gives_the_same(action: str, table: Table, cuts: list[int]) -> None:
    data = table.octets
    whole = sent(ANY[action], "csv", [data])
    assert sent(ANY[action], "csv", pieces(data, cuts)) == whole


@pytest.mark.parametrize("action", ACTIONS)
@given(written())
def test_another_parser_reads_the_same_but_for_the_masked(action: str, table: Table) -> None:
    rows, data = table.rows, table.octets
    out = read(sent(ANY[action], "csv", [data])[0])
    assert len(out) == len(rows)
    assert out[0] == rows[0]
    for before, after in zip(rows[1:], out[1:], strict=True):
        for name, old, new in zip(rows[0], before, after, strict=True):
            if name != "ssn":
                assert new == old
            elif action == "redact":
                assert new == "[REDACTED]"
            elif action == "hmac":
                assert new.startswith("tok:k2:")


@given(written(), st.lists(st.integers(0, 2**16), max_size=5))
def test_a_dropped_column_is_gone_and_the_others_stay(table: Table, cuts: list[int]) -> None:
    rows, data = table.rows, table.octets
    keep = [n for n, name in enumerate(rows[0]) if name != "ssn"]
    if not keep:
        with pytest.raises(Refusal):
            sent(DROPPED, "csv", [data])
        return
    whole = sent(DROPPED, "csv", [data])
    assert sent(DROPPED, "csv", pieces(data, cuts)) == whole
    out = read(whole[0])
    if len(keep) == 1:  # a blank line is read as a row without cells
        out = [row or [""] for row in out]
    assert out == [[row[n] for n in keep] for row in rows]


@given(written(least=["ssn", "ssn"]), st.text("0123456789\"',;é", min_size=6, max_size=12))
def test_a_masked_value_is_nowhere_in_what_comes_out(table: Table, digits: str) -> None:
    secret = f"§{digits}"
    rows = [[cell.replace("§", "") for cell in row] for row in table.rows]
    for row in rows[1:]:
        for n, name in enumerate(rows[0]):
            row[n] = f"{row[n]}{secret}" if name == "ssn" else row[n]
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    for name, rules in ANY.items():
        out = sent(rules, "csv", [text.getvalue().encode()])[0].decode()
        assert not any(digits in cell for cell in column(read(out.encode()), "ssn"))
        for hidden in (secret, secret.replace('"', '""')):
            assert hidden not in out, name


@given(written())
def test_every_octet_outside_masked_cells_stays(table: Table) -> None:
    assert sent(tables(), "csv", [table.octets])[0] == table.octets
    assert sent(tables({"$.ssn": "redact"}), "csv", [table.octets])[0] == table.redacted("ssn")


@pytest.mark.parametrize("action", ACTIONS)
@given(written())
def test_masking_twice_equals_masking_once(action: str, table: Table) -> None:
    once, _ = sent(ANY[action], "csv", [table.octets])
    twice, report = sent(ANY[action], "csv", [once])
    assert twice == once
    assert not report.changed


@given(DELIMITERS, st.data())
def test_an_inspected_delimiter_is_the_right_one_or_refused(
    delimiter: str, data: st.DataObject
) -> None:
    octets = data.draw(written(delimiter)).octets
    told = sent(tables({"$.ssn": "redact"}, delimiter=delimiter), "csv", [octets])[0]
    try:
        inspected = sent(tables({"$.ssn": "redact"}, delimiter="inspect"), "csv", [octets])[0]
    except Refusal:
        return
    assert inspected == told


@given(st.binary(max_size=60) | st.text('ssn,;|\t"\r\nab\0é', max_size=60).map(str.encode))
def test_any_octets_are_a_table_or_refused_whole_or_split(data: bytes) -> None:
    rules = tables({"$.*": "redact"}, EVERYTHING, delimiter="inspect")
    for given_pieces in ([data], [data[n : n + 1] for n in range(len(data))]):
        try:
            out, _ = sent(rules, "csv", given_pieces)
        except Refusal as refusal:
            assert refusal.code == "unparseable"  # noqa: PT017
            continue
        for row in read(out.lstrip(b"\xef\xbb\xbf").replace(b"\r\r", b"\r"))[1:]:
            assert set(row) <= {"[REDACTED]"}


@given(st.lists(cells, min_size=1, max_size=4))
def test_a_table_without_a_header_is_its_rows(row: list[str]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([row, row])
    out = sent(tables({"$[0]": "redact"}, header=False), "csv", [text.getvalue().encode()])[0]
    assert read(out) == [["[REDACTED]", *row[1:]]] * 2


CELL = r'(?:"(?:[^"]|"")*"|[^",\r\n]*)'
ROW = re.compile(rf"{CELL}(?:,{CELL})*")
TABLE = re.compile(rf"(?:{ROW.pattern}\r?\n)*{ROW.pattern}(?:\r?\n)?")


@given(st.text('a",\n', max_size=12) | st.text('a"",\r\n', max_size=12))
def test_exactly_what_the_grammar_admits_is_a_table(text: str) -> None:
    """RFC 4180, section 2, with LF beside CRLF, and as many cells in every row."""
    text = f"x,y\n{text}"
    rows = list(csv.reader(io.StringIO(text, newline="")))
    admitted = TABLE.fullmatch(text) is not None and all(len(row) == 2 for row in rows)
    try:
        out = sent(tables(), "csv", [text.encode()])[0].decode()
    except Refusal:
        assert not admitted
        return
    assert admitted
    assert out == text
