"""The small languages inside a configuration: each is accepted, or refused in plain words.

Every `require_*` takes text and raises ValueError with a sentence that does not repeat it.

    path pattern    /orders/*/items/**       whole segments only; the rest in normal form
    spiffe          spiffe://acme/etl-*/**   * within a segment, ** any number of segments
    uri             urn:acme:*               * within a segment, never in scheme or host
    dns             *.example.com            * is the first label, and only that
    networks, ip    10.0.0.0/8  fd00::/8     an address, or CIDR with no host bits
    cn, ou          etl-*                    * is one printable character or more
    JSONPath        $.a  $..b  $['a','b'][0,-1][*]    RFC 9535 without filters and functions

In SPIFFE and URI patterns `*` is one character or more.
"""

import ipaddress
import re

import jsonpath_rfc9535 as jsonpath
from jsonpath_rfc9535.selectors import FilterSelector

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_DOTS = re.compile(r"/\.\.?(?![^/;])")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_SPIFFE_SEGMENT = re.compile(r"[A-Za-z0-9._*-]+")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//[^/?#]*)?([\x21-\x7e]*)")


def abnormality(path: str) -> str | None:
    """Why a still encoded path is not in normal form (RFC 3986, section 6.2.2), or None.

    Normal: begins with `/`; no empty segment but the last; no dot segment, not even one that only
    a server which strips `;parameters` would see; nothing encoded that need not be, nor a slash,
    backslash or control; escapes in capitals, and together UTF-8. So there is one spelling, and
    what routing sees is what the upstream receives.
    """
    if _PATH.fullmatch(path) is None:
        return "a character or escape that a path may not hold, or no / at its beginning"
    if "//" in path:
        return "an empty segment"
    if _DOTS.search(path) is not None:
        return "a dot segment"
    return _escapes(path) if "%" in path else None


def _escapes(path: str) -> str | None:
    if any(digits != digits.upper() for digits in _ESCAPE.findall(path)):
        return "an escape in small letters"
    octets = [int(digits, 16) for digits in _ESCAPE.findall(path)]
    if any(octet in _UNRESERVED for octet in octets):
        return "an encoded character that needs no encoding"
    if any(octet < 0x20 or octet in b"/\\\x7f" for octet in octets):
        return "an encoded slash, backslash or control character"
    try:
        _ESCAPE.sub(lambda match: chr(int(match[1], 16)), path).encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return "escapes that are not UTF-8"
    return None


def require_path_pattern(text: str) -> None:
    reason = abnormality(text)
    if reason is not None:
        raise ValueError(f"a path pattern must be in normal form; this one has {reason}")
    if any("*" in segment and segment not in ("*", "**") for segment in text.split("/")):
        raise ValueError("* and ** stand for whole segments; nothing may stand beside them")


def require_spiffe_pattern(text: str) -> None:
    scheme, _, rest = text.partition("://")
    domain, *segments = rest.split("/")
    if scheme.lower() != "spiffe" or not domain:
        raise ValueError("expected spiffe://TRUST-DOMAIN/PATH")
    if "*" in domain:
        raise ValueError("a wildcard in the trust domain would trust other organizations' names")
    if _TRUST_DOMAIN.fullmatch(domain.lower()) is None:
        raise ValueError("a trust domain has letters, digits, . _ and - only")
    for segment in segments:
        if _SPIFFE_SEGMENT.fullmatch(segment) is None or segment in (".", ".."):
            raise ValueError("a SPIFFE path has segments of letters, digits, . _ and -, none empty")
        if "**" in segment and segment != "**":
            raise ValueError("** stands for whole segments; nothing may stand beside it")


def require_dns_pattern(text: str) -> None:
    labels = text.split(".")
    if labels[0] == "*" and len(labels) > 1:
        labels = labels[1:]
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("expected a DNS name; * may stand for its first label, as *.example.com")


def require_uri_pattern(text: str) -> None:
    match = _URI.fullmatch(text)
    if match is None:
        raise ValueError("expected a URI with its scheme, such as urn:acme:etl")
    if "*" in (match[2] or ""):
        raise ValueError("a wildcard in the host would trust other organizations' names")
    if "**" in match[3]:
        raise ValueError("in a URI * stands for characters within one segment; ** is for spiffe")
    if match[1].lower() == "spiffe":
        raise ValueError("write a SPIFFE ID under spiffe, where its rules are known")


def require_network(text: str) -> None:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(
            "expected a network such as 10.0.0.0/8 or fd00::/8, with no bits set after the prefix"
        ) from None
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped:
        raise ValueError("write an IPv4-mapped network as IPv4")


def require_subject_pattern(text: str) -> None:
    """CN or OU. One that is all wildcard would name everybody who has any."""
    if not text.isprintable() or text != text.strip() or len(text) > 256:
        raise ValueError("expected printable text without spaces around it, such as etl-*")
    if "**" in text or text == "*":
        raise ValueError("* stands for a part of the name, and something must stand beside it")


def require_header_name(text: str) -> None:
    """A field name (RFC 9110, section 5.1)."""
    if _TOKEN.fullmatch(text) is None:
        raise ValueError("expected the name of a header, such as Data-Sensitivity")


def require_jsonpath(text: str) -> None:
    """RFC 9535: names, wildcards, indexes, slices, unions and descendants."""
    try:
        query = jsonpath.compile(text)
    except (jsonpath.JSONPathError, ValueError, RecursionError, IndexError):
        raise ValueError(
            "expected a JSONPath (RFC 9535) such as $.customer.ssn, $..email or $['card number']"
        ) from None
    selectors = [selector for segment in query.segments for selector in segment.selectors]
    if any(isinstance(selector, FilterSelector) for selector in selectors):
        raise ValueError("filters and functions are refused: what is masked may not depend on data")
