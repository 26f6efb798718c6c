"""Reads statements back: what a log's book-keeping and a verifier need of them."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from proxy.errors import EvidenceError
from proxy.model import Verdict
from proxy.receipt.statement import EVENT_TYPE, PREDICATE_TYPE, STATEMENT_TYPE, Place

_TIME: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}Z")
"""Just what `terms.timestamp` writes; `fromisoformat` alone would read more."""
COUNT: Final = re.compile("0|[1-9][0-9]{0,18}")
"""A counter as we write it: each number has one spelling, and fits into 64 bits, or nearly."""


class Summary(NamedTuple):
    """What a log's own book-keeping needs of a statement: of a receipt, or of an event."""

    place: Place
    completed: datetime
    origin: str
    transfer_id: str = ""
    attempt_id: bytes | None = None
    """16 octets; None for an event."""
    verdict: Verdict | None = None
    """None for an event."""
    status: int | None = None
    problem: str | None = None
    received: datetime | None = None
    delivered_sha256: bytes | None = None
    """SHA-256 of the content that was delivered: the subject of a `delivered` receipt."""
    duplicate_of: int | None = None
    event: str | None = None
    """The kind of an event; None for a receipt."""
    details: Mapping[str, Any] | None = None
    """What an event says; None for a receipt."""

    @property
    def sender(self) -> str:
        return self.place.stream.rpartition("/")[0]

    @property
    def route(self) -> str | None:
        route = self.place.stream.rpartition("/")[2]
        return None if route == "-" else route


def parse(statement: bytes) -> dict[str, Any]:
    """The statement as JSON values; raises `EvidenceError` unless it is a transfer receipt."""
    value = parse_entry(statement)
    if value["predicateType"] != PREDICATE_TYPE:
        raise EvidenceError("the statement is not a Lockgate transfer receipt v1")
    return value


def parse_entry(statement: bytes) -> dict[str, Any]:
    """The statement as JSON values; raises `EvidenceError` unless it is a receipt or an event."""
    try:
        value = orjson.loads(statement)
    except ValueError:
        raise EvidenceError("the statement is not JSON") from None
    if not isinstance(value, dict) or value.get("_type") != STATEMENT_TYPE:
        raise EvidenceError("the payload is not an in-toto Statement v1")
    known = value.get("predicateType") in (PREDICATE_TYPE, EVENT_TYPE)
    if not known or not isinstance(value.get("predicate"), dict):
        raise EvidenceError("the statement is neither a Lockgate transfer receipt v1 nor an event")
    return value


def summarise(statement: bytes) -> Summary:
    """What the book-keeping needs; raises `EvidenceError` where any of it is missing."""
    return summary(parse_entry(statement))


def summary(statement: Mapping[str, Any]) -> Summary:
    """The same of a statement that has been parsed."""
    try:
        if statement["predicateType"] == EVENT_TYPE:
            return _event(statement)
        return _receipt(statement)
    except (KeyError, IndexError, TypeError, ValueError):
        raise EvidenceError("the statement lacks what every entry of a log has") from None


def _receipt(statement: Mapping[str, Any]) -> Summary:
    predicate = statement["predicate"]
    disposition, time = predicate["disposition"], predicate["time"]
    status, problem = disposition["status"], disposition["problem"]
    duplicate = disposition["duplicateOf"]
    verdict, transfer_id = Verdict(predicate["kind"]), _text(predicate["transferId"])
    subject = statement["subject"][0]
    if subject["name"] != f"{verdict.value}:{transfer_id}":
        raise ValueError
    delivered = None
    if verdict is Verdict.DELIVERED:
        told = predicate["content"]["delivered"]
        if told is not None and "sha256" in told:
            delivered = _octets(told["sha256"], 32)
            if subject["digest"]["sha256"] != told["sha256"]:
                raise ValueError
    return Summary(
        transfer_id=transfer_id,
        attempt_id=_octets(predicate["attemptId"], 16),
        verdict=verdict,
        status=None if status is None else _integer(status),
        problem=None if problem is None else _text(problem),
        place=_place(predicate, _number(predicate["attempt"])),
        received=_time(time["received"]),
        completed=_time(time["completed"]),
        origin=_text(predicate["log"]["origin"]),
        delivered_sha256=delivered,
        duplicate_of=None if duplicate is None else _number(duplicate),
    )


def _event(statement: Mapping[str, Any]) -> Summary:
    predicate = statement["predicate"]
    details = predicate["details"]
    if not isinstance(details, dict):
        raise TypeError
    return Summary(
        place=_place(predicate, 0),
        completed=_time(predicate["time"]["completed"]),
        origin=_text(predicate["log"]["origin"]),
        event=_text(predicate["kind"]),
        details=details,
    )


def _place(predicate: dict[str, Any], attempt: int) -> Place:
    sequence = predicate["sequence"]
    previous = sequence["previous"]
    return Place(
        attempt,
        _text(sequence["stream"]),
        _number(sequence["number"]),
        None if previous is None else _octets(previous, 32),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _number(value: object) -> int:
    text = _text(value)
    if not COUNT.fullmatch(text):
        raise ValueError
    return int(text)


def _octets(value: object, size: int) -> bytes:
    octets = bytes.fromhex(_text(value))
    if len(octets) != size or octets.hex() != value:
        raise ValueError
    return octets


def _time(value: object) -> datetime:
    text = _text(value)
    if not _TIME.fullmatch(text):
        raise ValueError
    return datetime.fromisoformat(text)


def further(statement: Mapping[str, Any]) -> tuple[str, ...]:
    """SHA-256, in hexadecimal, of the receipts that came with the upstream's answer.

    In their order, that of the next gateway last; none where none came. Raises `EvidenceError`.
    """
    answer = statement["predicate"].get("answer") or {}
    try:
        return tuple(_octets(digest, 32).hex() for digest in answer.get("receipts") or ())
    except (AttributeError, TypeError, ValueError):
        raise EvidenceError("the receipts that it names are no digests") from None


def digests(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, str, int]]:
    """(`received` or `delivered`, `sha256` or `hmacSha256`, hex, octets) of the request's content,
    in a statement that agrees with itself.
    """
    content = statement["predicate"].get("content") or {}
    for side in ("received", "delivered"):
        told = content.get(side) or {}
        for kind in ("sha256", "hmacSha256"):
            if kind in told:
                yield side, kind, told[kind], int(told["bytes"])
