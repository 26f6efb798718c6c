"""The memos that the table of ids may not hold durably yet: every journal carries them on."""

from collections.abc import Iterable, Iterator

Memo = tuple[int, bytes]
"""The entry's index, and what `ids.py` wrote about it."""


class Memos:
    def __init__(self, since: int, memos: Iterable[Memo] = ()) -> None:
        """`memos` are all there are of the entries from `since` on, in order."""
        self.since = since
        self._memos = list(memos)

    def __iter__(self) -> Iterator[Memo]:
        return iter(self._memos)

    def add(self, index: int, memo: bytes) -> None:
        self._memos.append((index, memo))

    def forget(self, size: int) -> None:
        """The table holds, durably, what every entry below `size` did to it."""
        self._memos = [memo for memo in self._memos if memo[0] >= size]
        self.since = size
