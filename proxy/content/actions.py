"""What a masked value becomes. Actions know no format: see values.

    drop        the member goes: no Replace but None
    redact      "[REDACTED]", or a constant, whatever the value was; by kind 0, null or "[REDACTED]"
    partial     all but the first and last characters are hidden; strings and numbers
    generalize  a coarser value (see generalize)
    hmac        a token that nobody can undo (see tokens); strings and numbers
    encrypt     a token that whoever has the key can undo (see cipher); strings and numbers

All but `drop` and `redact` redact what is neither a string nor a number, and leave the text
"[REDACTED]" alone, so that masking twice equals masking once.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from proxy.content.cipher import Cipher
from proxy.content.generalize import generalize
from proxy.content.tokens import Tokenizer
from proxy.content.values import MARK, REDACTED, Masked, Replace, Scalar
from proxy.settings.schema import Action, Partial, Redact

Keys = Mapping[str, Sequence[tuple[str, bytes]]]
"""Name -> (key id, secret octets), newest first."""
_ZERO: Final = Masked("number", b"0")
_NULL: Final = Masked("null", b"")


def compile_action(action: Action, keys: Keys, place: str) -> Replace | None:
    """What replaces a value; None drops it.

    `place` is what a token is bound to: the path in normal form, `header x-user`, `query email`, or
    `type email`. Raises ValueError for a key that is not listed, CredentialError for a secret that
    cannot be used.
    """
    if action.drop:
        return None
    if action.redact is not None:
        return _by_kind if action.redact.as_ == "kind" else Constant(_constant(action.redact))
    if action.partial is not None:
        return _partial(action.partial)
    if action.generalize is not None:
        return generalize(action.generalize)
    if action.hmac is not None:
        name, algorithm = action.hmac.key, action.hmac.algorithm
        return Pseudonym(Tokenizer(name, _listed(keys, name), algorithm))
    if action.encrypt is not None:
        name = action.encrypt.key
        return _encrypted(Cipher(name, _listed(keys, name), action.encrypt.tenant, place))
    raise ValueError("an action that does nothing")


def _listed(keys: Keys, name: str) -> Sequence[tuple[str, bytes]]:
    if name not in keys:
        raise ValueError("the key that this action names is not listed under keys")
    return keys[name]


class Constant:
    """The same for every value: whoever spells it may do so once."""

    def __init__(self, masked: Masked) -> None:
        self.masked = masked

    def __call__(self, value: Scalar) -> Masked | None:
        return self.masked


def _constant(options: Redact) -> Masked:
    if isinstance(options.with_, str):
        return Masked("string", options.with_.encode())
    if options.with_ is not None:
        return Masked("number", repr(options.with_).encode())
    return {"number": _ZERO, "null": _NULL}.get(options.as_ or "", REDACTED)


def _by_kind(value: Scalar) -> Masked | None:
    return {"string": REDACTED, "number": _ZERO}.get(value.kind, _NULL)


def _partial(options: Partial) -> Replace:
    first, last = options.keep_first, options.keep_last

    def replace(value: Scalar) -> Masked | None:
        if value.kind == "other":
            return REDACTED
        text = value.text.decode()
        if value.kind == "string" and value.text == MARK:
            return None
        hide = _classes if options.preserve_class else _stars
        number = options.preserve_class and value.kind == "number"
        hidden = hide(text, number)
        if len(text) > first + last:
            hidden = text[:first] + hidden[first : len(text) - last] + text[len(text) - last :]
        if hidden == text and (number or value.kind == "string"):
            return None
        return Masked("number" if number else "string", hidden.encode())

    return replace


def _stars(text: str, number: bool) -> str:
    return "*" * len(text)


def _classes(text: str, number: bool) -> str:
    """9 for digits, X and x for letters, as in the pictures of COBOL, and x for all else that is
    not ASCII punctuation or a space. A number stays one: its exponent becomes 0."""
    if number:
        mantissa, mark, exponent = text.replace("E", "e").partition("e")
        spelt = text[len(mantissa) : len(mantissa) + 1] if mark else ""
        zeros = "".join("0" if sign.isdigit() else sign for sign in exponent)
        return "".join("9" if sign.isdigit() else sign for sign in mantissa) + spelt + zeros
    return "".join(map(_class, text))


def _class(sign: str) -> str:
    if sign.isnumeric():
        return "9"
    if sign.isupper():
        return "X"
    return sign if " " <= sign <= "~" and not sign.isalpha() else "x"


class Pseudonym:
    """Tokens of one key. `tokenizer` is for whoever replaces many values at once."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def __call__(self, value: Scalar) -> Masked | None:
        if value.kind == "other":
            return REDACTED
        if value.text == MARK or self.tokenizer.recognises(value.text.decode()):
            return None
        return Masked("string", self.tokenizer.token(value.text).encode())


def _encrypted(cipher: Cipher) -> Replace:
    def replace(value: Scalar) -> Masked | None:
        if value.kind == "other":
            return REDACTED
        if value.text == MARK or cipher.made(value.text):
            return None
        return Masked("string", cipher.seal(value))

    return replace
