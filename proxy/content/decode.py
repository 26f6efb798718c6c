"""What is inside a string: JSON, and base64 of text (see runs). What the gate looks for.

"{\\"ssn\\": \\"078-05-1120\\"}"           JSON: a whole string that is an array or an object
"see eyJzc24iOiAiMDc4LTA1LTExMjAifQ=="  base64: a run of 20 characters or more, or padded

The gate, where the route decodes. Of the four characters that say three octets of ASCII, three
say the upper bits, and of those only half can occur: five such quads in a row are chance in one
of 30,000.
"""

import re
from collections.abc import Iterator
from typing import Final

from proxy.content.kinds import Found, Kind
from proxy.content.validate import STRING, require_json
from proxy.errors import Refusal

DEPTH: Final = 3
"""How often there may be something inside something."""
MAXIMUM: Final = 2**20
"""Octets of what is looked into; more counts as not looked into."""
_NESTED: Final = 256
_QUAD: Final = b"[A-Za-f][0-3A-HQ-Xg-nw-z][ABEFIJMNQRUVYZcdghklopstwx014589][0-9A-Za-z+/_-]"
_BRACKETS: Final = re.compile(rb"\{|\[(?!REDACTED[]:])")
_ASCII: Final = rb"\\u00[2-7][0-9A-Fa-f]"
_ESCAPED: Final = re.compile(_ASCII)
_ESCAPE: Final = rb'\\(?:"++|[\\/bfnrt]|u[0-9A-Fa-f]{4})'
_STRING: Final = re.compile(
    rb'\n[ \t\r]*+"[" \t\r]*+[^"\\\n]*+%b(?:[^"\\\n]++|%b)*+(?:"|(?<="))' % (_ESCAPE, _ESCAPE)
)
"""A line that begins with a string with escapes. Quotes may be doubled, as a table writes them."""
_SPACE: Final = rb"[ \t\r\n]*+"
_ALMOST: Final = re.compile(rb"\{%b%b%b:|%b" % (_SPACE, STRING, _SPACE, _ASCII), re.DOTALL)


def _nothing(text: bytes) -> Iterator[Found]:
    return iter(())


JSON_INSIDE: Final = Kind(
    "json inside",
    _nothing,
    (
        *(rb'"\{', rb'"\[(?:[^R]|R[^E])', rb'"\\"', rb'"(?: |\\[nrt])+[{\[]'),
        *(rb'\{ *\\["nrtu]', rb"\\u007[bB]", rb"\\(?:\\|u005[cC])u00[2-7]"),
    ),
)
_MARKED: Final = (
    b"(?:^|[^0-9A-Za-z+])(?:ey[AIJ]|ew[0o]|W(?:3s|y[AIJ]|wo|1[st]|z[AEIMQUYcgk]))[0-9A-Za-z+/_-]{9}",
    rb"[0-9A-Za-z+/_-]{11}=(?:[^0-9A-Za-z]|$)",
)
BASE64_MARKED: Final = Kind("marked base64 inside", _nothing, _MARKED)
"""What the gate looks for where base64 is only counted: JSON, by how it begins, or padding."""
BASE64_INSIDE: Final = Kind("base64 inside", _nothing, (b"(?:%b){5}" % _QUAD, *_MARKED))
"""Rows for the gate; nothing is found with them."""


def may_hold_json(text: bytes) -> bool:
    """Whether JSON may be in one of the values, each of which begins a line, of what is none."""
    if _BRACKETS.search(text):
        return True
    return b"\\" in text and bool(_ESCAPED.search(text) or _STRING.search(b"\n" + text))


def resembles_json(text: bytes) -> bool:
    """Whether a string that is no JSON as a whole holds some: an object, or escaped ASCII."""
    return (b"{" in text or b"\\u00" in text) and _ALMOST.search(text) is not None


def is_json(text: bytes) -> bool:
    """Whether a string says JSON in which something may hide: a container, or escapes."""
    start = text.lstrip(b" \t\r\n")[:1]
    if not start or start not in b'[{"' or (start == b'"' and b"\\" not in text):
        return False
    try:
        return bool(require_json(text, _NESTED, "a string"))
    except Refusal:
        return False
