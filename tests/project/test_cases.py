"""Each of the twenty cases that a masking proxy must pass has tests that bear its number."""

import re

from tests.project.tree import ROOT

CASES = range(1, 21)


def test_every_case_has_a_test_by_its_number() -> None:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    numbers = {
        int(number)
        for source in sources
        for number in re.findall(r"^def test_case_(\d+)_", source, re.M)
    }
    assert numbers == set(CASES)
