"""A client's connection: keep-alive, pipelining, expectations, and answers of every framing."""

import pytest

from proxy.errors import LockgateError, Refusal
from proxy.model import Framing
from proxy.wire.events import Closed, Data, EndOfMessage, NeedData, RequestHead
from proxy.wire.server import ServerConnection
from tests.wire.feeding import MAX_HEAD, drain, feed

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"


def serving(request: bytes) -> ServerConnection:
    server = ServerConnection(MAX_HEAD)
    feed(server, request)
    return server


def answer(server: ServerConnection, status: int, framing: Framing, body: bytes = b"") -> bytes:
    sent = server.send_head(status, [(b"a", b"b")], framing)
    return sent + b"".join(server.send_data(body)) + server.send_end()


def request(line: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join([line, b"Host: x", *fields, b"", b""])


# --- heads ---


def test_a_head_says_what_was_written() -> None:
    server = ServerConnection(MAX_HEAD)
    server.receive(
        b"PUT /a/%7Eb?q=[1]&r HTTP/1.1\r\nhOST: Gate.Example:8443\r\n"
        b"X-A:\t1 , 2 \t\r\nx-a: \xff\r\nEmpty:\r\nContent-Length: 0\r\n\r\n"
    )
    event = server.next_event()
    assert isinstance(event, RequestHead)
    head = event.head
    assert (head.method, head.path, head.query) == ("PUT", "/a/%7Eb", "q=[1]&r")
    assert head.target == "/a/%7Eb?q=[1]&r"
    assert head.headers == (
        (b"host", b"Gate.Example:8443"),
        (b"x-a", b"1 , 2"),
        (b"x-a", b"\xff"),
        (b"empty", b""),
        (b"content-length", b"0"),
    )
    assert head.framing == Framing(length=0)
    assert head.keep_alive
    assert not head.expect_continue


def test_a_query_may_be_there_and_empty() -> None:
    events = drain(serving(b""))
    assert events == []
    first = feed(ServerConnection(MAX_HEAD), request(b"GET /? HTTP/1.1"))[0]
    assert isinstance(first, RequestHead)
    assert first.head.query == ""


@pytest.mark.parametrize(
    ("line", "fields", "keep_alive"),
    [
        (b"GET / HTTP/1.1", [], True),
        (b"GET / HTTP/1.1", [b"Connection: keep-alive"], True),
        (b"GET / HTTP/1.1", [b"Connection: Close"], False),
        (b"GET / HTTP/1.1", [b"Connection: , close"], False),
        (b"GET / HTTP/1.1", [b"Connection: keep-alive,,close,"], False),
        (b"GET / HTTP/1.1", [b"Connection:"], True),
        (b"GET / HTTP/1.1", [b"Connection: Upgrade, HTTP2-Settings,", b"Upgrade: h2c"], True),
        (b"GET / HTTP/1.1", [b"Connection: TE", b"Connection: x, close"], False),
        (b"GET / HTTP/1.0", [], False),
        (b"GET / HTTP/1.0", [b"Connection: keep-alive"], False),
    ],
)
def test_a_connection_is_kept_when_both_sides_may(
    line: bytes, fields: list[bytes], keep_alive: bool
) -> None:
    server = serving(request(line, *fields))
    sent = answer(server, 200, Framing(length=2), b"ok")
    assert (b"Connection: close" in sent) is not keep_alive
    assert server.will_close is not keep_alive
    assert server.next_cycle() is keep_alive


# --- more than one request ---


def test_requests_follow_each_other_on_one_connection() -> None:
    server = ServerConnection(MAX_HEAD)
    for _ in range(3):
        idle = [server.idle]
        events = feed(server, POST)
        assert [*idle, server.idle] == [True, False]
        assert events[1:] == [Data(b"hello"), EndOfMessage()]
        assert answer(server, 204, Framing(length=0))
        assert server.next_cycle()
    assert feed(server, b"", eof=True) == [Closed()]


def test_a_pipelined_request_waits_until_the_one_before_is_answered() -> None:
    server = ServerConnection(MAX_HEAD)
    server.receive(GET + POST + GET[:5])
    assert len(drain(server)) == 2
    assert drain(server) == []
    answer(server, 200, Framing(length=0))
    assert server.next_cycle()
    assert not server.idle
    assert drain(server)[1:] == [Data(b"hello"), EndOfMessage()]
    answer(server, 200, Framing(length=0))
    assert server.next_cycle()
    assert drain(server) == []
    assert len(feed(server, GET[5:])) == 2


def test_a_peer_that_pipelined_and_then_ended_is_answered_to_the_last() -> None:
    server = ServerConnection(MAX_HEAD)
    server.receive(GET + GET)
    server.receive(b"")
    assert [type(event) for event in drain(server)] == [RequestHead, EndOfMessage, Closed]
    assert b"Connection: close" not in answer(server, 200, Framing(length=0))
    assert server.next_cycle()
    drain(server)
    assert b"Connection: close" in answer(server, 200, Framing(length=0))
    assert not server.next_cycle()


def test_what_is_pipelined_is_bounded() -> None:
    server = serving(GET)
    server.receive(b"G" * (MAX_HEAD + 1))
    with pytest.raises(Refusal, match="malformed-request"):
        server.receive(b"G")
    assert server.will_close


def test_the_next_request_does_not_start_before_the_answer_ended() -> None:
    server = serving(GET)
    server.send_head(200, [], Framing(length=2))
    assert not server.next_cycle()
    server.send_data(b"ok")
    assert not server.next_cycle()
    server.send_end()
    assert server.next_cycle()


def test_an_answer_before_the_end_of_the_request_closes() -> None:
    server = serving(POST[:-1])
    assert b"Connection: close" in answer(server, 403, Framing(length=0))
    assert not server.next_cycle()


def test_a_close_that_is_asked_for_is_announced() -> None:
    server = serving(GET)
    server.require_close()
    assert b"Connection: close" in answer(server, 200, Framing(length=0))
    assert not server.next_cycle()


def test_a_close_asked_for_after_the_head_still_closes() -> None:
    server = serving(GET)
    server.send_head(200, [], Framing(length=0))
    server.require_close()
    server.send_end()
    assert not server.next_cycle()


# --- Expect ---

EXPECTING = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"


def expects(data: bytes) -> bool:
    event = feed(ServerConnection(MAX_HEAD), data)[0]
    assert isinstance(event, RequestHead)
    return event.head.expect_continue


def test_an_expectation_is_told_and_answered_once() -> None:
    assert expects(EXPECTING)
    server = serving(EXPECTING)
    assert server.send_continue() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert server.send_continue() == b""
    assert feed(server, b"ok") == [Data(b"ok"), EndOfMessage()]
    assert answer(server, 200, Framing(length=0)).startswith(b"HTTP/1.1 200 OK\r\n")
    assert server.next_cycle()


def test_nobody_is_told_to_continue_who_does_not_wait() -> None:
    assert not expects(POST)
    assert serving(POST).send_continue() == b""
    assert serving(EXPECTING + b"o").send_continue() == b""
    assert not expects(EXPECTING.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert not expects(EXPECTING.replace(b": 2", b": 0"))


def test_a_refused_expectation_closes_because_the_content_never_came() -> None:
    server = serving(EXPECTING)
    assert b"Connection: close" in answer(server, 403, Framing(length=0))
    assert not server.next_cycle()


# --- answers ---


def test_an_answer_by_length() -> None:
    assert answer(serving(GET), 200, Framing(length=2), b"ok") == (
        b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nok"
    )


@pytest.mark.parametrize("framing", [Framing(chunked=True), Framing()])
def test_an_answer_of_unknown_length_is_chunked(framing: Framing) -> None:
    server = serving(GET)
    assert answer(server, 200, framing, b"hello") == (
        b"HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )
    assert server.next_cycle()


def test_a_chunked_answer_carries_trailers() -> None:
    server = serving(GET)
    server.send_head(200, [], Framing(chunked=True))
    assert server.can_send_trailers
    assert server.send_end(((b"transfer-receipt", b":eA==:"),)) == (
        b"0\r\nTransfer-Receipt: :eA==:\r\n\r\n"
    )


def test_trailers_are_left_out_where_they_cannot_be_sent() -> None:
    for made, framing in [
        (GET, Framing(length=0)),
        (GET.replace(b"1.1", b"1.0"), Framing(chunked=True)),
        (GET.replace(b"GET", b"HEAD"), Framing(chunked=True)),
    ]:
        server = serving(made)
        server.send_head(200, [], framing)
        assert not server.can_send_trailers
        assert server.send_end(((b"a", b"b"),)) == b""


def test_an_answer_of_unknown_length_to_http_1_0_ends_at_the_close() -> None:
    server = serving(GET.replace(b"1.1", b"1.0"))
    assert answer(server, 200, Framing(chunked=True), b"hello") == (
        b"HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\nhello"
    )
    assert not server.next_cycle()


@pytest.mark.parametrize("status", [200, 204, 304, 403])
@pytest.mark.parametrize("framing", [Framing(length=2), Framing(length=0), Framing(chunked=True)])
def test_no_content_follows_head(status: int, framing: Framing) -> None:
    server = serving(GET.replace(b"GET", b"HEAD"))
    sent = answer(server, status, framing, b"ok"[: framing.length])
    assert sent.endswith(b"\r\n\r\n")
    assert sent.count(b"\r\n\r\n") == 1
    assert b"Content-Length: 0" not in sent
    assert (b"Content-Length: 2" in sent) is (framing.length == 2 and status != 204)
    assert server.next_cycle()


@pytest.mark.parametrize("framing", [Framing(length=2), Framing(length=0), Framing(chunked=True)])
def test_204_has_neither_content_nor_framing_fields(framing: Framing) -> None:
    server = serving(GET)
    assert answer(server, 204, framing, b"ok"[: framing.length]) == (
        b"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n"
    )
    assert server.next_cycle()


def test_304_tells_a_length_but_sends_nothing() -> None:
    server = serving(GET)
    sent = answer(server, 304, Framing(length=5), b"hello")
    assert sent == b"HTTP/1.1 304 Not Modified\r\nA: b\r\nContent-Length: 5\r\n\r\n"
    assert server.next_cycle()


def test_framing_fields_come_from_the_framing_alone() -> None:
    server = serving(GET)
    fields = [
        (b"Content-Length", b"9"),
        (b"transfer-encoding", b"gzip"),
        (b"connection", b"x-a"),
        (b"a", b"b"),
    ]
    assert server.send_head(200, fields, Framing(length=1)) == (
        b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 1\r\n\r\n"
    )


def test_content_is_passed_on_uncopied_and_nothing_is_nothing() -> None:
    server = serving(GET)
    server.send_head(200, [], Framing(chunked=True))
    data = b"x" * 100_000
    assert any(piece is data for piece in server.send_data(data))
    assert server.send_data(b"") == []


def test_received_content_is_passed_on_uncopied() -> None:
    server = ServerConnection(MAX_HEAD)
    feed(server, POST.replace(b": 5", b": 100005"))
    data = b"x" * 100_000
    server.receive(data)
    event = server.next_event()
    assert isinstance(event, Data)
    assert event.data is data


def test_an_answer_against_its_framing_raises_and_quotes_nothing() -> None:
    server = serving(GET)
    server.send_head(200, [], Framing(length=2))
    with pytest.raises(LockgateError) as caught:
        server.send_data(b"s3cr3t")
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__context__ is None


def test_what_is_out_of_turn_is_not_sent() -> None:
    server = serving(GET)
    for early in (lambda: server.send_data(b"a"), server.send_end):
        with pytest.raises(LockgateError, match="out of turn"):
            early()
    answer(server, 200, Framing(length=2), b"ok")
    for late in (
        lambda: server.send_interim(103, []),
        lambda: server.send_head(200, [], Framing(length=0)),
        lambda: server.send_data(b"a"),
        server.send_end,
    ):
        with pytest.raises(LockgateError, match="out of turn"):
            late()
    assert server.next_cycle()


def test_interim_answers_go_to_those_who_know_them() -> None:
    server = serving(GET)
    assert server.send_interim(103, [(b"link", b"</a>")]) == (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    )
    assert server.send_interim(199, []) == b"HTTP/1.1 199 \r\n\r\n"
    assert serving(GET.replace(b"1.1", b"1.0")).send_interim(103, []) == b""
    assert ServerConnection(MAX_HEAD).send_interim(103, []) == b""


def test_an_answer_that_is_too_short_cannot_be_ended() -> None:
    server = serving(GET)
    server.send_head(200, [], Framing(length=2))
    with pytest.raises(LockgateError):
        server.send_end()
    assert not server.next_cycle()


def test_a_field_that_would_end_the_head_is_not_sent() -> None:
    for value in (b"a\r\nb: c", b"a\nb", b"a\x00"):
        with pytest.raises(LockgateError):
            serving(GET).send_head(200, [(b"a", value)], Framing(length=0))


def test_a_refusal_in_the_middle_of_the_content_can_be_answered() -> None:
    server = ServerConnection(MAX_HEAD)
    feed(server, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    with pytest.raises(Refusal, match="malformed-request"):
        feed(server, b"zz\r\n")
    assert answer(server, 400, Framing(length=2), b"no").endswith(b"Connection: close\r\n\r\nno")
    assert not server.next_cycle()


def test_a_silent_peer_that_leaves_is_no_error() -> None:
    server = ServerConnection(MAX_HEAD)
    assert server.next_event() == NeedData()
    server.receive(b"")
    assert server.next_event() == Closed()
    assert server.next_event() == Closed()
    assert server.will_close
