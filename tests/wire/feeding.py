"""Feeds a connection in different pieces and gathers what it reports."""

from collections.abc import Callable, Iterable, Iterator

from proxy.errors import Refusal
from proxy.model import Framing, Headers
from proxy.wire.client import ClientConnection
from proxy.wire.events import (
    Closed,
    Data,
    EndOfMessage,
    Event,
    Informational,
    NeedData,
    RequestHead,
    ResponseHead,
)
from proxy.wire.server import ServerConnection

MAX_HEAD = 4096
Pieces = Callable[[bytes], Iterable[bytes]]


def whole(data: bytes) -> list[bytes]:
    return [data] if data else []


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def cut_by(sizes: Iterable[int]) -> Pieces:
    """Pieces of these sizes, over and over."""

    def cut(data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            for size in sizes:
                yield from whole(data[at : at + size])
                at += size

    return cut


WAYS: list[Pieces] = [whole, byte_by_byte, cut_by([3]), cut_by([7, 1, 50])]


def asked(method: str = "GET", max_head: int = MAX_HEAD) -> ClientConnection:
    """A client connection whose request has been sent whole."""
    client = ClientConnection(max_head)
    client.send_head(method, "/", [(b"host", b"up.example")], Framing(length=0))
    client.send_end()
    return client


def drain(connection: ServerConnection | ClientConnection) -> list[Event]:
    """Every event until one says that nothing follows, without that one when it is NeedData."""
    events: list[Event] = []
    while not isinstance(event := connection.next_event(), NeedData):
        events.append(event)
        if isinstance(event, Closed):
            break
    return events


def feed(
    connection: ServerConnection | ClientConnection,
    data: bytes,
    pieces: Pieces = whole,
    *,
    eof: bool = False,
) -> list[Event]:
    """Every event, neighbouring `Data` joined. A refusal passes through."""
    events: list[Event] = []
    for piece in pieces(data):
        connection.receive(piece)
        events += drain(connection)
    if eof:
        connection.receive(b"")
        events += drain(connection)
    return joined(events)


def joined(events: list[Event]) -> list[Event]:
    found: list[Event] = []
    for event in events:
        if isinstance(event, Data) and found and isinstance(found[-1], Data):
            found[-1] = Data(found[-1].data + event.data)
        else:
            found.append(event)
    return found


def outcome(
    connection: ServerConnection | ClientConnection, data: bytes, pieces: Pieces, *, eof: bool
) -> tuple[list[Event], str | None]:
    """Events up to a refusal, and its code. The grammar and h11 must not have disagreed."""
    events: list[Event] = []
    refused: Refusal | None = None
    try:
        for piece in [*pieces(data), b""] if eof else pieces(data):
            connection.receive(piece)
            while not isinstance(event := connection.next_event(), NeedData | Closed):
                events.append(event)
    except Refusal as refusal:
        refused = refusal
    assert refused is None or not ({"h11", "differently"} & set(refused.reason.split()))
    return joined(events), refused.code if refused else None


def content(events: list[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Data))


def trailers(events: list[Event]) -> Headers | None:
    ends = [event.trailers for event in events if isinstance(event, EndOfMessage)]
    return ends[0] if ends else None


__all__ = [
    "MAX_HEAD",
    "WAYS",
    "Informational",
    "Pieces",
    "RequestHead",
    "ResponseHead",
    "asked",
    "byte_by_byte",
    "content",
    "cut_by",
    "drain",
    "feed",
    "joined",
    "outcome",
    "trailers",
    "whole",
]
