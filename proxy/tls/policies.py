"""Certificate policies (RFC 5280, 6.1, with the graph of RFC 9618 instead of the tree).

Nobody here asks for a policy by name: every one is acceptable. What is left to find out is whether
an authority demands that *some* policy holds all the way down (requireExplicitPolicy), and whether
one does. For that it is enough to know, level by level, which policies hold and what each is called
on the next level; the tree of RFC 5280 with its exponential growth (CVE-2023-0464) is never built.

The trust anchor's own constraints hold as those of any other authority.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from proxy.errors import TlsFailure
from proxy.tls.der import OID, SEQUENCE, Value, only, values

POLICIES = 64
"""Policies, and policy mappings, of one certificate, at most."""
ANY = bytes.fromhex("551d2000")
"""anyPolicy, 2.5.29.32.0."""


@dataclass(frozen=True, slots=True)
class Policies:
    """What one certificate says of policies. OIDs as encoded."""

    asserted: frozenset[bytes] | None = None
    """None: there is no certificatePolicies."""
    mappings: Mapping[bytes, frozenset[bytes]] = field(default_factory=dict)
    require_explicit: int | None = None
    inhibit_mapping: int | None = None
    inhibit_any: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One certificate of a path, as far as policies go."""

    policies: Policies
    self_issued: bool


def read_policies(content: bytes) -> frozenset[bytes]:
    """CertificatePolicies, DER -> the OIDs. Raises ValueError."""
    found = [_oid(next(iter(values(entry.content)), None)) for entry in _entries(content)]
    if len(set(found)) != len(found):
        raise ValueError("the same policy twice")
    return frozenset(found)


def read_mappings(content: bytes) -> dict[bytes, frozenset[bytes]]:
    """PolicyMappings, DER -> the issuer's policy and what the subject calls it. ValueError."""
    found: dict[bytes, set[bytes]] = {}
    for entry in _entries(content):
        issuer, subject = values(entry.content)
        found.setdefault(_oid(issuer), set()).add(_oid(subject))
    if ANY in found or any(ANY in targets for targets in found.values()):
        raise ValueError("anyPolicy cannot be mapped")
    return {issuer: frozenset(subjects) for issuer, subjects in found.items()}


def require_policies(path: Sequence[Step]) -> None:
    """`path` is leaf first, trust anchor last. Fails closed: raises `TlsFailure("untrusted")`."""
    below = len(path) - 1
    state = _State(explicit=below + 1, mapping=below + 1, inhibit_any=below + 1)
    anchor, *rest = reversed(path)
    state.constrain(anchor.policies)
    for index, step in enumerate(rest):
        last = index == len(rest) - 1
        state.take(step, last=last)
        if state.explicit == 0 and state.nodes is None:
            raise TlsFailure("untrusted", "an authority requires a policy, and none holds")
        if not last:
            state.map(step.policies.mappings)
            state.count(step)
            state.constrain(step.policies)
    if state.explicit <= 1 and state.nodes is None:
        raise TlsFailure("untrusted", "an authority requires a policy, and none holds")


@dataclass(slots=True)
class _State:
    """The variables of RFC 5280, 6.1.2; `nodes` is the lowest level of the graph."""

    explicit: int
    mapping: int
    inhibit_any: int
    nodes: dict[bytes, frozenset[bytes]] | None = field(
        default_factory=lambda: {ANY: frozenset({ANY})}
    )
    """Policy -> what it is called on the next level. None: no policy holds any more."""

    def take(self, step: Step, *, last: bool) -> None:
        """6.1.3 (d) and (e): go down by one level."""
        asserted = step.policies.asserted
        if self.nodes is None or asserted is None:
            self.nodes = None
            return
        expected = frozenset().union(*self.nodes.values())
        named = asserted - {ANY}
        found = named if ANY in self.nodes else named & expected
        if ANY in asserted and (self.inhibit_any > 0 or (not last and step.self_issued)):
            found |= expected
        self.nodes = {policy: frozenset({policy}) for policy in found} or None

    def map(self, mappings: Mapping[bytes, frozenset[bytes]]) -> None:
        """6.1.4 (b): what the next level calls a policy, or its end where mapping is inhibited."""
        if self.nodes is None:
            return
        for issuer, subjects in mappings.items():
            if self.mapping == 0:
                self.nodes.pop(issuer, None)
            elif issuer in self.nodes or ANY in self.nodes:
                self.nodes[issuer] = subjects
        self.nodes = self.nodes or None

    def count(self, step: Step) -> None:
        """6.1.4 (h)."""
        if not step.self_issued:
            self.explicit = max(0, self.explicit - 1)
            self.mapping = max(0, self.mapping - 1)
            self.inhibit_any = max(0, self.inhibit_any - 1)

    def constrain(self, policies: Policies) -> None:
        """6.1.4 (i) and (j)."""
        self.explicit = _least(self.explicit, policies.require_explicit)
        self.mapping = _least(self.mapping, policies.inhibit_mapping)
        self.inhibit_any = _least(self.inhibit_any, policies.inhibit_any)


def _least(now: int, limit: int | None) -> int:
    return now if limit is None else min(now, limit)


def _oid(value: Value | None) -> bytes:
    if value is None or value.tag != OID:
        raise ValueError("no policy")
    return value.content


def _entries(content: bytes) -> list[Value]:
    found = values(only(content, SEQUENCE))
    if not 1 <= len(found) <= POLICIES:
        raise ValueError("no policy, or too many")
    return found
