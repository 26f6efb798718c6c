"""Header fields and query parameters that are masked, by name.

A field's value is the whole field line: a field may be a list, and nobody knows which ones are.

A query is read strictly, as `application/x-www-form-urlencoded` has it, or refused:

    ?id=7&email=a%40b.example&email=c+d   ->   ?id=7&email=tok%3Ak1%3A…&email=tok%3Ak1%3A…

- Pairs are apart by `&`; a `;` is refused, since some servers take it for one as well.
- Escapes are two hexadecimal digits and together UTF-8 without controls; `+` is a space.
- Names are compared decoded, without the white space around them that some servers strip, and up to
  a `[`, with which some of them write lists (`email[]`, `email[0]`).
- Parameters that no rule names stay octet for octet.
"""

import re
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from proxy.content.actions import Keys, compile_action
from proxy.content.names import bare, folded
from proxy.content.values import REDACTED, Replace, Scalar
from proxy.errors import Refusal
from proxy.settings.schema import MaskRule

Counts = MutableMapping[str, int]
"""`header x-user` or `query email` -> how many."""
MOST_PARAMETERS: Final = 1000
"""In a query that is masked: a short name and no value may become a token."""
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|;")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_FIELD_VALUE: Final = re.compile(
    rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?"
)


@dataclass(frozen=True, slots=True)
class HeadMasks:
    """What is masked beside the content, in one direction. None in the place of a Replace drops."""

    headers: Mapping[bytes, Replace | None] = field(default_factory=dict)
    """By name in lower case."""
    query: Mapping[str, Replace | None] = field(default_factory=dict)
    fold: bool = False
    """Names of parameters are compared as `names.folded` has them."""

    def __bool__(self) -> bool:
        return bool(self.headers or self.query)

    def header(self, name: bytes, value: bytes, counts: Counts) -> bytes | None:
        """The value of one field line, masked and counted, where a rule names it; None: it goes.

        A value that is not UTF-8 counts as ISO 8859-1 (RFC 9110, section 5.5).
        """
        if name not in self.headers:
            return value
        _count(counts, f"header {name.decode()}")
        replace = self.headers[name]
        if replace is None:
            return None
        masked = replace(Scalar("string", _utf8(value)))
        if masked is None:
            return value
        return masked.text if _FIELD_VALUE.fullmatch(masked.text) else REDACTED.text

    def masked_query(self, query: str, counts: Counts) -> str | None:
        """A query, masked and counted; None when nothing is left of it.

        Raises Refusal ("unparseable") for one that cannot be read in one way only.
        """
        pairs = query.split("&", MOST_PARAMETERS)
        if len(pairs) > MOST_PARAMETERS:
            raise Refusal("unparseable", f"the query has more than {MOST_PARAMETERS} parameters")
        kept = [new for new in (self._pair(pair, counts) for pair in pairs) if new is not None]
        return "&".join(kept) if kept else None

    def _pair(self, pair: str, counts: Counts) -> str | None:
        written, _, value = pair.partition("=")
        text = _decoded(value)
        name = bare(_decoded(written))
        name = folded(name) if self.fold else name
        if name not in self.query:
            return pair
        _count(counts, f"query {name}")
        replace = self.query[name]
        if replace is None:
            return None
        masked = replace(Scalar("string", text.encode()))
        return pair if masked is None else f"{written}={quote(masked.text, safe=':*')}"


NO_HEAD_MASKS: Final = HeadMasks()


def compile_head(rules: Iterable[MaskRule], keys: Keys, *, fold: bool = False) -> HeadMasks:
    """The rules for header fields and query parameters; the first of a name decides.

    Raises ValueError and CredentialError as `compile_action`.
    """
    headers: dict[bytes, Replace | None] = {}
    query: dict[str, Replace | None] = {}
    for rule in rules:
        if rule.beside is None:
            continue
        replace = compile_action(rule.action, keys, rule.beside)
        if rule.header is not None:
            headers.setdefault(rule.header.lower().encode(), replace)
        elif rule.query is not None:
            query.setdefault(folded(rule.query) if fold else rule.query, replace)
    return HeadMasks(headers, query, fold)


def _decoded(text: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise Refusal("unparseable", "the query has an escape that is none, or a semicolon")
    try:
        plain = unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError:
        raise Refusal("unparseable", "the query is not UTF-8") from None
    if _CONTROL.search(plain):
        raise Refusal("unparseable", "the query has a control character")
    return plain


def _utf8(value: bytes) -> bytes:
    try:
        value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1").encode()
    return value


def _count(counts: Counts, name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
