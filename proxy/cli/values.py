"""Every value of a JSON document with its path, by other code than that which masks it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import orjson

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[-+.0-9A-Za-z]++|[{}\[\]:,]', re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Value:
    """A string, number, true, false or null; or, with `key`, the name of a member."""

    path: str
    """As JSONPath, with `[*]` for every index: `$.items[*].email`."""
    start: int
    end: int
    key: bool = False


def values(data: bytes) -> Iterator[Value]:
    """Every value and name of a valid JSON document, or of several one after the other."""
    opened: list[tuple[str, bool]] = []  # (path of the container, is it an object)
    path, naming = "$", False
    for match in _TOKEN.finditer(data):
        token = match[0]
        if token in (b"{", b"["):
            naming = token == b"{"
            opened.append((path, naming))
            path += "" if naming else "[*]"
        elif token in (b"}", b"]"):
            path, naming = opened.pop()[0], False
        elif token == b",":
            path, naming = opened[-1]
            path += "" if naming else "[*]"
        elif naming and token != b":":
            path, naming = opened[-1][0], False
            yield Value(path, match.start(), match.end(), key=True)
            path += step(token)
        elif token != b":":
            yield Value(path, match.start(), match.end())


@lru_cache(4096)
def step(token: bytes) -> str:
    """The name in the one way that we write it, whatever escapes it came with."""
    name = str(orjson.loads(token))
    if _PLAIN.fullmatch(name):
        return f".{name}"
    return f"[{json.dumps(name, ensure_ascii=not name.isprintable())}]"
