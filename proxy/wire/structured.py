"""The part of RFC 9651 that Lockgate uses: lists and dictionaries whose members are byte sequences.

    Transfer-Receipt: :eyJwYXls...=:, :eyJhYmMi...=:            a list
    Content-Digest: sha-256=:X48E9q...=:, sha-512=:YMAam5...=:  a dictionary

Several fields of one name are one list, in order (RFC 9651 section 4.2). Stricter than the RFC
where leniency would let two readers differ: base64 is canonical, parameters and members of other
types are refused, and so is a key that comes twice.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable

_BYTES = rb":([A-Za-z0-9+/]*+={0,2}):"
_MEMBER = re.compile(_BYTES)
_ENTRY = re.compile(rb"([a-z*][a-z0-9_.*-]*+)=" + _BYTES)
_COMMA = re.compile(rb"[ \t]*+,[ \t]*+")


class NotStructured(ValueError):
    """The value is not what this field must hold. Says which rule, never what was written."""


def parse_list(values: Iterable[bytes]) -> tuple[bytes, ...]:
    """The members of a list of byte sequences, decoded. Raises `NotStructured`."""
    return tuple(read_bytes(match[1]) for match in _members(_MEMBER, values))


def parse_dictionary(values: Iterable[bytes]) -> dict[str, bytes]:
    """A dictionary of byte sequences, decoded, in order. Raises `NotStructured`."""
    found: dict[str, bytes] = {}
    for match in _members(_ENTRY, values):
        key = match[1].decode("ascii")
        if key in found:
            raise NotStructured("a key came twice")
        found[key] = read_bytes(match[2])
    return found


def format_bytes(value: bytes) -> bytes:
    """One byte sequence: `:base64:`."""
    return b":" + binascii.b2a_base64(value, newline=False) + b":"


def format_list(values: Iterable[bytes]) -> bytes:
    """A list of byte sequences."""
    return b", ".join(map(format_bytes, values))


def _members(pattern: re.Pattern[bytes], values: Iterable[bytes]) -> list[re.Match[bytes]]:
    text = b", ".join(value for value in values if value).strip(b" ")
    found: list[re.Match[bytes]] = []
    at = 0
    while at < len(text):
        if found:
            comma = _COMMA.match(text, at)
            if comma is None:
                raise NotStructured("members are not separated by commas")
            at = comma.end()
        member = pattern.match(text, at)
        if member is None:
            raise NotStructured("a member is not a byte sequence")
        found.append(member)
        at = member.end()
    return found


def read_bytes(text: bytes) -> bytes:
    """What the base64 of a byte sequence holds. Raises `NotStructured`, also if not canonical."""
    try:
        value = b64decode(text, validate=True)
    except binascii.Error:
        raise NotStructured("a byte sequence is not base64") from None
    if binascii.b2a_base64(value, newline=False) != text:
        raise NotStructured("a byte sequence is not canonical base64")
    return value
