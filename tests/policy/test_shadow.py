"""Entries in shadow decide nothing; what they would have decided is noted."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.policy.authorize import Grants
from tests.policy.test_authorize import ETL, NOW, SCALE, asked, grants

SHADOW = {"shadow": True}
OTHER = {"spiffe": "spiffe://acme/other"}
ENTRIES = st.fixed_dictionaries(
    {"spiffe": st.sampled_from([ETL, "spiffe://acme/other", "spiffe://acme/*"])},
    optional={
        "label": st.sampled_from(SCALE),
        "size": st.sampled_from([10, 20]),
        "content": st.sampled_from([["json"], ["csv"]]),
        "methods": st.sampled_from([["POST"], ["GET"]]),
        "shadow": st.booleans(),
    },
)
FACTS = st.fixed_dictionaries(
    {
        "content": st.sampled_from(["json", "csv"]),
        "label": st.sampled_from(SCALE),
        "size": st.sampled_from([5, 15, 25]),
    }
)


def decide(entries: Grants, facts: dict[str, Any]) -> tuple[str | None, set[str]]:
    """Why it is refused, None where it is not; and what was noted."""
    said = asked()
    try:
        granted = entries.judge(said)
        for key, value in facts.items():
            granted.learn(**{key: value})
    except Refusal as refusal:
        return refusal.reason, said.would
    return None, said.would


def without(entries: list[dict[str, Any]], but: int | None = None) -> list[dict[str, Any]]:
    """Those in shadow name nobody, but for one that comes into force."""
    nobody = {"spiffe": "spiffe://acme/nobody"}
    return [
        {key: value for key, value in entry.items() if key != "shadow"}
        if not entry.get("shadow") or place == but
        else nobody
        for place, entry in enumerate(entries)
    ]


@given(st.lists(ENTRIES, min_size=1, max_size=4), st.lists(ENTRIES, max_size=3), FACTS)
def test_the_decision_is_that_without_them_and_each_that_would_change_it_is_noted(
    allow: list[dict[str, Any]], deny: list[dict[str, Any]], facts: dict[str, Any]
) -> None:
    reason, noted = decide(grants(allow, deny), facts)
    plain, nothing = decide(grants(without(allow), without(deny)), facts)
    assert (reason is None) is (plain is None)
    assert not nothing
    changes = set()
    for place, entry in enumerate(deny):
        if entry.get("shadow"):
            changed, _ = decide(grants(without(allow), without(deny, place)), facts)
            changes |= {f"deny[{place}]"} if (changed is None) is not (plain is None) else set()
    for place, entry in enumerate(allow):
        if entry.get("shadow"):
            changed, _ = decide(grants(without(allow, place), without(deny)), facts)
            changes |= {f"allow[{place}]"} if (changed is None) is not (plain is None) else set()
    assert changes <= noted
    if plain is None:
        assert noted == changes, "what goes on is noted for nothing but what would refuse it"


def test_a_denial_in_shadow_is_noted_when_the_fact_comes_by_which_it_holds() -> None:
    said = asked()
    granted = grants([{"spiffe": ETL}], [{"size": 10} | SHADOW]).judge(said)
    granted.learn(size=10)
    assert said.would == set()
    granted.learn(size=11)
    assert said.would == {"deny[0]"}
    assert granted.rule == "allow[0]"


def test_a_grant_in_shadow_admits_nobody() -> None:
    said = asked()
    reason, noted = decide(grants([OTHER, {"spiffe": ETL} | SHADOW]), {})
    assert (reason, noted) == ("nothing in allow of route orders names the peer", {"allow[1]"})
    assert said.would == set()


def test_one_that_nothing_needs_is_not_noted() -> None:
    assert decide(grants([{"spiffe": ETL}, {"spiffe": ETL} | SHADOW]), {}) == (None, set())


def test_nor_one_that_a_denial_in_force_would_refuse_all_the_same() -> None:
    reason, noted = decide(grants([{"spiffe": ETL} | SHADOW], [{"spiffe": ETL}]), {})
    assert (reason, noted) == ("deny[0] of route orders names the peer", set())


def test_one_that_would_have_stood_where_the_others_fell_is_noted() -> None:
    entries = grants([{"spiffe": ETL, "size": 10}, {"spiffe": ETL, "size": 20} | SHADOW])
    assert decide(entries, {"size": 15})[1] == {"allow[1]"}
    assert decide(entries, {"size": 25})[1] == set()


def test_the_clock_is_asked_again_when_a_denial_in_shadow_may_begin() -> None:
    until = (NOW + timedelta(hours=1)).isoformat()
    entry = {"when": {"not_before": until}} | SHADOW
    assert grants([{"spiffe": ETL}], [entry]).judge(asked()).until == NOW + timedelta(hours=1)


def test_the_trace_has_them_at_their_places() -> None:
    entries = grants([OTHER | SHADOW, {"spiffe": ETL}], [OTHER | SHADOW, OTHER])
    looked = [(each.rule, each.shadow, each.holds) for each in entries.trace(asked())]
    assert looked == [
        ("deny[0]", True, False),
        ("deny[1]", False, False),
        ("allow[0]", True, False),
        ("allow[1]", False, True),
    ]
