"""A connection to an upstream: requests of every framing, answers of every framing, reuse."""

import pytest

from proxy.errors import LockgateError, UpstreamFailure
from proxy.model import AnswerHead, Framing
from proxy.wire.client import MAX_INTERIM, ClientConnection
from proxy.wire.events import (
    Closed,
    Data,
    EndOfMessage,
    Event,
    Informational,
    NeedData,
    ResponseHead,
)
from tests.wire.feeding import MAX_HEAD, WAYS, Pieces, asked, content, drain, feed, trailers

HOST = [(b"host", b"up.example")]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
ALL_WAYS = pytest.mark.parametrize("pieces", WAYS)


def head_of(events: list[Event]) -> AnswerHead:
    return next(event.head for event in events if isinstance(event, ResponseHead))


# --- requests ---


def test_a_request_by_length() -> None:
    client = ClientConnection(MAX_HEAD)
    sent = client.send_head("POST", "/a?b", [*HOST, (b"a", b"b")], Framing(length=5))
    sent += b"".join(client.send_data(b"hello")) + client.send_end()
    assert sent == (
        b"POST /a?b HTTP/1.1\r\nHost: up.example\r\nA: b\r\nContent-Length: 5\r\n\r\nhello"
    )


def test_a_chunked_request_with_trailers() -> None:
    client = ClientConnection(MAX_HEAD)
    sent = client.send_head("POST", "/", HOST, Framing(chunked=True))
    assert client.send_data(b"") == []
    data = b"x" * 100_000
    pieces = client.send_data(data)
    assert any(piece is data for piece in pieces)
    sent += b"".join(pieces) + client.send_end(((b"content-digest", b"d"),))
    assert sent == (
        b"POST / HTTP/1.1\r\nHost: up.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"186a0\r\n" + data + b"\r\n0\r\nContent-Digest: d\r\n\r\n"
    )


@pytest.mark.parametrize(("method", "told"), [("GET", False), ("HEAD", False), ("POST", True)])
def test_a_request_without_content_tells_so_where_content_is_usual(method: str, told: bool) -> None:
    sent = ClientConnection(MAX_HEAD).send_head(method, "/", HOST, Framing(length=0))
    assert (b"Content-Length: 0" in sent) is told
    assert b"Transfer-Encoding" not in sent


def test_a_request_that_is_cut_short_never_looks_complete() -> None:
    client = ClientConnection(MAX_HEAD)
    client.send_head("POST", "/", HOST, Framing(length=5))
    client.send_data(b"hell")
    with pytest.raises(LockgateError):
        client.send_end()
    assert not client.reusable


@pytest.mark.parametrize("fields", [[], HOST * 2])
def test_a_request_without_one_host_is_not_sent(fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(LockgateError):
        ClientConnection(MAX_HEAD).send_head("GET", "/", fields, Framing(length=0))


def test_a_request_that_is_not_over_is_not_followed_by_another() -> None:
    client = ClientConnection(MAX_HEAD)
    client.send_head("POST", "/", HOST, Framing(length=5))
    with pytest.raises(LockgateError, match="out of turn"):
        client.send_head("POST", "/", HOST, Framing(length=5))


def test_a_request_of_unknown_length_is_chunked() -> None:
    sent = ClientConnection(MAX_HEAD).send_head("POST", "/", HOST, Framing())
    assert sent == b"POST / HTTP/1.1\r\nHost: up.example\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_target_that_would_end_the_line_is_not_sent() -> None:
    with pytest.raises(LockgateError):
        ClientConnection(MAX_HEAD).send_head("GET", "/ x\r\n", HOST, Framing(length=0))


# --- answers ---


@ALL_WAYS
def test_an_answer_by_length(pieces: Pieces) -> None:
    client = asked()
    events = feed(client, OK, pieces)
    head = head_of(events)
    assert (head.status, head.reason, head.framing) == (200, b"OK", Framing(length=5))
    assert events[1:] == [Data(b"hello"), EndOfMessage()]
    assert client.reusable


@ALL_WAYS
def test_a_chunked_answer_with_trailers(pieces: Pieces) -> None:
    client = asked()
    data = b"HTTP/1.1 200 \r\nTransfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n"
    events = feed(client, data, pieces)
    assert head_of(events).framing == Framing(chunked=True)
    assert content(events) == b"hello"
    assert trailers(events) == ((b"a", b"b"),)
    assert client.reusable


@ALL_WAYS
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("body", [b"", b"hello", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_an_answer_until_close(pieces: Pieces, version: bytes, body: bytes) -> None:
    client = asked()
    data = b"HTTP/" + version + b" 200 OK\r\n\r\n" + body
    assert trailers(feed(client, data, pieces)) is None
    assert not client.reusable
    client.receive(b"")
    events = drain(client)
    assert events[-2:] == [EndOfMessage(), Closed()]
    assert not client.reusable
    assert not client.next_cycle()


@ALL_WAYS
@pytest.mark.parametrize(
    ("method", "status", "framing"),
    [
        ("HEAD", 200, b"Content-Length: 5\r\n"),
        ("HEAD", 200, b"Transfer-Encoding: chunked\r\n"),
        ("HEAD", 404, b""),
        ("GET", 204, b""),
        ("GET", 204, b"Content-Length: 0\r\n"),
        ("GET", 304, b"Content-Length: 5\r\n"),
        ("GET", 304, b""),
        ("GET", 205, b"Content-Length: 0\r\n"),
    ],
)
def test_an_answer_without_content_ends_with_its_head(
    pieces: Pieces, method: str, status: int, framing: bytes
) -> None:
    client = asked(method)
    events = feed(client, b"HTTP/1.1 %d X\r\n%s\r\n" % (status, framing), pieces)
    assert head_of(events).framing == Framing(length=0)
    assert events[1:] == [EndOfMessage()]
    assert client.next_cycle()


@ALL_WAYS
def test_interim_answers_come_before_the_final_one(pieces: Pieces) -> None:
    client = asked()
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    events = feed(client, interim + OK, pieces)
    assert events[:2] == [Informational(100, ()), Informational(103, ((b"link", b"</a>"),))]
    assert content(events) == b"hello"
    assert client.next_cycle()
    client.send_head("GET", "/", HOST, Framing(length=0))
    client.send_end()
    assert len(feed(client, interim[:25] * MAX_INTERIM + OK)) == MAX_INTERIM + 3


def test_an_answer_may_come_before_the_request_has_ended() -> None:
    client = ClientConnection(MAX_HEAD)
    client.send_head("POST", "/", HOST, Framing(length=5))
    assert content(feed(client, OK)) == b"hello"
    assert not client.reusable
    client.send_data(b"hello")
    client.send_end()
    assert client.next_cycle()


# --- reuse ---


def saying(*lines: bytes) -> bytes:
    return OK.replace(b"200 OK\r\n", b"\r\n".join([b"200 OK", *lines, b""]))


def test_a_connection_is_used_again() -> None:
    client = ClientConnection(MAX_HEAD)
    for _ in range(3):
        client.send_head("GET", "/", HOST, Framing(length=0))
        client.send_end()
        client.receive(OK[:1])
        reusable = [client.reusable]
        assert content(feed(client, OK[1:])) == b"hello"
        assert [*reusable, client.reusable] == [False, True]
        assert client.next_cycle()
        assert client.next_event() == NeedData()


@pytest.mark.parametrize(
    "data",
    [
        saying(b"Connection: close"),
        saying(b"Connection: close,"),
        saying(b"Connection: , close", b"Connection:"),
        saying(b"Connection: keep-alive,,close"),
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
        OK + b"H",
        OK + OK,
    ],
)
def test_a_connection_is_not_used_again_when_it_may_not(data: bytes) -> None:
    client = asked()
    assert content(feed(client, data)) == b"hello"
    assert not client.reusable
    assert not client.next_cycle()


@pytest.mark.parametrize(
    "lines",
    [
        [b"Connection:"],
        [b"Connection: ,keep-alive, ,"],
        [b"Connection: Upgrade", b"Upgrade: h2,h2c"],
    ],
)
def test_an_upstream_that_offers_more_or_writes_commas_is_used_again(lines: list[bytes]) -> None:
    client = asked()
    assert content(feed(client, saying(*lines))) == b"hello"
    assert client.next_cycle()


@pytest.mark.parametrize("late", [b"H", OK, b"\r\n"])
def test_octets_that_nobody_asked_for_end_the_reuse(late: bytes) -> None:
    client = asked()
    feed(client, OK)
    client.next_cycle()
    client.receive(late)
    client.receive(late * 1000)
    assert not client.reusable
    with pytest.raises(UpstreamFailure, match="upstream-malformed"):
        client.send_head("GET", "/", HOST, Framing(length=0))


def test_an_upstream_that_closed_while_idle_is_not_asked() -> None:
    client = asked()
    feed(client, OK)
    client.next_cycle()
    client.receive(b"")
    assert client.next_event() == Closed()
    assert not client.reusable
    with pytest.raises(UpstreamFailure, match="upstream-closed"):
        client.send_head("GET", "/", HOST, Framing(length=0))


def test_an_upstream_that_closes_after_its_answer_is_not_used_again() -> None:
    client = asked()
    assert feed(client, OK, eof=True)[-1] == Closed()
    assert not client.next_cycle()
