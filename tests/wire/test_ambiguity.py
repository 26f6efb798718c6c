"""What the tables name, to the connection alone: whole, octet by octet, and with more behind it.

`test_requests_refused` and `test_answers_refused` have the rows that a head or content decides.
"""

import re
from pathlib import Path

import pytest

from proxy.errors import Refusal
from proxy.model import Framing
from proxy.policy.paths import require_normal
from proxy.wire.events import EndOfMessage, Event, RequestHead
from proxy.wire.server import ServerConnection
from tests.wire.ambiguous import (
    BEHIND,
    BODY,
    CONTENTS,
    METHODS,
    NEXT,
    ONE_READING,
    PATHS,
    REQUESTS,
    Row,
    post,
)
from tests.wire.ambiguous_answers import ANSWERS, FORGED, UNASKED
from tests.wire.feeding import MAX_HEAD, WAYS, Pieces, asked, drain, feed
from tests.wire.readings import TwoReadings, one_request

ALL_WAYS = pytest.mark.parametrize("pieces", WAYS)
Rows = tuple[Row, ...]


def rows(table: Rows) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", table, ids=lambda row: row.name)


@pytest.mark.parametrize(
    "table", [REQUESTS, PATHS, METHODS, CONTENTS, ONE_READING, BEHIND, ANSWERS]
)
def test_every_row_has_a_name_of_its_own_and_octets_of_its_own(table: Rows) -> None:
    assert len({row.name for row in table}) == len(table)
    assert len({row.octets for row in table}) >= len(table) - 4  # some names say why, not what


def test_every_name_on_the_page_of_http_is_in_the_tables() -> None:
    tables = (REQUESTS, PATHS, METHODS, CONTENTS, ONE_READING, BEHIND, ANSWERS)
    names = {row.name for table in tables for row in table} | {name for name, _ in UNASKED}
    page = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
    section = page.partition("## What is refused as ambiguous")[2].partition("\n## ")[0]
    quoted = re.findall(r'"([^"]+)"', section)
    assert len(quoted) > 50
    assert set(quoted) <= names


@ALL_WAYS
@rows(PATHS)
def test_a_path_in_an_odd_form_passes_the_grammar_and_is_refused_by_routing(
    row: Row, pieces: Pieces
) -> None:
    (event, *_) = feed(ServerConnection(MAX_HEAD), row.octets, pieces)
    assert isinstance(event, RequestHead)
    with pytest.raises(Refusal, match=row.code):
        require_normal(event.head.path)


@ALL_WAYS
@rows(ONE_READING)
def test_what_has_one_reading_passes_whole(row: Row, pieces: Pieces) -> None:
    server = ServerConnection(MAX_HEAD)
    events = feed(server, row.octets, pieces)
    assert isinstance(events[0], RequestHead)
    assert isinstance(events[-1], EndOfMessage)
    server.send_head(200, [], Framing(length=0))
    server.send_end()
    if server.next_cycle():
        (second, *_) = feed(server, NEXT)
        assert isinstance(second, RequestHead)
        assert second.head.path == "/smuggled"


@ALL_WAYS
@rows(BEHIND)
def test_what_is_behind_a_request_is_judged_by_itself(row: Row, pieces: Pieces) -> None:
    server = ServerConnection(MAX_HEAD)
    octets = list(pieces(row.octets))
    events: list[Event] = []
    while not events or not isinstance(events[-1], EndOfMessage):
        server.receive(octets.pop(0))
        events += drain(server)
    server.send_head(200, [], Framing(length=0))
    server.send_end()
    assert server.next_cycle()
    server.receive(b"".join(octets))
    with pytest.raises(Refusal, match=row.code):
        server.next_event()


@ALL_WAYS
@pytest.mark.parametrize("octets", [octets for _, octets in UNASKED], ids=[n for n, _ in UNASKED])
def test_octets_behind_an_answer_end_the_connection(octets: bytes, pieces: Pieces) -> None:
    client = asked()
    events = feed(client, octets, pieces)
    assert isinstance(events[-1], EndOfMessage)
    assert b"forged" not in repr(events).encode()
    assert not client.reusable
    assert not client.next_cycle()


@pytest.mark.parametrize(
    "data",
    [
        post(b"Content-Length: 2", b"Transfer-Encoding: chunked", body=b"\r\n0\r\n\r\n"),
        post(b"Content-Length: 9", body=b"\r\nok"),
        post(BODY, body=b"") + NEXT,
        post(b"A: b", b" c"),
        FORGED,
    ],
)
def test_the_readers_that_the_other_tests_rely_on_find_two_readings(data: bytes) -> None:
    with pytest.raises((TwoReadings, AssertionError)):
        one_request(data)
