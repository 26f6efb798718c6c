"""Certificate policies (RFC 5280, 6.1): they matter where an authority demands one."""

import pytest
from cryptography import x509

from proxy.tls import policies
from proxy.tls.path import LONGEST
from proxy.tls.policies import ANY, POLICIES, read_mappings, read_policies
from tests.tls.paths import authority, der, extension, judged, leaf, offline, root

_MAPPINGS = bytes.fromhex("551d21")
_TRUE = bytes.fromhex("0101ff")
ONE, TWO = x509.ObjectIdentifier("1.2.3.1"), x509.ObjectIdentifier("1.2.3.2")
ANYTHING = x509.ObjectIdentifier("2.5.29.32.0")


def asserted(*oids: x509.ObjectIdentifier) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(oid, None) for oid in oids])


def demands(skip: int) -> x509.PolicyConstraints:
    return x509.PolicyConstraints(require_explicit_policy=skip, inhibit_policy_mapping=None)


def oid(identifier: x509.ObjectIdentifier) -> bytes:
    return bytes.fromhex("06032a03") + bytes([int(identifier.dotted_string[-1])])


def maps(issuer: x509.ObjectIdentifier, inner: x509.ObjectIdentifier) -> object:
    pair = der(0x30, oid(issuer) + oid(inner))
    return extension(_MAPPINGS, der(0x30, pair), critical=_TRUE)


def test_policies_do_not_matter_where_nobody_demands_one() -> None:
    middle = authority("Middle", root(), extensions=[asserted(ONE)])
    assert judged(leaf(middle)) is None
    assert judged(leaf(middle, extensions=[asserted(TWO)])) is None


def test_a_demanded_policy_holds_all_the_way_down() -> None:
    middle = authority("Middle", root(), extensions=[asserted(ONE), demands(0)])
    assert judged(leaf(middle, extensions=[asserted(ONE)])) is None
    assert judged(leaf(middle, extensions=[asserted(TWO)])) == "untrusted"
    assert judged(leaf(middle)) == "untrusted"
    silent = authority("Silent", middle)
    assert offline(leaf(silent, extensions=[asserted(ONE)])) == "untrusted"


def test_a_demand_may_begin_further_down() -> None:
    later = authority("Later", root(), extensions=[asserted(ONE), demands(2)])
    assert offline(leaf(later)) is None
    lower = authority("Lower", later)
    assert offline(leaf(lower)) == "untrusted"


def test_self_issued_authorities_do_not_bring_a_demand_nearer() -> None:
    later = authority("Later", root(), extensions=[asserted(ONE), demands(2)])
    assert offline(leaf(authority("Later", later))) is None


def test_a_demand_of_the_trust_anchor_holds() -> None:
    anchor = authority("Anchor", None, extensions=[demands(0)])
    assert offline(leaf(anchor), trust=anchor) == "untrusted"
    assert offline(leaf(anchor, extensions=[asserted(ONE)]), trust=anchor) is None


def test_any_policy_stands_for_each_unless_that_is_inhibited() -> None:
    free = authority("Free", root(), extensions=[asserted(ANYTHING), demands(0)])
    assert offline(leaf(free, extensions=[asserted(TWO)])) is None
    bound = [asserted(ONE), demands(0), x509.InhibitAnyPolicy(0)]
    inhibited = authority("Bound", root(), extensions=bound)
    assert offline(leaf(inhibited, extensions=[asserted(ANYTHING)])) == "untrusted"
    assert offline(leaf(inhibited, extensions=[asserted(ONE)])) is None
    loose = authority("Loose", root(), extensions=bound[:2])
    assert offline(leaf(loose, extensions=[asserted(ANYTHING)])) is None


def test_a_policy_is_called_what_its_mapping_says_unless_that_is_inhibited() -> None:
    held = [asserted(ONE), demands(0)]
    mapped = authority("Mapped", root(), extensions=held, edit=maps(ONE, TWO))
    assert judged(leaf(mapped, extensions=[asserted(TWO)])) is None
    assert judged(leaf(mapped, extensions=[asserted(ONE)])) == "untrusted"
    inhibits = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=0)
    upper = authority("Upper", root(), extensions=[asserted(ONE), inhibits])
    lower = authority("Lower", upper, extensions=[asserted(ONE)], edit=maps(ONE, TWO))
    assert offline(leaf(lower, extensions=[asserted(TWO)])) == "untrusted"


def test_policy_constraints_are_critical() -> None:
    loose = {x509.PolicyConstraints: False}
    middle = authority("M", root(), extensions=[asserted(ONE), demands(3)], critical=loose)
    assert judged(leaf(middle, extensions=[asserted(ONE)])) == "untrusted"


def test_policies_are_well_formed_and_few() -> None:
    def policy(index: int) -> bytes:
        return der(0x30, der(0x06, b"\x2a" + bytes([index])))

    one, any_policy = policy(1), der(0x06, ANY)
    assert len(read_policies(der(0x30, b"".join(map(policy, range(POLICIES)))))) == POLICIES
    for content in (b"", one + one, der(0x30, b""), b"".join(map(policy, range(POLICIES + 1)))):
        with pytest.raises(ValueError, match=r"."):
            read_policies(der(0x30, content))
    for pair in (any_policy + der(0x06, b"\x2a"), der(0x06, b"\x2a") + any_policy, b""):
        with pytest.raises(ValueError, match=r"."):
            read_mappings(der(0x30, der(0x30, pair)))


def test_a_bomb_of_policies_grows_by_their_number_and_not_by_its_power(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CVE-2023-0464: two policies, each mapped to both, doubled a tree on every level."""
    largest = 0
    take = policies._State.take

    def watched(self: policies._State, step: policies.Step, *, last: bool) -> None:
        nonlocal largest
        take(self, step, last=last)
        largest = max(largest, len(self.nodes or ()))

    monkeypatch.setattr(policies._State, "take", watched)
    both = frozenset({b"1", b"2"})
    said = policies.Policies(asserted=both, mappings=dict.fromkeys(both, both))
    policies.require_policies([policies.Step(said, self_issued=False)] * LONGEST)
    assert largest == len(both)
