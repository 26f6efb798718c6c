"""What a masked value becomes, and one pass that puts it in place.

    drop     the member goes, with one comma; the white space around it stays where it can
    redact   "[REDACTED]", whatever the value was
    partial  all but the first and last characters are `*`; strings and numbers
    hmac     a token (see tokens); strings and numbers

`partial` and `hmac` redact what is neither a string nor a number, and leave the text "[REDACTED]"
alone, so that masking twice equals masking once.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import orjson

from proxy.content.scan import Hit
from proxy.content.tokens import Tokenizer
from proxy.settings.schema import Action, Partial

_MARK: Final = "[REDACTED]"
REDACTED: Final = b'"%b"' % _MARK.encode()
Replace = Callable[[bytes], bytes]
"""Raw JSON value -> raw JSON value."""


Edit = tuple[int, int, bytes]
"""`data[start:end]` becomes the octets. Edits are in order and do not overlap."""


def compile_action(action: Action, tokenizers: Mapping[str, Tokenizer]) -> Replace | None:
    """What replaces a value; None drops it. Raises ValueError for a key that is not listed."""
    if action.drop:
        return None
    if action.redact:
        return _redact
    if action.partial is not None:
        return _partial(action.partial)
    if action.hmac is not None and action.hmac.key in tokenizers:
        return _pseudonym(tokenizers[action.hmac.key])
    raise ValueError("the key that this action names is not listed under keys")


def _redact(raw: bytes) -> bytes:
    return REDACTED


def _text(raw: bytes) -> str | None:
    """The characters of a string or a number literal; None for everything else."""
    if raw[0] == 0x22:
        return str(orjson.loads(raw))
    return raw.decode() if raw[0] in b"-0123456789" else None


def _partial(options: Partial) -> Replace:
    first, last = options.keep_first, options.keep_last

    def replace(raw: bytes) -> bytes:
        text = _text(raw)
        if text is None:
            return REDACTED
        hidden = len(text) - first - last
        if hidden <= 0:
            masked = "*" * len(text)
        else:
            masked = text[:first] + "*" * hidden + text[len(text) - last :]
        done = text in (masked, _MARK) and raw[0] == 0x22
        return raw if done else orjson.dumps(masked)

    return replace


def _pseudonym(tokenizer: Tokenizer) -> Replace:
    def replace(raw: bytes) -> bytes:
        text = _text(raw)
        if text is None:
            return REDACTED
        if text == _MARK or tokenizer.recognises(text):
            return raw
        return b'"' + tokenizer.token(text.encode()).encode() + b'"'

    return replace


_NEXT: Final = re.compile(rb"[ \t\n\r]*+(,?+)[ \t\n\r]*+")


def edits(data: bytes, hits: Sequence[Hit], actions: Sequence[Replace | None]) -> list[Edit]:
    """The edits that mask `hits`, in order. `actions` are by number of rule."""
    found: list[Edit] = []
    for rule, member, start, end in hits:
        replace = actions[rule]
        if replace is None:
            _drop(data, found, member, end)
        else:
            found.append((start, end, replace(data[start:end])))
    return found


def _drop(data: bytes, found: list[Edit], start: int, end: int) -> None:
    """Remove a member or element and the comma after it, or the one before when it is the last."""
    if found and found[-1][1] == start and not found[-1][2]:
        start = found.pop()[0]
    match = _NEXT.match(data, end)
    if match is not None and match[1]:
        found.append((start, match.end(), b""))
        return
    before = start - 1
    while data[before] in b" \t\n\r":
        before -= 1
    found.append((before if data[before] == 0x2C else start, end, b""))


def apply(data: bytes, found: Sequence[Edit]) -> bytes:
    """All edits at once; every octet outside them stays."""
    parts: list[bytes] = []
    position = 0
    for start, end, octets in found:
        parts += (data[position:start], octets)
        position = end
    parts.append(data[position:])
    return b"".join(parts)


def placed(found: Sequence[Edit]) -> frozenset[int]:
    """Where each replacement starts in the output of `apply`."""
    starts = []
    shift = 0
    for start, end, octets in found:
        if octets:
            starts.append(start + shift)
        shift += len(octets) - (end - start)
    return frozenset(starts)
