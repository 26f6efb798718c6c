"""What is decided where not all is known is what would be decided if it were."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.model import Certificate, Peer
from proxy.policy.authorize import Grants
from proxy.policy.entries import Facts
from proxy.policy.paths import split
from proxy.policy.weigh import weigh
from proxy.settings.schema import Grant, Route
from tests.settings.example import changed

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
SCALE = ["public", "internal", "secret"]
SOME = {"cn", "ou", "networks", "dns", "paths", "methods", "content", "label", "size", "when"}
NAMES = st.sampled_from(["spiffe://acme/a", "spiffe://acme/*", "spiffe://acme/b"])
KEYS = st.fixed_dictionaries(
    {
        "cn": st.sampled_from(["a", "b"]),
        "ou": st.sampled_from(["x", "y*"]),
        "networks": st.sampled_from(["10.0.0.0/8", "192.0.2.0/24"]),
        "dns": st.sampled_from(["a.example", "b.example"]),
        "paths": st.sampled_from(["/orders/1", "/orders/in/**"]),
        "methods": st.sampled_from([["POST"], ["GET", "POST"]]),
        "content": st.sampled_from([["json"], ["csv", "json"]]),
        "label": st.sampled_from(SCALE),
        "size": st.sampled_from([1, 100]),
        "when": st.sampled_from([{"hours": "06:00-20:00"}, {"until": "2026-01-01"}]),
    }
)
WHO = st.builds(
    lambda name, keys, some: {"spiffe": name} | {key: keys[key] for key in some},
    NAMES,
    KEYS,
    st.lists(st.sampled_from(sorted(SOME)), max_size=2),
)
ENTRIES = st.lists(WHO, max_size=3)
CERTIFICATE = st.builds(
    lambda name, cn, ou, dns: Certificate(
        b"", (), b"", bytes(32), "", "", 1, NOW, NOW, name, (name,), dns, (), cn, ou
    ),
    st.sampled_from(["spiffe://acme/a", "spiffe://acme/b"]),
    st.sampled_from([(), ("a",), ("b",)]),
    st.sampled_from([(), ("x",), ("yz",)]),
    st.sampled_from([(), ("a.example",)]),
)
FACTS = st.builds(
    lambda certificate, address, hour, path, kind, label, size: Facts(
        Peer(address, certificate=certificate),
        NOW + timedelta(hours=hour),
        "POST",
        split(path),
        kind,
        label,
        size,
    ),
    CERTIFICATE,
    st.sampled_from(["10.1.2.3", "192.0.2.7"]),
    st.sampled_from([0, 12]),
    st.sampled_from(["/orders/1", "/orders/in/2"]),
    st.sampled_from(["json", "csv"]),
    st.sampled_from(SCALE),
    st.sampled_from([1, 50, 1000]),
)


def grants(allow: list[object], deny: list[object]) -> Grants:
    route = changed()["routes"][0]
    return Grants(Route.model_validate(route | {"allow": allow, "deny": deny}), SCALE)


def decided(grants: Grants, facts: Facts) -> str | None:
    try:
        return grants.judge(replace(facts)).rule
    except Refusal:
        return None


def as_on_record(facts: Facts, *, content: bool) -> Facts:
    """What a receipt has of it: neither path, nor address, nor subject; the content perhaps."""
    certificate = facts.peer.certificate
    assert certificate is not None
    kept = replace(certificate, common_names=(), units=())
    some = replace(facts, peer=Peer(certificate=kept), path=None)
    return some if content else replace(some, content=None, label=None, size=None)


@given(ENTRIES, ENTRIES, FACTS, st.booleans())
def test_a_yes_and_a_no_stand_whatever_else_comes_to_be_known(
    allow: list[object], deny: list[object], facts: Facts, content: bool
) -> None:
    compiled = grants(allow, deny)
    rule = decided(compiled, facts)
    unknown = {"cn", "ou", "networks"}
    found = weigh(compiled, as_on_record(facts, content=content), unknown, {})
    if found.admits is not None:
        assert found.admits is (rule is not None)
    if found.admits is None:
        assert found.keys
    if rule is not None:
        assert rule in found.rules


@given(ENTRIES, ENTRIES, FACTS)
def test_where_all_is_known_nothing_is_left_open(
    allow: list[object], deny: list[object], facts: Facts
) -> None:
    compiled = grants(allow, deny)
    found = weigh(compiled, facts, (), {})
    rule = decided(compiled, facts)
    assert found.admits is (rule is not None)
    if rule is not None:
        assert found.rules == (rule,)


@given(ENTRIES, ENTRIES, FACTS)
def test_what_is_proven_decides_though_it_is_not_on_record(
    allow: list[object], deny: list[object], facts: Facts
) -> None:
    compiled = grants(allow, deny)
    rule = decided(compiled, facts)
    if rule is None:
        return
    proven = {f"deny[{n}]": False for n in range(len(deny))} | {rule: True}
    proven |= {f"allow[{n}]": False for n in range(int(rule[6:-1]))}
    found = weigh(compiled, as_on_record(facts, content=False), {"cn", "ou", "networks"}, proven)
    assert found.admits
    assert found.rules == (rule,)


def test_every_key_of_an_entry_is_tried() -> None:
    others = {"spiffe", "uri", "ip", "pins", "local", "rate", "volume", "shadow"}
    assert set(Grant.model_fields) <= SOME | others


def test_what_was_left_of_a_rate_then_is_not_asked_again() -> None:
    peer = Peer(
        certificate=Certificate(b"", (), b"", bytes(32), "", "", 1, NOW, NOW, "spiffe://acme/a")
    )
    entry = {"spiffe": "spiffe://acme/a", "rate": "1/s", "volume": "1KiB/s"}
    route = Route.model_validate(changed()["routes"][0] | {"allow": [entry]})
    facts = Facts(peer, NOW, "POST", split("/orders/1"), "json", "public", 9000)
    assert weigh(Grants(route, SCALE), facts, (), {}).admits is True
