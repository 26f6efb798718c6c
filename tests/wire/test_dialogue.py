"""Our server speaks with a client made of h11, and our client with such a server, exchange after
exchange: each reads what the other meant, and both know alike whether the connection goes on."""

from dataclasses import dataclass

import h11
from hypothesis import given
from hypothesis import strategies as st

from proxy.model import Framing
from proxy.wire.client import ClientConnection
from proxy.wire.events import Informational, RequestHead, ResponseHead
from proxy.wire.server import ServerConnection
from tests.wire.feeding import MAX_HEAD, Pieces, content, cut_by, feed, trailers

TRAILERS = ((b"content-digest", b"x"),)
CUTS = st.lists(st.integers(1, 60), min_size=1, max_size=5).map(cut_by)


@dataclass(frozen=True)
class Message:
    pieces: list[bytes]
    chunked: bool
    closes: bool

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def framing(self) -> Framing:
        return Framing(chunked=True) if self.chunked else Framing(len(self.content))

    def fields(self, *more: tuple[str, str]) -> list[tuple[str, str]]:
        size = ("Content-Length", str(len(self.content)))
        framing = ("Transfer-Encoding", "chunked") if self.chunked else size
        return [*more, ("X-A", "b"), framing, *[("Connection", "close")] * self.closes]


@dataclass(frozen=True)
class Exchange:
    method: str
    asked: Message
    status: int
    answered: Message
    interim: bool


MESSAGES = st.builds(
    Message,
    st.lists(st.binary(min_size=1, max_size=30), max_size=4),
    st.booleans(),
    st.sampled_from([False, False, False, True]),
)
EXCHANGES = st.lists(
    st.builds(
        Exchange,
        st.sampled_from(["GET", "POST", "HEAD", "PUT"]),
        MESSAGES,
        st.sampled_from([200, 201, 204, 304, 404]),
        MESSAGES,
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


def sent(connection: h11.Connection, *events: h11.Event) -> bytes:
    return b"".join(connection.send(event) or b"" for event in events)


def body(message: Message, *, bare: bool = False) -> list[h11.Event]:
    """The content of a message and its end; nothing but the end where it is `bare`."""
    behind = list(TRAILERS) if message.chunked and not bare else []
    data = [] if bare else [h11.Data(data=piece) for piece in message.pieces]
    return [*data, h11.EndOfMessage(headers=behind)]


def read(connection: h11.Connection, data: bytes) -> tuple[list[h11.Event], bytes]:
    connection.receive_data(data)
    events: list[h11.Event] = []
    while not isinstance(event := connection.next_event(), type):
        events.append(event)
    return events, b"".join(bytes(e.data) for e in events if isinstance(e, h11.Data))


def is_bare(exchange: Exchange) -> bool:
    return exchange.method == "HEAD" or exchange.status in (204, 304)


@given(EXCHANGES, CUTS)
def test_our_server_and_a_client_of_h11_agree(exchanges: list[Exchange], cut: Pieces) -> None:
    client, server = h11.Connection(h11.CLIENT), ServerConnection(MAX_HEAD)
    for each in exchanges:
        fields = each.asked.fields(("Host", "x"))
        request = h11.Request(method=each.method, target="/a", headers=fields)
        events = feed(server, sent(client, request, *body(each.asked)), cut)
        assert isinstance(events[0], RequestHead)
        assert (events[0].head.method, events[0].head.framing) == (each.method, each.asked.framing)
        assert content(events) == each.asked.content
        assert trailers(events) == (TRAILERS if each.asked.chunked else ())

        answer = server.send_interim(103, [(b"link", b"</a>")]) if each.interim else b""
        if each.answered.closes:
            server.require_close()
        answer += server.send_head(each.status, [(b"x-a", b"b")], each.answered.framing)
        for piece in each.answered.pieces:
            answer += b"".join(server.send_data(piece))
        answer += server.send_end(TRAILERS)
        heard, found = read(client, answer)
        assert isinstance(heard[-1], h11.EndOfMessage)
        assert found == (b"" if is_bare(each) else each.answered.content)
        behind = () if is_bare(each) or not each.answered.chunked else TRAILERS
        assert tuple(heard[-1].headers) == behind

        goes_on = client.our_state is h11.DONE and client.their_state is h11.DONE
        assert server.next_cycle() is goes_on
        if not goes_on:
            return
        client.start_next_cycle()


@given(EXCHANGES, CUTS)
def test_our_client_and_a_server_of_h11_agree(exchanges: list[Exchange], cut: Pieces) -> None:
    client, server = ClientConnection(MAX_HEAD), h11.Connection(h11.SERVER)
    for each in exchanges:
        request = client.send_head(each.method, "/a", [(b"host", b"x")], each.asked.framing)
        for piece in each.asked.pieces:
            request += b"".join(client.send_data(piece))
        request += client.send_end(TRAILERS)
        heard, found = read(server, request)
        assert isinstance(heard[0], h11.Request)
        assert isinstance(heard[-1], h11.EndOfMessage)
        assert found == each.asked.content
        assert tuple(heard[-1].headers) == (TRAILERS if each.asked.chunked else ())

        answer = b""
        if each.interim:
            answer = sent(server, h11.InformationalResponse(status_code=103, headers=[]))
        fields = [] if each.status == 204 else each.answered.fields()
        fields += [("Connection", "close")] * (each.answered.closes and each.status == 204)
        head = h11.Response(status_code=each.status, headers=fields)
        answer += sent(server, head, *body(each.answered, bare=is_bare(each)))
        events = feed(client, answer, cut)
        assert isinstance(events[0], Informational) is each.interim
        assert isinstance(events[each.interim], ResponseHead)
        assert content(events) == (b"" if is_bare(each) else each.answered.content)
        behind = () if is_bare(each) or not each.answered.chunked else TRAILERS
        assert trailers(events) == behind

        goes_on = server.our_state is h11.DONE and server.their_state is h11.DONE
        assert client.next_cycle() is goes_on
        if not goes_on:
            return
        server.start_next_cycle()
