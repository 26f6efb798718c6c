"""A configuration with other entries in `allow`, and every other character as it was.

Entries that change are written anew, on one line; those that go take their lines with them, and
what a comment on these said. Nothing else is touched, so that a review shows what matters.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*|[1-9][0-9]*[KMG]iB")
_NOT_TEXT: Final = re.compile(r"(?i:true|false|null|yes|no|on|off|y|n)")
Entries = Mapping[int, Mapping[str, Any] | None]
"""Place in `allow` -> the entry, None for one that goes; what is not here stays."""


def rewritten(text: str, routes: Mapping[int, Entries]) -> str:
    """The file with the entries of these routes changed. It is one that has been loaded."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    items = _member(root, "routes").value
    for index in sorted(routes, reverse=True):
        if routes[index]:
            text = _with_entries(text, _member(items[index], "allow"), routes[index])
    return text


def flow(value: object) -> str:
    """A value on one line, as YAML that means the same by every schema."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and not _NOT_TEXT.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _member(node: Any, name: str) -> Any:
    return next(value for key, value in node.value if key.value == name)


def _with_entries(text: str, allow: yaml.SequenceNode, entries: Entries) -> str:
    nodes: Sequence[yaml.Node] = allow.value
    gone = {place for place, entry in entries.items() if entry is None}
    if len(gone) == len(nodes):
        return text[: allow.start_mark.index] + "[]" + text[_end(text, allow) :]
    if allow.flow_style or None in [_line_of_dash(text, node) for node in nodes]:
        kept = (
            flow(entries[place])
            if place in entries
            else text[node.start_mark.index : _end(text, node)]
            for place, node in enumerate(nodes)
            if place not in gone
        )
        return text[: allow.start_mark.index] + f"[{', '.join(kept)}]" + text[_end(text, allow) :]
    for place in sorted(entries, reverse=True):
        start, end = nodes[place].start_mark.index, _end(text, nodes[place])
        if place in gone:
            start, end, written = _line_of_dash(text, nodes[place]) or 0, _line_end(text, end), ""
        else:
            written = flow(entries[place])
        text = text[:start] + written + text[end:]
    return text


def _line_of_dash(text: str, node: yaml.Node) -> int | None:
    """Where the line begins in which the dash of an entry stands first; None where none does."""
    before = text[: node.start_mark.index].rstrip()
    line = before.rfind("\n") + 1
    return line if before[line:].strip(" ") == "-" else None


def _line_end(text: str, index: int) -> int:
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1


def _end(text: str, node: yaml.Node) -> int:
    """Where its last character is: a block's own mark is at what comes after it."""
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return len(text[: node.end_mark.index].rstrip())
    if isinstance(node, yaml.ScalarNode) or getattr(node, "flow_style", False) or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(text, last[1] if isinstance(last, tuple) else last)
