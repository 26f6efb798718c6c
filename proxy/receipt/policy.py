"""Whom a verifier trusts with a log: a policy file, read whole (c2sp.org/tlog-policy).

    # comments and empty lines are skipped
    log receipts.acme.example/gateway-a+7f190f8d+AQOh… [URL]
    witness north north.example/w+6b509d11+BHm1… https://witness.north.example
    witness south south.example/w+0f3c2a10+BLo9…
    group both all north south           any · all · how many, then members defined above
    quorum both                          a witness, a group, or none

Rules
- Items are separated by spaces and tabs; every line ends in a newline. A name is opaque octets and
  no control characters. What is not understood refuses the whole file, with its line.
- A key stands once, whatever it is called; a name is defined once, before it is used, and is a
  member of one group at most: no witness counts twice.
- A log signs 0x01 or 0x06, a witness 0x04 or 0x06. `quorum.py` has what the whole demands.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from proxy.errors import EvidenceError
from proxy.receipt import note
from proxy.receipt.vkey import (
    ED25519,
    ED25519_COSIGNATURE,
    MLDSA44_COSIGNATURE,
    Vkey,
    parse_vkey,
)

LOG_KINDS: Final = (ED25519, MLDSA44_COSIGNATURE)
_WITNESS_KINDS: Final = (ED25519_COSIGNATURE, MLDSA44_COSIGNATURE)
_MOST: Final = 1024
_MAX_OCTETS: Final = 2**20


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody who cosigns. `url` is its submission prefix, where it is known."""

    name: str
    vkey: Vkey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """At least `threshold` of `members`, which are witnesses and groups."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy file that parses. `quorum` is None where no cosignature is demanded."""

    logs: tuple[Vkey, ...]
    witnesses: tuple[Witness, ...]
    groups: dict[str, Group]
    quorum: str | None

    def cosigned(self, parsed: note.Note) -> frozenset[str]:
        """Witnesses whose cosignature verifies. Raises where one of theirs does not."""
        signed = note.verify(parsed, [witness.vkey for witness in self.witnesses])
        return frozenset(each.name for each in self.witnesses if each.vkey in signed)

    def met_by(self, cosigned: Collection[str]) -> bool:
        """Whether these witnesses are enough."""
        return self.quorum is None or self._met(self.quorum, cosigned)

    def _met(self, name: str, cosigned: Collection[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in cosigned
        return sum(self._met(member, cosigned) for member in group.members) >= group.threshold

    def missing(self, cosigned: Collection[str]) -> list[str]:
        """Witnesses that would count towards the quorum and are none of these, in their order."""
        counting, names = set[str](), [] if self.quorum is None else [self.quorum]
        while names:
            name = names.pop()
            counting.add(name)
            names += self.groups[name].members if name in self.groups else ()
        return [each.name for each in self.witnesses if each.name in counting - set(cosigned)]


def display(name: str) -> str:
    """A name as it can be printed: it may be any octets."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


# --- the file ------------------------------------------------------------------------------------


class PolicyError(EvidenceError):
    """A policy file that cannot be used. Names the line."""


@dataclass(slots=True)
class _Reading:
    """A policy as far as it has been read."""

    logs: list[Vkey] = field(default_factory=list)
    witnesses: dict[str, Witness] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    quorum: list[str | None] = field(default_factory=list)

    def define(self, name: str) -> str:
        if name == "none" or name in self.witnesses or name in self.groups:
            raise EvidenceError(f"{display(name)} is taken already")
        if len(self.witnesses) + len(self.groups) >= _MOST:
            raise EvidenceError("too many witnesses and groups")
        return name

    def known(self, name: str) -> str:
        if name not in self.witnesses and name not in self.groups:
            raise EvidenceError(f"{display(name)} is not defined above")
        return name


def parse_policy(data: bytes) -> Policy:
    """Raises `PolicyError` with the line unless `data` is a whole policy. Fails closed."""
    if len(data) > _MAX_OCTETS:
        raise PolicyError("the policy is larger than 1 MiB")
    if data and not data.endswith(b"\n"):
        raise PolicyError("the policy is cut off: its last line has no newline")
    reading = _Reading()
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            if re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", line):
                raise EvidenceError("control characters other than tab and newline")
            words = [w.decode("utf-8", "surrogateescape") for w in re.split(rb"[ \t]+", line) if w]
            if words and not words[0].startswith("#"):
                _line(reading, words[0], words[1:])
        except EvidenceError as error:
            raise PolicyError(f"line {number}: {error}") from None
    if not reading.quorum:
        raise PolicyError("there is no quorum line")
    witnesses = tuple(reading.witnesses.values())
    return Policy(tuple(reading.logs), witnesses, reading.groups, reading.quorum[0])


def _line(reading: _Reading, keyword: str, words: list[str]) -> None:
    match keyword, words:
        case "log", [vkey, *url] if len(url) <= 1:
            _log(reading, vkey)
        case "witness", [name, vkey, *url] if len(url) <= 1:
            _witness(reading, name, vkey, url[0] if url else None)
        case "group", [name, threshold, *members] if members:
            _group(reading, name, threshold, members)
        case "quorum", [name]:
            if reading.quorum:
                raise EvidenceError("a second quorum")
            reading.quorum.append(None if name == "none" else reading.known(name))
        case (("log" | "witness" | "group" | "quorum"), _):
            raise EvidenceError(f"a {keyword} has not this many items")
        case _:
            raise EvidenceError("a line is a log, witness, group or quorum")


def _vkey(text: str, kinds: tuple[int, ...], what: str) -> Vkey:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EvidenceError("the vkey is not UTF-8") from None
    vkey = parse_vkey(text)
    if vkey.kind not in kinds:
        raise EvidenceError(f"a {what} does not sign with a key of type 0x{vkey.kind:02x}")
    return vkey


def _log(reading: _Reading, text: str) -> None:
    vkey = _vkey(text, LOG_KINDS, "log")
    if any(vkey.public == other.public for other in reading.logs):
        raise EvidenceError("the key of a log above")
    if len(reading.logs) >= _MOST:
        raise EvidenceError("too many logs")
    reading.logs.append(vkey)


def _witness(reading: _Reading, name: str, text: str, url: str | None) -> None:
    vkey = _vkey(text, _WITNESS_KINDS, "witness")
    if any(vkey.public == other.vkey.public for other in reading.witnesses.values()):
        raise EvidenceError("the key of a witness above")
    reading.witnesses[reading.define(name)] = Witness(name, vkey, url)


def _group(reading: _Reading, name: str, threshold: str, members: list[str]) -> None:
    for member in members:
        if reading.known(member) in reading.members:
            raise EvidenceError(f"{display(member)} is a member already")
        reading.members.add(member)
    counts = {"any": "1", "all": str(len(members))}
    count = counts.get(threshold, threshold)
    if re.fullmatch(r"[1-9][0-9]{0,3}", count, re.ASCII) is None or int(count) > len(members):
        raise EvidenceError("a group takes any, all, or how many of its members")
    reading.groups[reading.define(name)] = Group(int(count), tuple(members))
