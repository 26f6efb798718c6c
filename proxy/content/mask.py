"""One pass that puts what actions make of values (see actions) in their places in a document.

What is dropped goes with one comma; the white space around it stays where it can.
"""

import re
from array import array
from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from proxy.content.scan import Hit
from proxy.content.values import Masked, Replace, Scalar

_OTHER: Final = Scalar("other", b"")


def scalar(raw: bytes) -> Scalar:
    """What a raw JSON value says."""
    if raw[0] == 0x22:
        text = orjson.loads(raw).encode() if b"\\" in raw else raw[1:-1]
        return Scalar("string", text)
    return Scalar("number", raw) if raw[0] in b"-0123456789" else _OTHER


def spelt(value: Masked) -> bytes:
    """The JSON that says it."""
    if value.kind == "string":
        return orjson.dumps(value.text.decode())
    return value.text if value.kind == "number" else b"null"


_NEXT: Final = re.compile(rb"[ \t\n\r]*+(,?+)[ \t\n\r]*+")


def mask(
    data: bytes, hits: Iterable[Hit], actions: Sequence[Replace | None], counts: list[int]
) -> tuple[bytes, "array[int]"]:
    """Return the masked document, and where in it each replacement starts.

    `hits` are in order and apart, `actions` and `counts` by number of rule. Every octet outside
    the hits stays, but for the comma that goes with what is dropped.
    """
    out = bytearray()
    placed = array("Q")
    position = 0  # what stands before it is in `out`, or gone
    dropping = -1  # where the members that were dropped just before `position` started
    for rule, member, start, end in hits:
        counts[rule] += 1
        replace = actions[rule]
        if replace is not None:
            out += data[position:start]
            placed.append(len(out))
            raw = data[start:end]
            masked = replace(scalar(raw))
            out += raw if masked is None else spelt(masked)
            position, dropping = end, -1
            continue
        if dropping < 0 or position != member:
            out += data[position:member]
            dropping = member
        match = _NEXT.match(data, end)
        if match is not None and match[1]:
            position = match.end()
        else:
            position = end
            _drop_comma(data, dropping, out)
    out += data[position:]
    return bytes(out), placed


def _drop_comma(data: bytes, start: int, out: bytearray) -> None:
    """Take back the comma before `start`, when there is one, and the white space after it."""
    before = start - 1
    while before >= 0 and data[before] in b" \t\n\r":
        before -= 1
    if data[before] == 0x2C:
        del out[len(out) - (start - before) :]
