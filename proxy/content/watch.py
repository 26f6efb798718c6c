"""What a policy does about each type that may be found: groups resolved, one watch a type.

Of several rules of `detect` that speak of a type, one that names it wins over one of its group,
then the first in the file. A rule of `mask` with that type says what stands in the place of a
finding, whatever `detect` says but `reject`; of these, too, a name wins over a group and then the
first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from proxy.content.kinds import Kind
from proxy.content.values import Masked, Replace, Scalar
from proxy.settings.schema import DETECTED_GROUPS, DetectRule

_T = TypeVar("_T")
Table = Mapping[str, Sequence[Kind]]
"""Type -> its rows."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What becomes of a type that is found."""

    name: str
    kinds: tuple[Kind, ...]
    reject: bool = False
    replace: Replace | None = None
    """None: what was found stays."""
    whole: bool = False
    """The replacement says nothing of what was found, nor how long it was."""
    raises: str | None = None
    """The label that a finding raises the content to."""
    lowered: bool = False
    """What is found is redacted so that the label does not rise."""


def watches(
    rules: Iterable[DetectRule],
    masks: Iterable[tuple[str, Replace | None]],
    table: Table,
    highest: str,
) -> tuple[Watch, ...]:
    """`masks` are (type or group, what a finding of it becomes), `table` is every type there is.

    Raises ValueError for a type or group that is not known.
    """
    said = resolved(((rule.type, rule) for rule in rules), table)
    masked = resolved(masks, table)
    order = [*said, *(name for name in masked if name not in said)]
    return tuple(
        _watch(name, table[name], said.get(name), masked.get(name), highest) for name in order
    )


def _watch(
    name: str, kinds: Sequence[Kind], rule: DetectRule | None, mask: Replace | None, highest: str
) -> Watch:
    action = "mask" if rule is None else rule.action
    raises = None if rule is None else rule.raises
    if action == "flag" and raises is None:
        raises = highest
    replace = mask
    if replace is None and action == "redact":
        replace = marker(name)
    return Watch(name, tuple(kinds), action == "reject", replace, mask is None, raises)


def lowered(watch: Watch, above: frozenset[str]) -> Watch:
    """The same where no finding may raise the content to these labels: nothing that says anything
    of what was found is left of one that would. What rejects does so all the same."""
    if watch.reject or watch.raises not in above:
        return watch
    return Watch(watch.name, watch.kinds, replace=marker(watch.name), whole=True, lowered=True)


def marker(name: str) -> Replace:
    """`[REDACTED:type]`, whatever was found."""
    mark = Masked("string", b"[REDACTED:%b]" % name.encode())

    def replace(value: Scalar) -> Masked | None:
        return mark

    return replace


def members(name: str, table: Table) -> Iterable[str]:
    """The types that a word of the configuration stands for. Raises ValueError for no such."""
    if name in table:
        return (name,)
    if name in DETECTED_GROUPS:
        return (each for each, kinds in table.items() if any(_within(kind, name) for kind in kinds))
    raise ValueError(f"{name}: no type that can be detected")


def _within(kind: Kind, group: str) -> bool:
    return kind.default if group == "default" else kind.group == group


def resolved(pairs: Iterable[tuple[str, _T]], table: Table) -> dict[str, _T]:
    """Type -> what holds for it: names first, then groups, each in the order of the file."""
    found: dict[str, _T] = {}
    listed = list(pairs)
    for named in (True, False):
        for name, rule in listed:
            if (name in table) is named:
                for member in members(name, table):
                    found.setdefault(member, rule)
    return found
