"""`allow_only` of JSON: what no path lists is taken out of a document before anything else is done.

    allow_only $.id, $.items[*].sku
    {"id": 7, "ssn": "A", "items": [{"sku": 1, "n": 2}, 3]}  ->  {"id": 7, "items": [{"sku": 1}]}

What a path selects stays whole. Objects and arrays on the way to what one could select stay, empty
when nothing in them does; all else goes, scalars on the way included. A document that is a scalar
itself is refused, because nothing of it could stay. A record is gone through twice, and in Python:
this is several times slower than masking alone.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from proxy.content.inspector import Inspector
from proxy.content.paths import State
from proxy.content.scan import after, enter, member, value_end
from proxy.content.tally import refuse_more
from proxy.content.validate import STRING, require_json
from proxy.errors import Refusal
from proxy.model import Report
from proxy.settings.schema import Limits

_WS: Final = rb"[ \t\n\r]*+"
_SPACE: Final = re.compile(_WS)
_NEXT: Final = re.compile(_WS + rb"(,?+)" + _WS)
_SCALAR: Final = rb"(?:" + STRING + rb"|[-+.0-9A-Za-z]++)"
_KEY: Final = rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_MEMBER: Final = re.compile(
    b"%b,?+%b(?:\\}|%b%b:%b(%b)?)" % (_WS, _WS, _KEY, _WS, _WS, _SCALAR), re.DOTALL
)
_ELEMENT: Final = re.compile(b"%b,?+%b(?:\\]|()(%b)?)" % (_WS, _WS, _SCALAR), re.DOTALL)

Dropped = tuple[int, int]
"""Where a key starts, or an element, and where its value ends."""


def only(data: bytes, root: State, where: str) -> tuple[bytes, int]:
    """A valid document with what may cross, and how many fields were dropped.

    Raises Refusal("unparseable") where that is nothing, not even an empty object or array.
    """
    position = after(_SPACE, data, 0)
    if root.accept >= 0:
        return data, 0
    if data[position] not in b"[{":
        raise Refusal("unparseable", f"{where} is no object or array: nothing in it may cross")
    dropped = list(_dropped(data, position, root))
    return _without(data, dropped), len(dropped)


def _dropped(data: bytes, position: int, root: State) -> Iterator[Dropped]:
    lengths: dict[int, int] = {}
    stack: list[tuple[Iterator[State] | None, State]] = []
    _, elements, state = enter(data, position, root, lengths)
    position += 1
    while True:
        match = (_MEMBER if elements is None else _ELEMENT).match(data, position)
        if match is None:
            raise Refusal("unparseable", "the scanner lost its place")
        position = match.end()
        if match.lastindex is None:
            if not stack:
                return
            elements, state = stack.pop()
            continue
        child = member(state, match[1]) if elements is None else next(elements)
        begin = match.start(1) - (elements is None)
        scalar = match.lastindex == 2
        if child.live and not scalar:
            stack.append((elements, state))
            _, elements, state = enter(data, position, child, lengths)
            position += 1
            continue
        if not scalar:
            position = value_end(data, position)
        if child.accept < 0:
            yield begin, position


def _without(data: bytes, dropped: list[Dropped]) -> bytes:
    """The document without these members, each with one comma."""
    out = bytearray()
    position = 0  # what stands before it is in `out`, or gone
    dropping = -1  # where the members that were dropped just before `position` started
    for start, end in dropped:
        if dropping < 0 or position != start:
            out += data[position:start]
            dropping = start
        match = _NEXT.match(data, end)
        if match is not None and match[1]:
            position = match.end()
            continue
        position = end
        before = dropping - 1
        while before >= 0 and data[before] in b" \t\n\r":
            before -= 1
        if data[before] == 0x2C:
            del out[len(out) - (dropping - before) :]
    return bytes(out + data[position:])


class OnlyInspector:
    """An inspector of `json` or `ndjson` that gets what may cross of a document or line."""

    def __init__(self, inner: Inspector, root: State, limits: Limits) -> None:
        self._inner = inner
        self._root = root
        self._limits = limits
        self._lines = inner.report().format == "ndjson"
        self._held = bytearray()
        self._number = 0
        self._dropped = 0
        self._abandoned = self._ended = False

    def feed(self, data: bytes) -> bytes:
        if self._ended:
            refuse_more()
        self._ended = True  # for good, when anything below raises
        cut = data.rfind(b"\n") + 1 if self._lines else 0
        output = b""
        if cut:
            block = bytes(self._held) + data[:cut]
            self._held.clear()
            output = self._inner.feed(self._allowed(block))
        self._held += data[cut:]
        if len(self._held) > (self._limits.record + 1 if self._lines else self._limits.document):
            self._held.clear()
            raise Refusal("content-too-large", "a document or line over its limit")
        self._ended = False
        return output

    def finish(self) -> bytes:
        if self._ended:
            refuse_more()
        self._ended = True
        block = bytes(self._held)
        self._held.clear()
        if block or not self._lines:
            block = self._allowed(block) if self._lines else self._document(block, "the document")
        return self._inner.feed(block) + self._inner.finish()

    def report(self) -> Report:
        report = self._inner.report()
        if not self._dropped:
            return report
        masked = {**report.masked, "allow_only": self._dropped}
        return replace(report, masked=masked, changed=True)

    def abandon(self) -> None:
        self._abandoned = True
        self._inner.abandon()

    @property
    def held(self) -> int:
        """All of a document, or what came of a line so far."""
        return len(self._held) + self._inner.held

    def _allowed(self, block: bytes) -> bytes:
        """The lines of a block with what may cross of each; the last one may lack its LF."""
        lines = []
        for line in block.split(b"\n"):
            self._number += 1
            if len(line.removesuffix(b"\r")) > self._limits.record:
                raise Refusal("content-too-large", f"line {self._number} is over limits.record")
            blank = not line.strip(b" \t\r")
            lines.append(line if blank else self._document(line, f"line {self._number}"))
        self._number -= not lines[-1]
        return b"\n".join(lines)

    def _document(self, data: bytes, where: str) -> bytes:
        if self._abandoned:
            raise Refusal("unparseable", "abandoned before it was judged")
        require_json(data, self._limits.depth, where)
        output, dropped = only(data, self._root, where)
        self._dropped += dropped
        return output
