"""Our client and our server speak with each other, and what goes in comes out."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.model import Framing, Headers
from proxy.wire.client import ClientConnection
from proxy.wire.events import Data, EndOfMessage, RequestHead, ResponseHead
from proxy.wire.server import ServerConnection
from tests.wire.feeding import MAX_HEAD, Pieces, content, cut_by, feed, trailers

BODIES = st.lists(st.binary(max_size=30), max_size=5)
CUTS = st.lists(st.integers(1, 60), min_size=1, max_size=5).map(cut_by)
TRAILERS: Headers = ((b"content-digest", b"x"),)
FIELDS = [(b"host", b"up.example"), (b"a", b"\xff b")]


def framing(pieces: list[bytes], chunked: bool) -> Framing:
    return Framing(chunked=True) if chunked else Framing(length=sum(map(len, pieces)))


def body(side: ClientConnection | ServerConnection, pieces: list[bytes], chunked: bool) -> bytes:
    sent = b"".join(part for piece in pieces for part in side.send_data(piece))
    return sent + side.send_end(TRAILERS if chunked else ())


@given(st.lists(st.tuples(BODIES, BODIES, st.booleans(), CUTS), min_size=1, max_size=3))
def test_exchanges_arrive_as_they_were_sent(
    exchanges: list[tuple[list[bytes], list[bytes], bool, Pieces]],
) -> None:
    client, server = ClientConnection(MAX_HEAD), ServerConnection(MAX_HEAD)
    for asked, answered, chunked, cut in exchanges:
        wire = client.send_head("POST", "/a?b", FIELDS, framing(asked, chunked))
        events = feed(server, wire + body(client, asked, chunked), cut)
        assert isinstance(events[0], RequestHead)
        assert events[0].head.headers[:2] == tuple(FIELDS)
        assert content(events) == b"".join(asked)
        assert trailers(events) == (TRAILERS if chunked else ())

        wire = server.send_head(200, FIELDS[1:], framing(answered, not chunked))
        events = feed(client, wire + body(server, answered, not chunked), cut)
        assert isinstance(events[0], ResponseHead)
        assert events[0].head.headers[:1] == tuple(FIELDS[1:])
        assert content(events) == b"".join(answered)
        assert trailers(events) == (() if chunked else TRAILERS)
        assert client.next_cycle()
        assert server.next_cycle()


def test_content_that_is_larger_than_any_buffer_streams_through() -> None:
    client, server = ClientConnection(MAX_HEAD), ServerConnection(MAX_HEAD)
    piece = bytes(range(256)) * 256
    server.receive(client.send_head("POST", "/", FIELDS[:1], Framing(chunked=True)))
    assert isinstance(server.next_event(), RequestHead)
    for _ in range(100):
        for part in client.send_data(piece):
            server.receive(part)
        assert server.next_event() == Data(piece)
        assert len(server._inbound) == 0
    server.receive(client.send_end())
    assert server.next_event() == EndOfMessage()
