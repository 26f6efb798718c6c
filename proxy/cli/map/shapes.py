"""What a map shows: frozen, plain text, in the words of the configuration itself."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Crypt:
    """How octets are protected on one stretch; `plain` ones never leave this machine."""

    plain: bool
    text: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Zone:
    name: str
    clearance: str
    rules: str
    """What else is said of it; empty where nothing is."""


@dataclass(frozen=True, slots=True)
class Door:
    """A listener, and everybody that some route behind it admits."""

    name: str
    bind: str
    zone: str
    protocol: str
    crypt: Crypt
    senders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction of a route. `label` is on the scale; `by` says where it comes from."""

    label: str
    shown: str
    """The label, or up to which one it may be, where a header says it."""
    by: str
    content: tuple[str, ...]
    masks: tuple[tuple[str, str], ...]
    """(what becomes of it, where it stands)"""
    searches: tuple[tuple[str, str], ...]
    """(what is done about a find, what is looked for)"""
    rules: str
    above: bool
    """Whether the label alone is above the clearance of where it goes: then nothing passes."""


@dataclass(frozen=True, slots=True)
class Way:
    """A route; the first that matches decides, so that `number` tells of its place."""

    number: int
    name: str
    listener: str
    upstream: str
    match: str
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    stops: tuple[str, ...]
    shadow: tuple[str, ...]
    """Entries and rules that decide nothing and only report what they would have done."""
    request: Flow
    response: Flow


@dataclass(frozen=True, slots=True)
class Receiver:
    name: str
    zone: str
    endpoints: tuple[str, ...]
    crypt: Crypt


@dataclass(frozen=True, slots=True)
class Held:
    """One reference, and for what."""

    what: str
    reference: str
    secret: bool | None
    """None: what of it is one, only the file can tell."""


@dataclass(frozen=True, slots=True)
class Process:
    name: str
    duties: tuple[str, ...]
    held: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    name: str
    sha256: str
    sensitivity: tuple[str, ...]
    zones: Mapping[str, Zone]
    doors: tuple[Door, ...]
    ways: tuple[Way, ...]
    receivers: tuple[Receiver, ...]
    processes: tuple[Process, ...]
