"""What the grammar refuses of a request, fed whole, in pieces, and with more behind it."""

import h11
import pytest

from proxy.errors import Refusal
from proxy.model import Framing
from proxy.wire.server import ServerConnection
from tests.wire.ambiguous import REQUESTS, post
from tests.wire.feeding import MAX_HEAD, WAYS, Pieces, feed

MALFORMED = {row.name: row.octets for row in REQUESTS if row.code == "malformed-request"}
UPGRADES = {row.name: row.octets for row in REQUESTS if row.code == "upgrade-refused"}

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
