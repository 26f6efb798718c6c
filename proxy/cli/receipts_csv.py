"""Entries as CSV (RFC 4180): CRLF, a heading line, a cell in quotes where it needs them.

| column | what |
|---|---|
| `index` | of the entry, from 0 |
| `completed`, `received` | RFC 3339 in UTC, microseconds; events were received by nobody |
| `kind` | a verdict, or `event:<kind>` |
| `status` | that the sender was answered with |
| `problem` | why Lockgate refused or failed |
| `route`, `sender`, `receiver` | names; the receiver's is its first SAN |
| `transfer_id`, `attempt`, `attempt_id` | |
| `method`, `upstream`, `answer_status` | of the request and of the upstream's answer |
| `received_bytes`, `delivered_bytes`, `delivered_sha256` | of the content |
| `format`, `records`, `label` | of the content |
| `duplicate_of` | index of the entry that says `delivered` |
| `stream`, `number` | place in the sequence of its stream |
| `sha256` | of the envelope |

A spreadsheet takes a cell that begins with one of ``= + - @`` for a formula, and a peer may have
chosen what is in it. Such a cell begins with an apostrophe here, and control characters are
replaced: so names are not always the log's very octets.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from proxy.notary.search import Found
from proxy.receipt import words

COLUMNS: Final = (
    "index",
    "completed",
    "received",
    "kind",
    "status",
    "problem",
    "route",
    "sender",
    "receiver",
    "transfer_id",
    "attempt",
    "attempt_id",
    "method",
    "upstream",
    "answer_status",
    "received_bytes",
    "delivered_bytes",
    "delivered_sha256",
    "format",
    "records",
    "label",
    "duplicate_of",
    "stream",
    "number",
    "sha256",
)
_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""And their full-width forms, which some spreadsheets read alike."""


def lines(entries: Iterable[Found]) -> Iterator[bytes]:
    """The heading, then a line an entry."""
    yield _line(COLUMNS)
    for found in entries:
        yield _line([_cell(value) for value in _values(found)])


def _line(cells: Iterable[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode(errors="replace")


def _cell(value: object) -> str:
    text = "" if value is None else words.printable(str(value))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def _values(found: Found) -> Iterator[object]:
    """In the order of `COLUMNS`."""
    summary = found.summary
    p: Mapping[str, Any] = orjson.loads(found.payload)["predicate"]
    request, content, time = (_map(p, name) for name in ("request", "content", "time"))
    receiver = _map(p, "receiver").get("sans")
    event = summary.verdict is None
    yield from (found.index, time.get("completed"), time.get("received"))
    yield f"event:{summary.event}" if summary.verdict is None else summary.verdict.value
    yield from (summary.status, summary.problem)
    yield from (None, None) if event else (summary.route, summary.sender)
    yield receiver[0] if isinstance(receiver, list) and receiver else None
    yield from (summary.transfer_id, p.get("attempt"), p.get("attemptId"))
    yield from (request.get("method"), _map(p, "policy").get("upstream"))
    yield _map(p, "answer").get("status")
    yield _map(content, "received").get("bytes")
    yield _map(content, "delivered").get("bytes")
    yield None if summary.delivered_sha256 is None else summary.delivered_sha256.hex()
    yield from (content.get("format"), content.get("records"), content.get("label"))
    yield summary.duplicate_of
    yield from (summary.place.stream, summary.place.number)
    yield hashlib.sha256(found.envelope).hexdigest()


def _map(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}
