"""What the grammar refuses of an answer, fed whole, in pieces, and with more behind it."""

import pytest

from proxy.errors import UpstreamFailure
from proxy.wire.client import MAX_INTERIM
from tests.wire.feeding import WAYS, Pieces, asked, feed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def ok(*lines: bytes, body: bytes = b"\r\n") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, body])


def status(first: bytes) -> bytes:
    return first + b"\r\nContent-Length: 0\r\n\r\n"


MALFORMED: dict[str, bytes] = {
    "a blank line first": b"\r\n" + OK,
    "something else first": b"SSH-2.0-x\r\n",
    "lower case": status(b"http/1.1 200 OK"),
    "HTTP/2": status(b"HTTP/2 200 OK"),
    "HTTP/2.0": status(b"HTTP/2.0 200 OK"),
    "HTTP/1.2": status(b"HTTP/1.2 200 OK"),
    "ICY": status(b"ICY 200 OK"),
    "a status of two digits": status(b"HTTP/1.1 20 OK"),
    "a status of four digits": status(b"HTTP/1.1 2000 OK"),
    "status 099": status(b"HTTP/1.1 099 OK"),
    "status 600": status(b"HTTP/1.1 600 OK"),
    "status 999": status(b"HTTP/1.1 999 OK"),
    "a signed status": status(b"HTTP/1.1 +20 OK"),
    "no status": status(b"HTTP/1.1 OK"),
    "no space after the status": status(b"HTTP/1.1 200"),
    "two spaces before the status": status(b"HTTP/1.1  200 OK"),
    "a control in the reason": status(b"HTTP/1.1 200 O\x01K"),
    "a bare CR in the reason": status(b"HTTP/1.1 200 O\rK"),
    "bare LF throughout": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "bare LF after a field": b"HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
    "a folded value": ok(b"A: b", b" c"),
    "a space before the colon": ok(b"A : b"),
    "an empty name": ok(b": b"),
    "NUL in a value": ok(b"A: \x00"),
    "both length fields": ok(b"Transfer-Encoding: chunked", b"Content-Length: 2"),
    "two equal Content-Lengths": ok(b"Content-Length: 2", b"Content-Length: 2", body=b"\r\nok"),
    "a list of Content-Lengths": ok(b"Content-Length: 2,2", body=b"\r\nok"),
    "a signed Content-Length": ok(b"Content-Length: +2", body=b"\r\nok"),
    "Transfer-Encoding: gzip": ok(b"Transfer-Encoding: gzip"),
    "Transfer-Encoding: gzip, chunked": ok(b"Transfer-Encoding: gzip, chunked"),
    "two Transfer-Encodings": ok(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "chunked on HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two Content-Types": ok(b"Content-Type: a/b", b"Content-Type: a/b"),
    "204 with content": b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
    "204 and chunked": b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    "100 with content": b"HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\nok",
    "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    "too many fields": ok(*[b"A: b"] * 101),
    "a head that is too large": ok(b"A: " + b"a" * 4096),
    "too many interim answers": b"HTTP/1.1 102 Processing\r\n\r\n" * (MAX_INTERIM + 1) + OK,
}


@pytest.mark.parametrize("pieces", WAYS)
@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_answer_is_refused(name: str, pieces: Pieces) -> None:
    client = asked()
    with pytest.raises(UpstreamFailure) as caught:
        feed(client, MALFORMED[name] + OK, pieces)
    assert caught.value.code == "upstream-malformed"
    assert not client.reusable
    assert not client.next_cycle()


def test_a_failure_is_final() -> None:
    client = asked()
    for _ in range(2):
        with pytest.raises(UpstreamFailure, match="upstream-malformed"):
            feed(client, MALFORMED["status 600"])


@pytest.mark.parametrize("name", MALFORMED)
def test_a_failure_quotes_nothing_of_the_answer(name: str) -> None:
    with pytest.raises(UpstreamFailure) as caught:
        feed(asked(), MALFORMED[name].replace(b"b", b"s3cr3tw0rd").replace(b"OK", b"s3cr3tw0rd"))
    assert "s3cr3tw0rd" not in f"{caught.value!r} {caught.value.__cause__!r}"
