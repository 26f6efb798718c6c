"""How the rows of a table are written (RFC 4180), and how one cell is read and spelt.

    row   = cell *(delimiter cell) (CRLF | LF), or CR where the first row ends with a lone one
    cell  = *octet                       without delimiter, quote, CR, LF
          | quote *(octet | quote quote) quote

What a sender means by one character can change every column behind it, so nothing is guessed: a
quote inside a cell that does not begin with one, an octet behind a closing quote and a line end of
another kind are refused. Where there is no quote (`quote: none`), every octet but delimiter, CR and
LF is of the cell.

A masked cell keeps the quotes that it had, and gets them where what stands in it needs them. It
starts no formula (`=`, `+`, `-`, `@`, tab, line end) if it did not before: it gets an apostrophe.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from proxy.content.values import MARK
from proxy.errors import Refusal

BOM: Final = b"\xef\xbb\xbf"
DELIMITERS: Final = (b",", b";", b"\t", b"|")
SAMPLE: Final = 2**16
"""Octets that are kept back to tell the delimiter by, where the route has it inspected."""

_FORMULA: Final = b"=+-@\t\r\n"
_NO_FORMULA: Final = re.compile(rb"-|[+-][0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Dialect:
    """A delimiter and a quote of one octet each; no quote: b""."""

    delimiter: bytes
    quote: bytes
    lone_cr: bool = False
    """Rows end with CR alone."""

    @property
    def ends(self) -> tuple[bytes, ...]:
        """What a row can end with; the longer one first."""
        return (b"\r",) if self.lone_cr else (b"\r\n", b"\n")

    @cached_property
    def cells(self) -> re.Pattern[bytes]:
        """One cell, raw, and what ends it."""
        delimiter, quote = re.escape(self.delimiter), re.escape(self.quote)
        cell = rb"[^\r\n%b%b]*+" % (delimiter, quote)
        if quote:
            cell = b"%b[^%b]*+(?:%b%b[^%b]*+)*+%b|%b" % (*[quote] * 6, cell)
        return re.compile(b"(%b)(%b|%b)" % (cell, delimiter, b"|".join(self.ends)))

    @cached_property
    def stray(self) -> re.Pattern[bytes]:
        """Where nothing stands in quotes: a pair of them that is no whole cell."""
        delimiter, empty = re.escape(self.delimiter), re.escape(self.quote) * 2
        before, behind = (b"\r", b"\r") if self.lone_cr else (b"\n", b"\r\n")
        words = (empty, delimiter, before, empty, delimiter, behind)
        return re.compile(b"%b(?:(?<=[^%b%b]%b)|(?=[^%b%b]))" % words)

    @cached_property
    def begun(self) -> re.Pattern[bytes]:
        """A cell that has not ended."""
        delimiter, quote = re.escape(self.delimiter), re.escape(self.quote)
        cell = rb"[^\r\n%b%b]*+" % (delimiter, quote)
        if quote:
            cell = b"%b[^%b]*+(?:%b%b[^%b]*+)*+%b?+|%b" % (*[quote] * 6, cell)
        return re.compile(rb"(?:%b)\r?" % cell)

    @cached_property
    def _special(self) -> re.Pattern[bytes]:
        """What a cell without quotes cannot hold, or might lose."""
        return re.compile(
            rb"[\r\n%b%b]|^[ ]|[ ]$" % (re.escape(self.delimiter), re.escape(self.quote))
        )

    def parted(self, row: bytes) -> tuple[bytes, bytes]:
        """A row, and the line end that it may have."""
        end = next((end for end in self.ends if row.endswith(end)), b"")
        return row.removesuffix(end), end

    def visible(self, raw: bytes) -> bytes:
        """The only cell of a row, so that it is no blank line."""
        return raw or self.quote * 2

    def text(self, raw: bytes) -> bytes:
        """What a cell says."""
        if self.quote and raw[:1] == self.quote:
            return raw[1:-1].replace(self.quote * 2, self.quote)
        return raw

    def spelt(self, text: bytes, raw: bytes) -> bytes:
        """The cell that says `text` in the place of `raw`."""
        if text[:1] in _FORMULA and text and not _NO_FORMULA.fullmatch(text):
            before = self.text(raw)[:1]
            text = text if before and before in _FORMULA else b"'" + text
        special = self._special.search(text)
        if not self.quote:
            return MARK if special and special[0] != b" " else text
        if special or raw[:1] == self.quote:
            return self.quote + text.replace(self.quote, self.quote * 2) + self.quote
        return text


def inspect(sample: bytes, quote: bytes, *, whole: bool) -> bytes:
    """The delimiter by which every whole row of `sample` has as many cells, two or more.

    `whole`: the sample is all there is. A body in which none of the four stands anywhere has one
    column; its delimiter is a comma. Raises Refusal("unparseable") when there is any doubt.
    """
    likely = []
    for delimiter in DELIMITERS:
        widths = _widths(sample, Dialect(delimiter, quote), whole=whole)
        widths = widths or _widths(sample, Dialect(delimiter, quote, lone_cr=True), whole=whole)
        if len(widths) == 1 and widths != {1}:
            likely.append(delimiter)
    if not likely and not any(delimiter in sample for delimiter in DELIMITERS):
        return DELIMITERS[0]
    if len(likely) != 1:
        found = "more than one delimiter" if likely else "no delimiter"
        raise Refusal("unparseable", f"{found} divides the first rows alike")
    return likely[0]


def _widths(sample: bytes, dialect: Dialect, *, whole: bool) -> set[int]:
    """How many cells the whole rows of a sample have; none when one of them is malformed."""
    widths = set()
    position = width = 0
    if whole and not sample.endswith(dialect.ends):
        sample += dialect.ends[-1]
    while match := dialect.cells.match(sample, position):
        position = match.end()
        width += 1
        if match[2] != dialect.delimiter:
            widths.add(width)
            width = 0
    return widths if dialect.begun.fullmatch(sample, position) else set()
