"""Is this one JSON text (RFC 8259), and not nested too deep? Fails closed.

The judge is orjson: strict about UTF-8, control characters, lone surrogates, NaN, a BOM and
trailing data. It is not the judge of numbers, because it refuses `1e400`, which is JSON. So when it
refuses, and a number may be why, every whole number token outside strings is replaced by `0` and it
judges again: a token is replaced only when it is a JSON number and touches no other number
character, so what was malformed stays malformed.
"""

import codecs
import re
from typing import Any

import orjson

from proxy.errors import Refusal

STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
"""A JSON string in a valid document. Possessive throughout: linear, no backtracking."""

_NUMBER = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
_NUMBERS = re.compile(
    b"(" + STRING + rb")|(?<![0-9A-Za-z.+-])" + _NUMBER + rb"(?![0-9A-Za-z.+-])", re.DOTALL
)
_HUGE = re.compile(rb"[0-9][eE]\+?[0-9]{2}|[0-9]{300}")
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # UTF-32 begins as UTF-16 does
_OTHERS = bytes(octet for octet in range(256) if octet not in b'"[]{}')


def require_json(data: bytes, depth: int, where: str) -> Any:
    """Raise Refusal("unparseable") unless `data` is one JSON text nested at most `depth` deep.

    `where` names the document in the reason, such as "line 7"; nothing of the document does. The
    value returned is good for its keys only: of duplicates it has the last, and numbers are wrong.
    """
    try:
        value = _parse(data)
    except orjson.JSONDecodeError:
        raise broken(where, data) from None
    if data.count(b"{") + data.count(b"[") > depth and _nesting(data) > depth:
        raise Refusal("unparseable", f"{where} is nested deeper than {depth}")
    return value


def broken(where: str, data: bytes) -> Refusal:
    """The refusal of what is not JSON; `data` begins as it does. A usual reason is told."""
    if data.startswith(_MARKS):
        reason = f"{where} begins with a byte order mark: JSON is UTF-8 without one"
        return Refusal("unparseable", reason)
    return Refusal("unparseable", f"{where} is not valid JSON")


def _parse(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        if not _HUGE.search(data):
            raise
    return orjson.loads(_NUMBERS.sub(_zero, data))


def _zero(match: re.Match[bytes]) -> bytes:
    return match[1] or b"0"


def _nesting(data: bytes) -> int:
    """How deep a valid document is nested: what is left of it are quotes and brackets."""
    rest = _ESCAPE.sub(b"", data) if b"\\" in data else data
    rest = rest.translate(None, _OTHERS).replace(b'""', b"")
    if b'"' in rest:
        # Some string holds brackets. Pairs of quotes may have met across strings: start again.
        rest = (_ESCAPE.sub(b"", data) if b"\\" in data else data).translate(None, _OTHERS)
        rest = b"".join(rest.split(b'"')[::2])
    deepest = level = 0
    for octet in rest:
        if octet in b"[{":
            level += 1
            deepest = max(deepest, level)
        else:
            level -= 1
    return deepest
