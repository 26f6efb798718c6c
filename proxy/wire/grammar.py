r"""The strict grammar of HTTP/1.1 heads and trailers: the one parse of them.

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

Whatever passes is accepted by h11 too, with equal method, target, fields and framing: property
tests prove it. Almost every head is plain: HTTP/1.1, no name twice, and nothing about its framing
or its connection but a length and whether it is kept. Any other, and every trailer section that
holds fields, is shown to h11 as well while the gate runs (`judge`), and refused unless h11 agrees.
"""

import ipaddress
import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from proxy.errors import Refusal
from proxy.model import AnswerHead, Framing, Head, Headers
from proxy.wire import judge
from proxy.wire.lines import TOKEN, Ungrammatical, fields_of, lines_of
from proxy.wire.names import is_essential, plain

NO_CONTENT: Final = Framing(length=0)
CHUNKED: Final = Framing(chunked=True)
UNTIL_CLOSE: Final = Framing()

_UNRESERVED = r"A-Za-z0-9._~!$&'()*+,;=:@/%-"
_REQUEST_LINE = re.compile(
    r"([A-Z]+(?:-[A-Z]+)*) "
    r"((/[" + _UNRESERVED + r"]*+)(?:\?([" + _UNRESERVED + r"?\[\]]*+))?) "
    r"HTTP/(1\.[01])"
)
_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-5][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*+)")
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")
_HOST = re.compile(
    rb"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,252}|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{1,5}))?"
)
_LISTS = frozenset(b"connection expect te trailer upgrade".split())
_NOT_PLAIN = frozenset(b"expect te trailer transfer-encoding upgrade".split())
_PLAIN_OPTIONS: Final[dict[bytes | None, tuple[bytes, ...]]] = {
    None: (),
    b"keep-alive": (b"keep-alive",),
    b"Keep-Alive": (b"keep-alive",),
    b"close": (b"close",),
}
"""Connection as most peers write it -> its options."""
MAX_EMPTY: Final = 16
"""Empty members of one list, over all its lines (RFC 9110 section 5.6.1.2: a reasonable number)."""

_ONLY_ONCE = frozenset(b"authorization content-range content-type".split())
_NOT_IN_TRAILERS = frozenset(
    b"authentication-info connection http2-settings keep-alive te upgrade".split()
)
_MAY_TRAIL = frozenset(b"client-cert client-cert-chain content-digest forwarded".split())
"""Of the essential fields: one is verified, the others, and x-forwarded-*, are claims about who
asks. Those end here (`crossing`), in a trailer as in a head."""


def request_head(raw: bytes) -> Head:
    """Parse a whole request head, its blank line included.

    An Upgrade is ignored, as any server may (RFC 9110 section 7.8), and stays here; HTTP/1.0 has
    none. Raises `Ungrammatical`, or `Refusal` ("upgrade-refused") for CONNECT and WebSocket, which
    ask for nothing but a tunnel.
    """
    if raw.startswith(b"CONNECT "):
        raise Refusal("upgrade-refused", "the method is CONNECT")
    lines = lines_of(raw)
    line = _REQUEST_LINE.fullmatch(lines[0].decode("latin-1")) if lines else None
    if line is None:
        raise Ungrammatical("the request line is not METHOD /target HTTP/1.x")
    method, target, path, query, version = line.groups()
    modern = version == "1.1"
    found = _Fields(lines, modern)
    _require_host(found.names.get(b"host"))
    framing = found.framing or NO_CONTENT
    if modern and any(map(_is_websocket, found.lists.get(b"upgrade", ()))):
        raise Refusal("upgrade-refused", "the request asks for a WebSocket")
    expects = modern and bool(found.lists) and _expects_continue(found.lists)
    head = Head(
        method=method,
        target=target,
        path=path,
        query=query,
        headers=found.headers,
        framing=framing,
        http_version=version,
        expect_continue=expects and not framing.empty,
        keep_alive=found.keep_alive,
    )
    if not found.plain:
        judge.require_request(raw, head)
    return head


def answer_head(raw: bytes, method: str) -> AnswerHead:
    """Parse a whole answer head to a request of `method`; interim answers (1xx) as well.

    `framing` says what follows on the wire: nothing after HEAD, 1xx, 204 and 304, whatever the
    fields say (RFC 9112 section 6.3). Raises `Ungrammatical`.
    """
    lines = lines_of(raw)
    line = _STATUS_LINE.fullmatch(lines[0]) if lines else None
    if line is None:
        raise Ungrammatical("the status line is not HTTP/1.x STATUS REASON")
    modern, status = line[1] == b"1.1", int(line[2])
    found = _Fields(lines, modern)
    framing = found.framing or UNTIL_CLOSE
    if status == 101:
        raise Ungrammatical("the upstream switched protocols unasked")
    if status < 200 or status == 204:
        if found.framing is not None and not found.framing.empty:
            raise Ungrammatical("a 1xx or 204 answer announces content")
        framing = NO_CONTENT
    elif status == 304 or method == "HEAD":
        framing = NO_CONTENT
    head = AnswerHead(
        status=status,
        reason=line[3],
        headers=found.headers,
        framing=framing,
        http_version="1.1" if modern else "1.0",
        keep_alive=found.keep_alive,
    )
    if not found.plain:
        judge.require_answer(raw, head, method)
    return head


def trailers(raw: bytes) -> Headers:
    """Parse a whole trailer section, its blank line included. Names count in every spelling
    (`plain`). Raises `Ungrammatical`."""
    fields = fields_of(lines_of(raw))
    for written, _ in fields:
        name = plain(written)
        if name in _NOT_IN_TRAILERS or (is_essential(name) and not _may_trail(name)):
            raise Ungrammatical("a trailer field that only a head may hold")
    if fields:
        judge.require_trailers(raw, fields)
    return fields


class _Fields:
    """The fields of a head, and what they say of its framing and of the connection.

    `lines` are those of the head, the first of them included. Raises `Ungrammatical`.
    """

    __slots__ = ("framing", "headers", "keep_alive", "lists", "names", "plain")

    def __init__(self, lines: list[bytes], modern: bool) -> None:
        self.headers = fields_of(lines[1:])
        self.names = names = dict(self.headers)
        self.lists: dict[bytes, list[bytes]] = {}
        options: Collection[bytes] | None = _PLAIN_OPTIONS.get(names.get(b"connection"))
        single = len(names) == len(self.headers)
        self.plain = modern and single and options is not None and _NOT_PLAIN.isdisjoint(names)
        """Nobody reads these differently: h11 need not be asked."""
        if not self.plain:
            _require_unique(self.headers)
            self.headers = _with_plain_coding(self.headers)
            self.names = names = dict(self.headers)
            self.lists = _lists(self.headers, names)
            options = _connection_options(self.lists)
        self.keep_alive = modern and b"close" not in (options or ())
        self.framing = _framing(names, modern)


def _may_trail(name: bytes) -> bool:
    return name in _MAY_TRAIL or name.startswith(b"x-forwarded-")


def _with_plain_coding(headers: Headers) -> Headers:
    """Transfer-Encoding in lower case, as h11 reports it too: its names have no case."""
    coding = b"transfer-encoding"
    if all(name != coding for name, _ in headers):
        return headers
    return tuple((name, value.lower() if name == coding else value) for name, value in headers)


def _require_unique(headers: Headers) -> None:
    once = _ONLY_ONCE | {b"host", b"content-length", b"transfer-encoding"}
    seen: set[bytes] = set()
    for name, _ in headers:
        if name in once and name in seen:
            raise Ungrammatical("a field that may come once came twice")
        seen.add(name)


def _framing(names: dict[bytes, bytes], modern: bool) -> Framing | None:
    """How the fields frame the body; None when no field does (RFC 9112 section 6)."""
    length = names.get(b"content-length")
    coding = names.get(b"transfer-encoding")
    if coding is not None:
        if length is not None:
            raise Ungrammatical("both Content-Length and Transfer-Encoding")
        if not modern:
            raise Ungrammatical("Transfer-Encoding on HTTP/1.0")
        if coding != b"chunked":
            raise Ungrammatical("Transfer-Encoding is not exactly chunked")
        return CHUNKED
    if length is None:
        return None
    if _LENGTH.fullmatch(length) is None:
        raise Ungrammatical("Content-Length is not a plain number")
    return Framing(length=int(length))


@lru_cache(256)
def _require_host(host: bytes | None) -> None:
    """Kept, since it is the same in every request of a sender."""
    matched = _HOST.fullmatch(host) if host is not None else None
    if matched is None or int(matched[2] or 0) > 65535:
        raise Ungrammatical("Host is not one name or address with an optional port")
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
    if not all(map(TOKEN.fullmatch, options)):
        raise Ungrammatical("Connection is not a list of tokens")
    if any(map(is_essential, options)):
        raise Ungrammatical("Connection nominates a field that is meant for everybody")
    return options


def _expects_continue(lists: dict[bytes, list[bytes]]) -> bool:
    """Unknown expectations are refused (RFC 9110 section 10.1.1)."""
    expected = lists.get(b"expect", [])
    if expected and expected != [b"100-continue"]:
        raise Ungrammatical("Expect is not exactly 100-continue")
    return bool(expected)
