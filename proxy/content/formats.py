"""Which format a body is in. The route decides; headers that say otherwise refuse. Fails closed."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from proxy.errors import Refusal
from proxy.settings.schema import ContentPolicy

_NAMES: Final = {
    "application/json": "json",
    "application/ndjson": "ndjson",
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-jsonlines": "ndjson",
    "application/x-www-form-urlencoded": "form",
    "text/csv": "csv",
    "text/plain": "text",
    "text/tab-separated-values": "tsv",
}
_JSON: Final = {"utf-8", "utf8"}
_TEXT: Final = _JSON | {"us-ascii", "ascii"}
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 (RFC 9110, 5.6.2)
_QUOTED: Final = r'"(?:[\t !#-\[\]-~]|\\[\t -~])*"'
_PARAMETER: Final = re.compile(rf"[ \t]*;[ \t]*(?:({_TOKEN})=({_TOKEN}|{_QUOTED}))?")
_TYPE: Final = re.compile(
    rf"({_TOKEN}/{_TOKEN})((?:[ \t]*;[ \t]*(?:{_TOKEN}=(?:{_TOKEN}|{_QUOTED}))?)*)"
)


def require_format(content_types: tuple[bytes, ...], policy: ContentPolicy) -> str:
    """Return the format of a body as `content` names it, or raise Refusal("content-not-allowed").

    Takes every value of Content-Type (RFC 9110, 8.3); codings are judged apart (see codings). One
    value at most, well-formed, charset UTF-8 if any, or US-ASCII where the type is of text. None at
    all is admitted only when the route admits exactly one format. What no format here is called is
    `opaque` where the route admits that, and so are known types whose format the route does not
    admit otherwise. `header=` (RFC 4180) has to say of the first row what the route says of it.
    """
    if len(content_types) > 1:
        raise _refused("more than one Content-Type")
    if not content_types:
        if len(policy.content) != 1:
            raise _refused("no Content-Type, and the route does not admit exactly one format")
        return str(policy.content[0])
    named, parameters = _read(content_types[0])
    if named not in policy.content:
        named = "opaque"
    if named == "opaque":
        if "opaque" not in policy.content:
            raise _refused("a Content-Type that this route does not admit")
        return named
    if not parameters.get("charset", set()) <= (_JSON if "json" in named else _TEXT):
        raise _refused("a charset other than UTF-8")
    if named == "csv" and not parameters.get("header", set()) <= _header(policy):
        raise _refused("a header other than the route says")
    return named


def _header(policy: ContentPolicy) -> set[str]:
    return {"present" if policy.csv.header else "absent"}


def _refused(reason: str) -> Refusal:
    return Refusal("content-not-allowed", reason)


@lru_cache(64)
def _read(value: bytes) -> tuple[str, Mapping[str, set[str]]]:
    """The format that a Content-Type names, `opaque` for most, and its parameters in lower case."""
    match = _TYPE.fullmatch(value.decode("latin-1"))
    if match is None:
        raise _refused("a malformed Content-Type")
    media_type = match[1].lower()
    named = _NAMES.get(media_type, "opaque")
    if media_type.startswith("application/") and media_type.endswith("+json"):
        named = "json"
    parameters: dict[str, set[str]] = {}
    for name, text in _PARAMETER.findall(match[2]):
        parameters.setdefault(name.lower(), set()).add(text.strip('"').lower())
    return named, parameters
