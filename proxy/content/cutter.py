"""Where whole rows end in octets that come in pieces.

Outside quotes the number of quotes before a place is even, inside it is odd, and a doubled quote
changes nothing. That holds in every table that is well-formed; one that is not is refused when its
rows are matched (see grid), or when its row never ends.
"""

import re
from typing import Final

from proxy.content.dialect import BOM
from proxy.errors import Refusal

_NOT_UTF8: Final = "not UTF-8"


class FirstRow:
    """Keeps octets until the first row is whole, and how it ends is known."""

    def __init__(self, quote: bytes) -> None:
        self._stop = re.compile(b"[\r\n%b]" % quote)
        self._quote = quote
        self._position = 0
        self._inside = False

    def end(self, held: bytes | bytearray, *, whole: bool) -> tuple[int, bool] | None:
        """Where the first row ends, with its line end, and whether that is a lone CR.

        None when that is not known yet, which is never when `whole`.
        """
        while match := self._stop.search(held, self._position):
            octet, after = match[0], match.end()
            if octet == self._quote:
                self._inside = not self._inside
            elif not self._inside and octet == b"\n":
                return after, False
            elif not self._inside:
                if after == len(held) and not whole:
                    break
                feed = held[after : after + 1] == b"\n"
                return after + feed, not feed
            self._position = after
        else:
            self._position = len(held)
        return (len(held), False) if whole else None


class Cutter:
    """Cuts what comes into whole rows, and keeps the rest: at most one row."""

    def __init__(self, quote: bytes, last: bytes, limit: int) -> None:
        """`last` is the octet that every row ends with; `limit` is how long one may be."""
        self._quote = quote
        self._last = last
        self._limit = limit
        self._held = bytearray()
        self._inside = False

    def feed(self, data: bytes) -> bytes:
        """Whole rows, or b"". Raises Refusal("content-too-large") when a row is."""
        cut = self._cut(data)
        block = b""
        if cut:
            block = bytes(self._held) + data[:cut]
            self._held.clear()
        self._held += data[cut:]
        if len(self._held) > self._limit + 1:  # the one more may be CR
            self._held.clear()
            raise Refusal("content-too-large", "a row is over limits.record")
        return block

    def finish(self) -> bytes:
        """The last row, when nothing ends it; b"" when there is none."""
        last = bytes(self._held)
        self._held.clear()
        return last

    @property
    def held(self) -> int:
        return len(self._held)

    def _cut(self, data: bytes) -> int:
        """Behind the last line end in `data` that is outside quotes; 0 for none."""
        quotes = data.count(self._quote) if self._quote else 0
        inside = self._inside ^ (quotes % 2 == 1)  # at the end of data
        self._inside = inside
        end = len(data)
        while (cut := data.rfind(self._last, 0, end) + 1) and self._quote:
            inside ^= data.count(self._quote, cut, end) % 2 == 1
            if not inside:
                return cut
            end = cut - 1
        return cut


def require_text(data: bytes, where: str) -> None:
    """Raise Refusal("unparseable") unless `data` is UTF-8 without NUL."""
    if b"\0" in data:
        raise Refusal("unparseable", f"NUL in {where}")
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            raise Refusal("unparseable", f"{_NOT_UTF8} in {where}") from None


def without_bom(data: bytes) -> tuple[bytes, bytes]:
    """A byte order mark that stands first, and the rest."""
    return (BOM, data[len(BOM) :]) if data.startswith(BOM) else (b"", data)
