"""What is inside a string: JSON, and base64 of text. Where it is, and there and back.

    "{\\"ssn\\": \\"078-05-1120\\"}"           JSON: a whole string that is an array or an object
    "see eyJzc24iOiAiMDc4LTA1LTExMjAifQ=="  base64: a run of 20 characters or more, or padded

Base64 counts when it says text in UTF-8 without control characters: a hash, an id and an image do
not. Both alphabets (RFC 4648, 4 and 5), with padding or without, and in lines of 60 to 76.

    The gate, where the route decodes. Of the four characters that say three octets of ASCII, three
    say the upper bits, and of those only half can occur: five such quads in a row are chance in one
    of 30,000.
"""

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Final

from proxy.content.kinds import Found, Kind
from proxy.content.validate import require_json
from proxy.errors import Refusal

DEPTH: Final = 3
"""How often there may be something inside something."""
MAXIMUM: Final = 2**20
"""Octets of what is looked into; more counts as not looked into."""
_NESTED: Final = 256
_LEAST: Final = 20
_QUAD: Final = b"[A-Za-f][0-3A-HQ-Xg-nw-z][ABEFIJMNQRUVYZcdghklopstwx014589][0-9A-Za-z+/_-]"
_RUN: Final = re.compile(
    rb"(?:[0-9A-Za-z+/_-]{60,76}+\r?\n)++[0-9A-Za-z+/_-]{1,76}+={0,2}"
    rb"|[0-9A-Za-z+/_-]{11,}+={0,2}"
)
_BRACKETS: Final = re.compile(rb"\{|\[(?!REDACTED[]:])")
_OPENINGS: Final = re.compile(rb'"(?=[ \0]*+[{\[]|\0\0)')
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def _nothing(text: bytes) -> Iterator[Found]:
    return iter(())


def _openings(plain: bytes) -> Iterable[int]:
    return (match.start() for match in _OPENINGS.finditer(plain))


def _runs(plain: bytes) -> Iterable[int]:
    return (match.start() for match in _RUN.finditer(plain) if _long(match[0]))


JSON_INSIDE: Final = Kind(
    "json inside",
    _nothing,
    (rb'"\{', rb'"\[(?:[^R]|R[^E])', rb'"\\"', rb'"(?: |\\[nrt])+[{\[]'),
    starts=_openings,
)
_MARKED: Final = (
    b"(?:^|[^0-9A-Za-z+/_-])(?:ey[AIJ]|ew[0o]|W(?:3s|y[AIJ]|wo|1[st]|z[AEIMQUYcgk]))[0-9A-Za-z+/_-]{9}",
    rb"[0-9A-Za-z+/_-]{11}=(?:[^0-9A-Za-z]|$)",
)
BASE64_MARKED: Final = Kind("marked base64 inside", _nothing, _MARKED, starts=_runs)
"""What the gate looks for where base64 is only counted: JSON, by how it begins, or padding."""
BASE64_INSIDE: Final = Kind(
    "base64 inside", _nothing, (b"(?:%b){5}" % _QUAD, *_MARKED), starts=_runs
)
"""Rows for the gate; nothing is found with them."""


def may_hold_json(text: bytes) -> bool:
    """Whether JSON may be in one of the values of what is not JSON itself."""
    return _BRACKETS.search(text) is not None


def is_json(text: bytes) -> bool:
    """Whether a string says JSON in which something may hide: a container, or escapes."""
    start = text.lstrip(b" \t\r\n")[:1]
    if not start or start not in b'[{"' or (start == b'"' and b"\\" not in text):
        return False
    try:
        return bool(require_json(text, _NESTED, "a string"))
    except Refusal:
        return False


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
