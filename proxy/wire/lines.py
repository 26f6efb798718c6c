r"""The lines of a head or a trailer section: split, read as fields, and written.

    Host: gate.example:8443\r\n             name ":" OWS value OWS
    X-Trace:\r\n                            a value may be empty

A section is text (visible ASCII, SP, HTAB, octets from 0x80 up) and CRLF. Without its text no more
must be left of it than the CRLF between its lines: one look says that it holds no lone CR or LF and
no control, and the same look, at what we have written, that no value has ended its line.

Names are tokens. A name that has been seen is known, with its lower case and its proper spelling;
so many names of so many octets are kept, and then none of them, since peers choose them.
"""

import re
from typing import Final, TypeVar

from proxy.errors import LockgateError
from proxy.model import Headers

Fields = list[tuple[bytes, bytes]]
_T = TypeVar("_T")

MAX_FIELDS: Final = 100
KEPT_NAMES: Final = 4096
LONGEST_KEPT: Final = 64
"""Octets of a name that is kept: longer ones are read anew each time."""

TCHAR: Final = rb"!#$%&'*+.^_`|~0-9A-Za-z-"
TOKEN: Final = re.compile(rb"[" + TCHAR + rb"]++")
STRAY: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""What no section holds anywhere: a lone CR or LF, a control. Of one that has not ended yet."""
_TEXT = bytes([9, *range(0x20, 0x7F), *range(0x80, 0x100)])

_MADE_HERE = frozenset([b"content-length", b"transfer-encoding", b"connection"])
_UNUSUAL = {
    name.lower(): name
    for name in b"Content-MD5 DNT ETag SourceMap TE WWW-Authenticate X-XSS-Protection".split()
}
_lower: dict[bytes, bytes] = {}
"""A name as somebody wrote it -> in lower case."""
_starts: dict[bytes, bytes] = {}
"""A name -> the start of its line as we write it; nothing for those of the framing."""


class Ungrammatical(Exception):
    """The peer wrote what the grammar does not admit. Says which rule, never what was written."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooLarge(Ungrammatical):
    """A head or trailer section is longer, or has more fields, than is kept."""


def remember(known: dict[bytes, _T], name: bytes, what: _T) -> _T:
    """Keep what is known of a name, in bounds."""
    if len(name) <= LONGEST_KEPT:
        if len(known) >= KEPT_NAMES:
            known.clear()
        known[name] = what
    return what


# --- read ---


def lines_of(raw: bytes) -> list[bytes]:
    """The lines of a section with its blank line, which is left out. Raises `Ungrammatical`."""
    lines = raw.split(b"\r\n")
    if raw.translate(None, _TEXT) != b"\r\n" * (len(lines) - 1):
        raise Ungrammatical("a control, or a line that does not end in CRLF")
    if len(lines) < 2 or lines.pop() or lines.pop():
        raise Ungrammatical("no blank line at the end")
    return lines


def fields_of(lines: list[bytes]) -> Headers:
    """Fields in order, names in lower case, values without white space around them.

    `lines` come from `lines_of`. Raises `Ungrammatical`, `TooLarge`.
    """
    if len(lines) > MAX_FIELDS:
        raise TooLarge(f"more than {MAX_FIELDS} fields")
    fields: Fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        lower = _lower.get(name) or _learn(name)
        if not lower or not colon:
            raise Ungrammatical(f"field line {len(fields) + 1} is not `name: value`")
        fields.append((lower, value.strip()))
    return tuple(fields)


def _learn(name: bytes) -> bytes:
    """The name in lower case; nothing for what is no name."""
    return remember(_lower, name, name.lower()) if TOKEN.fullmatch(name) else b""


# --- written ---


def spelt(name: bytes) -> bytes:
    """A field name as people write it. Names have no case (RFC 9110, section 5.1); there are
    readers that do not know."""
    return _UNUSUAL.get(name) or name.title()


def written(first: bytes, fields: Fields | Headers, last: list[bytes]) -> bytes:
    """A section with its blank line: `first`, the fields but those of framing, and `last`.

    `first` and each of `last` is a line without its CRLF. Raises `LockgateError` for what would end
    a line, or is no name; it is not quoted.
    """
    lines = [first]
    for name, value in fields:
        start = _starts.get(name)
        if start is None:
            start = _start_of(name)
        if start:
            lines.append(start + value)
    lines += last
    lines.append(b"\r\n")
    raw = b"\r\n".join(lines)
    if raw.translate(None, _TEXT) != b"\r\n" * len(lines):
        raise LockgateError("a field holds what would end its line")
    return raw


def _start_of(name: bytes) -> bytes:
    if TOKEN.fullmatch(name) is None:
        raise LockgateError("a field whose name is no token")
    lower = name.lower()
    return remember(_starts, name, b"" if lower in _MADE_HERE else spelt(lower) + b": ")
