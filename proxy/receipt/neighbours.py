"""Two neighbours of a chain: is what the outer gateway gave what the inner one took, and back?

transfer  both are about the same Transfer-Id
receiver  the outer one forwarded to the key of the inner one's certificate
sender    the inner one was spoken to by the key of the outer one's certificate
method    both name the same
target    both were asked for the one that is given here, each under its own key; behind one that
          masked the query nobody was
verdict   the outer one does not say `delivered` where the inner one does not
request   what the outer one delivered is what the inner one received
status    what the inner one answered is what the outer one was told
answer    the content that the inner one answered is what the outer one received

Each is a point: proven by what is here, or not shown, and why; a contradiction is an error.
Content is compared by SHA-256 where both say it in plain. What the inner one changed or refused it
says under the transfer's own key: whoever has that key and the content itself can compare all the
same. Sizes alone contradict, and never show anything, but that there is no content on either side.
"""

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from proxy.errors import EvidenceError
from proxy.model import Verdict
from proxy.receipt.measure import Measured

POINTS: Final = (
    "receipt", "transfer", "receiver", "sender", "method", "target", "verdict", "request",
    "status", "answer",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """One thing that two neighbours were held against each other for."""

    name: str
    """One of `POINTS`."""
    proven: bool
    """What was given here shows it; False: it cannot be compared, and `text` says why."""
    text: str
    """`it` is the outer one."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Hop `number` and the next. Of the two of everything, that of the outer one comes first."""

    number: int
    outer: Mapping[str, Any]
    inner: Mapping[str, Any]
    keys: tuple[bytes | None, bytes | None]
    spkis: tuple[str | None, str | None]
    rewriter: int | None = None
    """The first hop, up to the outer one, that says it masked the query: those behind it were asked
    for another target."""

    @property
    def next(self) -> str:
        return f"hop {self.number + 1}"


def is_repetition(outer: Mapping[str, Any]) -> bool:
    """The gateway was told that the transfer had been delivered before. `outer`: its predicate."""
    return (outer["answer"] or {}).get("duplicate") is True


def masked_the_query(predicate: Mapping[str, Any]) -> bool:
    """It may have: what is not among the most frequent counts stands under `others`."""
    masked = (predicate["content"] or {}).get("masked") or {}
    return any(name == "others" or name.startswith("query ") for name in masked)


def compared(pair: Pair, content: Measured | None, target: str | None) -> Iterator[Point]:
    """Every point but `receipt`. Raises EvidenceError at the first contradiction."""
    yield _transfer(pair)
    yield _receiver(pair)
    yield _sender(pair)
    yield _method(pair)
    yield _target(pair, target)
    yield _verdict(pair)
    yield _request(pair, content)
    yield _status(pair)
    yield _answer(pair)


# --- who, and what was asked ---------------------------------------------------------------------


def _transfer(pair: Pair) -> Point:
    if pair.outer["transferId"] != pair.inner["transferId"]:
        raise EvidenceError(f"hop {pair.number} and {pair.next} are about two transfers")
    return Point("transfer", True, f"both are about transfer {pair.outer['transferId']}")


def _receiver(pair: Pair) -> Point:
    there = pair.spkis[1]
    if there is None:
        return Point("receiver", False, f"no certificate of {pair.next} is here (--certificate)")
    if (pair.outer["receiver"] or {}).get("spkiSha256") != there:
        raise EvidenceError(f"hop {pair.number} forwarded to another than {pair.next}")
    return Point("receiver", True, f"it forwarded to the key of the certificate of {pair.next}")


def _sender(pair: Pair) -> Point:
    here = pair.spkis[0]
    if here is None:
        text = f"no certificate of hop {pair.number} is here (--certificate)"
        return Point("sender", False, text)
    if (pair.inner["sender"] or {}).get("spkiSha256") != here:
        raise EvidenceError(f"{pair.next} received it from another than hop {pair.number}")
    return Point("sender", True, f"{pair.next} received it from the key of its certificate")


def _method(pair: Pair) -> Point:
    asked, heard = pair.outer["request"]["method"], pair.inner["request"]["method"]
    if asked is None or heard is None:
        who = f"hop {pair.number}" if asked is None else pair.next
        return Point("method", False, f"{who} does not say the method")
    if asked != heard:
        raise EvidenceError(f"hop {pair.number} says {asked}, and {pair.next} says {heard}")
    return Point("method", True, f"both say {asked}")


def _target(pair: Pair, target: str | None) -> Point:
    unknown = []
    for number, said, key in zip(
        (pair.number, pair.number + 1), (pair.outer, pair.inner), pair.keys, strict=True
    ):
        keyed = (said["request"].get("target") or {}).get("hmacSha256")
        if pair.rewriter is not None and pair.rewriter < number:
            unknown.append(f"hop {pair.rewriter} masked the query, which hop {number} got masked")
        elif keyed is None:
            unknown.append(f"hop {number} does not say the target")
        elif key is None:
            unknown.append(_keyless(pair, number, "the target"))
        elif target is not None:
            ours = hmac.digest(key, target.encode(), "sha256").hex()
            if not hmac.compare_digest(ours, keyed):
                raise EvidenceError(f"hop {number} was asked for another target")
    if target is None:
        unknown.append("each says it under a key of its own, and it is not here (--target)")
    if unknown:
        return Point("target", False, "; ".join(unknown))
    return Point("target", True, "both were asked for the target that is given here")


def _keyless(pair: Pair, number: int, what: str) -> str:
    gone = number > pair.number and is_repetition(pair.outer)
    where = "went out with the answer of then" if gone else "is not here"
    return f"hop {number} says {what} under its receipt key, which {where}"


# --- how it ended --------------------------------------------------------------------------------


def _verdict(pair: Pair) -> Point:
    outer, inner = pair.outer["kind"], pair.inner["kind"]
    if outer == inner == Verdict.DELIVERED:
        return Point("verdict", True, f"both say {outer}")
    if outer == Verdict.DELIVERED:
        raise EvidenceError(f"hop {pair.number} says {outer}, and {pair.next} says {inner}")
    if inner == Verdict.DELIVERED:
        text = f"it says {outer}, and {pair.next} says {inner}"
        return Point("verdict", False, text)
    return Point("verdict", True, f"neither says delivered: it says {outer}, {pair.next} {inner}")


def _status(pair: Pair) -> Point:
    told, heard = pair.inner["disposition"]["status"], (pair.outer["answer"] or {}).get("status")
    if told is None:
        return Point("status", False, f"{pair.next} does not say what it answered")
    if heard != told:
        raise EvidenceError(f"{pair.next} answered {told}, and hop {pair.number} was told {heard}")
    return Point("status", True, f"{pair.next} answered {told}, and it was told so")


# --- the content ---------------------------------------------------------------------------------


def _request(pair: Pair, content: Measured | None) -> Point:
    gave, got = pair.outer["content"]["delivered"] or {}, pair.inner["content"]["received"]
    sent, came = int(gave.get("bytes", "0")), int(got["bytes"])
    whole = pair.inner["kind"] == Verdict.DELIVERED
    torn = EvidenceError(f"what hop {pair.number} delivered is not what {pair.next} received")
    if came > sent or (whole and came != sent):
        raise torn
    if came < sent:
        text = f"{pair.next} received {came} of {sent} bytes before it ended, of which there is no"
        return Point("request", False, f"{text} digest of both")
    same = f"it delivered what {pair.next} received: {came} bytes"
    if "sha256" in gave and "sha256" in got:
        if gave["sha256"] != got["sha256"]:
            raise torn
        return Point("request", True, f"{same}, SHA-256 {got['sha256']}")
    if not came:
        return Point("request", True, same)
    key = pair.keys[1]
    if content is not None and content.sha256 == gave.get("sha256") and key and "hmacSha256" in got:
        keyed = content.keyed[key]
        if not hmac.compare_digest(keyed, got["hmacSha256"]):
            raise torn
        return Point("request", True, f"{same}, HMAC-SHA256 {keyed}")
    why = _why(pair, gave, got, content)
    text = f"it delivered {sent} bytes and {pair.next} received as many, but {why}"
    return Point("request", False, text)


def _why(
    pair: Pair, gave: Mapping[str, Any], got: Mapping[str, Any], content: Measured | None
) -> str:
    """Why more than the size cannot be compared."""
    if "sha256" not in gave:
        return "it says no digest of them"
    if "hmacSha256" not in got:
        return f"{pair.next} says no digest of them"
    if pair.keys[1] is None:
        return _keyless(pair, pair.number + 1, "their digest")
    if content is None:
        return f"{pair.next} says their digest under its key, which takes the content (--content)"
    return f"{pair.next} says their digest under its key, and the content here is not what it was"


def _answer(pair: Pair) -> Point:
    problem = pair.inner["disposition"]["problem"]
    if problem is not None:
        text = f"{pair.next} answered by itself ({problem}), and does not say with what content"
        return Point("answer", False, text)
    gave = _side(pair.inner, "delivered")
    got = _side(pair.outer, "received")
    if gave is None or got is None:
        who = pair.next if gave is None else f"hop {pair.number}"
        return Point("answer", False, f"{who} does not say the content of the answer")
    went, came = int(gave["bytes"]), int(got["bytes"])
    if not came and went and is_repetition(pair.outer):
        text = f"{pair.next} answered a repetition, as hop {pair.number} says: its receipt is of an"
        return Point("answer", False, f"{text} earlier attempt, whose answer it did not give again")
    both = "sha256" in gave and "sha256" in got
    differ = both and gave["sha256"] != got["sha256"]
    if differ or came > went or (came < went and _read_on(pair)):
        raise EvidenceError(f"what {pair.next} answered is not what hop {pair.number} received")
    if came < went:
        return Point("answer", False, f"it received {came} of the {went} bytes of the answer")
    if both or not came:
        return Point("answer", True, f"it received what {pair.next} answered: {came} bytes")
    who = pair.next if "sha256" not in gave else f"hop {pair.number}"
    text = f"{pair.next} answered {went} bytes and it received as many, but {who} says no digest"
    return Point("answer", False, f"{text} of them")


def _side(said: Mapping[str, Any], side: str) -> Mapping[str, Any] | None:
    """A side of the answer. None where nothing is said of its content; nothing went: 0 bytes."""
    answer = said["answer"] or {}
    if "received" not in answer:
        return None
    return answer[side] or {"bytes": "0"}


def _read_on(pair: Pair) -> bool:
    """The outer one had no reason to read less of the answer than came."""
    disposition = pair.outer["disposition"]
    return disposition["problem"] is None and disposition["status"] is not None
