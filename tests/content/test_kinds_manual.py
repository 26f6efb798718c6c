"""docs/detection.md lists what the registry has, and nothing else."""

import re
from collections import Counter

from proxy.content.kinds import Kind
from proxy.content.registry import KINDS
from proxy.settings.schema import DETECTED_TYPES
from tests.project.tree import read

ROWS = [kind for rows in KINDS.values() for kind in rows]


def cells(section: str) -> list[list[str]]:
    """The rows of the tables of one section, head and rule left out."""
    _, _, rest = read("docs/detection.md").partition(f"\n## {section}\n")
    lines = re.findall(r"^\| `.*\|$", rest.partition("\n## ")[0], re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def told(kind: Kind) -> tuple[str, str, str]:
    alone, vouched = (
        each.name.lower().replace("_", " ") for each in (kind.alone, kind.with_context)
    )
    mark = " ●" if kind.default else ""
    return f"`{kind.name}`{mark}", alone, vouched if kind.context else "–"


def test_configurations_may_name_what_there_is() -> None:
    assert set(DETECTED_TYPES) == set(KINDS)


def test_the_manual_lists_every_row_with_its_likelihoods() -> None:
    rows = cells("Types")
    assert Counter((row[0], row[2], row[3]) for row in rows) == Counter(map(told, ROWS))
    assert all(len(row) == 4 and len(row[1]) > 15 for row in rows)


def test_the_manual_lists_every_type_under_its_group() -> None:
    page = read("docs/detection.md")
    listed: dict[str, str] = {}
    for part in page.split("\n### ")[1:]:
        group = re.match(r".*: `(\w+)`", part)
        assert group
        table = part.partition("\n## ")[0]
        listed |= dict.fromkeys(re.findall(r"^\| `(\w+)`", table, re.MULTILINE), group[1])
    assert listed == {name: rows[0].group for name, rows in KINDS.items()}


def test_the_manual_lists_the_context_words_of_every_type() -> None:
    listed = {row[0].strip("`"): row[1].split(", ") for row in cells("Context words")}
    words = {name: sorted(set().union(*(kind.context for kind in KINDS[name]))) for name in KINDS}
    assert listed == {name: said for name, said in words.items() if said}


def test_the_figures_of_the_manual_are_those_of_a_bench() -> None:
    figures = read("docs/detection.md").partition("<!-- figures -->")[2].partition("<!-- end")[0]
    assert "base64 blobs: none." in figures
    assert len(re.findall(r"^\| `\w+` \| [A-Z_]+ \| \d+ \| .*% \|$", figures, re.MULTILINE)) >= 7
