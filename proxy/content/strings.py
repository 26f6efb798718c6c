"""Raw JSON strings and what they say."""

import orjson


def decoded(raw: bytes) -> bytes:
    """UTF-8 of what a raw JSON string says."""
    return str(orjson.loads(raw)).encode() if b"\\" in raw else raw[1:-1]


def respelt(raw: bytes, text: bytes) -> bytes:
    """The raw string that says `text`, with escapes only where `raw` had some."""
    return orjson.dumps(text.decode()) if b"\\" in raw else b'"' + text + b'"'
