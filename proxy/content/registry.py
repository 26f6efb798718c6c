"""Every kind of finding that Lockgate knows, by type: the tables put together."""

from collections.abc import Mapping
from typing import Final

from proxy.content.kinds import Kind
from proxy.content.kinds_american import AMERICAN
from proxy.content.kinds_basic import BASIC
from proxy.content.kinds_credentials import CREDENTIALS
from proxy.content.kinds_european import EUROPEAN
from proxy.content.kinds_financial import FINANCIAL
from proxy.content.kinds_network import NETWORK
from proxy.content.kinds_pacific import PACIFIC
from proxy.content.kinds_papers import PAPERS
from proxy.content.kinds_phone import PHONE
from proxy.content.kinds_secrets import SECRETS

_TABLES: Final = (
    BASIC,
    SECRETS,
    CREDENTIALS,
    FINANCIAL,
    PHONE,
    NETWORK,
    PAPERS,
    AMERICAN,
    EUROPEAN,
    PACIFIC,
)


def _by_type() -> Mapping[str, tuple[Kind, ...]]:
    rows: dict[str, tuple[Kind, ...]] = {}
    for kind in (kind for table in _TABLES for kind in table):
        rows[kind.name] = (*rows.get(kind.name, ()), kind)
    return rows


KINDS: Final = _by_type()
"""Type -> its rows, in the order of the tables. A row that needs no context comes first."""
