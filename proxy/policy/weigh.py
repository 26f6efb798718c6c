"""What the entries of a route decide where not all is known: yes, no, or that depends.

`judge` decides about somebody who stands before the gate, of whom all is known that an entry can
ask. Of one who came long ago only some of it is on record. The same checks are asked; one that does
not hold, and asks for what is not on record, counts as not known instead.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from proxy.policy.authorize import Grants
from proxy.policy.entries import METERED, Entry, Facts


@dataclass(frozen=True, slots=True)
class Weighed:
    """`admits`: None where that depends on `keys`."""

    admits: bool | None
    rules: tuple[str, ...] = ()
    """The entries of `allow` that may have decided, in their order, as far as one that holds."""
    keys: tuple[str, ...] = ()
    """What is not known, and would have to be."""
    reason: str = ""
    """Why not."""


def weigh(
    grants: Grants, facts: Facts, unknown: Collection[str], proven: Mapping[str, bool]
) -> Weighed:
    """`unknown` are keys whose facts are not on record; `proven` are entries, by their names, of
    which it is known from elsewhere whether they held.
    """
    deny, allow = grants.concerning(None if "pins" in unknown else facts.peer)
    open_keys: dict[str, None] = {}
    for entry in deny:
        held, keys = _holds(entry, facts, unknown, proven)
        if held:
            return Weighed(False, reason=f"{entry.name} of route {grants.route} names the peer")
        if held is None:
            open_keys |= dict.fromkeys(keys)
    refused_by: str | None = None
    rules: list[str] = []
    certain = False
    for entry in allow:
        held, keys = _holds(entry, facts, unknown, proven)
        if held is False:
            refused_by = refused_by or _near(entry, facts, grants.route, keys)
            continue
        rules.append(entry.name)
        if held:
            certain = True
            break
        open_keys |= dict.fromkeys(keys)
    if not rules:
        named = f"nothing in allow of route {grants.route} names the peer"
        return Weighed(False, reason=refused_by or named)
    sure = certain and not any(_holds(entry, facts, unknown, proven)[0] is None for entry in deny)
    return Weighed(True if sure else None, tuple(rules), () if sure else tuple(open_keys))


def _holds(
    entry: Entry, facts: Facts, unknown: Collection[str], proven: Mapping[str, bool]
) -> tuple[bool | None, list[str]]:
    """Whether it holds, and the keys that do not, or of which that is not known."""
    if entry.name in proven:
        return proven[entry.name], []
    fallen, open_keys = [], []
    for key, held in entry.looked(facts).keys:
        if key in METERED:
            continue  # what was left of it then is not asked again
        if held is None or (held is False and key in unknown):
            open_keys.append(key)
        elif held is False:
            fallen.append(key)
    return (False, fallen) if fallen else (None, open_keys) if open_keys else (True, [])


def _near(entry: Entry, facts: Facts, route: str, keys: list[str]) -> str | None:
    """The reason for which it falls, where that is known and it names the peer."""
    who = {check.key for check in entry.who}
    if not keys or who & set(keys):
        return None
    return f"{entry.name} of route {route} names the peer, and does not hold: {keys[0]}"
