"""The names in certificates (RFC 5280, 4.2.1.6), read from their encoding into what is compared.

| kind | key of a name | example |
|---|---|---|
| DNS | labels, the last one first, lower case | `*.a.example` -> `("example", "a", "*")` |
| EMAIL | local part as written, then the host's labels | `J@a.example` -> `("J", "example", "a")` |
| URI | the host's labels; None without a host that is a name | `spiffe://acme/x` -> `("acme",)` |
| IP | the address | 4 or 16 octets |
| DIRECTORY | relative names, each a set of (type, value) | order of the encoding |
| others | none: they are never compared | |

Reading raises ValueError for a name that its kind does not admit: RFC 5280 asks for the preferred
name syntax (RFC 1034, 3.5 with RFC 1123, 2.1), so no underscore, no trailing dot, and no IPv4
address in the guise of a DNS name or of an IPv6 address (RFC 4291, 2.5.5.2): a constraint on the
one would not hold for the other. A wildcard is a whole label, the leftmost, on another one.
"""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass

from proxy.tls.der import OID, SEQUENCE, SET, Value, only, values

OTHER, EMAIL, DNS, X400, DIRECTORY, EDI, URI, IP, REGISTERED = range(9)
"""The kinds, by their tag in GeneralName."""
COMPARABLE = frozenset({EMAIL, DNS, DIRECTORY, URI, IP})

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LENIENT = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LOCAL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
"""RFC 3986, appendix A: no backslash, which some take for a slash and others for a user's name."""
_AUTHORITY = re.compile(r"[^:/?#]+://(?:[^/?#@]*@)?([^/?#@:\[\]]+)(?::[0-9]*)?(?:[/?#].*)?")
_EMAIL_ADDRESS = bytes.fromhex("2a864886f70d010901")
_CONSTRUCTED = {0xA0: OTHER, 0xA3: X400, 0xA4: DIRECTORY, 0xA5: EDI}
_PRIMITIVE = {0x81: EMAIL, 0x82: DNS, 0x86: URI, 0x87: IP, 0x88: REGISTERED}
TAGS = _CONSTRUCTED | _PRIMITIVE
_CODECS = {
    0x0C: "utf-8",
    0x12: "ascii",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1A: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
"""String type -> codec: UTF8, Numeric, Printable, Teletex, IA5, Visible, Universal, BMP."""


@dataclass(frozen=True, slots=True)
class Name:
    """One name of a certificate, in a form that constraints can be held against."""

    kind: int
    key: tuple[object, ...] | None


def read_names(content: bytes) -> tuple[Name, ...]:
    """GeneralNames -> names; at least one. Raises ValueError."""
    found = tuple(read_name(value) for value in values(only(content, SEQUENCE)))
    if not found:
        raise ValueError("no name at all")
    return found


def read_name(value: Value) -> Name:
    """One GeneralName. Raises ValueError."""
    kind = TAGS.get(value.tag)
    if kind is None:
        raise ValueError("a kind of name that there is not")
    return Name(kind, _key(kind, value.content))


def _key(kind: int, content: bytes) -> tuple[object, ...] | None:
    if kind == DIRECTORY:
        return read_directory(content)
    if kind == IP:
        if len(content) not in (4, 16):
            raise ValueError("an address of another length than 4 or 16 octets")
        if len(content) == 16 and ipaddress.IPv6Address(content).ipv4_mapped:
            raise ValueError("an IPv4 address in the guise of an IPv6 one")
        return (content,)
    if kind == DNS:
        return _dns(content.decode("ascii"))
    if kind == EMAIL:
        return mailbox(content.decode("ascii"))
    if kind == URI:
        return _uri(content.decode("ascii"))
    return None


def labels(text: str, *, lenient: bool = False) -> tuple[str, ...]:
    """A host name -> its labels, the last one first. Raises ValueError.

    `lenient` admits underscores: the host of a URI is no DNS name before somebody looks it up.
    """
    parts = text.lower().split(".")
    form = _LENIENT if lenient else _LABEL
    if len(text) > 253 or not all(form.fullmatch(part) for part in parts) or _is_address(text):
        raise ValueError("no host name in preferred name syntax")
    return tuple(reversed(parts))


def mailbox(text: str) -> tuple[str, ...]:
    """`local@host` -> (local, labels…). Quoted local parts are refused. Raises ValueError."""
    local, _, host = text.partition("@")
    if not _LOCAL.fullmatch(local):
        raise ValueError("no mailbox")
    return (local, *labels(host))


def _dns(text: str) -> tuple[str, ...]:
    if text.startswith("*."):
        return (*labels(text[2:]), "*")
    return labels(text)


def _uri(text: str) -> tuple[str, ...] | None:
    if not _URI.fullmatch(text):
        raise ValueError("no absolute URI")
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        return None
    try:
        return labels(found[1], lenient=True)
    except ValueError:
        return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


# --- distinguished names (RFC 5280, 7.1) ---------------------------------------------------------


def read_directory(encoded: bytes) -> tuple[frozenset[tuple[bytes, object]], ...]:
    """A Name, DER -> its relative names, comparable: case and runs of spaces do not count.

    Raises ValueError.
    """
    return tuple(_relative(each) for each in values(only(encoded, SEQUENCE)))


def emails(encoded: bytes) -> tuple[Name, ...]:
    """The emailAddress attributes of a subject, which constraints on mailboxes cover too.

    One that is no mailbox has no key. Raises ValueError when the subject does not parse.
    """
    found = []
    for relative in values(only(encoded, SEQUENCE)):
        for attribute in values(relative.content):
            kind, value = values(attribute.content)
            if kind.content == _EMAIL_ADDRESS:
                found.append(Name(EMAIL, _mailbox_or_none(value)))
    return tuple(found)


def _mailbox_or_none(value: Value) -> tuple[str, ...] | None:
    try:
        return mailbox(value.content.decode("ascii"))
    except ValueError:
        return None


def _relative(value: Value) -> frozenset[tuple[bytes, object]]:
    if value.tag != SET:
        raise ValueError("a name is a sequence of sets")
    found = frozenset(_attribute(each) for each in values(value.content))
    if not found:
        raise ValueError("an empty relative name")
    return found


def _attribute(value: Value) -> tuple[bytes, object]:
    fields = values(value.content)
    if value.tag != SEQUENCE or len(fields) != 2 or fields[0].tag != OID:
        raise ValueError("no attribute of a name")
    codec = _CODECS.get(fields[1].tag)
    if codec is None:
        return fields[0].content, fields[1].whole
    text = unicodedata.normalize("NFKC", fields[1].content.decode(codec)).casefold()
    return fields[0].content, " ".join(text.split())
