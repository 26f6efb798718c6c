"""Base64 of text: which runs of its characters say some, there and back.

    see eyJzc24iOiAiMDc4LTA1LTExMjAifQ==     a run of 20 characters or more, or padded

A run counts when it says text in UTF-8 without control characters: a hash, an id and an image do
not. Both alphabets (RFC 4648, 4 and 5), with padding or without, and in lines of 60 to 76.
"""

import binascii
import codecs
import re
from collections.abc import Iterator
from typing import Final

_LEAST: Final = 20
_RUN: Final = re.compile(
    rb"(?:[0-9A-Za-z+/_-]{60,76}+\r?\n)++[0-9A-Za-z+/_-]{1,76}+={0,2}"
    rb"|[0-9A-Za-z+/_-]{11,}+={0,2}"
)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")

_LINE: Final = 80
_BEFORE: Final = re.compile(rb"(?:\A|[^0-9A-Za-z+/_-])([0-9A-Za-z+/_-]{60,76}+)\r?\n\Z")
_BEHIND: Final = re.compile(rb"[0-9A-Za-z+/_-]++")
_CONTINUED: Final = bytes(range(0x80, 0xC0))


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
