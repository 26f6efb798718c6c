"""Whatever the grammar accepts, h11 alone reads in the same way; nothing else comes of any octets.

Messages are made from the grammar, and then damaged; each is fed whole and in arbitrary pieces. The
outcome is events or a refusal, never another exception, and never depends on how it was cut.
"""

import h11
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import PROBLEMS, Refusal
from proxy.model import Framing, Headers
from proxy.wire import grammar
from proxy.wire.events import EndOfMessage, Event, NeedData, RequestHead, ResponseHead
from proxy.wire.lines import Ungrammatical
from proxy.wire.server import ServerConnection
from tests.wire.feeding import (
    MAX_HEAD,
    Pieces,
    asked,
    byte_by_byte,
    content,
    cut_by,
    outcome,
    whole,
)

TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
PATH = "abcXYZ019-._~!$&'()*+,;=:@/%"
VALUE = "".join(map(chr, [9, *range(0x20, 0x7F), *range(0x80, 0x100)]))
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "M-SEARCH"])
TOKENS = st.text(TOKEN, min_size=1, max_size=12).map(str.encode)
JUDGED = frozenset(
    b"host content-length transfer-encoding connection upgrade http2-settings expect trailer te "
    b"content-type content-range authorization".split()
)
ORDINARY_NAMES = TOKENS.filter(lambda name: name.lower() not in JUDGED)
VALUES = st.text(VALUE, max_size=24).map(lambda text: text.encode("latin-1"))
SPACE = st.text(" \t", max_size=3).map(str.encode)
HOSTS = st.sampled_from([b"x", b"gate.example:8443", b"127.0.0.1", b"[::1]:80", b"a_b.c-d"])
BODIES = st.binary(max_size=40)
CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=6).map(cut_by)
DAMAGE = st.one_of(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"\n\n", b"\x00", b" ", b"\t", b":", b",", b"#", b";"]),
    st.sampled_from([b"Content-Length: 1\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: y\r\n"]),
    st.sampled_from([b"+", b"-", b"0", b"F", b"\x80", b"\xff", b"/", b"?", b"1.0", b"HTTP/1.0"]),
    st.binary(min_size=1, max_size=3),
)


LISTS = [
    [],
    [b"Connection: close\r\n"],
    [b"CONNECTION: x, TE\r\n"],
    [b"Connection: , close,,\r\n", b"TE: ,trailers,\r\n"],
    [b"Connection: Upgrade, HTTP2-Settings\r\n", b"Upgrade: h2c\r\n", b"HTTP2-Settings: AA\r\n"],
]


@st.composite
def field_lines(draw: st.DrawFn) -> bytes:
    lines = []
    for name, value in draw(st.lists(st.tuples(ORDINARY_NAMES, VALUES), max_size=5)):
        lines.append(name + b":" + draw(SPACE) + value + draw(SPACE) + b"\r\n")
    lines += draw(st.sampled_from(LISTS))
    return b"".join(draw(st.permutations(lines)))


@st.composite
def bodies(draw: st.DrawFn, kinds: list[str]) -> tuple[bytes, bytes]:
    """A framing field line and the body behind it."""
    kind, body = draw(st.sampled_from(kinds)), draw(BODIES)
    if kind == "length":
        return b"content-LENGTH: %d\r\n" % len(body), body
    if kind == "chunked":
        chunks = draw(st.lists(st.binary(min_size=1, max_size=20), max_size=4))
        sent = b"".join(b"%02X\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
        last = draw(st.sampled_from([b"", b"A: b\r\n", b"Content-Digest: x\r\nC:\r\n"]))
        return b"Transfer-Encoding: Chunked\r\n", sent + b"0\r\n" + last + b"\r\n"
    return b"", body if kind == "close" else b""


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    target = "/" + draw(st.text(PATH, max_size=12))
    if draw(st.booleans()):
        target += "?" + draw(st.text(PATH + "?[]", max_size=12))
    version = draw(st.sampled_from(["1.1", "1.1", "1.1", "1.0"]))
    kinds = ["none", "length", "chunked"] if version == "1.1" else ["none", "length"]
    framing, body = draw(bodies(kinds))
    lines = [b"Host:" + draw(SPACE) + draw(HOSTS) + b"\r\n", framing, draw(field_lines())]
    if draw(st.booleans()):
        lines.append(
            draw(st.sampled_from([b"Expect: 100-Continue\r\n", b"Expect: 100-continue,\r\n"]))
        )
    head = f"{draw(METHODS)} {target} HTTP/{version}\r\n".encode()
    return head + b"".join(draw(st.permutations(lines))) + b"\r\n" + body


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    status = draw(st.sampled_from([200, 201, 204, 205, 302, 304, 404, 500, 599]))
    version = draw(st.sampled_from(["1.1", "1.1", "1.0"]))
    kinds = ["length", "chunked", "close"] if version == "1.1" else ["length", "close"]
    framing, body = draw(bodies(["none"] if status in (204, 304) else kinds))
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"]))
    reason = draw(st.sampled_from([b"", b"OK", b"Not \xc3\xa9 found "]))
    line = b"HTTP/%s %d %s\r\n" % (version.encode(), status, reason)
    return interim + line + framing + draw(field_lines()) + b"\r\n" + body


@st.composite
def damaged(draw: st.DrawFn, messages: st.SearchStrategy[bytes]) -> bytes:
    data = draw(messages)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        gone = draw(st.integers(0, 2))
        data = data[:at] + draw(st.one_of(st.just(b""), DAMAGE)) + data[at + gone :]
    return data


Read = tuple[object, bytes, Headers | None]


def alone(connection: h11.Connection, data: bytes, *, eof: bool) -> tuple[Read, bytes]:
    """What h11 alone makes of `data`: head, content, trailers, and what is left over."""
    connection.receive_data(data)
    if eof:
        connection.receive_data(b"")
    head: object = None
    body = b""
    end: Headers | None = None
    while not isinstance(event := connection.next_event(), type):
        if isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            end = tuple(event.headers)
            break
        elif isinstance(event, h11.Request):
            target = (event.method.decode(), event.target.decode())
            head = (*target, event.http_version.decode(), tuple(event.headers))
        elif isinstance(event, h11.Response):
            head = (event.status_code, event.http_version.decode(), tuple(event.headers))
    return (head, body, end), connection.trailing_data[0]


def ours(events: list[Event]) -> Read:
    """The first message among `events`, in the same form."""
    head: object = None
    end: Headers | None = None
    first: list[Event] = []
    for event in events:
        first.append(event)
        if isinstance(event, RequestHead):
            found = event.head
            head = (found.method, found.target, found.http_version, found.headers)
        elif isinstance(event, ResponseHead):
            head = (event.head.status, event.head.http_version, event.head.headers)
        elif isinstance(event, EndOfMessage):
            end = event.trailers
            break
    return head, content(first), end


def h11_client(method: str) -> h11.Connection:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
    connection.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    connection.send(h11.EndOfMessage())
    return connection


@given(requests(), CUTS)
def test_every_grammatical_request_is_accepted_and_h11_reads_the_same(
    data: bytes, cut: Pieces
) -> None:
    for pieces in (whole, byte_by_byte, cut):
        events, code = outcome(ServerConnection(MAX_HEAD), data, pieces, eof=False)
        assert code is None
        judge = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        assert (ours(events), b"") == alone(judge, data, eof=False)
        assert ours(events)[2] is not None


@given(answers(), METHODS, CUTS)
def test_every_grammatical_answer_is_accepted_and_h11_reads_the_same(
    data: bytes, method: str, cut: Pieces
) -> None:
    for pieces in (whole, byte_by_byte, cut):
        events, code = outcome(asked(method), data, pieces, eof=True)
        assert code is None
        read, _ = alone(h11_client(method), data, eof=True)
        assert ours(events) == read
        assert ours(events)[2] is not None


@given(damaged(requests()), st.one_of(st.just(b""), requests()), CUTS)
def test_damaged_requests_are_refused_or_read_as_h11_alone_reads_them(
    data: bytes, behind: bytes, cut: Pieces
) -> None:
    events, code = outcome(ServerConnection(MAX_HEAD), data + behind, whole, eof=False)
    for pieces in (byte_by_byte, cut):
        again = outcome(ServerConnection(MAX_HEAD), data + behind, pieces, eof=False)
        assert ours(again[0])[::2] == ours(events)[::2]
        assert again[1] == code
    assert code is None or PROBLEMS[code][0] in (400, 431, 501)
    head, _, end = ours(events)
    if end is not None:
        judge = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        assert ours(events) == alone(judge, data + behind, eof=False)[0]
    elif head is not None and code is None:
        assert outcome(ServerConnection(MAX_HEAD), data + behind, whole, eof=True)[1] is not None


@given(damaged(answers()), METHODS, CUTS)
def test_damaged_answers_are_refused_or_read_as_h11_alone_reads_them(
    data: bytes, method: str, cut: Pieces
) -> None:
    events, code = outcome(asked(method), data, whole, eof=True)
    for pieces in (byte_by_byte, cut):
        again = outcome(asked(method), data, pieces, eof=True)
        assert ours(again[0])[::2] == ours(events)[::2]
        assert again[1] == code
    assert code in (None, "upstream-malformed", "upstream-closed")
    if ours(events)[2] is not None:
        assert ours(events) == alone(h11_client(method), data, eof=True)[0]


@given(st.binary(max_size=200))
def test_any_octets_at_all_parse_or_are_refused(data: bytes) -> None:
    outcome(ServerConnection(64), data, whole, eof=True)
    outcome(asked(max_head=64), data, whole, eof=True)
    for parse in (grammar.request_head, grammar.trailers, lambda raw: grammar.answer_head(raw, "")):
        try:
            parse(data)
        except (Ungrammatical, Refusal):
            continue


@given(requests(), requests(), CUTS)
def test_pipelined_requests_wait_for_their_turn(first: bytes, second: bytes, cut: Pieces) -> None:
    server = ServerConnection(MAX_HEAD)
    events: list[Event] = []
    pieces = list(cut(first + second))
    for expected in (first, second):
        while not any(isinstance(event, EndOfMessage) for event in events):
            event = server.next_event()
            if isinstance(event, NeedData):
                server.receive(pieces.pop(0))
            else:
                events.append(event)
        assert ours(events) == ours(
            outcome(ServerConnection(MAX_HEAD), expected, whole, eof=False)[0]
        )
        events.clear()
        server.send_head(200, [], Framing(length=0))
        server.send_end()
        if not server.next_cycle():
            assert server.will_close
            return
    assert server.idle
