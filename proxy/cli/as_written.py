"""What a configuration says, in its own words: sizes, times and keys as they are written."""

from collections.abc import Mapping
from typing import Any, Final

from proxy.settings import yaml12
from proxy.settings.load import Loaded

Raw = Mapping[str, Any]

_TOLD: Final = (
    "name", "listener", "match", "allow", "deny", "upstream", "request", "response",
)  # fmt: skip
"""Keys of a route that are told elsewhere; all others are what it demands besides."""


def raw(loaded: Loaded) -> Any:
    """The whole of a configuration that holds, as plain data."""
    return yaml12.read(loaded.octets, str(loaded.path))[0].data


def said(value: object, without: tuple[str, ...] = ()) -> str:
    """A value in one line: `days mon-fri, until 2027-01-01`; a key alone is one that is true."""
    if isinstance(value, Mapping):
        parts = (
            f"{key} {said(each)}".rstrip() for key, each in value.items() if key not in without
        )
        return ", ".join(parts)
    if isinstance(value, list):
        return " | ".join(said(each) for each in value)
    if isinstance(value, bool):
        return "" if value else "no"
    return "" if value is None else str(value)


def demands(route: Raw) -> tuple[str, ...]:
    """What a route demands besides its grants: `replay transfer-id (window 5m)`, in its order."""
    return tuple(_demand(key, value) for key, value in route.items() if key not in _TOLD)


def _demand(key: str, value: object) -> str:
    if isinstance(value, Mapping) and "require" in value:
        rest = said(value, ("require",))
        return f"{key} {value['require']}" + (f" ({rest})" if rest else "")
    return f"{key} {said(value)}".rstrip()


def in_force(entries: list[Raw]) -> list[Raw]:
    """Without those in shadow, which decide nothing."""
    return [entry for entry in entries if not entry.get("shadow")]


def in_shadow(entries: list[Raw]) -> list[Raw]:
    return [entry for entry in entries if entry.get("shadow")]
