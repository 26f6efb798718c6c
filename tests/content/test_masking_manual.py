"""docs/masking.md: what its tables of actions say becomes of a value becomes of it."""

import re
from pathlib import Path

import pytest

from proxy.settings.yaml12 import parse
from tests.content.policies import masked

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "masking.md").read_text("utf-8")
TABLES = re.findall(r"^\| action \| value \| becomes \|\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.M)
ROWS = [
    row
    for table in TABLES
    for row in re.findall(r"^\| `(.*)` \| `(.*)` \| `(.*)` \|$", table, re.M)
]


def test_every_row_of_the_tables_is_read() -> None:
    assert len(ROWS) == sum(table.count("\n") for table in TABLES) > 20


@pytest.mark.parametrize(("action", "before", "after"), ROWS)
def test_what_the_manual_says_becomes_of_a_value(action: str, before: str, after: str) -> None:
    written = parse(b"action: " + action.encode(), "manual").data
    assert isinstance(written, dict)
    assert masked(f'{{"v":{before}}}', {"$.v": written["action"]}).decode() == f'{{"v":{after}}}'
