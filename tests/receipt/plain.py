"""Statements as dictionaries that orjson writes: what the texts of `proxy.receipt` must equal."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from proxy.model import Certificate, Content, Digest, Event, Intent, Outcome, Peer, Report, Verdict
from proxy.model.signed import Verified
from proxy.receipt.statement import EVENT_TYPE, PREDICATE_TYPE, Place

LIMIT = 32_000


def _signature(verified: Verified | None) -> dict[str, object] | None:
    if verified is None:
        return None
    return {
        "keyid": cut(verified.key),
        "algorithm": verified.algorithm,
        "created": verified.created,
    }


def details(outcome: Outcome) -> bytes:
    for entries in (32, 4, 0):
        found = orjson.dumps(_details(outcome, entries))
        if len(found) <= LIMIT:
            return found
    raise AssertionError("without lists and maps they are small")


def receipt(outcome: Outcome, place: Place, origin: str, completed: datetime) -> bytes:
    disposition = {
        "status": outcome.status,
        "problem": outcome.problem,
        "duplicateOf": count(outcome.duplicate_of),
    }
    delivered = outcome.request.delivered if outcome.verdict is Verdict.DELIVERED else None
    times = (outcome.received_at, completed)
    told = orjson.loads(details(outcome))
    sha256 = None if delivered is None else delivered.sha256
    return _receipt(outcome, outcome.verdict, place, disposition, told, times, origin, sha256)


def interrupted(intent: Intent, place: Place, origin: str, completed: datetime) -> bytes:
    disposition = {"status": None, "problem": None, "duplicateOf": None, "recovered": True}
    told = {
        "request": {"method": None, "route": intent.route},
        "content": None,
        "answer": None,
        "sender": {"name": cut(intent.sender)},
        "receiver": None,
        "channel": None,
        "policy": {"sha256": None, "route": intent.route},
    }
    times = (intent.started, completed)
    return _receipt(intent, Verdict.INDETERMINATE, place, disposition, told, times, origin, None)


def event(found: Event, place: Place, origin: str, completed: datetime) -> bytes:
    predicate = {
        "kind": found.kind,
        "sequence": _sequence(place),
        "details": found.details,
        "time": {"completed": timestamp(completed)},
        "log": {"origin": origin},
    }
    return _statement(f"event:{found.kind}:{place.number}", None, EVENT_TYPE, predicate)


def _receipt(
    attempt: Outcome | Intent,
    verdict: Verdict,
    place: Place,
    disposition: dict[str, Any],
    told: dict[str, Any],
    times: tuple[datetime, datetime],
    origin: str,
    delivered: bytes | None,
) -> bytes:
    predicate = {
        "transferId": attempt.transfer_id,
        "attemptId": attempt.attempt_id.hex(),
        "attempt": str(place.attempt),
        "kind": verdict.value,
        "disposition": disposition,
        "sequence": _sequence(place),
        **told,
        "time": {"received": timestamp(times[0]), "completed": timestamp(times[1])},
        "log": {"origin": origin},
    }
    name = f"{verdict.value}:{attempt.transfer_id}"
    return _statement(name, delivered, PREDICATE_TYPE, predicate)


def _statement(name: str, sha256: bytes | None, kind: str, predicate: dict[str, Any]) -> bytes:
    digest = (sha256 or hashlib.sha256(name.encode()).digest()).hex()
    return orjson.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": name, "digest": {"sha256": digest}}],
            "predicateType": kind,
            "predicate": predicate,
        }
    )


def _sequence(place: Place) -> dict[str, Any]:
    previous = None if place.previous is None else place.previous.hex()
    return {"stream": place.stream, "number": str(place.number), "previous": previous}


def _details(outcome: Outcome, entries: int) -> dict[str, Any]:
    answer = None
    if outcome.answer_status is not None or outcome.answer is not None:
        named = [digest.hex() for digest in outcome.further]
        answer = {"status": outcome.answer_status, "receipts": named or None}
        answer |= {"duplicate": True} if outcome.answer_repeated else {}
        answer |= _content(outcome.answer, entries) if outcome.answer is not None else {}
    receiver, target = outcome.receiver, outcome.target_hmac
    return {
        "request": {
            "method": None if outcome.method is None else cut(outcome.method),
            "route": outcome.route,
            "target": None if target is None else {"hmacSha256": target.hex()},
            "contentLength": count(outcome.content_length),
            "signature": _signature(outcome.signature),
        },
        "content": _content(outcome.request, entries),
        "answer": answer,
        "sender": _peer(outcome.sender, entries),
        "receiver": None if receiver is None else _certificate(receiver, entries),
        "channel": _channel(outcome.sender),
        "policy": {
            "sha256": outcome.policy_sha256.hex(),
            "route": outcome.route,
            "listener": outcome.listener,
            "upstream": outcome.upstream,
            **({} if outcome.rule is None else {"rule": outcome.rule}),
        },
    }


def _content(content: Content, entries: int) -> dict[str, Any]:
    delivered, report = content.delivered, content.report
    known = delivered.sha256 if delivered is not None else None
    return {
        "received": _digest(content.received, plain=content.received.sha256 == known),
        "delivered": None if delivered is None else _digest(delivered, plain=True),
        "format": None if report is None else report.format,
        "opaque": report is not None and report.format == "opaque",
        "changed": report is not None and report.changed,
        "records": None if report is None else count(report.records),
        "masked": _counts({**({} if report is None else report.masked), **content.fields}, entries),
        "findings": {} if report is None else _counts(report.findings, entries),
        **({} if report is None else _further(report, entries)),
        **({"shadow": _counts(content.shadow, entries)} if content.shadow else {}),
        "label": content.label,
    }


def _further(report: Report, entries: int) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if report.found_at:
        found = {(n, path): c for n, paths in report.found_at.items() for path, c in paths.items()}
        order = sorted(found, key=lambda at: (at[1] == "…", -found[at], at))
        said["foundAt"] = {}
        for name in sorted({name for name, _ in order}):
            paths: dict[str, str] = {}
            said["foundAt"][name] = paths
            mine = [(at[1], found[at]) for at in order[:entries] if at[0] == name]
            rest = sum(found[at] for at in order[entries:] if at[0] == name)
            for path, number in [*mine, *([("…", rest)] if rest else [])]:
                paths[path] = str(int(paths.get(path, "0")) + number)
    said |= {"unscanned": str(report.unscanned)} if report.unscanned else {}
    return said | ({"lowered": _counts(report.lowered, entries)} if report.lowered else {})


def _digest(digest: Digest, *, plain: bool) -> dict[str, str]:
    size = {"bytes": str(digest.size)}
    if plain and digest.sha256 is not None:
        return {"sha256": digest.sha256.hex()} | size
    if digest.hmac_sha256 is not None:
        return {"hmacSha256": digest.hmac_sha256.hex()} | size
    return size


def _counts(counts: Mapping[str, int], entries: int) -> dict[str, str]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    kept = [item for item in ranked if len(item[0].encode()) <= 1024 and item[0] != "others"]
    result = {name: str(number) for name, number in kept[:entries]}
    rest = sum(counts.values()) - sum(number for _, number in kept[:entries])
    return result | ({"others": str(rest)} if rest else {})


def _peer(peer: Peer, entries: int) -> dict[str, Any]:
    name = {"name": cut(peer.name)}
    return name if peer.certificate is None else name | _certificate(peer.certificate, entries)


def _certificate(certificate: Certificate, entries: int) -> dict[str, Any]:
    short = [san for san in certificate.sans if len(san.encode()) <= 1024][:entries]
    rest = len(certificate.sans) - len(short)
    told = {
        "spkiSha256": certificate.spki_sha256.hex(),
        "certSha256": certificate.sha256.hex(),
        "sans": short,
    }
    return told | ({"otherSans": str(rest)} if rest else {})


def _channel(peer: Peer) -> dict[str, str] | None:
    if peer.channel is None:
        return None
    return {
        "tls": peer.channel.version,
        "cipher": peer.channel.cipher,
        "group": peer.channel.group,
        "exporterSha256": peer.channel.exporter_sha256.hex(),
    }


def count(value: int | None) -> str | None:
    return None if value is None else str(value)


def cut(name: str) -> str:
    return name if len(name.encode()) <= 1024 else name.encode()[:1024].decode(errors="ignore")


def timestamp(time: datetime) -> str:
    utc = time.astimezone(UTC)
    return f"{utc.year:04}" + utc.strftime("-%m-%dT%H:%M:%S.%fZ")
