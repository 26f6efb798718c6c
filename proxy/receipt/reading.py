"""Reads statements back: what a log's book-keeping and a verifier need of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from proxy.errors import EvidenceError
from proxy.model import Verdict
from proxy.receipt.statement import PREDICATE_TYPE, STATEMENT_TYPE, Place


@dataclass(frozen=True, slots=True)
class Summary:
    """What a log's own book-keeping needs of a statement."""

    transfer_id: str
    verdict: Verdict
    problem: str | None
    place: Place
    received: datetime
    completed: datetime
    origin: str

    @property
    def sender(self) -> str:
        return self.place.stream.rpartition("/")[0]

    @property
    def route(self) -> str | None:
        route = self.place.stream.rpartition("/")[2]
        return None if route == "-" else route


def parse(statement: bytes) -> dict[str, Any]:
    """The statement as JSON values; raises `EvidenceError` unless it is a transfer receipt."""
    try:
        value = orjson.loads(statement)
    except ValueError:
        raise EvidenceError("the statement is not JSON") from None
    if not isinstance(value, dict) or value.get("_type") != STATEMENT_TYPE:
        raise EvidenceError("the payload is not an in-toto Statement v1")
    if value.get("predicateType") != PREDICATE_TYPE or not isinstance(value.get("predicate"), dict):
        raise EvidenceError("the statement is not a Lockgate transfer receipt v1")
    return value


def summarise(statement: bytes) -> Summary:
    """What the book-keeping needs; raises `EvidenceError` where any of it is missing."""
    predicate = parse(statement)["predicate"]
    try:
        sequence, disposition = predicate["sequence"], predicate["disposition"]
        previous, duplicate = sequence["previous"], disposition["duplicateOf"]
        return Summary(
            transfer_id=_text(predicate["transferId"]),
            verdict=Verdict(predicate["kind"]),
            problem=disposition["problem"],
            place=Place(
                attempt=_number(predicate["attempt"]),
                stream=_text(sequence["stream"]),
                number=_number(sequence["number"]),
                previous=None if previous is None else bytes.fromhex(previous),
                duplicate_of=None if duplicate is None else _number(duplicate),
            ),
            received=_time(predicate["time"]["received"]),
            completed=_time(predicate["time"]["completed"]),
            origin=_text(predicate["log"]["origin"]),
        )
    except (KeyError, TypeError, ValueError):
        raise EvidenceError("the statement lacks what every transfer receipt has") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> int:
    text = _text(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise ValueError
    return int(text)


def _time(value: object) -> datetime:
    return datetime.strptime(_text(value), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def digests(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(`received` or `delivered`, `sha256` or `hmacSha256`, hex) of the request's content."""
    content = statement["predicate"].get("content") or {}
    for side in ("received", "delivered"):
        for kind, value in (content.get(side) or {}).items():
            if kind in ("sha256", "hmacSha256") and isinstance(value, str):
                yield side, kind, value
