"""JSON values for actions (see values): read, and spelt."""

from typing import Final

import orjson

from proxy.content.values import Masked, Replace, Scalar

_OTHER: Final = Scalar("other", b"")


def scalar(raw: bytes) -> Scalar:
    """What a raw JSON value says."""
    if raw[0] == 0x22:
        text = orjson.loads(raw).encode() if b"\\" in raw else raw[1:-1]
        return Scalar("string", text)
    return Scalar("number", raw) if raw[0] in b"-0123456789" else _OTHER


def spelt(value: Masked) -> bytes:
    """The JSON that says it."""
    if value.kind == "string":
        return orjson.dumps(value.text.decode())
    return value.text if value.kind == "number" else b"null"


def replaced(raw: bytes, action: Replace) -> bytes | None:
    """What an action makes of a raw JSON value; None leaves it as it was sent."""
    masked = action(scalar(raw))
    return None if masked is None else spelt(masked)
