"""The cells of many rows at once, in one flat list, so that a column is a slice of it.

    a,b CR LF c,d LF   ->   a  b  CRLF  c  d  LF        stride 3: two cells, and the end of the row

Rows are split by one call, with what stands in quotes taken out before and put back after. Where a
quote is doubled or stands where none may, and where rows end in two ways, each cell is matched. A
row that has not exactly the cells it must have refuses, and so does an octet that is of no cell.
"""

from itertools import chain
from typing import NoReturn

from proxy.content.dialect import Dialect
from proxy.errors import Refusal

_ROW: bytes = b"\n"
"""What stands for the end of a row while all rows end alike."""


class Grid:
    """Whole rows of one table. `first` is the number of the first of them, 0 for a header."""

    def __init__(self, block: bytes, dialect: Dialect, width: int, first: int) -> None:
        """Raises Refusal("unparseable") that names the row."""
        self._dialect = dialect
        self._first = first
        self.width = width
        bare, quoted = _emptied(block, dialect)
        self._end = _end(bare, dialect) if bare else b""
        self._flat = self._split(bare, self._end) if self._end else self._matched(block)
        self.rows = len(self._flat) // (width + 1)
        self._plain = bool(self._end) and block.count(_ROW) == bare.count(_ROW)
        """No cell holds a line end, and all rows end alike."""
        if self._end and quoted:
            quote, empty, held = dialect.quote, dialect.quote * 2, iter(quoted)
            self._flat = [quote + next(held) + quote if c == empty else c for c in self._flat]

    def fill(self, index: int, cells: list[bytes]) -> None:
        """Put other raw cells in a column."""
        self._flat[index :: self.width + 1] = cells
        self._plain = self._plain and not any(_ROW in cell for cell in cells)

    def drop(self, index: int) -> None:
        del self._flat[index :: self.width + 1]
        self.width -= 1

    def row(self, number: int) -> list[bytes]:
        """The raw cells of a row, the first of which is 0."""
        start = number * (self.width + 1)
        return self._flat[start : start + self.width]

    def column(self, index: int) -> list[bytes]:
        """The raw cells of a column."""
        return self._flat[index :: self.width + 1]

    def put(self, number: int, index: int, cell: bytes) -> None:
        """Replace one raw cell."""
        self._flat[number * (self.width + 1) + index] = cell
        self._plain = self._plain and _ROW not in cell

    def longest(self) -> int:
        """Octets of the longest row, without its end."""
        width = self.width
        starts = range(0, len(self._flat), width + 1)
        return max(sum(map(len, self._flat[n : n + width])) for n in starts) + width - 1

    def octets(self) -> bytes:
        """All rows as they are written now."""
        delimiter, width = self._dialect.delimiter, self.width
        if self._plain:
            flat = delimiter.join([*self._flat, b""])
            return flat.replace(delimiter + _ROW + delimiter, self._end)
        starts = range(0, len(self._flat), width + 1)
        rows = [delimiter.join(self._flat[start : start + width]) for start in starts]
        ends = [self._end] * self.rows if self._end else self._flat[width :: width + 1]
        return b"".join(chain.from_iterable(zip(rows, ends, strict=True)))

    def _split(self, block: bytes, end: bytes) -> list[bytes]:
        delimiter = self._dialect.delimiter
        flat = block.replace(end, delimiter + _ROW + delimiter).split(delimiter)
        flat.pop()
        rows = block.count(end)
        ends = flat[self.width :: self.width + 1]
        if len(flat) != rows * (self.width + 1) or ends.count(_ROW) != rows:
            self._refuse([row.count(delimiter) + 1 for row in block.split(end)])
        return flat

    def _matched(self, block: bytes) -> list[bytes]:
        pairs = self._dialect.cells.findall(block)
        if sum(map(len, chain.from_iterable(pairs))) != len(block):
            raise Refusal("unparseable", f"{self._malformed(block)} is malformed")
        widths = self._widths([end for _, end in pairs])
        if any(width != self.width for width in widths):
            self._refuse(widths)
        flat: list[bytes] = [b""] * (len(widths) * (self.width + 1))
        for index in range(self.width):
            flat[index :: self.width + 1] = [cell for cell, _ in pairs[index :: self.width]]
        flat[self.width :: self.width + 1] = [end for _, end in pairs[self.width - 1 :: self.width]]
        return flat

    def _widths(self, ends: list[bytes]) -> list[int]:
        """How many cells each row has."""
        places = [n for n, end in enumerate(ends, 1) if end != self._dialect.delimiter]
        return [place - before for before, place in zip([0, *places], places, strict=False)]

    def _malformed(self, block: bytes) -> str:
        """The row that is, in words."""
        position = row = 0
        while match := self._dialect.cells.match(block, position):
            position = match.end()
            row += match[2] != self._dialect.delimiter
        return self._named(row)

    def _refuse(self, widths: list[int]) -> NoReturn:
        number, width = next((n, w) for n, w in enumerate(widths) if w != self.width)
        reason = f"{self._named(number)} has {width} cells instead of {self.width}"
        raise Refusal("unparseable", reason)

    def _named(self, row: int) -> str:
        return f"row {self._first + row}" if self._first + row else "the first row"


def _emptied(block: bytes, dialect: Dialect) -> tuple[bytes, list[bytes]]:
    """The rows with nothing in quotes, and what stood in them; b"" where that is not so simple."""
    quote = dialect.quote
    if not quote or quote not in block:
        return block, []
    parts = block.split(quote)
    outside, inside = parts[::2], parts[1::2]
    if len(parts) % 2 == 0 or b"" in outside[1:]:
        return b"", []  # one is not closed, or doubled
    bare = (quote * 2).join(outside)
    return (b"", []) if dialect.stray.search(bare) else (bare, inside)


def _end(block: bytes, dialect: Dialect) -> bytes:
    """What every row ends with; b"" when they differ."""
    returns, feeds = block.count(b"\r"), block.count(b"\n")
    if dialect.lone_cr:
        return b"" if feeds else b"\r"
    if not returns:
        return b"\n"
    return b"\r\n" if returns == feeds == block.count(b"\r\n") else b""
