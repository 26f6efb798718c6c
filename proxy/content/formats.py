"""Which format a body is in. The route decides; headers that say otherwise refuse. Fails closed."""

import re
from typing import Final

from proxy.errors import Refusal
from proxy.settings.schema import ContentPolicy

_NAMES: Final = {
    "application/json": "json",
    "application/ndjson": "ndjson",
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-jsonlines": "ndjson",
}
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 (RFC 9110, 5.6.2)
_QUOTED: Final = r'"(?:[\t !#-\[\]-~]|\\[\t -~])*"'
_PARAMETER: Final = re.compile(rf"[ \t]*;[ \t]*(?:({_TOKEN})=({_TOKEN}|{_QUOTED}))?")
_TYPE: Final = re.compile(
    rf"({_TOKEN}/{_TOKEN})((?:[ \t]*;[ \t]*(?:{_TOKEN}=(?:{_TOKEN}|{_QUOTED}))?)*)"
)


def require_format(
    content_types: tuple[bytes, ...], content_encodings: tuple[bytes, ...], policy: ContentPolicy
) -> str:
    """Return `json`, `ndjson` or `opaque`, or raise Refusal("content-not-allowed").

    Takes every value of Content-Type and of Content-Encoding (RFC 9110, 8.3 and 8.4). One
    Content-Type at most, well-formed, charset UTF-8 if any. None at all is admitted only when the
    route admits exactly one format. What is not JSON or NDJSON is `opaque` where the route admits
    that, and so are known types whose format the route does not admit otherwise. Coded content of
    a format that is looked into is refused.
    """
    if len(content_types) > 1:
        raise _refused("more than one Content-Type")
    opaque = "opaque" in policy.content
    if content_types:
        found = _format(content_types[0])
    elif len(policy.content) == 1:
        found = policy.content[0]
    else:
        raise _refused("no Content-Type, and the route admits more than one format")
    if found not in policy.content and opaque:
        found = "opaque"
    if found not in policy.content:
        raise _refused(f"the route does not admit {found} content")
    if found != "opaque" and not _identity(content_encodings):
        raise _refused("a content coding that cannot be looked into")
    return found


def _refused(reason: str) -> Refusal:
    return Refusal("content-not-allowed", reason)


def _format(value: bytes) -> str:
    match = _TYPE.fullmatch(value.decode("latin-1"))
    if match is None:
        raise _refused("a malformed Content-Type")
    media_type = match[1].lower()
    found = _NAMES.get(media_type)
    if found is None and re.fullmatch(r"application/[^/]+\+json", media_type):
        found = "json"
    if found is None:
        return "opaque"
    for name, parameter in _PARAMETER.findall(match[2]):
        if name.lower() == "charset" and parameter.strip('"').lower() not in ("utf-8", "utf8"):
            raise _refused("a charset other than UTF-8")
    return found


def _identity(content_encodings: tuple[bytes, ...]) -> bool:
    codings = b",".join(content_encodings).lower().split(b",")
    return all(coding.strip(b" \t") in (b"", b"identity") for coding in codings)
