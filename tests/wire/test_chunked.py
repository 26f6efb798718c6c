"""Chunked framing in both directions: what passes, what is refused, where it ends."""

from collections.abc import Callable

import pytest

from proxy.errors import Refusal
from proxy.model import Headers
from proxy.wire.client import ClientConnection
from proxy.wire.events import Data, EndOfMessage
from proxy.wire.framing import FREE_CHUNKS, MIN_CHUNK
from proxy.wire.server import ServerConnection
from tests.wire.ambiguous import CONTENTS
from tests.wire.feeding import (
    MAX_HEAD,
    WAYS,
    Pieces,
    asked,
    content,
    cut_by,
    feed,
    trailers,
    whole,
)

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Connection = ServerConnection | ClientConnection
Direction = Callable[[], tuple[Connection, bytes]]


def request() -> tuple[Connection, bytes]:
    return ServerConnection(MAX_HEAD), REQUEST


def answer() -> tuple[Connection, bytes]:
    return asked(), ANSWER


DIRECTIONS = pytest.mark.parametrize("direction", [request, answer])
ALL_WAYS = pytest.mark.parametrize("pieces", WAYS)

GOOD: dict[str, tuple[bytes, bytes, Headers]] = {
    "nothing": (b"0\r\n\r\n", b"", ()),
    "one chunk": (b"5\r\nhello\r\n0\r\n\r\n", b"hello", ()),
    "three chunks": (b"1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", b"abcdef", ()),
    "hexadecimal in both cases": (
        b"0A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
        b"0123456789" * 2,
        (),
    ),
    "sixteen digits": (b"0000000000000001\r\na\r\n0000000000000000\r\n\r\n", b"a", ()),
    "CRLF and chunk sizes in the content": (
        b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n",
        b"\r\n0\r\n\r\n",
        (),
    ),
    "trailers": (
        b"1\r\na\r\n0\r\nContent-Digest: x\r\nB: \xc3\xa9\r\n\r\n",
        b"a",
        ((b"content-digest", b"x"), (b"b", b"\xc3\xa9")),
    ),
}

BAD = {row.name: row.octets.partition(b"\r\n\r\n")[2] for row in CONTENTS}
FORBIDDEN = [
    "Transfer-Encoding",
    "Content-Length",
    "Host",
    "Trailer",
    "TE",
    "Connection",
    "Keep-Alive",
    "Upgrade",
    "Content-Type",
    "Content-Encoding",
    "Content-Range",
    "Content-Location",
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "Cache-Control",
    "Expect",
    "Range",
    "If-Match",
    "Location",
    "Via",
    "Transfer-Id",
    "Data-Sensitivity",
    "content-length",
    "transfer_encoding",
    "Content_Length",
    "Content.Length",
    "transfer~id",
    "proxy_authorization",
]


@ALL_WAYS
@DIRECTIONS
@pytest.mark.parametrize("name", GOOD)
def test_a_chunked_body_is_read(direction: Direction, name: str, pieces: Pieces) -> None:
    connection, head = direction()
    framed, body, fields = GOOD[name]
    events = feed(connection, head + framed, pieces)
    assert content(events) == body
    assert trailers(events) == fields


@ALL_WAYS
@DIRECTIONS
@pytest.mark.parametrize("name", BAD)
def test_bad_chunked_framing_is_refused(direction: Direction, name: str, pieces: Pieces) -> None:
    connection, head = direction()
    with pytest.raises(Refusal) as caught:
        feed(connection, head + BAD[name] + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", pieces)
    assert caught.value.code in ("malformed-request", "upstream-malformed")


@DIRECTIONS
@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_trailer_may_not_hold_what_belongs_in_a_head(direction: Direction, name: str) -> None:
    connection, head = direction()
    with pytest.raises(Refusal) as caught:
        feed(connection, head + b"0\r\n" + name.encode() + b": 1\r\n\r\n")
    assert caught.value.code in ("malformed-request", "upstream-malformed")


@ALL_WAYS
def test_a_trailer_section_is_bounded(pieces: Pieces) -> None:
    def section(size: int) -> bytes:
        return b"A: " + b"a" * (size - 7) + b"\r\n\r\n"

    assert feed(ServerConnection(100), REQUEST + b"0\r\n" + section(100), pieces)
    with pytest.raises(Refusal, match="head-too-large"):
        feed(ServerConnection(100), REQUEST + b"0\r\n" + section(101), pieces)


def test_many_small_chunks_in_one_read_are_one_piece() -> None:
    server = ServerConnection(MAX_HEAD)
    server.receive(REQUEST + b"1\r\na\r\n" * 500 + b"0\r\n\r\n")
    server.next_event()
    assert server.next_event() == Data(b"a" * 500)
    assert server.next_event() == EndOfMessage()


def chunks(size: int, count: int) -> bytes:
    return (b"%x\r\n" % size + b"a" * size + b"\r\n") * count


@DIRECTIONS
@pytest.mark.parametrize(
    "framed",
    [
        chunks(1, FREE_CHUNKS),
        chunks(MIN_CHUNK, FREE_CHUNKS * 3),
        chunks(20, FREE_CHUNKS * 3),
        chunks(MIN_CHUNK - 1, FREE_CHUNKS) + chunks(FREE_CHUNKS + MIN_CHUNK, 1),
        chunks(MIN_CHUNK * FREE_CHUNKS, 1) + chunks(1, FREE_CHUNKS),
    ],
)
def test_chunks_may_be_few_or_on_average_worth_their_cost(
    direction: Direction, framed: bytes
) -> None:
    connection, head = direction()
    events = feed(connection, head + framed + b"0\r\n\r\n", cut_by([4096]))
    assert len(content(events)) == framed.count(b"a")
    assert trailers(events) == ()


@DIRECTIONS
@pytest.mark.parametrize(
    "framed",
    [
        chunks(1, FREE_CHUNKS + 1),
        chunks(MIN_CHUNK, FREE_CHUNKS) + chunks(MIN_CHUNK - 1, 1),
        chunks(MIN_CHUNK - 1, FREE_CHUNKS) + chunks(FREE_CHUNKS + MIN_CHUNK - 1, 1),
        chunks(MIN_CHUNK * FREE_CHUNKS, 1) + chunks(1, FREE_CHUNKS * 2),
    ],
)
@pytest.mark.parametrize("pieces", [whole, cut_by([4096]), cut_by([7])])
def test_chunks_that_are_many_and_small_are_refused(
    direction: Direction, framed: bytes, pieces: Pieces
) -> None:
    connection, head = direction()
    with pytest.raises(Refusal, match="chunks too small") as caught:
        feed(connection, head + framed + b"0\r\n\r\n", pieces)
    assert caught.value.code in ("malformed-request", "upstream-malformed")


@DIRECTIONS
@pytest.mark.parametrize("part", [b"0\r\n\n", b"0\r\nA: b\n", b"0\r\nA: \x00", b"0\r\nA: b\rc"])
def test_a_bad_trailer_is_refused_before_the_section_ends(
    direction: Direction, part: bytes
) -> None:
    connection, head = direction()
    with pytest.raises(Refusal) as caught:
        feed(connection, head + part)
    assert caught.value.code in ("malformed-request", "upstream-malformed")
