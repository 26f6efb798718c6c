"""Every kind of finding that Lockgate knows, by type: the tables put together."""

from collections.abc import Mapping
from typing import Final

from proxy.content.kinds import Kind
from proxy.content.kinds_basic import BASIC

_TABLES: Final = (BASIC,)


def _by_type() -> Mapping[str, tuple[Kind, ...]]:
    rows: dict[str, tuple[Kind, ...]] = {}
    for kind in (kind for table in _TABLES for kind in table):
        rows[kind.name] = (*rows.get(kind.name, ()), kind)
    return rows


KINDS: Final = _by_type()
"""Type -> its rows, in the order of the tables. A row that needs no context comes first."""
