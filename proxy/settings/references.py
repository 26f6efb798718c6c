"""Judges single values and references in plain data, so that it works beside mistakes of shape.

A table names the places, `*` being any key or index; a list stands for each of its items.
"""

from collections import Counter
from collections.abc import Callable, Iterator

from proxy.settings import address, grammar, times
from proxy.settings.mistakes import Mistakes, show
from proxy.settings.schema import CIPHERS, GROUPS, Settings
from proxy.settings.yaml12 import Path

Pattern = tuple[str, ...]

_ENTRIES: tuple[Pattern, ...] = (
    ("routes", "*", "allow", "*"),
    ("routes", "*", "deny", "*"),
    ("upstreams", "*", "peer"),
    ("signers", "*", "peers", "*"),
)
_GRANTS = _ENTRIES[:2]
_POLICIES: tuple[Pattern, ...] = (("routes", "*", "request"), ("routes", "*", "response"))
_TLS: tuple[Pattern, ...] = (("listeners", "*", "tls"), ("upstreams", "*", "tls"))


def _require_bind(text: str) -> None:
    address.parse_bind(text)


def _require_local_bind(text: str) -> None:
    if not address.parse_bind(text).is_local:
        raise ValueError("the admin interface listens on loopback or a unix socket only")


def _require_endpoint(text: str) -> None:
    address.parse_endpoint(text)


def _require_group(text: str) -> None:
    if text not in GROUPS:
        raise ValueError(f"unknown or weak group; known are {', '.join(GROUPS)}")


def _require_cipher(text: str) -> None:
    if text not in CIPHERS:
        raise ValueError(f"unknown or weak cipher; known are {', '.join(CIPHERS)}")


def _require_method(text: str) -> None:
    if text == "CONNECT":
        raise ValueError("CONNECT is always refused: no tunnel is opened here; leave it out")


def _require_folder(text: str) -> None:
    if not text.strip() or not text.isprintable():
        raise ValueError("expected the path of a folder, such as var/receipts")


_VALUES: tuple[tuple[Pattern, Callable[[str], object]], ...] = (
    (("listeners", "*", "bind"), _require_bind),
    (("metrics", "bind"), _require_bind),
    (("admin", "bind"), _require_local_bind),
    (("upstreams", "*", "endpoints"), _require_endpoint),
    (("upstreams", "*", "server_name"), address.require_server_name),
    (("receipts", "store"), _require_folder),
    (("spill", "folder"), _require_folder),
    (("routes", "*", "match", "path"), grammar.require_path_pattern),
    (("routes", "*", "match", "methods"), _require_method),
    (("routes", "*", "match", "sni"), grammar.require_dns_pattern),
    *(((*place, "groups"), _require_group) for place in _TLS),
    *(((*place, "ciphers"), _require_cipher) for place in _TLS),
    *(((*place, "spiffe"), grammar.require_spiffe_pattern) for place in _ENTRIES),
    *(((*place, "uri"), grammar.require_uri_pattern) for place in _ENTRIES),
    *(((*place, "dns"), grammar.require_dns_pattern) for place in _ENTRIES),
    *(((*place, "networks"), grammar.require_network) for place in _ENTRIES),
    *(((*place, "ip"), grammar.require_network) for place in _ENTRIES),
    *(((*place, "cn"), grammar.require_subject_pattern) for place in _ENTRIES),
    *(((*place, "ou"), grammar.require_subject_pattern) for place in _ENTRIES),
    *(((*place, "methods"), _require_method) for place in _GRANTS),
    *(((*place, "paths"), grammar.require_path_pattern) for place in _GRANTS),
    *(((*place, "when", "not_before"), times.parse_moment) for place in _GRANTS),
    *(((*place, "when", "until"), times.parse_moment) for place in _GRANTS),
    *(((*place, "when", "days"), times.parse_days) for place in _GRANTS),
    *(((*place, "when", "hours"), times.parse_hours) for place in _GRANTS),
    *(((*place, "when", "timezone"), times.parse_zone) for place in _GRANTS),
    *(((*place, "label_from"), grammar.require_header_name) for place in _POLICIES),
    *(((*place, "mask", "*", "path"), grammar.require_jsonpath) for place in _POLICIES),
    *(((*place, "allow_only"), grammar.require_jsonpath) for place in _POLICIES),
)

_REFERENCES: tuple[tuple[Pattern, str, str], ...] = (
    (("listeners", "*", "zone"), "zones", "zone"),
    (("upstreams", "*", "zone"), "zones", "zone"),
    (("routes", "*", "listener"), "listeners", "listener"),
    (("routes", "*", "upstream"), "upstreams", "upstream"),
    (("zones", "*", "clearance"), "sensitivity", "label"),
    (("zones", "*", "may_send_to"), "zones", "zone"),
    *(((*place, "label"), "sensitivity", "label") for place in (*_POLICIES, *_GRANTS)),
    *(((*place, "detect", "*", "raises"), "sensitivity", "label") for place in _POLICIES),
    *(((*place, "mask", "*", "action", action, "key"), "keys", "masking key")
      for place in _POLICIES for action in ("hmac", "encrypt")),
)  # fmt: skip

_UNIQUE: tuple[tuple[Pattern, str], ...] = (
    (("sensitivity", "*"), "label"),
    (("routes", "*", "name"), "route"),
)


def require_values(data: object, mistakes: Mistakes) -> None:
    """Note every text that its own grammar refuses."""
    for pattern, check in _VALUES:
        for path, text in _texts(data, pattern):
            mistakes.require(path, check, text)


def require_references(data: object, mistakes: Mistakes) -> None:
    """Note every name that nothing bears, and every name that two bear.

    Names of a section that is missing, misspelt or broken itself are left alone: that is told.
    """
    for pattern, section, kind in _REFERENCES:
        if (section,) in mistakes or _is_missed(data, section):
            continue
        there = data.get(section) if isinstance(data, dict) else None
        known = there if isinstance(there, dict | list) else ()
        names = list(dict.fromkeys(name for name in known if isinstance(name, str)))
        for path, name in _texts(data, pattern):
            if name not in names:
                listed = ", ".join(show((each,)) for each in names) or "none"
                mistakes.add(path, f"there is no such {kind}; there is: {listed}")
    for pattern, kind in _UNIQUE:
        _require_unique(list(_texts(data, pattern)), kind, mistakes)
    keys = data.get("keys") if isinstance(data, dict) else None
    for name in keys if isinstance(keys, dict) else ():
        _require_unique(list(_texts(data, ("keys", name, "*", "id"))), "key id", mistakes)


def _is_missed(data: object, section: str) -> bool:
    """True where a section is not there that is needed, or that an unknown key may stand for."""
    if not isinstance(data, dict) or section in data:
        return False
    known = Settings.model_fields
    return known[section].is_required() or not data.keys() <= known.keys()


def _require_unique(found: list[tuple[Path, str]], kind: str, mistakes: Mistakes) -> None:
    seen: Counter[str] = Counter()
    for path, text in found:
        seen[text] += 1
        if seen[text] == 2:
            mistakes.add(path, f"this {kind} stands twice")


def _texts(data: object, pattern: Pattern, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text at `pattern`, with its path."""
    if isinstance(data, str) and not pattern:
        yield path, data
    elif isinstance(data, list) and (not pattern or pattern[0] == "*"):
        for index, item in enumerate(data):
            yield from _texts(item, pattern[1:], (*path, index))
    elif isinstance(data, dict) and pattern:
        for key in data if pattern[0] == "*" else {pattern[0]} & data.keys():
            yield from _texts(data[key], pattern[1:], (*path, key))
