"""Everything that is warned of in a configuration: by its settings, its rules and its files.

Masks by path are run as the one automaton that a transfer goes through: a rule that no state of it
accepts can never match. A walk ends at the first place that a rule takes, so that a rule below
another, or behind one for the same places, is such a one.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from proxy.app.anchors import useless
from proxy.app.lists import in_force, stale
from proxy.app.prepare import Prepared
from proxy.app.references import public_references
from proxy.app.signers import shared_secrets
from proxy.content.kinds import Kind, Likelihood
from proxy.content.own import own_kinds
from proxy.content.paths import Automaton, State, together
from proxy.content.registry import KINDS
from proxy.content.watch import members
from proxy.errors import Problem
from proxy.settings.allowances import judged
from proxy.settings.check import policies
from proxy.settings.codes import OF_FILES
from proxy.settings.load import Loaded
from proxy.settings.schema import ContentPolicy
from proxy.settings.yaml12 import Path

_Table = Mapping[str, Sequence[Kind]]
_MASK: Final = "mask-never-matches"
_DETECT: Final = "detect-never-matches"
_UNLIKELY: Final = "is never found: less likely than `likelihood` demands, and without `context`"


def findings(loaded: Loaded, prepared: Prepared | None = None) -> tuple[Problem, ...]:
    """All of them, also those that the file allows, in its order.

    Without `prepared` nothing is said of the files that it names.
    """
    found = [*loaded.warnings, *_of_rules(loaded)]
    if prepared is not None:
        found += [*useless(loaded, prepared.for_workers), *_of_files(loaded, prepared)]
        found += shared_secrets(loaded, prepared.for_workers)
    unsought = OF_FILES if prepared is None else ()
    return judged(loaded.octets, found, str(loaded.path), unsought)


# --- files ---------------------------------------------------------------------------------------


def _of_files(loaded: Loaded, prepared: Prepared) -> Iterator[Problem]:
    places: dict[str, Path] = {}
    for place, reference in public_references(loaded.settings):
        if place[-1] == "crl":
            places.setdefault(reference, place)
    now = datetime.now(UTC)
    for each in stale(in_force(prepared.gate.lists, now), now):
        place = places.get(each.file, ())
        if each.state(now) == "expired":
            text = f"crl-expired: {each.file}, {each.issuer}: it covers nobody any more"
        else:
            text = f"crl-future: {each.file}, {each.issuer}: it covers nobody yet"
        yield loaded.problem(place, text, f"crl-{each.state(now)}")
    for kind, what in prepared.gate.careless:
        place = ("identity", "certificate")
        yield loaded.problem(place, f"hygiene.{kind}: {what}", "careless-key")


# --- rules ---------------------------------------------------------------------------------------


def _of_rules(loaded: Loaded) -> Iterator[Problem]:
    """Of rules that cannot be compiled nothing is said: preparing them tells what is wrong."""
    try:
        table: _Table = {**KINDS, **own_kinds(loaded.settings.detectors)}
    except ValueError:
        table = KINDS
    for path, policy in policies(loaded.settings):
        if not policy.content:
            continue
        for shadow in (False, True):
            try:
                yield from _of_paths(loaded, path, policy, shadow=shadow)
                yield from _of_types(loaded, path, policy, table, shadow=shadow)
            except ValueError:
                continue


def _of_paths(
    loaded: Loaded, path: Path, policy: ContentPolicy, *, shadow: bool
) -> Iterator[Problem]:
    """Of rules in force among themselves; with `shadow` of those in shadow, among all."""
    rules = [
        (index, rule.path)
        for index, rule in enumerate(policy.mask)
        if rule.path is not None and (shadow or not rule.shadow)
    ]
    texts = [text for _, text in rules]
    living = _living(texts, fold=policy.fold_names)
    kept = _kept(texts, policy)
    for number, (index, text) in enumerate(rules):
        if number in kept or policy.mask[index].shadow is not shadow:
            continue
        if number in living:
            why = "`allow_only` drops all that it could"
        elif 0 not in _living([text], fold=policy.fold_names):
            why = "it selects nothing"
        else:
            alone = [
                rules[other][0]
                for other, rule in enumerate(texts)
                if other != number
                and not _lives(text, rule, first=number < other, fold=policy.fold_names)
            ]
            by = f"mask[{alone[0]}] takes" if alone else "the others together take"
            why = f"{by} all that it could, or what that is in"
        yield loaded.problem((*path, "mask", index), f"never matches: {why}", _MASK)


def _lives(text: str, other: str, *, first: bool, fold: bool) -> bool:
    """Whether the rule is left something by the other; `first` where it stands before that."""
    pair, at = ([text, other], 0) if first else ([other, text], 1)
    return at in _living(pair, fold=fold)


def _living(paths: Sequence[str], *, fold: bool) -> set[int]:
    """The numbers of those that match somewhere in some document."""
    if not paths:
        return set()
    root = Automaton(paths, fold=fold).root
    seen: set[State] = {root}
    waiting = [root]
    while waiting:
        for child in waiting.pop().below():
            if child not in seen:
                seen.add(child)
                waiting.append(child)
    return {state.accept for state in seen}


def _kept(paths: Sequence[str], policy: ContentPolicy) -> set[int]:
    """Of `_living`, those that match in something that `allow_only` lets cross, or around it."""
    if not paths or not policy.allow_only:
        return _living(paths, fold=policy.fold_names)
    rules, only = (Automaton(each, fold=policy.fold_names) for each in (paths, policy.allow_only))
    begin = (rules.root, None if only.root.accept >= 0 else only.root)
    seen: set[tuple[State, State | None]] = {begin}
    waiting = [begin]
    while waiting:
        for pair in _below(*waiting.pop()):
            if pair not in seen:
                seen.add(pair)
                waiting.append(pair)
    return {state.accept for state, _ in seen}


def _below(mask: State, only: State | None) -> Iterator[tuple[State, State | None]]:
    """The pairs that a child can be in and is not dropped; `only` None: all of it crosses."""
    if only is None:
        yield from ((child, None) for child in mask.below())
        return
    pairs: list[tuple[State, ...]] = [
        (mask.names.get(name, mask.other), only.names.get(name, only.other))
        for name in {*mask.names, *only.names}
    ]
    pairs += [(mask.other, only.other), *together(mask, only)]
    for child, way in pairs:
        if way.accept >= 0:
            yield child, None
        elif way.live:
            yield child, way


def _of_types(
    loaded: Loaded, path: Path, policy: ContentPolicy, table: _Table, *, shadow: bool
) -> Iterator[Problem]:
    """As `_of_paths`."""
    rules = policy.detect
    names = [rule.type if shadow or not rule.shadow else None for rule in rules]
    decided = _decided(names, table)
    for index, rule in enumerate(rules):
        if rule.shadow is not shadow:
            continue
        place = (*path, "detect", index)
        mine = [name for name, by in decided.items() if by == index]
        if not mine:
            text = "never decides: rules that win over it speak of all its types"
            yield loaded.problem(place, text, _DETECT)
        elif not any(_reportable(table[name], policy.likelihood) for name in mine):
            yield loaded.problem((*place, "type"), _UNLIKELY, _DETECT)
        elif rule.type in table:
            others = [name if at != index else None for at, name in enumerate(names)]
            instead = _decided(others, table).get(rule.type)
            same = instead is not None and _alike(rules[instead], rule)
            if same:
                text = f"says what detect[{instead}] says of this type already"
                yield loaded.problem(place, text, "detect-repeats")
    yield from _of_masked_types(loaded, path, policy, table, decided, shadow=shadow)


def _alike(one: object, other: object) -> bool:
    return all(getattr(one, key) == getattr(other, key) for key in ("action", "raises"))


def _of_masked_types(
    loaded: Loaded,
    path: Path,
    policy: ContentPolicy,
    table: _Table,
    decided: Mapping[str, int],
    *,
    shadow: bool,
) -> Iterator[Problem]:
    rejected = {name for name, by in decided.items() if policy.detect[by].action == "reject"}
    names = [rule.type if shadow or not rule.shadow else None for rule in policy.mask]
    masked = _decided(names, table)
    for index, rule in enumerate(policy.mask):
        mine = {name for name, by in masked.items() if by == index}
        if rule.type is None or rule.shadow is not shadow:
            continue
        place: Path = (*path, "mask", index)
        if not mine:
            text = "never masks: rules that win over it speak of all its types"
        elif mine <= rejected:
            text = "never masks: `detect` rejects whatever it could mask"
        elif not any(_reportable(table[name], policy.likelihood) for name in mine):
            place, text = (*place, "type"), _UNLIKELY
        else:
            continue
        yield loaded.problem(place, text, _MASK)


def _decided(names: Sequence[str | None], table: _Table) -> dict[str, int]:
    """Type -> the number of the rule that decides of it: names before groups, then the first."""
    found: dict[str, int] = {}
    for named in (True, False):
        for number, name in enumerate(names):
            if name is not None and (name in table) is named:
                for member in members(name, table):
                    found.setdefault(member, number)
    return found


def _reportable(kinds: Sequence[Kind], likelihood: str) -> bool:
    threshold = Likelihood[likelihood.upper()]
    return any(
        kind.alone >= threshold or (kind.context and kind.with_context >= threshold)
        for kind in kinds
    )
