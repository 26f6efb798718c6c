"""The entries of `allow` and `deny`, compiled: each a row of checks on what is known.

A check gives None where what it asks for is not known yet. Entries that name peers exactly, by pin
or by SPIFFE ID, are found by that name; the others are looked at in their order.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from proxy.model import Peer
from proxy.policy.paths import compile_pattern
from proxy.policy.principals import compile_principal, spiffe_key
from proxy.policy.window import Window
from proxy.settings.pace import Pace
from proxy.settings.schema import Grant

NOTHING: Final = ""
"""The format and the label of what has no content."""


@dataclass(slots=True)
class Facts:
    """What is known of an attempt. None is not known yet; so is a `size` that may still grow."""

    peer: Peer
    now: datetime
    """By which `when` is judged. UTC."""
    method: str | None = None
    path: tuple[bytes, ...] | None = None
    """Its segments, decoded."""
    content: str | None = None
    label: str | None = None
    size: int | None = None
    would: set[str] = field(default_factory=set)
    """Entries in shadow that would have decided otherwise, by name: what this decides, noted."""


METERED: Final = ("rate", "volume")
"""Keys that hold as long as the peer has not taken all that they give: known to nobody here."""


class Check(NamedTuple):
    """One key of an entry. `holds` gives None where what it asks for is not known."""

    key: str
    holds: Callable[[Facts], bool | None]


class Looked(NamedTuple):
    """An entry that was looked at: its name, whether it holds, and whether each of its keys does.

    None: that depends on what is not known.
    """

    rule: str
    holds: bool | None
    keys: tuple[tuple[str, bool | None], ...]
    shadow: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """An entry of `allow` or `deny`, compiled."""

    name: str
    place: int
    who: tuple[Check, ...]
    head: tuple[Check, ...]
    later: tuple[Check, ...]
    window: Window | None
    rate: Pace | None = None
    volume: Pace | None = None
    sum: bytes = b""
    """Of all that the entry says but these two, so that what was taken of it stays taken when they
    change. Octets; empty where it has neither."""

    def looked(self, facts: Facts) -> Looked:
        keys = tuple(
            (check.key, check.holds(facts)) for check in (*self.who, *self.head, *self.later)
        )
        keys += tuple((name, None) for name in METERED if getattr(self, name) is not None)
        held = [holds for _, holds in keys]
        return Looked(self.name, False if False in held else None if None in held else True, keys)


class Entries:
    """The entries of one list: all, and those that can concern a peer."""

    def __init__(
        self, kind: str, listed: Sequence[Grant], ranks: dict[str, int], *, shadow: bool = False
    ) -> None:
        """Of those listed that are in force, or of those in shadow."""
        entries = [entry for entry in listed if entry.shadow is shadow]
        self.all = tuple(
            _compiled(kind, place, entry, ranks)
            for place, entry in enumerate(listed)
            if entry.shadow is shadow
        )
        self._rest: list[Entry] = []
        self._named: dict[str, list[Entry]] = {}
        for entry, compiled in zip(entries, self.all, strict=True):
            names = _exact(entry)
            for name in names:
                self._named.setdefault(name, []).append(compiled)
            if not names:
                self._rest.append(compiled)

    def of(self, peer: Peer) -> Sequence[Entry]:
        """In their order, without those that name others exactly."""
        certificate = peer.certificate
        if not self._named or certificate is None:
            return self._rest
        found = list(self._rest)
        found += self._named.get(certificate.pin, ())
        if certificate.spiffe is not None:
            found += self._named.get(spiffe_key(certificate.spiffe), ())
        if len(found) > len(self._rest):
            found.sort(key=_place)
        return found


def _place(entry: Entry) -> int:
    return entry.place


def _exact(entry: Grant) -> list[str]:
    """Names, one of which a peer must have for this entry to hold; none where it has no such."""
    if entry.pins:
        return list(dict.fromkeys(entry.pins))
    if entry.spiffe and not any("*" in name for name in entry.spiffe):
        return list(dict.fromkeys(map(spiffe_key, entry.spiffe)))
    return []


def _compiled(kind: str, place: int, entry: Grant, ranks: dict[str, int]) -> Entry:
    denies = kind == "deny"
    who = [Check(key, _of_peer(holds)) for key, holds in compile_principal(entry, denies=denies)]
    if not who and not denies:
        raise ValueError(f"{kind}[{place}] names no peer")
    head, window = [], None
    if entry.when is not None:
        window = Window(entry.when, denies=denies)
        head.append(Check("when", _when(window)))
    if entry.methods is not None:
        head.append(Check("methods", _methods(frozenset(entry.methods))))
    if entry.paths is not None:
        head.append(Check("paths", _paths(entry.paths)))
    later = []
    if entry.content is not None:
        later.append(Check("content", _content(frozenset(entry.content), denies=denies)))
    if entry.label is not None:
        later.append(Check("label", _label(ranks, entry.label, denies=denies)))
    if entry.size is not None:
        later.append(Check("size", _size(entry.size, denies=denies)))
    if denies and not (who or head or later):
        raise ValueError(f"{kind}[{place}] has no key")
    name = f"{kind}[{place}]"
    rate, volume = entry.rate, entry.volume
    said = _sum(entry) if rate or volume else b""
    return Entry(name, place, tuple(who), tuple(head), tuple(later), window, rate, volume, said)


def _sum(entry: Grant) -> bytes:
    text = entry.model_dump_json(exclude=set(METERED), exclude_none=True)
    return hashlib.sha256(text.encode()).digest()


def _of_peer(holds: Callable[[Peer], bool]) -> Callable[[Facts], bool]:
    return lambda facts: holds(facts.peer)


def _when(window: Window) -> Callable[[Facts], bool]:
    return lambda facts: window.holds(facts.now)


def _methods(methods: frozenset[str]) -> Callable[[Facts], bool | None]:
    return lambda facts: None if facts.method is None else facts.method in methods


def _paths(texts: Sequence[str]) -> Callable[[Facts], bool | None]:
    patterns = [compile_pattern(text) for text in texts]

    def holds(facts: Facts) -> bool | None:
        path = facts.path
        return None if path is None else any(each.matches_segments(path) for each in patterns)

    return holds


def _content(formats: frozenset[str], *, denies: bool) -> Callable[[Facts], bool | None]:
    admitted = formats if denies else formats | {NOTHING}
    return lambda facts: None if facts.content is None else facts.content in admitted


def _label(ranks: dict[str, int], label: str, *, denies: bool) -> Callable[[Facts], bool | None]:
    """A label that is not on the scale counts as above it, as it does for clearance."""
    bound = ranks[label]

    def holds(facts: Facts) -> bool | None:
        if facts.label is None:
            return None
        if facts.label == NOTHING:
            return not denies
        rank = ranks.get(facts.label, len(ranks))
        return rank >= bound if denies else rank <= bound

    return holds


def _size(bound: int, *, denies: bool) -> Callable[[Facts], bool | None]:
    def holds(facts: Facts) -> bool | None:
        if facts.size is None:
            return None
        return facts.size > bound if denies else facts.size <= bound

    return holds
