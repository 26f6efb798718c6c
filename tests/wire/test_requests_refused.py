"""What the grammar refuses of a request, fed whole, in pieces, and with more behind it."""

import h11
import pytest

from proxy.errors import Refusal
from proxy.model import Framing
from proxy.wire.server import ServerConnection
from tests.wire.feeding import MAX_HEAD, WAYS, Pieces, feed

BODY = b"Content-Length: 2\r\n\r\nok"


def post(*lines: bytes, body: bytes = b"\r\n") -> bytes:
    return b"\r\n".join([b"POST /a HTTP/1.1", b"Host: x", *lines, body])


def line(first: bytes) -> bytes:
    return first + b"\r\nHost: x\r\n\r\n"


def host(value: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: " + value + b"\r\n\r\n"


MALFORMED: dict[str, bytes] = {
    # Lines
    "a blank line first": b"\r\n" + line(b"GET / HTTP/1.1"),
    "a bare LF first": b"\n" + line(b"GET / HTTP/1.1"),
    "a space first": b" " + line(b"GET / HTTP/1.1"),
    "TLS instead of HTTP": b"\x16\x03\x01\x02\x00\x01\x00",
    "bare LF after the request line": b"GET / HTTP/1.1\nHost: x\r\n\r\n",
    "bare LF after a field": b"GET / HTTP/1.1\r\nHost: x\n\r\n",
    "bare LF at the end of the head": b"GET / HTTP/1.1\r\nHost: x\r\n\n",
    "bare LF throughout": b"GET / HTTP/1.1\nHost: x\n\n",
    "bare CR in a value": post(b"A: b\rc"),
    "CR CR LF": post(b"A: b\r"),
    "bare CR in the target": line(b"GET /\r HTTP/1.1"),
    "NUL in a value": post(b"A: b\x00c"),
    "NUL in a name": post(b"A\x00: b"),
    "a control in a value": post(b"A: b\x01c"),
    "vertical tab in a value": post(b"A: b\x0bc"),
    "DEL in a value": post(b"A: b\x7fc"),
    "a folded value": post(b"A: b", b" c"),
    "a value folded by a tab": post(b"A: b", b"\tc"),
    "a folded first field": b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    # Names
    "a space before the colon": post(b"A : b"),
    "a tab before the colon": post(b"A\t: b"),
    "a space in a name": post(b"A B: c"),
    "a space before a name": b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    "an empty name": post(b": b"),
    "no colon": post(b"A"),
    "a name that is no token": post(b"A(b): c"),
    "a name outside ASCII": post(b"\xc3\xa9: c"),
    # Request line
    "two spaces before the target": line(b"GET  / HTTP/1.1"),
    "two spaces before the version": line(b"GET /  HTTP/1.1"),
    "a tab in the request line": line(b"GET\t/ HTTP/1.1"),
    "a space after the version": line(b"GET / HTTP/1.1 "),
    "no version (HTTP/0.9)": line(b"GET /"),
    "HTTP/2.0": line(b"GET / HTTP/2.0"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.2": line(b"GET / HTTP/1.2"),
    "HTTP/0.9": line(b"GET / HTTP/0.9"),
    "HTTP/1.10": line(b"GET / HTTP/1.10"),
    "HTTP/01.1": line(b"GET / HTTP/01.1"),
    "http/1.1": line(b"GET / http/1.1"),
    "a lower-case method": line(b"get / HTTP/1.1"),
    "a method in mixed case": line(b"Get / HTTP/1.1"),
    "a method with odd characters": line(b"GE!T / HTTP/1.1"),
    "a method with a digit": line(b"GET2 / HTTP/1.1"),
    "no method": line(b" / HTTP/1.1"),
    # Targets
    "an absolute target": line(b"GET http://x/ HTTP/1.1"),
    "an authority target": line(b"GET x:443 HTTP/1.1"),
    "an asterisk target": line(b"OPTIONS * HTTP/1.1"),
    "a relative target": line(b"GET a HTTP/1.1"),
    "no target": line(b"GET  HTTP/1.1"),
    "a query alone": line(b"GET ?a HTTP/1.1"),
    "a fragment": line(b"GET /a#b HTTP/1.1"),
    "a fragment after a query": line(b"GET /a?b#c HTTP/1.1"),
    "a target outside ASCII": line(b"GET /\xc3\xa9 HTTP/1.1"),
    "a control in the target": line(b"GET /\x01 HTTP/1.1"),
    "NUL in the target": line(b"GET /\x00 HTTP/1.1"),
    "a space in the target": line(b"GET /a b HTTP/1.1"),
    "a backslash in the target": line(b"GET /a\\b HTTP/1.1"),
    "brackets in the path": line(b"GET /[a] HTTP/1.1"),
    "a quote in the query": line(b'GET /?"a" HTTP/1.1'),
    # Host
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "no Host on HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "two equal Hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
    "an empty Host": host(b""),
    "a list in Host": host(b"x, y"),
    "a user in Host": host(b"u@x"),
    "a path in Host": host(b"x/y"),
    "a space in Host": host(b"x y"),
    "an empty port": host(b"x:"),
    "a port that is no number": host(b"x:http"),
    "a port above 65535": host(b"x:65536"),
    "two ports": host(b"x:1:2"),
    "an IPv6 address without brackets": host(b"2001:db8::1"),
    "an IPv6 address that is none": host(b"[2001:db8::1::2]"),
    "an escaped Host": host(b"x%41"),
    # Framing
    "Content-Length and Transfer-Encoding": post(
        b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"\r\n0\r\n\r\n"
    ),
    "two equal Content-Lengths": post(b"Content-Length: 2", BODY, body=b""),
    "two different Content-Lengths": post(b"Content-Length: 3", BODY, body=b""),
    "a list of Content-Lengths": post(b"Content-Length: 2, 2", body=b"\r\nok"),
    "a positive Content-Length": post(b"Content-Length: +2", body=b"\r\nok"),
    "a negative Content-Length": post(b"Content-Length: -2", body=b"\r\nok"),
    "an empty Content-Length": post(b"Content-Length:", body=b"\r\nok"),
    "a hexadecimal Content-Length": post(b"Content-Length: 0x2", body=b"\r\nok"),
    "a Content-Length with a leading zero": post(b"Content-Length: 02", body=b"\r\nok"),
    "a fractional Content-Length": post(b"Content-Length: 2.0", body=b"\r\nok"),
    "a Content-Length with a space": post(b"Content-Length: 2 2", body=b"\r\nok"),
    "a Content-Length of Arabic digits": post("Content-Length: \u0662".encode(), body=b"\r\nok"),
    "a Content-Length beyond 64 bits": post(b"Content-Length: 99999999999999999999"),
    "Transfer-Encoding: gzip, chunked": post(b"Transfer-Encoding: gzip, chunked"),
    "Transfer-Encoding: chunked, chunked": post(b"Transfer-Encoding: chunked, chunked"),
    "Transfer-Encoding: identity": post(b"Transfer-Encoding: identity"),
    "Transfer-Encoding: chunked;a=b": post(b"Transfer-Encoding: chunked;a=b"),
    "Transfer-Encoding: xchunked": post(b"Transfer-Encoding: xchunked"),
    "an empty Transfer-Encoding": post(b"Transfer-Encoding:"),
    "a quoted Transfer-Encoding": post(b'Transfer-Encoding: "chunked"'),
    "two Transfer-Encodings": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "chunked on HTTP/1.0": b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    # Other fields
    "Connection nominates Host": post(b"Connection: host"),
    "Connection nominates Content-Length": post(b"Connection: close, Content-Length", BODY),
    "Connection nominates Content-Digest": post(b"Connection: content-digest"),
    "Connection nominates Transfer-Id": post(b"Connection: Transfer-Id"),
    "Connection is no list": post(b"Connection: close,, te"),
    "Connection is empty": post(b"Connection:"),
    "an unknown expectation": post(b"Expect: 200-ok"),
    "two expectations": post(b"Expect: 100-continue", b"Expect: 100-continue"),
    "two Content-Types": post(b"Content-Type: text/plain", b"Content-Type: application/json"),
    "two Authorizations": post(b"Authorization: a", b"Authorization: b"),
}
MALFORMED["a space at the end of a blank line"] = b"GET / HTTP/1.1\r\nHost: x\r\n \r\n\r\n"

MALFORMED["a Content-Length of nineteen digits"] = post(b"Content-Length: 1" + b"0" * 18)

UPGRADES: dict[str, bytes] = {
    "CONNECT": b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n",
    "CONNECT with a path": line(b"CONNECT / HTTP/1.1"),
    "Upgrade": post(b"Connection: upgrade", b"Upgrade: websocket"),
    "Upgrade that Connection does not name": post(b"Upgrade: h2c"),
    "HTTP2-Settings": post(b"HTTP2-Settings: AAMAAABkAAQAAP__"),
}

H11_ALONE_ACCEPTS = [
    "a folded value",
    "bare LF throughout",
    "Content-Length and Transfer-Encoding",
    "two equal Content-Lengths",
    "a list of Content-Lengths",
    "chunked on HTTP/1.0",
    "an absolute target",
    "a control in a value",
    "a lower-case method",
    "HTTP/1.2",
    "no Host on HTTP/1.0",
    "a list in Host",
    "a fragment",
]


def refusal_of(data: bytes, pieces: Pieces, max_head: int = MAX_HEAD) -> Refusal:
    with pytest.raises(Refusal) as caught:
        feed(ServerConnection(max_head), data, pieces)
    return caught.value


@pytest.mark.parametrize("pieces", WAYS)
@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_refused(name: str, pieces: Pieces) -> None:
    assert refusal_of(MALFORMED[name], pieces).code == "malformed-request"


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_refused_with_a_good_one_behind_it(name: str) -> None:
    behind = b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n"
    assert refusal_of(MALFORMED[name] + behind, pieces=WAYS[0]).code == "malformed-request"


@pytest.mark.parametrize("pieces", WAYS)
@pytest.mark.parametrize("name", UPGRADES)
def test_a_request_for_another_protocol_is_refused(name: str, pieces: Pieces) -> None:
    assert refusal_of(UPGRADES[name], pieces).code == "upgrade-refused"


@pytest.mark.parametrize("name", H11_ALONE_ACCEPTS)
def test_h11_alone_would_have_let_it_pass(name: str) -> None:
    alone = h11.Connection(h11.SERVER)
    alone.receive_data(MALFORMED[name])
    assert isinstance(alone.next_event(), h11.Request)


@pytest.mark.parametrize("pieces", WAYS)
def test_a_head_may_be_as_long_as_allowed_and_no_longer(pieces: Pieces) -> None:
    def head(size: int) -> bytes:
        start = b"GET / HTTP/1.1\r\nHost: x\r\nA: "
        return start + b"a" * (size - len(start) - 4) + b"\r\n\r\n"

    assert len(head(200)) == 200
    assert feed(ServerConnection(200), head(200), pieces)
    assert refusal_of(head(201), pieces, max_head=200).code == "head-too-large"


def test_a_length_of_eighteen_digits_passes() -> None:
    assert feed(ServerConnection(MAX_HEAD), post(b"Content-Length: 1" + b"0" * 17))


def test_an_endless_line_is_refused_before_it_ends() -> None:
    assert refusal_of(b"GET /" + b"a" * 200, WAYS[1], max_head=200).code == "head-too-large"


@pytest.mark.parametrize("pieces", WAYS)
def test_a_hundred_fields_pass_and_one_more_does_not(pieces: Pieces) -> None:
    fields = [b"A: b"] * 99
    assert feed(ServerConnection(MAX_HEAD), post(*fields), pieces)
    assert refusal_of(post(*fields, b"A: b"), pieces).code == "head-too-large"


def test_a_refusal_is_final_and_its_answer_closes() -> None:
    server = ServerConnection(MAX_HEAD)
    with pytest.raises(Refusal) as first:
        feed(server, MALFORMED["a lower-case method"])
    with pytest.raises(Refusal) as second:
        server.next_event()
    assert first.value.code == second.value.code
    sent = server.send_head(400, [(b"a", b"b")], Framing(length=2))
    sent += b"".join(server.send_data(b"no")) + server.send_end()
    assert sent == (
        b"HTTP/1.1 400 Bad Request\r\nA: b\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    )
    assert server.will_close
    assert not server.idle
    assert not server.next_cycle()


@pytest.mark.parametrize("name", MALFORMED)
def test_a_refusal_quotes_nothing_of_the_request(name: str) -> None:
    data = MALFORMED[name].replace(b"b", b"s3cr3tw0rd")
    with pytest.raises(Refusal) as caught:
        feed(ServerConnection(MAX_HEAD), data)
    assert "s3cr3tw0rd" not in f"{caught.value!r} {caught.value.__cause__!r}"
