"""Credentials as HTTP carries them: rows of the registry."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from proxy.content.kinds import Kind, Span, sure
from proxy.content.shapes import compiled

_BASIC: Final = compiled(
    rb"[Bb](?<![0-9A-Za-z_].)(?i:asic) ++(?=[0-9A-Za-z+/]{1,24}?[0-9A-Z=+/])"
    rb"([0-9A-Za-z+/]{3,}+={0,2})(?![0-9A-Za-z+/=_-])"
)
_BEARER: Final = compiled(rb"[Bb](?<![0-9A-Za-z_].)(?i:earer) ++([0-9A-Za-z._~+/-]{16,}+=*+)")
_CONTROL: Final = re.compile(rb"[\0-\x1f\x7f]")
_MIXED: Final = re.compile(rb"[0-9]|[a-z][A-Z]")
_LONGEST: Final = 8192


def find_basic(text: bytes) -> Iterator[Span]:
    """RFC 7617: the scheme, then base64 of UTF-8 with a colon and no control character."""
    for match in _BASIC.finditer(text):
        if len(match[1]) > _LONGEST:
            yield match.span()
            continue
        try:
            said = base64.b64decode(match[1] + b"=" * (-len(match[1]) % 4), validate=True)
            said.decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
        if b":" in said and not _CONTROL.search(said):
            yield match.span()


def find_bearer(text: bytes) -> Iterator[Span]:
    """RFC 6750: the scheme, then at least sixteen characters of b64token that are no words."""
    for match in _BEARER.finditer(text):
        if _MIXED.search(match[1]):
            yield match.span()


CREDENTIALS: Final = (
    Kind(
        "basic_credentials",
        sure(find_basic),
        (rb"(?i:basic) +[0-9A-Za-z+/]{1,24}[0-9A-Z=+/]",),
        default=True,
        group="secret",
    ),
    Kind(
        "bearer_token",
        sure(find_bearer),
        (rb"(?i:bearer) +[0-9A-Za-z._~+/-]{16}",),
        default=True,
        group="secret",
    ),
)
