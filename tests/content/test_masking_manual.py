"""docs/masking.md: what its tables say becomes of a value, a field or a query becomes of it."""

import re
from pathlib import Path
from typing import Any

import pytest

from proxy.content.head import HeadMasks, compile_head
from proxy.settings.schema import ContentPolicy
from proxy.settings.yaml12 import parse
from tests.content.policies import masked

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "masking.md").read_text("utf-8")
TABLES = re.findall(r"^\| action \| value \| becomes \|\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.M)
ROW = re.compile(r"^\| `(.*)` \| `(.*)` \| `(.*)` \|$", re.M)
ROWS = [row for table in TABLES for row in ROW.findall(table)]
KEYS = {"pseudonym": [("k1", b"k" * 32)]}
"""Those of the page."""


def test_every_row_of_the_tables_is_read() -> None:
    assert len(ROWS) == sum(table.count("\n") for table in TABLES) > 20


@pytest.mark.parametrize(("action", "before", "after"), ROWS)
def test_what_the_manual_says_becomes_of_a_value(action: str, before: str, after: str) -> None:
    written = parse(b"action: " + action.encode(), "manual").data
    assert isinstance(written, dict)
    out = masked(f'{{"v":{before}}}', {"$.v": written["action"]}, keys=KEYS)
    assert out.decode() == f'{{"v":{after}}}'


# --- header fields and the query -----------------------------------------------------------------

(SECTION,) = re.findall(r"^## Header fields and the query\n(.*?)(?=^## )", PAGE, re.M | re.S)
(POLICY,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.S)
SENT = re.findall(r"^\| `(.*?)` \| (?:`(.*)` )?\|$", SECTION, re.M)


def masks(way: str) -> HeadMasks:
    written: Any = parse(POLICY.encode(), "manual").data
    return compile_head(ContentPolicy.model_validate(written[way]).mask, KEYS)


@pytest.mark.parametrize(("before", "after"), SENT)
def test_what_the_manual_says_becomes_of_a_field_or_query(before: str, after: str) -> None:
    if before.startswith("/"):
        path, _, query = before.partition("?")
        assert f"{path}?{masks('request').masked_query(query, {})}" == after
    else:
        name, value = before.split(": ")
        out = masks("request").header(name.lower().encode(), value.encode(), {})
        assert ("" if out is None else f"{name}: {out.decode()}") == after


def test_the_section_has_rows_and_both_ways() -> None:
    assert len(SENT) == 3
    assert masks("response").header(b"x-owner", b"a", {}) == b"[REDACTED]"
