"""h11 is the judge: what the grammar's parse accepts h11 reads alike, plain or not, and what our
writer writes h11 reads as one message with the same fields; where they differ it is refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import LockgateError, Refusal
from proxy.model import Framing, Headers
from proxy.wire import grammar, judge, lines
from proxy.wire.client import ClientConnection
from proxy.wire.lines import Ungrammatical
from proxy.wire.server import ServerConnection
from tests.wire.ambiguous import CONTENTS, ONE_READING, REQUESTS
from tests.wire.ambiguous_answers import ANSWERS
from tests.wire.feeding import MAX_HEAD
from tests.wire.readings import MAX, Reading, by_h11
from tests.wire.test_agreement import (
    BODIES,
    HOSTS,
    METHODS,
    ORDINARY_NAMES,
    VALUES,
    answers,
    damaged,
    requests,
)

T = TypeVar("T")
PLAIN = [b"", b"Connection: keep-alive\r\n", b"Connection: close\r\n"]


@st.composite
def plain_requests(draw: st.DrawFn) -> bytes:
    """Requests that h11 is not asked about."""
    names = draw(st.lists(ORDINARY_NAMES, max_size=8, unique_by=bytes.lower))
    fields = [b"%b: %b\r\n" % (name, draw(VALUES)) for name in names]
    fields += [
        b"Host: %b\r\n" % draw(HOSTS),
        b"Content-Length: 3\r\n",
        draw(st.sampled_from(PLAIN)),
    ]
    return b"POST /a?b HTTP/1.1\r\n" + b"".join(draw(st.permutations(fields))) + b"\r\nabc"


@st.composite
def plain_answers(draw: st.DrawFn) -> bytes:
    """Answers that h11 is not asked about."""
    names = draw(st.lists(ORDINARY_NAMES, max_size=8, unique_by=bytes.lower))
    fields = [b"%b: %b\r\n" % (name, draw(VALUES)) for name in names]
    fields += [draw(st.sampled_from([b"", b"Content-Length: 3\r\n"])), draw(st.sampled_from(PLAIN))]
    status = draw(st.sampled_from([100, 103, 200, 204, 304, 404, 599]))
    return b"HTTP/1.1 %d OK\r\n" % status + b"".join(draw(st.permutations(fields))) + b"\r\nabc"


def head_of(data: bytes) -> bytes:
    head, end, _ = data.partition(b"\r\n\r\n")
    return head + end


def accepted(parse: Callable[[bytes], T], raw: bytes) -> T | None:
    """What `parse` makes of it; None where the grammar refuses it, and the grammar alone."""
    try:
        return parse(raw)
    except Refusal:
        return None
    except Ungrammatical as refused:
        if "h11" in refused.reason:
            raise
        return None


def require_judged_request(raw: bytes) -> None:
    head = accepted(grammar.request_head, raw)
    if head is not None:
        judge.require_request(raw, head)


def require_judged_answer(raw: bytes, method: str) -> None:
    head = accepted(lambda octets: grammar.answer_head(octets, method), raw)
    if head is not None:
        judge.require_answer(raw, head, method)


# --- read ---


@given(st.one_of(plain_requests(), damaged(plain_requests()), requests(), damaged(requests())))
def test_every_request_head_that_passes_is_read_alike_by_h11(data: bytes) -> None:
    require_judged_request(head_of(data))


@given(st.one_of(plain_answers(), damaged(plain_answers()), answers(), damaged(answers())), METHODS)
def test_every_answer_head_that_passes_is_read_alike_by_h11(data: bytes, method: str) -> None:
    require_judged_answer(head_of(data), method)


@given(damaged(st.just(b"A: b\r\nContent-Digest: x\r\nC:\r\n\r\n")))
def test_every_trailer_section_that_passes_is_read_alike_by_h11(data: bytes) -> None:
    raw = head_of(data)
    found = accepted(grammar.trailers, raw)
    if found is not None:
        judge.require_trailers(raw, found)


def test_every_known_way_to_smuggle_is_read_alike_or_refused() -> None:
    for row in (*REQUESTS, *ONE_READING, *CONTENTS):
        require_judged_request(head_of(row.octets))
    for row in ANSWERS:
        for method in ("GET", "HEAD", "POST"):
            require_judged_answer(head_of(row.octets), method)


REQUEST = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nVia: a\r\nVia: b\r\n\r\n"
FRAMINGS = [Framing(0), Framing(1), Framing(9), Framing(chunked=True), Framing()]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_h11_must_find_the_same_framing(framing: Framing) -> None:
    head = grammar.request_head(REQUEST)
    answer = grammar.answer_head(ANSWER, "GET")
    if framing.chunked:
        judge.require_request(REQUEST, replace(head, framing=framing))
    else:
        with pytest.raises(Ungrammatical, match="differently"):
            judge.require_request(REQUEST, replace(head, framing=framing))
    if framing.length == 9:
        judge.require_answer(ANSWER, replace(answer, framing=framing), "GET")
    elif framing != Framing():
        # Nine octets and "until close" begin alike: only the fields tell, and these are compared.
        with pytest.raises(Ungrammatical, match="differently"):
            judge.require_answer(ANSWER, replace(answer, framing=framing), "GET")


def test_h11_must_find_the_same_line_and_the_same_fields() -> None:
    head, answer = grammar.request_head(REQUEST), grammar.answer_head(ANSWER, "GET")
    for other in (
        replace(head, method="PUT"),
        replace(head, target="/b"),
        replace(head, http_version="1.0"),
        replace(head, headers=head.headers[:1]),
    ):
        with pytest.raises(Ungrammatical, match="differently"):
            judge.require_request(REQUEST, other)
    for wrong in (
        replace(answer, status=201),
        replace(answer, status=101),
        replace(answer, http_version="1.0"),
        replace(answer, headers=answer.headers[::-1]),
    ):
        with pytest.raises(Ungrammatical, match="differently"):
            judge.require_answer(ANSWER, wrong, "GET")
    with pytest.raises(Ungrammatical, match="differently"):
        judge.require_trailers(b"A: b\r\n\r\n", ((b"a", b"c"),))


def test_what_h11_does_not_accept_is_refused_and_not_quoted() -> None:
    head = grammar.request_head(REQUEST)
    with pytest.raises(Ungrammatical, match="does not accept") as caught:
        judge.require_request(REQUEST.replace(b"chunked", b"s3cr3t"), head)
    assert "s3cr3t" not in f"{caught.value!r} {caught.value.__cause__!r}"


UNPLAIN = [
    b"Transfer-Encoding: chunked",
    b"Content-Length: 2\r\nExpect: 100-continue",
    b"TE: trailers",
    b"Trailer: a",
    b"Upgrade: h2c",
    b"Connection: keep-alive, x",
    b"Connection: close\r\nConnection: close",
    b"A: b\r\nA: b",
]


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """An h11 that accepts nothing."""

    def nothing(_: h11.Connection) -> None:
        raise h11.RemoteProtocolError("never")

    monkeypatch.setattr(h11.Connection, "next_event", nothing)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("line", UNPLAIN)
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_nothing_passes_that_is_not_plain_and_that_h11_does_not_accept(
    line: bytes, version: bytes
) -> None:
    fields = b"Host: x\r\n" + line + b"\r\n\r\n"
    with pytest.raises(Ungrammatical):
        grammar.request_head(b"GET / HTTP/%b\r\n" % version + fields)
    with pytest.raises(Ungrammatical):
        grammar.answer_head(b"HTTP/%b 200 OK\r\n" % version + fields, "GET")


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("line", PLAIN)
def test_h11_is_not_asked_of_what_is_plain(line: bytes) -> None:
    fields = b"Host: x\r\nContent-Length: 2\r\n" + line + b"\r\n"
    grammar.request_head(b"GET / HTTP/1.1\r\n" + fields)
    grammar.answer_head(b"HTTP/1.1 200 OK\r\n" + fields, "GET")
    assert grammar.trailers(b"\r\n") == ()
    for raw in (b"GET / HTTP/1.0\r\n" + fields, b"HTTP/1.0 200 OK\r\n" + fields):
        with pytest.raises(Ungrammatical, match="h11"):
            grammar.request_head(raw) if raw[:1] == b"G" else grammar.answer_head(raw, "GET")
    with pytest.raises(Ungrammatical, match="h11"):
        grammar.trailers(b"A: b\r\n\r\n")


# --- written ---

FIELDS = st.lists(st.tuples(ORDINARY_NAMES.map(bytes.lower), VALUES), max_size=8)
FRAMED = st.one_of(
    BODIES.map(lambda body: (Framing(len(body)), body)),
    BODIES.map(lambda body: (Framing(chunked=True), body)),
    st.just((Framing(0), b"")),
)
STATUSES = st.sampled_from([200, 201, 204, 304, 404, 502, 599])


def plainly(fields: Headers | list[tuple[bytes, bytes]]) -> Headers:
    """As any reader sees them: white space around a value is none of it."""
    return tuple((name, value.strip(b" \t")) for name, value in fields)


@given(METHODS, FIELDS, FIELDS, FRAMED)
def test_h11_reads_one_request_with_the_same_fields_in_what_is_written(
    method: str,
    fields: list[tuple[bytes, bytes]],
    trailers: list[tuple[bytes, bytes]],
    framed: tuple[Framing, bytes],
) -> None:
    framing, body = framed
    client = ClientConnection(MAX_HEAD)
    sent = client.send_head(method, "/a", [(b"host", b"x"), *fields], framing)
    sent += b"".join(client.send_data(body)) + client.send_end(tuple(trailers))
    found = by_h11(h11.Connection(h11.SERVER, MAX), sent)
    require_read(found, fields, trailers if framing.chunked else [], body)
    assert found.first == (method, "/a", "1.1")


@given(METHODS, STATUSES, FIELDS, FIELDS, FRAMED)
def test_h11_reads_one_answer_with_the_same_fields_in_what_is_written(
    method: str,
    status: int,
    fields: list[tuple[bytes, bytes]],
    trailers: list[tuple[bytes, bytes]],
    framed: tuple[Framing, bytes],
) -> None:
    framing, body = framed
    server = ServerConnection(MAX_HEAD)
    server.receive(f"{method} / HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    server.next_event()
    sent = server.send_head(status, fields, framing)
    sent += b"".join(server.send_data(body)) + server.send_end(tuple(trailers))
    reader = h11.Connection(h11.CLIENT, MAX)
    reader.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    reader.send(h11.EndOfMessage())
    found = by_h11(reader, sent)
    nothing = method == "HEAD" or status in (204, 304)
    behind = trailers if framing.chunked and not nothing else []
    require_read(found, fields, behind, b"" if nothing else body)
    assert found.first == (str(status), "1.1")
    assert reader.their_state is h11.DONE


def require_read(
    found: Reading,
    fields: list[tuple[bytes, bytes]],
    trailers: list[tuple[bytes, bytes]],
    body: bytes,
) -> None:
    made = (b"host", b"content-length", b"transfer-encoding")
    assert found.whole
    assert found.body == body
    assert tuple(pair for pair in found.fields if pair[0] not in made) == plainly(fields)
    assert found.trailers == plainly(trailers)


@given(FIELDS, st.sampled_from([b"\r", b"\n", b"\r\n", b"\x00", b"\x7f", b"\r\nA: b"]), VALUES)
def test_a_value_that_would_end_its_line_is_not_written(
    fields: list[tuple[bytes, bytes]], end: bytes, value: bytes
) -> None:
    for odd in (value + end, end + value, value + end + value):
        with pytest.raises(LockgateError) as caught:
            lines.written(b"0", [*fields, (b"a", odd)], [])
        assert str(caught.value) == "a field holds what would end its line"


@pytest.mark.parametrize("name", [b"", b"a b", b"a@", b"a\r\nb", b"\xe9", b"a\x00", b"(a)"])
def test_a_name_that_is_no_token_is_neither_read_nor_written(name: bytes) -> None:
    with pytest.raises(LockgateError):
        lines.written(b"0", [(name, b"x")], [])
    with pytest.raises(Ungrammatical):
        lines.fields_of([name + b": x"])


def test_the_names_that_peers_choose_are_kept_in_bounds() -> None:
    for number in range(lines.KEPT_NAMES + 10):
        name = b"x-%d" % number
        assert lines.fields_of([name.upper() + b": a"]) == ((name, b"a"),)
        assert lines.written(b"0", [(name, b"a")], []) == b"0\r\nX-%d: a\r\n\r\n" % number
    long = b"a" * (lines.LONGEST_KEPT + 1)
    lines.fields_of([long + b": a"])
    lines.written(b"0", [(long, b"a")], [])
    for known in (lines._lower, lines._starts):
        assert 0 < len(known) <= lines.KEPT_NAMES
        assert long not in known
