"""Every kind of finding, exactly: a linear pattern over octets, then a check.

Each `find_*` takes the UTF-8 of one decoded string (or the text of a number) and yields spans in
it. Patterns have bounded or possessive repeats only. Here are addresses, keys and credentials; what
is checked by arithmetic is in `identifiers`, whose rules hold here too.
"""

import base64
import re
from collections.abc import Iterator
from typing import Final

import orjson

from proxy.content.kinds import Span

# --- email ---------------------------------------------------------------------------------------

_LATIN: Final = rb"[\xc3-\xcb][\x80-\xbf]"  # U+00C0 to U+02FF in UTF-8
_AT: Final = re.compile(b"@((?:[0-9A-Za-z.-]|%b){3,254}+)" % _LATIN)
_LABEL: Final = re.compile(b"(?!-)(?:[0-9A-Za-z-]|%b){1,63}(?<!-)" % _LATIN)
_TOP: Final = re.compile(b"(?:[A-Za-z]|%b){2,63}|xn--[0-9A-Za-z-]{1,59}" % _LATIN)
_ATOMS: Final = frozenset(b"0123456789.!#$%&'*+/=?^_`{|}~-") | frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
_LOCAL_MAXIMUM: Final = 64


def find_emails(text: bytes) -> Iterator[Span]:
    """A local part of up to 64 characters, and at least two labels, the last of letters.

    Letters are ASCII or Latin up to U+02FF, so that text without spaces before an address, as in
    Chinese, is not taken for part of it.
    """
    last = 0
    for match in _AT.finditer(text):
        start = _local_start(text, last, match.start())
        domain = _domain(match[1]) if start < match.start() else b""
        if domain:
            last = match.start(1) + len(domain)
            yield start, last


def _local_start(text: bytes, least: int, end: int) -> int:
    """Where the local part that ends at `end` starts; `end` when there is none, or it is long."""
    start = end
    for _ in range(_LOCAL_MAXIMUM + 1):
        if start > least and text[start - 1] in _ATOMS:
            start -= 1
        elif (
            start > least + 1
            and 0xC3 <= text[start - 2] <= 0xCB
            and 0x80 <= text[start - 1] <= 0xBF
        ):
            start -= 2
        else:
            return start
    return end


def _domain(run: bytes) -> bytes:
    """The longest domain name at the start of `run`; b"" when there is none."""
    labels: list[bytes] = []
    for label in run.split(b"."):
        if not _LABEL.fullmatch(label.rstrip(b"-")):
            break
        labels.append(label.rstrip(b"-"))
        if label.endswith(b"-"):
            break
    while labels and not _TOP.fullmatch(labels[-1]):
        labels.pop()
    return b".".join(labels) if len(labels) >= 2 else b""


# --- keys and credentials ------------------------------------------------------------------------

_PEM: Final = re.compile(
    rb"-----BEGIN (?:[0-9A-Z]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    rb"|---- BEGIN SSH2 (?:[A-Z]{1,16} )?PRIVATE KEY ----"
)
_PUTTY: Final = re.compile(rb"PuTTY-User-Key-File-[0-9]")
_AWS: Final = re.compile(rb"A(?<![0-9A-Za-z].)(?:KIA|SIA)[2-7A-Z]{16}(?![0-9A-Za-z])", re.DOTALL)
_JWT: Final = re.compile(
    rb"(e(?<![0-9A-Za-z_-].)[yw][0-9A-Za-z_-]{8,}+)\.[0-9A-Za-z_-]{2,}+\.[0-9A-Za-z_-]*+"
    rb"(?:\.[0-9A-Za-z_-]++\.[0-9A-Za-z_-]++)?",
    re.DOTALL,
)
_HEADER_MAXIMUM: Final = 8192


def find_private_keys(text: bytes) -> Iterator[Span]:
    """PEM, PGP and SSH2 from BEGIN to its END, or to the end of the string; PuTTY to the end."""
    position = 0
    while match := _PEM.search(text, position):
        end = match[0].replace(b"BEGIN", b"END", 1)
        found = text.find(end, match.end())
        position = len(text) if found < 0 else found + len(end)
        yield match.start(), position
    if putty := _PUTTY.search(text, position):
        yield putty.start(), len(text)


def find_aws_keys(text: bytes) -> Iterator[Span]:
    """Access key ids: long-term (AKIA) and temporary (ASIA)."""
    return (match.span() for match in _AWS.finditer(text))


def find_jwts(text: bytes) -> Iterator[Span]:
    """RFC 7515 and 7516 compact form whose first part is a JSON object with `alg`."""
    for match in _JWT.finditer(text):
        if len(match[1]) <= _HEADER_MAXIMUM and _is_header(match[1]):
            yield match.span()


def _is_header(part: bytes) -> bool:
    try:
        header = orjson.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    except ValueError:
        return False
    return isinstance(header, dict) and "alg" in header
