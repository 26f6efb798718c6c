"""The JSON Schema of a configuration: for editors, and for finding the key that was meant.

`config/schema.json` is `text()`, and a test holds the two together. It accepts what the loader
accepts as to shape; references between parts are the loader's alone.
"""

import functools
import json
from collections.abc import Iterator
from typing import Any

from proxy.settings.schema import Settings
from proxy.settings.yaml12 import Path

_DAYS = 30 * 86400
"""Seconds from which on a duration is written in days."""
Schema = dict[str, Any]


@functools.cache
def schema() -> Schema:
    """JSON Schema, draft 2020-12. Null is never a value: a key is given one, or left out."""
    made: Schema = _tidy(Settings.model_json_schema(), keys_are_names=False)
    head: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Lockgate configuration, version 1",
    }
    return head | made


def text() -> str:
    """The schema as the file that is committed."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def keys_at(path: Path) -> list[str]:
    """The keys that a mapping at `path` may have; none where they are free, or unknown."""
    places = [schema()]
    for step in path:
        places = [inner for place in places for inner in _step(place, step)]
    return sorted({key for place in places for part in _parts(place) for key in _properties(part)})


def _properties(part: Schema) -> list[str]:
    return list(part.get("properties", {}))


def _parts(place: Schema) -> Iterator[Schema]:
    """The schema itself, or what its references and alternatives come to."""
    if "$ref" in place:
        yield from _parts(schema()["$defs"][place["$ref"].rpartition("/")[2]])
    for part in place.get("anyOf", []):
        yield from _parts(part)
    yield place


def _step(place: Schema, step: str | int) -> Iterator[Schema]:
    for part in _parts(place):
        if isinstance(step, int):
            inner = part.get("items")
        else:
            free = next(iter(part.get("patternProperties", {}).values()), None)
            inner = part.get("properties", {}).get(step, free)
        if isinstance(inner, dict):
            yield inner


def _tidy(node: Any, *, keys_are_names: bool) -> Any:
    """Drop titles, nulls and composite defaults, write durations as text.

    Where keys are names of properties, not words of JSON Schema, they are left alone.
    """
    if isinstance(node, list):
        return [_tidy(item, keys_are_names=False) for item in node]
    if not isinstance(node, dict):
        return node
    if keys_are_names:
        return {key: _tidy(value, keys_are_names=False) for key, value in node.items()}
    kept = {
        key: _tidy(value, keys_are_names=key in ("properties", "patternProperties", "$defs"))
        for key, value in node.items()
        if key != "title" and not (key == "default" and (value is None or isinstance(value, dict)))
    }
    if isinstance(kept.get("default"), float):
        seconds = kept["default"]
        days = seconds >= _DAYS and seconds % 86400 == 0
        kept["default"] = f"{seconds / 86400:g}d" if days else f"{seconds:g}s"
    if "description" in kept:
        kept["description"] = " ".join(kept["description"].split())
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    choices = [choice for choice in kept.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        del kept["anyOf"]
        return choices[0] | kept
    return kept | ({"anyOf": choices} if choices else {})
