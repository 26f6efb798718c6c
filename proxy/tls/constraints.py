"""Name constraints (RFC 5280, 4.2.1.10 and 6.1): what an authority may give names to.

    subtree         covers
    DNS  a.example  a.example and everything below it; the empty one covers everything
    EMAIL  jo@a.example, a.example, .a.example    one mailbox; one host; every host below it
    URI  a.example, .a.example                     one host; every host below it
    IP  address and mask, 8 or 32 octets           the mask has its ones in front
    DIRECTORY       every name that begins with it; the empty one covers everything

Every certificate below an authority is held against all of its subtrees, subject and alternative
names alike; self-issued ones are not, but for the leaf. Where there are permitted subtrees of a
kind, a name of that kind has to be within one of them; it may be within no excluded one.

Where RFC 5280 leaves room, the stricter reading holds (each was somebody's hole):

1. A wildcard is every name that it can stand for: `*.example` is not permitted by `a.example`, and
   is excluded by it (CVE-2025-61727).
2. A URI without a host that is a name, or a mailbox that does not parse, is never permitted and
   always excluded once its kind is constrained.
3. Kinds that nobody compares (otherName, registeredID, X.400, EDI): constrained and present means
   refused.
4. A subtree that cannot be read, or has a minimum or maximum, refuses the path.
5. An empty EMAIL or URI subtree excludes everything and permits nothing.
6. The names of the trust anchor's own constraints hold as those of any other authority.

The work is bounded before it is done: by names, by subtrees, and by their product over the path.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from proxy.errors import TlsFailure
from proxy.tls.der import SEQUENCE, Value, only, values
from proxy.tls.names import (
    COMPARABLE,
    DIRECTORY,
    DNS,
    EMAIL,
    IP,
    TAGS,
    URI,
    Name,
    labels,
    mailbox,
    read_directory,
)

NAMES, SUBTREES, COMPARISONS = 1024, 1024, 65536
"""At most: names of one certificate, subtrees of one authority, comparisons of one path."""

_ONES = re.compile("1*0*")
_MAILBOX, _HOST, _BELOW, _ALL = "mailbox", "host", "below", "all"


@dataclass(frozen=True, slots=True)
class Subtree:
    """One base of a NameConstraints; `form` tells mailbox, host and below apart."""

    kind: int
    form: str
    key: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Constraints:
    """What one authority may name. No permitted subtree of a kind: everything of that kind."""

    permitted: tuple[Subtree, ...]
    excluded: tuple[Subtree, ...]


@dataclass(frozen=True, slots=True)
class Bearer:
    """One certificate of a path, as far as names go."""

    names: tuple[Name, ...]
    constraints: Constraints | None
    exempt: bool
    """Self-issued, and not the leaf."""


def read_constraints(content: bytes) -> Constraints:
    """NameConstraints, DER. Raises ValueError for one that is empty or not understood whole."""
    fields = values(only(content, SEQUENCE))
    tags = [field.tag for field in fields]
    if not tags or any(after <= before for before, after in pairwise(tags)):
        raise ValueError("neither permitted nor excluded subtrees, or not in that order")
    found: dict[int, tuple[Subtree, ...]] = {0xA0: (), 0xA1: ()}
    for field in fields:
        if field.tag not in found:
            raise ValueError("a field that NameConstraints do not have")
        found[field.tag] = tuple(_subtree(each) for each in values(field.content))
        if not found[field.tag]:
            raise ValueError("an empty list of subtrees")
    return Constraints(found[0xA0], found[0xA1])


def require_names(path: Sequence[Bearer]) -> None:
    """`path` is leaf first, trust anchor last. Fails closed: raises `TlsFailure("untrusted")`."""
    _require_bounds(path)
    for above in range(1, len(path)):
        limits = path[above].constraints
        if limits is None:
            continue
        for bearer in path[:above]:
            if not bearer.exempt:
                for name in bearer.names:
                    _require_name(name, limits)


def comparisons(path: Sequence[Bearer]) -> int:
    """How many pairs of a name and a subtree of its kind `require_names` would compare, at most."""
    total = 0
    for above in range(1, len(path)):
        limits = path[above].constraints
        if limits is None:
            continue
        subtrees = _count(each.kind for each in limits.permitted + limits.excluded)
        for bearer in path[:above]:
            if not bearer.exempt:
                names = _count(name.kind for name in bearer.names)
                total += sum(count * subtrees.get(kind, 0) for kind, count in names.items())
    return total


def _require_bounds(path: Sequence[Bearer]) -> None:
    for bearer in path:
        limits = bearer.constraints
        if len(bearer.names) > NAMES:
            raise TlsFailure("untrusted", f"more than {NAMES} names in one certificate")
        if limits and len(limits.permitted) + len(limits.excluded) > SUBTREES:
            raise TlsFailure("untrusted", f"more than {SUBTREES} name constraints in one authority")
    if comparisons(path) > COMPARISONS:
        raise TlsFailure("untrusted", f"names by constraints are more than {COMPARISONS}")


def _count(kinds: Iterable[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for kind in kinds:
        found[kind] = found.get(kind, 0) + 1
    return found


def _require_name(name: Name, limits: Constraints) -> None:
    permitted = [each for each in limits.permitted if each.kind == name.kind]
    excluded = [each for each in limits.excluded if each.kind == name.kind]
    if (permitted or excluded) and name.kind not in COMPARABLE:
        raise TlsFailure("untrusted", "a name of a kind whose constraints cannot be compared")
    if permitted and not any(is_within(name, each) for each in permitted):
        raise TlsFailure("untrusted", "a name is in no subtree that its authority may name")
    if any(is_touched(name, each) for each in excluded):
        raise TlsFailure("untrusted", "a name is in a subtree that its authority may not name")


def is_within(name: Name, subtree: Subtree) -> bool:
    """True when everything that the name can stand for is in the subtree, of the same kind."""
    if name.key is None or subtree.form == _ALL:
        return False
    return _covers(name.kind, name.key, subtree)


def is_touched(name: Name, subtree: Subtree) -> bool:
    """True when anything that the name can stand for is in the subtree, of the same kind."""
    if name.key is None or subtree.form == _ALL or _covers(name.kind, name.key, subtree):
        return True
    wild = name.kind == DNS and name.key[-1] == "*"
    return wild and len(subtree.key) == len(name.key) and subtree.key[:-1] == name.key[:-1]


def _covers(kind: int, key: tuple[object, ...], subtree: Subtree) -> bool:
    base = subtree.key
    if kind in (DNS, DIRECTORY):
        return key[: len(base)] == base
    if kind == IP:
        return _covers_address(key[0], base)
    if subtree.form == _MAILBOX:
        return key == base
    host = key[1:] if kind == EMAIL else key
    if subtree.form == _BELOW:
        return len(host) > len(base) and host[: len(base)] == base
    return host == base


def _covers_address(address: object, base: tuple[object, ...]) -> bool:
    network, mask = base
    if not (isinstance(address, bytes) and isinstance(network, bytes) and isinstance(mask, bytes)):
        raise TypeError("an address is octets")
    if len(address) != len(network):
        return False
    triples = zip(address, network, mask, strict=True)
    return all(one & bits == other & bits for one, other, bits in triples)


# --- reading -------------------------------------------------------------------------------------


def _subtree(value: Value) -> Subtree:
    fields = values(value.content)
    if value.tag != SEQUENCE or len(fields) != 1 or fields[0].tag not in TAGS:
        raise ValueError("a subtree has one base, and neither minimum nor maximum")
    kind, content = TAGS[fields[0].tag], fields[0].content
    form, key = _base(kind, content)
    return Subtree(kind, form, key)


def _base(kind: int, content: bytes) -> tuple[str, tuple[object, ...]]:
    if kind == IP:
        return _HOST, _network(content)
    if kind == DIRECTORY:
        return _HOST, read_directory(content)
    if kind == DNS:
        return _HOST, labels(content.decode("ascii")) if content else ()
    if kind in (EMAIL, URI):
        return _host(kind, content.decode("ascii"))
    return _HOST, ()


def _host(kind: int, text: str) -> tuple[str, tuple[object, ...]]:
    if not text:
        return _ALL, ()
    if kind == EMAIL and "@" in text:
        return _MAILBOX, mailbox(text)
    form = _BELOW if text.startswith(".") else _HOST
    return form, labels(text.removeprefix("."), lenient=kind == URI)


def _network(content: bytes) -> tuple[bytes, bytes]:
    if len(content) not in (8, 32):
        raise ValueError("a network of another length than 8 or 32 octets")
    network, mask = content[: len(content) // 2], content[len(content) // 2 :]
    if not _ONES.fullmatch("".join(f"{octet:08b}" for octet in mask)):
        raise ValueError("a mask with ones behind zeros")
    return network, mask
