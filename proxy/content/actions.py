"""What a masked value becomes. Actions know no format: see values.

    drop     the member goes: no Replace but None
    redact   "[REDACTED]", whatever the value was
    partial  all but the first and last characters are `*`; strings and numbers
    hmac     a token (see tokens); strings and numbers

`partial` and `hmac` redact what is neither a string nor a number, and leave the text "[REDACTED]"
alone, so that masking twice equals masking once.
"""

from collections.abc import Mapping

from proxy.content.tokens import Tokenizer
from proxy.content.values import MARK, REDACTED, Masked, Replace, Scalar
from proxy.settings.schema import Action, Partial


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


def _redact(value: Scalar) -> Masked | None:
    return REDACTED


def _partial(options: Partial) -> Replace:
    first, last = options.keep_first, options.keep_last

    def replace(value: Scalar) -> Masked | None:
        if value.kind == "other":
            return REDACTED
        text = value.text.decode()
        hidden = len(text) - first - last
        if hidden <= 0:
            masked = "*" * len(text)
        else:
            masked = text[:first] + "*" * hidden + text[len(text) - last :]
        if value.kind == "string" and (masked == text or value.text == MARK):
            return None
        return Masked("string", masked.encode())

    return replace


def _pseudonym(tokenizer: Tokenizer) -> Replace:
    def replace(value: Scalar) -> Masked | None:
        if value.kind == "other":
            return REDACTED
        if value.text == MARK or tokenizer.recognises(value.text.decode()):
            return None
        return Masked("string", tokenizer.token(value.text).encode())

    return replace
