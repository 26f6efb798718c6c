"""What the demo claims is checked here, by other code than that which does it.

A document is cut into values by a tokenizer of its own, and two documents are the same up to their
masked values when everything between the values, and every other value, is equal octet for octet.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import orjson

from proxy.cli.demo.site import NotAsTold
from proxy.cli.values import Value, values

_REDACTED = re.compile(r"\[REDACTED:[a-z_]+\]")

Judge = Callable[[bytes, bytes], bool]
"""(raw value that was sent, raw value that arrived) -> is this what masking should have made?"""


def require_same_but(
    sent: bytes, arrived: bytes, judge_of: Callable[[Value], Judge | None]
) -> Counter[str]:
    """How many values were changed, by path; the rest is equal, octet for octet.

    `judge_of` says who judges a value; None for one that must be as it was. Raises NotAsTold.
    """
    changed: Counter[str] = Counter()
    here, there = 0, 0
    others = values(arrived)
    for value in values(sent):
        other = next(others, None)
        if other is None or other.key != value.key:
            raise NotAsTold(f"what arrived has another shape at {value.path}")
        before, after = sent[value.start : value.end], arrived[other.start : other.end]
        if sent[here : value.start] != arrived[there : other.start]:
            raise NotAsTold(f"what stands before {value.path} was changed")
        here, there = value.end, other.end
        judge = judge_of(value)
        if judge is None and before != after:
            raise NotAsTold(f"{value.path} was changed, and should not have been")
        if judge is not None and not judge(before, after):
            raise NotAsTold(f"{value.path} did not arrive as it should have")
        if before != after:
            changed[value.path] += 1
    if sent[here:] != arrived[there:]:
        raise NotAsTold("what arrived ends in another way")
    return changed


def at(judges: Mapping[str, Judge]) -> Callable[[Value], Judge | None]:
    """The judge of a value is that of its path."""
    return lambda value: None if value.key else judges.get(value.path)


def redacted(before: bytes, after: bytes) -> bool:
    """The whole value is gone."""
    return after == b'"[REDACTED]"'


def keeps_last_four(before: bytes, after: bytes) -> bool:
    """All but the last four characters are stars; of a short one, all. No text: redacted."""
    if not _has_text(before):
        return redacted(before, after)
    text = _text(before)
    kept = text[-4:] if len(text) > 4 else ""
    return _text(after) == "*" * (len(text) - len(kept)) + kept


def pseudonyms() -> Judge:
    """Tokens: the same value always has the same, and no two values share one."""
    known: dict[bytes, bytes] = {}
    taken: dict[bytes, bytes] = {}

    def judge(before: bytes, after: bytes) -> bool:
        if not _has_text(before):
            return redacted(before, after)
        before = _text(before).encode()
        form = re.fullmatch(rb'"tok:[A-Za-z0-9._-]{1,32}:[A-Za-z0-9_-]{32}"', after)
        same = known.setdefault(before, after) == after and taken.setdefault(after, before)
        return form is not None and same == before

    return judge


def without(kind: str, found: re.Pattern[bytes]) -> Judge:
    """Text in which every match of `found` was replaced, and nothing else."""

    def judge(before: bytes, after: bytes) -> bool:
        return after == found.sub(f"[REDACTED:{kind}]".encode(), before)

    return judge


def only_redacted(before: bytes, after: bytes) -> bool:
    """The same, but for findings that were redacted where they stood."""
    if before == after:
        return True
    old, new = _text(before), _text(after)
    first, *others = _REDACTED.split(new)
    if not others or not old.startswith(first):
        return False
    position = len(first)
    for piece in others[:-1]:
        position = old.find(piece, position + 1)
        if position < 0:
            return False
        position += len(piece)
    return old.endswith(others[-1]) and len(old) - len(others[-1]) > position


def _has_text(raw: bytes) -> bool:
    return raw[0] in b'"-0123456789'


def _text(raw: bytes) -> str:
    """The characters of a string, or of a literal as it was written."""
    return str(orjson.loads(raw)) if raw[0] == 0x22 else raw.decode()


def require_nothing_of(plain: Iterator[bytes] | list[bytes], arrived: bytes) -> None:
    """None of the values that were masked is anywhere in what arrived. Raises NotAsTold."""
    for value in plain:
        if value in arrived:
            raise NotAsTold("a value that should have been masked arrived as it was")
