"""A peer that disappears at any octet of a message is never taken for one that had finished."""

import pytest

from proxy.errors import Refusal, UpstreamFailure
from proxy.model import Framing
from proxy.wire.events import Closed, EndOfMessage
from proxy.wire.server import ServerConnection
from tests.wire.feeding import MAX_HEAD, asked, drain, feed

REQUESTS = [
    b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /a HTTP/1.0\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\nContent-Digest: x\r\nA: b\r\n\r\n",
]
ANSWERS = [
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
]
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"


@pytest.mark.parametrize("data", REQUESTS)
def test_a_request_cut_anywhere_is_incomplete(data: bytes) -> None:
    for at in range(1, len(data)):
        server = ServerConnection(MAX_HEAD)
        events = feed(server, data[:at])
        assert not any(isinstance(event, EndOfMessage) for event in events)
        server.receive(b"")
        with pytest.raises(Refusal) as caught:
            drain(server)
        assert caught.value.code == "request-incomplete"
        assert server.will_close
        assert not server.next_cycle()


@pytest.mark.parametrize("data", REQUESTS)
def test_a_request_that_is_whole_is_complete(data: bytes) -> None:
    events = feed(ServerConnection(MAX_HEAD), data, eof=True)
    assert isinstance(events[-2], EndOfMessage)
    assert isinstance(events[-1], Closed)


@pytest.mark.parametrize("data", REQUESTS)
def test_a_second_request_cut_anywhere_is_incomplete(data: bytes) -> None:
    for at in range(1, len(data)):
        server = ServerConnection(MAX_HEAD)
        feed(server, REQUESTS[0])
        server.send_head(204, [], Framing(length=0))
        server.send_end()
        assert server.next_cycle()
        with pytest.raises(Refusal, match="request-incomplete"):
            feed(server, data[:at], eof=True)


@pytest.mark.parametrize("data", [*ANSWERS, UNTIL_CLOSE])
def test_an_answer_cut_anywhere_is_incomplete(data: bytes) -> None:
    for at in range(len(data)):
        client = asked()
        events = feed(client, data[:at])
        assert not any(isinstance(event, EndOfMessage) for event in events)
        client.receive(b"")
        with pytest.raises(UpstreamFailure) as caught:
            drain(client)
        assert caught.value.code == "upstream-closed"
        assert not client.reusable


@pytest.mark.parametrize("data", ANSWERS)
def test_an_answer_that_is_whole_is_complete(data: bytes) -> None:
    events = feed(asked(), data, eof=True)
    assert isinstance(events[-2], EndOfMessage)
