"""Policies in few words, and bodies sent through them in pieces."""

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from proxy.content.native import NATIVE, Native
from proxy.content.rules import Rules, compile_rules
from proxy.model import Report
from proxy.settings.schema import DETECTED_TYPES, ContentPolicy, Limits, OwnType

SCALE = ("public", "internal", "confidential", "restricted")
KEYS: dict[str, list[tuple[str, bytes]]] = {"pseudonym": [("k2", b"2" * 32), ("k1", b"1" * 32)]}
HMAC = {"hmac": {"key": "pseudonym"}}
CHOSEN: ContextVar[Native] = ContextVar("CHOSEN", default=NATIVE)
"""What goes through content: see the fixture `either_engine`."""
EVERYTHING = dict.fromkeys(DETECTED_TYPES, "redact")


def compiled(
    mask: Mapping[str, object] | Sequence[tuple[str, object]] = (),
    detect: Mapping[str, str] | Sequence[dict[str, str]] = (),
    *,
    keys: Mapping[str, Sequence[tuple[str, bytes]]] = KEYS,
    policy: Mapping[str, object] | None = None,
    own: Mapping[str, object] | None = None,
    **limits: Any,
) -> Rules:
    """Rules from path -> action and type -> action, and what else a policy says."""
    pairs = mask.items() if isinstance(mask, Mapping) else mask
    if isinstance(detect, Mapping):
        detect = [{"type": kind, "action": action} for kind, action in detect.items()]
    compiled = ContentPolicy.model_validate(
        {
            "content": ["json", "ndjson"],
            "mask": [{"path": path, "action": action} for path, action in pairs],
            "detect": list(detect),
            **(policy or {}),
        }
    )
    native = CHOSEN.get()
    bounds = Limits.model_validate(limits)
    types = {name: OwnType.model_validate(kind) for name, kind in (own or {}).items()}
    return compile_rules(compiled, bounds, keys, "restricted", SCALE, native=native, own=types)


def sent(rules: Rules, format: str, pieces: Iterable[bytes]) -> tuple[bytes, Report]:  # noqa: A002
    """What comes out of an inspector that is fed these pieces, and its report."""
    inspector = rules.open(format)
    output = b"".join([inspector.feed(piece) for piece in pieces])
    output += inspector.finish()
    return output, inspector.report()


def masked(
    document: bytes | str, mask: Any = (), detect: Any = (), *, form: str = "json", **limits: Any
) -> bytes:
    """One body through one policy, whole."""
    data = document.encode() if isinstance(document, str) else document
    return sent(compiled(mask, detect, **limits), form, [data])[0]
