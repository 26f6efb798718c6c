r"""The strict grammar of HTTP/1.1 heads and trailers, over the raw octets, before h11.

Two parsers that read one message differently are how requests are smuggled, so what two parsers
could disagree about is not accepted at all. The rules, over RFC 9110 and RFC 9112:

1. Lines end in CRLF. No other CR or LF, no NUL, no control but HTAB, no folding, no blank line
   before the first line.
2. METHOD SP origin-form SP HTTP/1.0 or 1.1. Methods are upper-case words. A target starts with
   "/" and holds only characters of RFC 3986, and "[" and "]" in its query, because they are common.
3. name ":" OWS value OWS. Names are tokens. Values are visible ASCII, SP, HTAB and octets from
   0x80 up, which are opaque (RFC 9110 section 5.5). At most `MAX_FIELDS` of them.
4. At most one Content-Length: digits without sign, list or leading zero. At most one
   Transfer-Encoding, exactly `chunked`, on HTTP/1.1 only. Never both.
5. Exactly one Host (HTTP/1.0 too), a name or an address with an optional port.
6. Connection nominates no field that everybody is meant to read (`ESSENTIAL`).
7. Empty members of lists say nothing and are skipped, `MAX_EMPTY` of them in one list. Those that
   frame a message (rule 4) are no lists here.
8. Trailers obey rule 3 and hold nothing that frames, routes, authenticates or describes content.

    POST /orders?day=1 HTTP/1.1\r\n      method SP target SP version
    Host: gate.example:8443\r\n          field line
    Content-Length: 2\r\n
    \r\n                                 the head ends here and is `raw` below

Whatever passes is accepted by h11 too, with equal method, target, fields and framing: a property
test says so, and `inbound` demands it of every message.
"""

import ipaddress
import re
from typing import Final

from proxy.errors import Refusal
from proxy.model import AnswerHead, Framing, Head, Headers

MAX_FIELDS: Final = 100

_TCHAR = rb"!#$%&'*+.^_`|~0-9A-Za-z-"
_FIELD = re.compile(rb"([" + _TCHAR + rb"]++):([\t\x20-\x7e\x80-\xff]*+)\r\n")
_FIELDS = re.compile(rb"(?:[" + _TCHAR + rb"]++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+")
_UNRESERVED = rb"A-Za-z0-9._~!$&'()*+,;=:@/%-"
_REQUEST_LINE = re.compile(
    rb"([A-Z]+(?:-[A-Z]+)*) "
    rb"((/[" + _UNRESERVED + rb"]*+)(?:\?([" + _UNRESERVED + rb"?\[\]]*+))?) "
    rb"HTTP/(1\.[01])\r\n"
)
_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-5][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*+)\r\n")
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")
_HOST = re.compile(
    rb"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,252}|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{1,5}))?"
)
_TOKEN = re.compile(rb"[" + _TCHAR + rb"]++")
_LISTS = frozenset(b"connection expect te trailer upgrade".split())
MAX_EMPTY: Final = 16
"""Empty members of one list, over all its lines (RFC 9110 section 5.6.1.2: a reasonable number)."""

ESSENTIAL: Final = frozenset(
    b"age authorization cache-control client-cert client-cert-chain cookie data-sensitivity date "
    b"expect expires forwarded host location max-forwards pragma range retry-after set-cookie "
    b"trailer transfer-encoding transfer-id vary via www-authenticate".split()
)
"""Fields that Connection may not nominate and trailers may not hold; `content-*` counts as well."""
_ODD = b"!#$%&'*+.^_`|~"
_AS_DASH = bytes.maketrans(_ODD, b"-" * len(_ODD))
_ONLY_ONCE = frozenset(b"authorization content-range content-type".split())
_NOT_IN_TRAILERS = frozenset(
    b"authentication-info connection http2-settings keep-alive te upgrade".split()
)
_MAY_TRAIL = frozenset(b"client-cert client-cert-chain content-digest forwarded".split())
"""Of the essential fields: one is verified, the others, and x-forwarded-*, are claims about who
asks. Those end here (`crossing`), in a trailer as in a head."""


class Ungrammatical(Exception):
    """The peer wrote what the grammar does not admit. Says which rule, never what was written."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooLarge(Ungrammatical):
    """A head or trailer section is longer, or has more fields, than is kept."""


def request_head(raw: bytes) -> Head:
    """Parse a whole request head, its blank line included.

    An Upgrade is ignored, as any server may (RFC 9110 section 7.8), and stays here; HTTP/1.0 has
    none. Raises `Ungrammatical`, or `Refusal` ("upgrade-refused") for CONNECT and WebSocket, which
    ask for nothing but a tunnel.
    """
    if raw.startswith(b"CONNECT "):
        raise Refusal("upgrade-refused", "the method is CONNECT")
    line = _REQUEST_LINE.match(raw)
    if line is None:
        raise Ungrammatical("the request line is not METHOD /target HTTP/1.x")
    method, target, path, query, version = line.groups()
    headers = _with_plain_coding(_fields(raw, line.end(), len(raw) - 2))
    names = _require_unique(headers)
    _require_host(names)
    lists = _lists(headers, names)
    options = _connection_options(lists)
    framing = _framing(names, version)
    if version == b"1.1" and any(map(_is_websocket, lists.get(b"upgrade", ()))):
        raise Refusal("upgrade-refused", "the request asks for a WebSocket")
    return Head(
        method=method.decode("ascii"),
        target=target.decode("ascii"),
        path=path.decode("ascii"),
        query=None if query is None else query.decode("ascii"),
        headers=headers,
        framing=framing or Framing(length=0),
        http_version=version.decode("ascii"),
        expect_continue=_expects_continue(lists, version) and framing not in (None, Framing(0)),
        keep_alive=version == b"1.1" and b"close" not in options,
    )


def answer_head(raw: bytes, method: str) -> AnswerHead:
    """Parse a whole answer head to a request of `method`; interim answers (1xx) as well.

    `framing` says what follows on the wire: nothing after HEAD, 1xx, 204 and 304, whatever the
    fields say (RFC 9112 section 6.3). Raises `Ungrammatical`.
    """
    line = _STATUS_LINE.match(raw)
    if line is None:
        raise Ungrammatical("the status line is not HTTP/1.x STATUS REASON")
    version, status, reason = line[1], int(line[2]), line[3]
    headers = _with_plain_coding(_fields(raw, line.end(), len(raw) - 2))
    names = _require_unique(headers)
    options = _connection_options(_lists(headers, names))
    framing = _framing(names, version) or Framing()
    if status < 200 or status == 204:
        if framing not in (Framing(), Framing(length=0)):
            raise Ungrammatical("a 1xx or 204 answer announces content")
        framing = Framing(length=0)
    elif status == 304 or method == "HEAD":
        framing = Framing(length=0)
    return AnswerHead(
        status=status,
        reason=reason,
        headers=headers,
        framing=framing,
        http_version=version.decode("ascii"),
        keep_alive=version == b"1.1" and b"close" not in options,
    )


def trailers(raw: bytes) -> Headers:
    """Parse a whole trailer section, its blank line included. Names count in every spelling
    (`plain`). Raises `Ungrammatical`."""
    fields = _fields(raw, 0, len(raw) - 2)
    for written, _ in fields:
        name = plain(written)
        if name in _NOT_IN_TRAILERS or (is_essential(name) and not _may_trail(name)):
            raise Ungrammatical("a trailer field that only a head may hold")
    return fields


def _may_trail(name: bytes) -> bool:
    return name in _MAY_TRAIL or name.startswith(b"x-forwarded-")


def _fields(raw: bytes, start: int, end: int) -> Headers:
    matched = _FIELDS.match(raw, start, end)
    if matched is None or matched.end() != end:
        good = raw.count(b"\r\n", start, matched.end() if matched else start)
        raise Ungrammatical(f"field line {good + 1} is not `name: value`")
    found = _FIELD.findall(raw, start, end)
    if len(found) > MAX_FIELDS:
        raise TooLarge(f"more than {MAX_FIELDS} fields")
    return tuple((name.lower(), value.strip(b" \t")) for name, value in found)


def _with_plain_coding(headers: Headers) -> Headers:
    """Transfer-Encoding in lower case, as h11 reports it too: its names have no case."""
    coding = b"transfer-encoding"
    if all(name != coding for name, _ in headers):
        return headers
    return tuple((name, value.lower() if name == coding else value) for name, value in headers)


def plain(name: bytes) -> bytes:
    """A lower-case field name as an application may see it that reads fields from its environment:
    there "_", "." and other signs cannot be told from "-" (RFC 3875 section 4.1.18)."""
    return name.translate(_AS_DASH)


def is_essential(name: bytes) -> bool:
    """True for a field that everybody on the way is meant to read as the sender wrote it."""
    return name in ESSENTIAL or name.startswith((b"content-", b"proxy-", b"if-", b"x-forwarded-"))


def _require_unique(headers: Headers) -> dict[bytes, bytes]:
    """Field name -> its (last) value; refuses what may come once and came twice."""
    names = dict(headers)
    if len(names) < len(headers):
        once = _ONLY_ONCE | {b"host", b"content-length", b"transfer-encoding"}
        seen: set[bytes] = set()
        for name, _ in headers:
            if name in once and name in seen:
                raise Ungrammatical("a field that may come once came twice")
            seen.add(name)
    return names


def _framing(names: dict[bytes, bytes], version: bytes) -> Framing | None:
    """How the fields frame the body; None when no field does (RFC 9112 section 6)."""
    length = names.get(b"content-length")
    coding = names.get(b"transfer-encoding")
    if coding is not None:
        if length is not None:
            raise Ungrammatical("both Content-Length and Transfer-Encoding")
        if version != b"1.1":
            raise Ungrammatical("Transfer-Encoding on HTTP/1.0")
        if coding != b"chunked":
            raise Ungrammatical("Transfer-Encoding is not exactly chunked")
        return Framing(chunked=True)
    if length is None:
        return None
    if _LENGTH.fullmatch(length) is None:
        raise Ungrammatical("Content-Length is not a plain number")
    return Framing(length=int(length))


def _require_host(names: dict[bytes, bytes]) -> None:
    host = names.get(b"host")
    if host is None:
        raise Ungrammatical("no Host")
    matched = _HOST.fullmatch(host)
    if matched is None or int(matched[2] or 0) > 65535:
        raise Ungrammatical("Host is not a name or an address with an optional port")
    if matched[1] is not None:
        try:
            ipaddress.IPv6Address(matched[1].decode("ascii"))
        except ValueError:
            raise Ungrammatical("Host is not a well-formed IPv6 address") from None


def _lists(headers: Headers, names: dict[bytes, bytes]) -> dict[bytes, list[bytes]]:
    """The lists that are read here -> their members, in lower case; the empty ones are skipped."""
    found: dict[bytes, list[bytes]] = {}
    for wanted in _LISTS & names.keys():
        every = [value.lower().split(b",") for name, value in headers if name == wanted]
        members = [member.strip(b" \t") for line in every for member in line]
        found[wanted] = [member for member in members if member]
        if len(members) - len(found[wanted]) > MAX_EMPTY:
            raise Ungrammatical(f"more than {MAX_EMPTY} empty members in a list")
    return found


def _is_websocket(protocol: bytes) -> bool:
    return protocol.partition(b"/")[0].rstrip(b" \t") == b"websocket"


def _connection_options(lists: dict[bytes, list[bytes]]) -> list[bytes]:
    options = lists.get(b"connection", [])
    if not all(map(_TOKEN.fullmatch, options)):
        raise Ungrammatical("Connection is not a list of tokens")
    if any(map(is_essential, options)):
        raise Ungrammatical("Connection nominates a field that is meant for everybody")
    return options


def _expects_continue(lists: dict[bytes, list[bytes]], version: bytes) -> bool:
    """HTTP/1.0 expectations are ignored, unknown ones refused (RFC 9110 section 10.1.1)."""
    expected = lists.get(b"expect", [])
    if expected and version == b"1.1" and expected != [b"100-continue"]:
        raise Ungrammatical("Expect is not exactly 100-continue")
    return bool(expected) and version == b"1.1"
