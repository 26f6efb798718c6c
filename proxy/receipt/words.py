"""What a receipt says, in plain words, one line a fact. Nothing here verifies anything."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from proxy.receipt.statement import EVENT_TYPE

_VERDICTS: Final = {
    "delivered": "the whole message was forwarded and the upstream accepted it",
    "rejected": "refused; the message did not cross",
    "failed": "the message did not arrive whole, or the upstream refused it",
    "indeterminate": "the message may have arrived; no complete answer came",
}
_EVENTS: Final = {
    "start": "the gateway started",
    "stop": "the gateway stopped",
    "recovery": "the log was recovered after a crash",
    "reload": "another configuration came into force",
    "key": "the receipt key before names the one that signs from here on",
    "refused-handshakes": "connections and requests that were refused unheard",
    "refused-transfers": "transfers that were refused while the log could not be written",
}
_WIDTH: Final = 11


def describe(statement: Mapping[str, Any]) -> list[str]:
    """Lines for people. Takes any entry that parses; what is missing is left out."""
    predicate = statement["predicate"]
    facts = _event if statement.get("predicateType") == EVENT_TYPE else _facts
    return [printable(f"{name:<{_WIDTH}}{text}") for name, text in facts(predicate) if text]


def printable(text: str) -> str:
    """`text` without what a terminal would act on: a receipt may be anybody's."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _facts(p: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind = str(p.get("kind"))
    yield "verdict", f"{kind}: {_VERDICTS.get(kind, 'a verdict that this version does not know')}"
    yield "ended", _disposition(_map(p, "disposition"))
    yield "transfer", f"{p.get('transferId')}, attempt {p.get('attempt')}"
    yield "sender", _party(_map(p, "sender"))
    yield "receiver", _party(_map(p, "receiver"))
    yield "request", _request(p)
    yield from _content(_map(p, "content"), "received", "delivered")
    answer = _map(p, "answer")
    if answer.get("status") is not None:
        repeated = ", and says that it was delivered before" if answer.get("duplicate") else ""
        yield "upstream", f"answered {answer['status']}{repeated}"
    yield from _content(answer, "answer", "passed on")
    channel = _map(p, "channel")
    yield "channel", ", ".join(str(channel[k]) for k in ("tls", "cipher", "group") if k in channel)
    time = _map(p, "time")
    yield "time", f"{time.get('received')} to {time.get('completed')}"
    yield "policy", _policy(_map(p, "policy"))
    sequence = _map(p, "sequence")
    yield "log", str(_map(p, "log").get("origin"))
    yield "sequence", f"number {sequence.get('number')} of {sequence.get('stream')}"


def _event(p: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind = str(p.get("kind"))
    yield "event", f"{kind}: {_EVENTS.get(kind, 'an event that this version does not know')}"
    yield from ((f"  {name}", text) for name, text in _leaves(_map(p, "details"), ""))
    yield "time", str(_map(p, "time").get("completed"))
    sequence = _map(p, "sequence")
    yield "log", str(_map(p, "log").get("origin"))
    yield "sequence", f"number {sequence.get('number')} of {sequence.get('stream')}"


def _leaves(value: object, name: str) -> Iterator[tuple[str, str]]:
    """Each value of a document with its path, as `to.keyid `."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    else:
        yield f"{name} ", "unknown" if value is None else str(value)


def _map(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _disposition(disposition: Mapping[str, Any]) -> str:
    parts = []
    if disposition.get("recovered"):
        parts.append("the gateway stopped in the middle of it")
    if disposition.get("problem"):
        parts.append(str(disposition["problem"]))
    if disposition.get("status"):
        parts.append(f"the sender was answered {disposition['status']}")
    if disposition.get("duplicateOf") is not None:
        parts.append(f"already delivered, see entry {disposition['duplicateOf']}")
    return ", ".join(parts)


def _party(party: Mapping[str, Any]) -> str:
    sans = party.get("sans")
    named = sans if isinstance(sans, list) else []
    names = [str(party["name"])] if "name" in party else [str(name) for name in named]
    key = party.get("spkiSha256")
    return ", ".join(names) + (f" (key {key})" if key else "")


def _request(p: Mapping[str, Any]) -> str:
    request, policy = _map(p, "request"), _map(p, "policy")
    method = "a tunnel" if request.get("method") == "tunnel" else request.get("method")
    text = f"{method or 'a request'} on route {request.get('route') or '(none)'}"
    return text + (f" to {policy['upstream']}" if policy.get("upstream") else "")


def _policy(policy: Mapping[str, Any]) -> str:
    admitted = f", admitted by {policy['rule']}" if policy.get("rule") else ""
    return f"{policy.get('sha256') or ''}{admitted}"


def _content(
    content: Mapping[str, Any], received: str, delivered: str
) -> Iterator[tuple[str, str]]:
    if not content:
        return
    yield received, _digest(_map(content, "received"))
    yield delivered, _digest(_map(content, "delivered")) or "nothing"
    if content.get("opaque"):
        yield "", "the bytes were forwarded unseen: not parsed, not masked, not inspected"
    if codings := content.get("codings"):
        yield "", f"looked into decoded, and coded again: {', '.join(map(str, codings))}"
    yield "masked", _counts(_map(content, "masked"))
    yield "found", _counts(_map(content, "findings"))
    for name, paths in _map(content, "foundAt").items():
        yield f"  {name}", _counts(paths if isinstance(paths, dict) else {})
    if unscanned := content.get("unscanned"):
        yield "", f"{unscanned} values with JSON or base64 in them that was not looked into"
    if lowered := _map(content, "lowered"):
        yield "", f"redacted so that the label does not rise: {_counts(lowered)}"
    if shadow := _map(content, "shadow"):
        yield "", f"rules in shadow would have done something: {_counts(shadow)}"
    yield "label", str(content.get("label") or "")


def _digest(digest: Mapping[str, Any]) -> str:
    if not digest:
        return ""
    text = f"{digest.get('bytes')} bytes"
    if "sha256" in digest:
        return f"{text}, SHA-256 {digest['sha256']}"
    if "hmacSha256" in digest:
        return f"{text}, HMAC-SHA256 {digest['hmacSha256']} under the sender's receipt key"
    return text


def _counts(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} × {count}" for name, count in counts.items())
