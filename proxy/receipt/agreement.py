"""Does a statement agree with itself? Asked before it is held against anything else.

A signature says who wrote a receipt, and not that it can be true. Every statement that we write
keeps these rules, however its transfer ended; one that does not is not believed in anything.

- It has all that an audit demands (`reading.summary`), and every member that a verifier looks at is
  of its type, numbers in their only spelling. Members that we do not know are to be ignored.
- There is one subject, named `<kind>:<transfer id>` or `event:<kind>:<number>`. Its digest is that
  of what a `delivered` delivered, and SHA-256 of that very name where there is none.
- Of a content, the request's or the answer's: what was received has a plain digest only where that
  is the one of what was delivered, and then so many octets are the same. Where only what was
  delivered has one, the content was changed. Unchanged, no more goes on than came.
- `delivered` says an answer of 2xx or 3xx, and the digest of what was delivered. A tunnel's answer
  has no status, and a way that the route keeps shut carries nothing.
- Who reports no problem has answered with the upstream's status.
- What is known by its intent alone (`recovered`) is `indeterminate`, without content or answer.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from proxy.errors import EvidenceError
from proxy.model import Verdict
from proxy.receipt import reading
from proxy.receipt.statement import EVENT_TYPE

_TUNNEL: Final = "tunnel"
"""In the place of a request's method."""
_EMPTY: Final = hashlib.sha256().hexdigest()
_HEX: Final = re.compile("[0-9a-f]{64}")
_Fits = Callable[[object], bool]
_Said = Mapping[str, Any]


def require_consistent(statement: Mapping[str, Any]) -> None:
    """The statement, as `reading.parse_entry` gave it, agrees with itself.

    Fails closed: raises EvidenceError, which names what does not.
    """
    predicate = statement["predicate"]
    if statement["predicateType"] == EVENT_TYPE:
        event = reading.summary(statement)
        _require_subject(statement, f"event:{event.event}:{event.place.number}", None)
        return
    _require_members(predicate, _RECEIPT, "")
    for name in ("content", "answer"):
        if (predicate[name] or {}).get("received") is not None:
            further = {key: _FURTHER[key] for key in _FURTHER if key in predicate[name]}
            _require_members(predicate[name], {**_CONTENT, **further}, f"{name}.")
            _require_content(predicate[name], name)
    delivered = _delivered_sha256(predicate)
    _require_subject(statement, f"{predicate['kind']}:{predicate['transferId']}", delivered)
    _require_end(predicate)
    reading.summary(statement)
    if predicate["kind"] == Verdict.DELIVERED:
        _require_delivered(predicate, delivered)


def _delivered_sha256(predicate: _Said) -> str | None:
    if predicate["kind"] != Verdict.DELIVERED:
        return None
    digest: str | None = ((predicate["content"] or {}).get("delivered") or {}).get("sha256")
    return digest


def _require_subject(statement: _Said, name: str, sha256: str | None) -> None:
    expected = sha256 or hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
    subjects = statement.get("subject")
    if not isinstance(subjects, list) or len(subjects) != 1:
        raise EvidenceError("it has not one subject")
    digest = subjects[0].get("digest") if isinstance(subjects[0], dict) else None
    found = digest.get("sha256") if isinstance(digest, dict) else None
    if found != expected or subjects[0].get("name") != name:
        raise EvidenceError("its subject is another than what it is about")


# --- what stands where ---------------------------------------------------------------------------


def _require_members(value: _Said, shape: Mapping[str, _Fits], where: str) -> None:
    for name, fits in shape.items():
        if name not in value or not fits(value[name]):
            raise EvidenceError(
                f"{where}{name} is missing, or is not what a transfer receipt says there"
            )


def _maybe(fits: _Fits) -> _Fits:
    return lambda value: value is None or fits(value)


def _text(value: object) -> bool:
    return isinstance(value, str)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _status(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599


def _count(value: object) -> bool:
    return isinstance(value, str) and reading.COUNT.fullmatch(value) is not None


def _hex(value: object) -> bool:
    return isinstance(value, str) and _HEX.fullmatch(value) is not None


def _all(fits: _Fits) -> _Fits:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _counts(value: object) -> bool:
    return isinstance(value, dict) and all(map(_count, value.values()))


def _places(value: object) -> bool:
    return isinstance(value, dict) and all(map(_counts, value.values()))


def _object(members: Mapping[str, _Fits], further: Mapping[str, _Fits] | None = None) -> _Fits:
    """An object with all of `members`, and what it has of `further` is of its type as well."""

    def fits(value: object) -> bool:
        return (
            isinstance(value, dict)
            and all(name in value and each(value[name]) for name, each in members.items())
            and all(each(value[name]) for name, each in (further or {}).items() if name in value)
        )

    return fits


def _digest(value: object) -> bool:
    """Plain or keyed, or the size alone."""
    return isinstance(value, dict) and _SIDE(value) and not value.keys() >= _DIGESTS.keys()


_DIGESTS: Final[Mapping[str, _Fits]] = {"sha256": _hex, "hmacSha256": _hex}
_SIDE: Final = _object({"bytes": _count}, _DIGESTS)


_PARTY: Final = {"spkiSha256": _hex, "certSha256": _hex, "sans": _all(_text), "otherSans": _count}
_KEYED: Final = _maybe(_object({"hmacSha256": _hex}))
_REQUEST: Final = {"target": _KEYED, "contentLength": _maybe(_count)}
_ANSWER: Final = {"status": _maybe(_status), "receipts": _maybe(_all(_hex))}
_CHANNEL: Final = dict.fromkeys(("tls", "cipher", "group"), _text)
_RECEIPT: Final[Mapping[str, _Fits]] = {
    "transferId": lambda value: _text(value) and value != "",
    "kind": lambda value: value in list(Verdict),
    "attempt": _count,
    "disposition": _object(
        {"status": _maybe(_status), "problem": _maybe(_text), "duplicateOf": _maybe(_count)},
        {"recovered": lambda value: value is True},
    ),
    "request": _object({"method": _maybe(_text), "route": _maybe(_text)}, _REQUEST),
    "content": _maybe(_object({"received": _digest})),
    "answer": _maybe(
        _object({}, _ANSWER | {"duplicate": lambda value: value is True, "received": _digest})
    ),
    "sender": _object({"name": _text}, _PARTY),
    "receiver": _maybe(_object({}, _PARTY)),
    "channel": _maybe(_object(_CHANNEL)),
    "policy": _object({"sha256": _maybe(_hex), "route": _maybe(_text)}, {"rule": _text}),
}
_CONTENT: Final[Mapping[str, _Fits]] = {
    "received": _digest,
    "delivered": _maybe(_digest),
    "format": _maybe(_text),
    "opaque": _flag,
    "changed": _flag,
    "records": _maybe(_count),
    "masked": _counts,
    "findings": _counts,
    "label": _maybe(_text),
}
_FURTHER: Final[Mapping[str, _Fits]] = {
    "foundAt": _places,
    "unscanned": _count,
    "lowered": _counts,
    "shadow": _counts,
}
"""Not there where there is nothing to say, and in receipts of before they were."""


# --- what it comes to ----------------------------------------------------------------------------


def _require_content(content: _Said, name: str) -> None:
    """The two sides of a content can both be true."""
    received, delivered = content["received"], content["delivered"] or {}
    changed = content["changed"]
    came, went = received.get("sha256"), delivered.get("sha256")
    sizes = int(received["bytes"]), int(delivered.get("bytes", "0"))
    for side, size in zip((received, delivered), sizes, strict=True):
        if "sha256" in side and (side["sha256"] == _EMPTY) is not (size == 0):
            raise EvidenceError(f"{name}: {size} bytes, and the digest of others")
    if came is not None and (came != went or sizes[0] != sizes[1] or changed):
        raise EvidenceError(f"{name}: what was received in plain is not what was delivered")
    if went is not None and came is None and not changed:
        raise EvidenceError(f"{name}: it changed nothing, and delivered what it did not receive")
    if not changed and sizes[1] > sizes[0]:
        raise EvidenceError(f"{name}: it changed nothing, and delivered more than it received")
    if content["opaque"] and changed:
        raise EvidenceError(f"{name}: it was forwarded unseen, and changed")
    if content["opaque"] is not (content["format"] == "opaque"):
        raise EvidenceError(f"{name}: opaque and format contradict each other")


def _require_end(predicate: _Said) -> None:
    """Disposition and answer tell one end."""
    disposition, answer = predicate["disposition"], predicate["answer"]
    recovered = disposition.get("recovered", False)
    if recovered is not (predicate["content"] is None):
        raise EvidenceError("nothing is said of a content after a crash, and only then")
    if recovered and (answer is not None or predicate["kind"] != Verdict.INDETERMINATE):
        raise EvidenceError("it says more of a transfer than anybody knew after a crash")
    told = (answer or {}).get("status")
    if predicate["request"]["method"] == _TUNNEL and (told, disposition["status"]) != (None, None):
        raise EvidenceError("it says a status of a tunnel, which has none")
    if disposition["problem"] is None and disposition["status"] not in (None, told):
        raise EvidenceError(
            f"it was told {told}, had no problem, and answered {disposition['status']}"
        )


def _require_delivered(predicate: _Said, sha256: str | None) -> None:
    content, answer = predicate["content"], predicate["answer"]
    if predicate["request"]["method"] == _TUNNEL:
        shut = content["delivered"] is None and content["received"]["bytes"] == "0"
        if answer is None or not (sha256 or shut):
            raise EvidenceError("it says delivered of a tunnel that did not end")
        return
    status = (answer or {}).get("status")
    if status is None or not 200 <= status < 400:
        raise EvidenceError(f"it says delivered, and the upstream answered {status}")
    if sha256 is None:
        raise EvidenceError("it says delivered, and not what")
