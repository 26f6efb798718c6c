"""A policy for a file that nobody has described: made from what detection finds in it.

A path is masked when at least half of its values are, whole, of one type; whatever stands there
then goes, found or not. Everything else that was found, in the middle of a text or now and then, is
redacted where it stands. A policy and a receipt name paths, so no path is made from a name that may
itself be data: what is found below such a name is left to detection. Detection is a net with holes:
it knows formats and checksums, not names, addresses or secrets of your own. Those have to be named
by path.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate

from proxy.cli.values import Value, step, values
from proxy.content.rules import compile_rules
from proxy.content.validate import STRING, require_json
from proxy.errors import Refusal
from proxy.settings.schema import DETECTED_TYPES, ContentPolicy, DetectRule, Limits

DEPTH = 1024
MOST = 32
"""Paths that are masked at most: as many as a receipt lists."""
ACTIONS = {
    "email": "{hmac: {key: pseudonym}}",
    "credit_card": "{partial: {keep_last: 4}}",
    "iban": "{partial: {keep_last: 4}}",
}
_STEP = re.compile(r'\.[A-Za-z_][A-Za-z0-9_]*|\["(?:[^"\\]|\\.)*"\]|\[\*\]')
_BRACKET = re.compile(STRING + rb"|([\[\]{}])", re.DOTALL)
_NEITHER = "neither JSON nor NDJSON"
_TOO_DEEP = f"it is nested deeper than {DEPTH}"
_ORDINARY = re.compile(r"[^\W\d][\w-]{0,47}")
_DIGITS = 4
"""In a name at most: a year, but no number of anybody."""
_MARK = re.compile(rb"\[REDACTED:([a-z0-9_]+)\]")


@dataclass(slots=True)
class Survey:
    """What a file holds. Counters by (path, type)."""

    format: str
    records: int
    longest: int
    """Octets of the longest record, or of the document."""
    values: Counter[str] = field(default_factory=Counter)
    """Path -> values there, null left out."""
    whole: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Values that are, as a whole, of a type."""
    inside: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Findings in the middle of a text, and in names of members."""
    named: set[str] = field(default_factory=set)
    """Paths whose last name holds a finding."""
    containers: set[str] = field(default_factory=set)
    """Paths at which an object or array stands somewhere."""

    @property
    def types(self) -> list[str]:
        """Everything that was found, in the order in which detection knows it."""
        found = {kind for _, kind in (*self.whole, *self.inside)}
        return [kind for kind in DETECTED_TYPES if kind in found]


def judge_format(data: bytes, suffix: str) -> tuple[str, int, int]:
    """(`json` or `ndjson`, records, octets of the longest). Raises Refusal when it is neither."""
    _require_utf8_without_mark(data)
    lines = [line for line in data.split(b"\n") if line.strip(b" \t\r")]
    if not lines:
        raise Refusal("unparseable", f"{_NEITHER}: there is nothing in it")
    if suffix.lower() not in (".ndjson", ".jsonl"):
        try:
            _require_json(data, f"{_NEITHER}: it")
        except Refusal as refusal:
            if len(lines) < 2 or refusal.reason == _TOO_DEEP:
                raise refusal from None
        else:
            return "json", 1, len(data)
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip(b" \t\r"):
            _require_json(line, f"{_NEITHER}: it is not one JSON document, and line {number}")
    return "ndjson", len(lines), max(map(len, lines))


def _require_utf8_without_mark(data: bytes) -> None:
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise Refusal(
            "unparseable",
            "it begins with a byte order mark, which JSON does not have (RFC 8259, section 8.1): "
            "save it as UTF-8 without one",
        )


def _require_json(data: bytes, where: str) -> None:
    try:
        require_json(data, DEPTH, where)
    except Refusal:
        if _depth(data) > DEPTH:
            raise Refusal("unparseable", _TOO_DEEP) from None
        raise


def _depth(data: bytes) -> int:
    """How deep brackets are nested outside strings, also where the parser gave up."""
    steps = (1 if m[1] in b"[{" else -1 for m in _BRACKET.finditer(data) if m[1])
    return max(accumulate(steps), default=0)


def survey(data: bytes, suffix: str) -> Survey:
    """Look at every value. Raises Refusal when this is neither JSON nor NDJSON."""
    found = Survey(*judge_format(data, suffix))
    redacted = _redact_all(data, found)
    for value, other in zip(values(data), values(redacted), strict=True):
        before, after = data[value.start : value.end], redacted[other.start : other.end]
        _note_containers(found.containers, value.path)
        if not value.key and before != b"null":
            found.values[value.path] += 1
        if value.key and before != after:
            found.named.add(value.path + step(before))
        if before != after:
            _note_findings(found, value, before, after)
    return found


def _redact_all(data: bytes, found: Survey) -> bytes:
    """The file with everything redacted that detection knows: it shows what it finds, and where."""
    everything = ContentPolicy(
        content=["json", "ndjson"],
        detect=[
            DetectRule.model_validate({"type": kind, "action": "redact"}) for kind in DETECTED_TYPES
        ],
    )
    limits = Limits(document=len(data) + 1, record=found.longest + 1, depth=DEPTH)
    inspector = compile_rules(everything, limits, {}, "all", ["all"]).open(found.format)
    first = bytes(inspector.feed(data))
    return first + bytes(inspector.finish())


def _note_findings(found: Survey, value: Value, before: bytes, after: bytes) -> None:
    known = Counter(_MARK.findall(before))
    for mark, count in (Counter(_MARK.findall(after)) - known).items():
        kind = mark.decode()
        alone = after.strip(b'" ') == b"[REDACTED:%b]" % mark
        if alone and not value.key:
            found.whole[value.path, kind] += 1
        else:
            found.inside[value.path, kind] += count


def _note_containers(containers: set[str], path: str) -> None:
    """Whatever is above a value holds something, and is no value itself."""
    if path not in containers:
        containers.update(path[: match.start()] for match in _STEP.finditer(path))


def masked_paths(found: Survey) -> dict[str, str]:
    """Path -> action, for the paths at which most values are of one type."""
    chosen: dict[str, str] = {}
    for (path, kind), count in found.whole.most_common():
        most = 2 * count >= found.values[path]
        value = path not in found.containers and path != "$"
        if most and value and len(chosen) < MOST and may_be_named(found, path):
            chosen.setdefault(path, ACTIONS.get(kind, "redact"))
    return chosen


def may_be_named(found: Survey, path: str) -> bool:
    """Every name in it is one word as programmers choose it, and none holds a finding."""
    for match in _STEP.finditer(path):
        text = match[0]
        name = json.loads(text[1:-1]) if text.startswith('["') else text.lstrip(".")
        ordinary = text == "[*]" or _is_ordinary(name)
        if not ordinary or path[: match.end()] in found.named:
            return False
    return True


def _is_ordinary(name: str) -> bool:
    return _ORDINARY.fullmatch(name) is not None and sum(map(str.isdecimal, name)) <= _DIGITS
