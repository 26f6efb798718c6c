"""A short cut past the scanner for small records and plain rules.

It applies when every rule is a row of plain names (`$.customer.ssn`) or one descendant name
(`$..email`), and it answers only when there is no doubt. In a valid document without a backslash:

- `"ssn"`, quotes included, stands only where a whole string says ssn: between a closing quote and
  the next opening one there is always a comma or a colon, and no string holds a quote;
- so when it stands nowhere, no key says it, and when it stands once and the parsed value has the
  path of the rule, that one place is the key of the path.

Everything else, such as a name that stands twice, is in doubt: `probe` returns None, and the
scanner decides (see scan). Duplicate keys are always in doubt. A test holds the two equal.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proxy.content.paths import Segment
from proxy.content.scan import Hit, value_end
from proxy.content.validate import STRING

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_VALUE = re.compile(rb"[ \t\n\r]*+:[ \t\n\r]*+(" + STRING + rb"|[-+.0-9A-Za-z]++)?")


@dataclass(frozen=True, slots=True)
class Plain:
    """One rule: its last name in quotes, and the names on the way, or None for a descendant."""

    needle: bytes
    path: tuple[str, ...] | None


def plain_rules(rules: Sequence[Sequence[Segment]]) -> tuple[Plain, ...] | None:
    """The rules in this form; None when one is not plain, or two could meet in one value."""
    plain = [_plain(rule) for rule in rules]
    found = tuple(rule for rule in plain if rule is not None)
    apart = len({rule.needle for rule in found}) == len(found)
    return found if apart and len(found) == len(plain) else None


def _plain(rule: Sequence[Segment]) -> Plain | None:
    names: list[str] = []
    for segment in rule:
        if segment.wildcard or segment.indexes or segment.slices or len(segment.names) != 1:
            return None
        names += segment.names
    if not names or not all(map(_PLAIN.fullmatch, names)):
        return None
    descends = any(segment.descendant for segment in rule)
    if descends and len(names) > 1:
        return None
    return Plain(f'"{names[-1]}"'.encode(), None if descends else tuple(names))


def probe(data: bytes, value: Any, rules: Sequence[Plain]) -> list[Hit] | None:
    """What `find` would return, or None when in doubt. `value` is the parsed document."""
    if b"\\" in data:
        return None
    hits: list[Hit] = []
    for number, rule in enumerate(rules):
        key = data.find(rule.needle)
        if key < 0:
            continue
        after = key + len(rule.needle)
        if data.find(rule.needle, after) >= 0:
            return None
        if rule.path is not None and not _holds(value, rule.path):
            return None
        match = _VALUE.match(data, after)
        if match is None:
            continue  # a value that says the name
        end = match.end()
        if match.lastindex is None:
            hits.append((number, key, end, value_end(data, end)))
        else:
            hits.append((number, key, match.start(1), end))
    return hits if len(hits) < 2 else _in_order(hits)


def _holds(value: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        if type(value) is not dict or name not in value:
            return False
        value = value[name]
    return True


def _in_order(hits: list[Hit]) -> list[Hit] | None:
    hits.sort(key=_key)
    position = 0
    for _, key, _, end in hits:
        if key < position:
            return None  # one inside another
        position = end
    return hits


def _key(hit: Hit) -> int:
    return hit[1]
