"""docs/masking.md: what its policies make of what is sent is what they make of it."""

import re
from pathlib import Path
from typing import Any

import pytest

from proxy.settings.yaml12 import parse
from tests.content.policies import compiled, sent

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "masking.md").read_text("utf-8")
BLOCKS = re.findall(
    r"^```yaml\n((?:(?!```).*\n)*)```\n\n\| sent \| becomes \|\n\|[-|]+\|\n((?:\|.*\n)+)",
    PAGE,
    re.M,
)
EXAMPLES = [
    (written, *row)
    for written, table in BLOCKS
    for row in re.findall(r"^\| `(.*)` \| `(.*)` \|$", table, re.M)
]


def test_every_example_is_read() -> None:
    assert len(BLOCKS) == PAGE.count("| sent | becomes |")
    assert len(EXAMPLES) == sum(table.count("\n") for _, table in BLOCKS) > 0


@pytest.mark.parametrize(("written", "before", "after"), EXAMPLES)
def test_what_the_manual_says_becomes_of_what_is_sent(
    written: str, before: str, after: str
) -> None:
    policy: Any = parse(written.encode(), "manual").data
    rules = compiled(policy=policy["request"], own=policy.get("detectors"))
    assert sent(rules, "json", [before.encode()])[0].decode() == after
