"""What a masked value becomes, and one pass that puts it in place.

    drop     the member goes, with one comma; the white space around it stays where it can
    redact   "[REDACTED]", whatever the value was
    partial  all but the first and last characters are `*`; strings and numbers
    hmac     a token (see tokens); strings and numbers

`partial` and `hmac` redact what is neither a string nor a number, and leave the text "[REDACTED]"
alone, so that masking twice equals masking once.
"""

import re
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import orjson

from proxy.content.scan import Hit
from proxy.content.tokens import Tokenizer
from proxy.settings.schema import Action, Partial

_MARK: Final = "[REDACTED]"
REDACTED: Final = b'"%b"' % _MARK.encode()
Replace = Callable[[bytes], bytes]
"""Raw JSON value -> raw JSON value."""


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


def mask(
    data: bytes, hits: Iterable[Hit], actions: Sequence[Replace | None], counts: list[int]
) -> tuple[bytes, "array[int]"]:
    """Return the masked document, and where in it each replacement starts.

    `hits` are in order and apart, `actions` and `counts` by number of rule. Every octet outside
    the hits stays, but for the comma that goes with what is dropped.
    """
    out = bytearray()
    placed = array("Q")
    position = 0  # what stands before it is in `out`, or gone
    dropping = -1  # where the members that were dropped just before `position` started
    for rule, member, start, end in hits:
        counts[rule] += 1
        replace = actions[rule]
        if replace is not None:
            out += data[position:start]
            placed.append(len(out))
            out += replace(data[start:end])
            position, dropping = end, -1
            continue
        if dropping < 0 or position != member:
            out += data[position:member]
            dropping = member
        match = _NEXT.match(data, end)
        if match is not None and match[1]:
            position = match.end()
        else:
            position = end
            _drop_comma(data, dropping, out)
    out += data[position:]
    return bytes(out), placed


def _drop_comma(data: bytes, start: int, out: bytearray) -> None:
    """Take back the comma before `start`, when there is one, and the white space after it."""
    before = start - 1
    while before >= 0 and data[before] in b" \t\n\r":
        before -= 1
    if data[before] == 0x2C:
        del out[len(out) - (start - before) :]
