"""Base64 of text: which runs of its characters say some, there and back.

    see eyJzc24iOiAiMDc4LTA1LTExMjAifQ==     a run of 20 characters or more, or padded

A run counts when it says text in UTF-8 without control characters: a hash, an id and an image do
not. Both alphabets (RFC 4648, 4 and 5), with padding or without, and in lines of 60 to 76.

    /u/eyJzc24iOiAiMDc4LTA1LTExMjAifQ/edit   what is glued to it is of the alphabet itself

A run that says no text as a whole is looked into for quads that say some, which tell where quads
start. What they are part of starts and ends at a joint: `/`, `-`, `_`, the end of a line or of the
run. At most 256 characters may be no text before it and behind it, so that a file with text in it
is not taken apart. Other text of 24 octets is told, and so counted, but not decoded: in quads as
the run has them, or in others when it is more than half of the run, since pictures look like text
when they are shifted.
"""

import binascii
import codecs
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from proxy.content.kinds import Span

_LEAST: Final = 20
_LETTER: Final = rb"[0-9A-Za-z+/_-]"
_FULL: Final = b"%b{60,76}+(?!%b)" % (_LETTER, _LETTER)
_RUN: Final = re.compile(  # whatever follows the first line, no line is gone through twice
    rb"%b(?:\r?\n%b)*+(?:\r?\n%b{1,59}+(?!%b))?+={0,2}" % (_FULL, _FULL, _LETTER, _LETTER)
    + b"|%b{11,}+={0,2}" % _LETTER
)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")

_QUAD: Final = (
    rb"[CDI-Za-f][AC-HQS-Xgi-nwyz0-3]"
    rb"(?:[BFJNRVZdhlptx159][0-9A-Za-z+/_-]|[AEIMQUYcgkosw048][JKNg-z0-9+/_-])"
)
_QUADS: Final = re.compile(b"(?:%b){5}" % _QUAD)
"""Of ASCII without control characters: chance in one of 600,000."""
_JOINT: Final = re.compile(rb"[/_-]")
_GLUE: Final = 256
_SURE: Final = 24

_LINE: Final = 80
_BEFORE: Final = re.compile(rb"(?:\A|[^0-9A-Za-z+/_-])([0-9A-Za-z+/_-]{60,76}+)\r?\n\Z")
_BEHIND: Final = re.compile(rb"[0-9A-Za-z+/_-]++")
_CONTINUED: Final = bytes(range(0x80, 0xC0))


def base64_texts(text: bytes) -> Iterator[tuple[int, int, bytes | None]]:
    """Where base64 of text is, in order and apart, and what it says.

    None: the run says some, and where that starts or ends cannot be told.
    """
    for match in base64_runs(text):
        said = unwrapped(match[0])
        if said is not None:
            yield match.start(), match.end(), said
            continue
        spans = glued(match[0])
        if spans is None:
            yield match.start(), match.end(), None
        for start, end in spans or ():
            end += len(match[0]) - end if match[0][end:].strip(b"=\r\n") == b"" else 0
            said = unwrapped(match[0][start:end])
            if said is not None:
                yield match.start() + start, match.start() + end, said


def base64_runs(text: bytes) -> Iterator[re.Match[bytes]]:
    """What looks like base64, in order and apart."""
    return (match for match in _RUN.finditer(text) if _long(match[0]))


def _long(run: bytes) -> bool:
    return len(run) >= _LEAST or run.endswith(b"=")


def unwrapped(run: bytes) -> bytes | None:
    """The text that a run says; None when it is none."""
    body = run.rstrip(b"=").translate(_STANDARD, b"\r\n")
    if len(body) % 4 == 1:
        return None
    text = binascii.a2b_base64(body + b"=" * (-len(body) % 4))
    if _CONTROL.search(text):
        return None
    try:
        text.decode()
    except UnicodeDecodeError:
        return None
    return text


def glued(run: bytes) -> list[Span] | None:
    """Where in a run that says no text as a whole there is some; None where that cannot be told."""
    bare = run.rstrip(b"=").translate(None, b"\r\n")
    if _QUADS.search(bare) is None:
        return []
    joints, body = _joints(run), bare.translate(_STANDARD)
    found: list[Span] = []
    position, sure = 0, False
    while match := _QUADS.search(bare, position):
        span = _part(body, joints, found[-1][1] if found else 0, match.start())
        if span is None:
            said = _said_from(body, match.start())
            most = match.start() % 4 == 0 or said * 8 > len(body) * 3
            sure = sure or (said >= _SURE and most)
            position = match.start() + max(4, said // 3 * 4)
        else:
            found.append(span)
            position = span[1]
    if sure or (found and len(body) - found[-1][1] > _GLUE):
        return None
    return _in_lines(run, found) if len(run.rstrip(b"=")) > len(body) else found


def _joints(run: bytes) -> list[int]:
    """Where text may start or end, in a run without its line ends; in order."""
    lines = run.rstrip(b"=").replace(b"\r", b"").split(b"\n")
    places, start = [0], 0
    for line in lines:
        for match in _JOINT.finditer(line):
            places += (start + match.start(), start + match.end())
        start += len(line)
        places.append(start)
    return places


def _part(body: bytes, joints: Sequence[int], first: int, at: int) -> Span | None:
    """What says text around the quads that start at `at`, from joint to joint.

    `first` is where what was found before ends. None: the joints cannot be told.
    """
    start = None
    for n in range(bisect_right(joints, at) - 1, -1, -1):
        if joints[n] < max(first, at - _GLUE):
            break
        if (at - joints[n]) % 4 == 0:
            if joints[n] < at and _said(body[joints[n] : at]) < (at - joints[n]) // 4 * 3:
                break
            start = joints[n]
    if start is None or start - first > _GLUE:
        return None
    said = _said_from(body, start)
    last = start + said * 4 // 3 + (said % 3 > 0)
    for n in range(bisect_right(joints, last) - 1, -1, -1):
        end = joints[n]
        if end - start < _LEAST:
            return None
        if (end - start) % 4 != 1:
            return start, end
    return None


def _said_from(body: bytes, start: int) -> int:
    """How many octets of text the quads say that start at a place, up to what is none."""
    size = 256
    while True:
        piece = body[start : start + size]
        said = _said(piece)
        if said < len(piece) // 4 * 3 - 3 or start + size >= len(body):
            return said
        size *= 4


def _said(body: bytes) -> int:
    """The same of all of it; a last character that is cut off is none."""
    if len(body) % 4 == 1:
        body = body[:-1]
    said = binascii.a2b_base64(body + b"=" * (-len(body) % 4))
    control = _CONTROL.search(said)
    said = said[: control.start()] if control else said
    try:
        return codecs.utf_8_decode(said, "strict", False)[1]
    except UnicodeDecodeError as error:
        return error.start


def _in_lines(run: bytes, spans: Iterable[Span]) -> list[Span]:
    """Spans of a run without its line ends, as spans of the run."""
    places = [n for n, octet in enumerate(run) if octet not in b"\r\n"]
    return [(places[start], places[end - 1] + 1) for start, end in spans]


def wrapped(text: bytes, run: bytes) -> bytes:
    """Base64 of a text in the alphabet of `run`, padded where that was, in one line."""
    body = binascii.b2a_base64(text, newline=False)
    if b"-" in run or b"_" in run:
        body = body.translate(_URL_SAFE)
    return body if run.endswith(b"=") or len(run) % 4 == 0 else body.rstrip(b"=")


def divides(text: bytes, at: int) -> bool:
    """Whether what ends before a place and starts behind it are lines of one run that says text.

    Where in its quads the run is there cannot be told, so that any place in them will do.
    """
    before = _BEFORE.search(text[max(0, at - _LINE) : at])
    behind = _BEHIND.match(text, at, at + _LINE)
    if before is None or behind is None:
        return False
    body = (before[1] + behind[0]).translate(_STANDARD)
    return any(_says_text(body[skipped:]) for skipped in range(4))


def _says_text(body: bytes) -> bool:
    """Whether whole quads out of a run say text, the first and the last character of it aside."""
    said = binascii.a2b_base64(body[: len(body) // 4 * 4])
    said = said[len(said[:3]) - len(said[:3].lstrip(_CONTINUED)) :]
    if _CONTROL.search(said):
        return False
    try:
        codecs.utf_8_decode(said, "strict", False)
    except UnicodeDecodeError:
        return False
    return True
