"""Grants as narrow as their use: each admits what it was used for, and nothing that it did not.

    spiffe     the names that came, where a pattern or a list names more; up to 64 of them
    methods    those that came
    content    the formats that came
    label      the highest that came
    size       twice the largest, and up to a power of two; 1 KiB at least

A key is written only where it takes something away. `when` and everything else stays as it is: when
somebody will come next, no log tells. An entry that nothing has used goes.
"""

from collections.abc import Mapping
from typing import Any, Final

from proxy.cli.review_use import Use
from proxy.settings.schema import Grant, Route, Settings

_NAMES: Final = 64
_LEAST: Final = 1024
"""Octets below which nobody need count."""
_UNITS: Final = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def narrower(settings: Settings, route: Route, entry: Grant, use: Use) -> Mapping[str, Any] | None:
    """The keys to change, as a configuration writes them; none where it is as narrow as its use.

    None where nothing has used the entry. One in shadow decides nothing, and stays.
    """
    if entry.shadow:
        return {}
    if not use.used:
        return None
    changes: dict[str, Any] = {}
    if names := _names(entry, use):
        changes["spiffe"] = names[0] if len(names) == 1 else names
    if settings.listeners[route.listener].protocol == "tcp":
        return changes
    methods = entry.methods or route.match.methods
    if use.methods and (methods is None or use.methods < set(methods)):
        changes["methods"] = sorted(use.methods)
    formats = entry.content or route.request.content
    if use.formats and use.formats < set(formats):
        changes["content"] = [each for each in formats if each in use.formats]
    if (label := _label(settings, route, entry, use)) is not None:
        changes["label"] = label
    if use.size and (size := _roomy(use.size)) < (entry.size or route.limits.body):
        changes["size"] = size_text(size)
    return changes


def _names(entry: Grant, use: Use) -> list[str]:
    """SPIFFE IDs in the place of what is written; none where that is no wider."""
    if entry.spiffe is None or use.more_peers or len(use.peers) > _NAMES:
        return []
    names = sorted(use.peers)
    if not all(name.startswith("spiffe://") for name in names):
        return []
    wider = any("*" in pattern for pattern in entry.spiffe) or len(entry.spiffe) > len(names)
    return names if wider else []


def _label(settings: Settings, route: Route, entry: Grant, use: Use) -> str | None:
    """The highest that came, where the entry and the receiver's clearance admit higher ones."""
    rank = {label: rank for rank, label in enumerate(settings.sensitivity)}
    clearance = settings.zones[settings.upstreams[route.upstream].zone].clearance
    ceiling = min(rank[entry.label or settings.sensitivity[-1]], rank[clearance])
    if not use.labels or max(map(rank.__getitem__, use.labels)) >= ceiling:
        return None
    return max(use.labels, key=rank.__getitem__)


def _roomy(size: int) -> int:
    return max(_LEAST, 1 << (2 * size - 1).bit_length())


def size_text(size: int) -> str:
    """As a configuration writes it."""
    return next((f"{size // unit}{name}" for unit, name in _UNITS if size % unit == 0), str(size))
