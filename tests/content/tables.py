"""Tables for hypothesis and every way to spell one, and rules for them in few words."""

import csv
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from proxy.content.rules import Rules
from proxy.model import Report
from tests.content.policies import compiled, sent


def tables(mask: Any = (), detect: Any = (), *, form: str = "csv", **options: Any) -> Rules:
    """Rules of a route that admits one kind of table. `options` are those of `csv` or `tsv`."""
    only = {key: options.pop(key) for key in ("allow_only",) if key in options}
    limits = {name: options.pop(name) for name in ("record",) if name in options}
    policy = {"content": [form], form: options, **only}
    return compiled(mask, detect, policy=policy, **limits)


def through(data: bytes | str, mask: Any = (), detect: Any = (), **options: Any) -> bytes:
    """One table through one policy, whole."""
    octets = data.encode() if isinstance(data, str) else data
    return sent(tables(mask, detect, **options), options.get("form", "csv"), [octets])[0]


def reported(data: bytes | str, mask: Any = (), detect: Any = (), **options: Any) -> Report:
    octets = data.encode() if isinstance(data, str) else data
    return sent(tables(mask, detect, **options), options.get("form", "csv"), [octets])[1]


def read(data: bytes, delimiter: str = ",") -> list[list[str]]:
    """The rows, by a parser that is not ours."""
    text = io.StringIO(data.decode("utf-8-sig"), newline="")
    return list(csv.reader(text, delimiter=delimiter, strict=True))


letters = st.sampled_from(list("abé1=+@-' \t,;|\"\r\n\U0001f600")) | st.characters(
    exclude_categories=["Cs"], exclude_characters="\0\ufeff"
)
cells = st.text(letters, max_size=6)
names = st.sampled_from(["ssn", "a", "b", " ssn", "SSN", "x y", "", 'q"', "n,\n"])


class Table(NamedTuple):
    """One table: what its cells say, how each is spelt, and what ends each row."""

    rows: list[list[str]]
    raw: list[list[str]]
    ends: list[str]
    delimiter: str

    @property
    def octets(self) -> bytes:
        lines = map(self.delimiter.join, self.raw)
        return "".join(map("".join, zip(lines, self.ends, strict=True))).encode()

    def redacted(self, name: str) -> bytes:
        """The octets with every cell of one column redacted, and no other touched."""
        raw = [
            [
                ('"[REDACTED]"' if cell.startswith('"') else "[REDACTED]") if head == name else cell
                for head, cell in zip(self.rows[0], cells, strict=True)
            ]
            for cells in self.raw[1:]
        ]
        return self._replace(raw=[self.raw[0], *raw]).octets


@st.composite
def written(draw: Any, delimiter: str = ",", *, least: Sequence[str] = ("ssn",)) -> Table:
    """A table with these columns among others, spelt in one of many ways."""
    header = draw(st.permutations([*least, *draw(st.lists(names, min_size=1, max_size=4))]))
    row = st.lists(cells, min_size=len(header), max_size=len(header))
    rows = [list(header), *draw(st.lists(row, max_size=5))]

    def spelt(text: str) -> str:
        special = any(letter in text for letter in (delimiter, '"', "\r", "\n"))
        if special or draw(st.booleans()):
            return '"' + text.replace('"', '""') + '"'
        return text

    raw = [[spelt(cell) for cell in cells] for cells in rows]
    ends = draw(st.lists(st.sampled_from(["\n", "\r\n"]), min_size=len(raw), max_size=len(raw)))
    if draw(st.booleans()):
        ends[-1] = ""
    return Table(rows, raw, ends, delimiter)


def column(rows: Sequence[Sequence[str]], name: str) -> list[str]:
    return [row[n] for row in rows[1:] for n, head in enumerate(rows[0]) if head == name]
