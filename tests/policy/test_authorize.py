"""Deny beats allow, every key of an entry must hold, and each fact can only take away."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.model import FOREVER, Certificate, Peer
from proxy.policy.authorize import Grants
from proxy.policy.entries import NOTHING, Facts
from proxy.policy.paths import compile_pattern, split
from proxy.policy.principals import matches
from proxy.policy.routes import Routes
from proxy.policy.window import Window
from proxy.settings.schema import Grant, Principal, Route, Settings
from tests.settings.example import changed

SCALE = ["public", "internal", "secret"]
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
ETL = "spiffe://acme/etl"


def peer(spiffe: str = ETL, pin: bytes = bytes(32), address: str = "10.1.2.3") -> Peer:
    certificate = Certificate(
        b"", (), b"", pin, "", "", 1, NOW, NOW, spiffe, (spiffe,), ("a.acme.example",)
    )
    return Peer(address, certificate=certificate)


def grants(allow: Sequence[dict[str, Any]], deny: Sequence[dict[str, Any]] = ()) -> Grants:
    shape = changed()["routes"][0] | {"allow": list(allow), "deny": list(deny)}
    return Grants(Route.model_validate(shape), SCALE)


def asked(method: str = "POST", path: str = "/orders/1", now: datetime = NOW) -> Facts:
    return Facts(peer(), now, method, split(path))


def reason(entries: Grants, facts: Facts, **learnt: Any) -> str:
    with pytest.raises(Refusal) as caught:
        entries.judge(facts).learn(**learnt)
    assert caught.value.code == "not-allowed"
    return caught.value.reason


def test_an_entry_falls_when_a_fact_comes_that_it_does_not_admit_and_another_takes_its_place() -> (
    None
):
    granted = grants([{"spiffe": ETL, "size": 10}, {"spiffe": ETL, "size": 20}]).judge(asked())
    assert granted.rule == "allow[0]"
    granted.learn(size=10)
    assert granted.rule == "allow[0]"
    granted.learn(size=11)
    assert granted.rule == "allow[1]"
    granted.learn(size=5)
    assert granted.rule == "allow[1]", "it never rises again"
    assert granted.facts.size == 11, "what was announced counts before it has come"
    with pytest.raises(Refusal, match=r"^not-allowed: allow\[1\] of route orders .*: size$"):
        granted.learn(size=21)


def test_the_first_entry_that_stands_is_named_however_it_is_found() -> None:
    exact, pattern = {"spiffe": ETL}, {"spiffe": "spiffe://acme/*"}
    for order in ([exact, pattern], [pattern, exact], [exact, exact, pattern]):
        granted = grants(order).judge(asked())
        assert [entry.place for entry in granted.allow] == list(range(len(order)))


def test_two_entries_do_not_make_one() -> None:
    both = grants([{"spiffe": ETL, "content": ["json"], "size": 10},
                   {"spiffe": ETL, "content": ["csv"], "size": 20}])  # fmt: skip
    granted = both.judge(asked())
    granted.learn(content="json", size=10)
    with pytest.raises(Refusal, match="size"):
        granted.learn(size=11)


def test_a_label_that_is_raised_above_the_ceiling_ends_the_grant() -> None:
    granted = grants([{"spiffe": ETL, "label": "internal"}]).judge(asked())
    granted.learn(label="internal")
    with pytest.raises(Refusal, match="label"):
        granted.learn(label="secret")


@pytest.mark.parametrize("label", ["secret", "unheard-of"])
def test_a_label_that_is_not_on_the_scale_is_above_it(label: str) -> None:
    assert "label" in reason(grants([{"spiffe": ETL, "label": "internal"}]), asked(), label=label)
    denied = grants([{"spiffe": ETL}], [{"label": "secret"}])
    assert "deny[0]" in reason(denied, asked(), label=label)


def test_a_denial_waits_until_all_its_keys_hold() -> None:
    entries = grants([{"spiffe": ETL}], [{"content": ["csv"], "size": 10}])
    granted = entries.judge(asked())
    granted.learn(size=11)
    granted.learn(content="json")
    assert granted.rule == "allow[0]"
    granted = entries.judge(asked())
    granted.learn(content="csv", size=10)
    with pytest.raises(Refusal, match=r"deny\[0\].*content, size"):
        granted.learn(size=11)


def test_what_has_no_content_is_below_every_ceiling_and_every_floor() -> None:
    every: dict[str, Any] = {"content": ["json"], "label": "public", "size": 1}
    granted = grants([{"spiffe": ETL, **every}], [every]).judge(asked())
    granted.learn(content=NOTHING, label=NOTHING, size=0)
    assert granted.rule == "allow[0]"


def test_what_is_known_already_is_judged_at_once() -> None:
    """As after a reload."""
    facts = replace(asked(), content="csv", size=11)
    assert "content" in reason(grants([{"spiffe": ETL, "content": ["json"]}]), facts)
    assert "deny[0]" in reason(grants([{"spiffe": ETL}], [{"size": 10}]), facts)


def test_whoever_may_send_nothing_now_may_be_granted_something() -> None:
    """A connection without a request: methods and paths are not known."""
    narrow = grants([{"spiffe": ETL, "methods": ["POST"], "paths": "/orders/1"}],
                    [{"methods": ["GET"]}, {"size": 1}])  # fmt: skip
    assert narrow.judge(Facts(peer(), NOW)).rule == "allow[0]"


def test_a_grant_lasts_until_a_window_may_change() -> None:
    ends, denied = {"until": "2026-11-24"}, {"hours": "12:00-13:00"}
    assert grants([{"spiffe": ETL}]).judge(asked()).until == FOREVER
    assert grants([{"spiffe": ETL, "when": ends}]).judge(asked()).until == datetime(
        2026, 11, 24, tzinfo=UTC
    )
    soon = grants([{"spiffe": ETL, "when": ends}], [{"when": denied}]).judge(asked())
    assert soon.until == datetime(2026, 11, 23, 12, tzinfo=UTC)
    other = grants([{"spiffe": ETL}], [{"spiffe": "spiffe://acme/x", "when": denied}])
    assert other.judge(asked()).until == FOREVER, "it is about somebody else"


def test_an_entry_without_a_peer_admits_nobody() -> None:
    with pytest.raises(ValueError, match=r"allow\[0\] names no peer"):
        grants([{"methods": ["GET"]}])


def test_every_entry_is_in_the_trace_with_each_key() -> None:
    entries = grants(
        [{"spiffe": "spiffe://acme/x"}, {"spiffe": ETL, "methods": ["GET", "POST"], "size": 5}],
        [{"spiffe": ETL, "when": {"until": "2026-01-01"}}],
    )
    told = [(each.rule, each.holds, dict(each.keys)) for each in entries.trace(asked())]
    assert told == [
        ("deny[0]", False, {"spiffe": True, "when": False}),
        ("allow[0]", False, {"spiffe": False}),
        ("allow[1]", None, {"spiffe": True, "methods": True, "size": None}),
    ]


# --- against the sentences of the manual ---------------------------------------------------------

SPIFFES = ["spiffe://acme/a", "spiffe://ACME/a", "spiffe://acme/b", "spiffe://acme/*"]
PATHS = ["/a", "/a/**", "/*/b", "/**/c", "/**", "/a/b"]
PINS = ["sha256:" + "A" * 43 + "=", "sha256:" + "B" * 42 + "A="]
whom = st.fixed_dictionaries({}, optional={
    "spiffe": st.lists(st.sampled_from(SPIFFES), min_size=1, max_size=2),
    "networks": st.sampled_from(["10.0.0.0/8", "192.0.2.0/24"]),
    "pins": st.sampled_from(PINS).map(lambda pin: [pin]),
    "dns": st.sampled_from(["a.acme.example", "*.acme.example", "b.acme.example"]),
})  # fmt: skip
what = st.fixed_dictionaries({}, optional={
    "methods": st.sets(st.sampled_from(["GET", "POST"]), min_size=1).map(sorted),
    "paths": st.lists(st.sampled_from(PATHS), min_size=1, max_size=2),
    "content": st.sets(st.sampled_from(["json", "csv"]), min_size=1).map(sorted),
    "label": st.sampled_from(SCALE),
    "size": st.integers(1, 4),
    "when": st.sampled_from([{"until": "2026-11-23T12:00Z"}, {"days": "tue"},
                             {"hours": "09:00-11:00"}]),
})  # fmt: skip
allows = st.tuples(whom.filter(bool), what).map(lambda two: two[0] | two[1])
denies = st.tuples(whom, what).map(lambda two: two[0] | two[1]).filter(bool)
routes = st.fixed_dictionaries({
    "match": st.fixed_dictionaries(
        {"path": st.sampled_from(PATHS)},
        optional={"methods": st.sets(st.sampled_from(["GET", "POST"]), min_size=1).map(sorted)},
    ),
    "allow": st.lists(allows, max_size=4),
    "deny": st.lists(denies, max_size=2),
})  # fmt: skip
requests = st.builds(
    Facts,
    st.builds(
        peer,
        st.sampled_from(["spiffe://acme/a", "spiffe://Acme/b", "spiffe://other/a"]),
        st.sampled_from([bytes(32), bytes(31) + b"\1"]),
        st.sampled_from(["10.1.1.1", "192.0.2.1", "198.51.100.1"]),
    ),
    st.integers(0, 47).map(lambda hour: NOW + timedelta(hours=hour)),
    st.sampled_from(["GET", "POST", "PUT"]),
    st.sampled_from(["/a", "/a/b", "/x/b", "/a/c", "/b/c", "/", "/a/"]).map(split),
    st.sampled_from(["json", "csv", "opaque"]),
    st.sampled_from(SCALE),
    st.integers(0, 5),
)


def holds(entry: Grant, facts: Facts, *, denies: bool) -> bool:
    """Every key, by itself, in the order of the manual."""
    who = {key: getattr(entry, key) for key in Principal.model_fields if getattr(entry, key)}
    rank, size = SCALE.index(facts.label or ""), facts.size or 0
    said = [not who or matches(facts.peer, Principal.model_validate(who))]
    if entry.methods:
        said.append(facts.method in entry.methods)
    if entry.paths:
        path = facts.path or ()
        said.append(any(compile_pattern(text).matches_segments(path) for text in entry.paths))
    if entry.content:
        said.append(facts.content in entry.content)
    if entry.label:
        bound = SCALE.index(entry.label)
        said.append(rank >= bound if denies else rank <= bound)
    if entry.size:
        said.append(size > entry.size if denies else size <= entry.size)
    if entry.when:
        said.append(Window(entry.when, denies=denies).holds(facts.now))
    return all(said)


def naive(settings: Settings, facts: Facts) -> tuple[str, str] | None:
    """(route, entry) that decides for it; None where nothing does."""
    for route in settings.routes:
        methods, path = route.match.methods, compile_pattern(route.match.path or "")
        if (methods and facts.method not in methods) or not path.matches_segments(facts.path or ()):
            continue
        if any(holds(entry, facts, denies=True) for entry in route.deny):
            return None
        for index, entry in enumerate(route.allow):
            if holds(entry, facts, denies=False):
                return route.name, f"allow[{index}]"
        return None
    return None


def compiled(settings: Settings, facts: Facts, *, whole: bool) -> tuple[str, str] | None:
    """The same by what runs: told all at once, or as a transfer learns it."""
    path = "/" + b"/".join(facts.path or ()).decode()
    first = facts if whole else Facts(facts.peer, facts.now, facts.method, facts.path)
    try:
        route = Routes(settings).find("in", facts.method or "", path)
        granted = Grants(route, SCALE).judge(replace(first))
        if not whole:
            granted.learn(content=facts.content)
            for rank in range(SCALE.index(facts.label or "") + 1):
                granted.learn(label=SCALE[rank])
            for size in range((facts.size or 0) + 1):
                granted.learn(size=size)
    except Refusal:
        return None
    return route.name, granted.rule


@given(st.lists(routes, min_size=1, max_size=4), st.lists(requests, min_size=1, max_size=8))
def test_what_is_compiled_decides_as_the_sentences_do(
    shapes: list[dict[str, Any]], facts: list[Facts]
) -> None:
    base = changed()
    base["routes"] = [
        base["routes"][0] | shape | {"name": f"r{index}"} for index, shape in enumerate(shapes)
    ]
    settings = Settings.model_validate(base)
    for each in facts:
        expected = naive(settings, each)
        assert compiled(settings, each, whole=True) == expected
        assert compiled(settings, each, whole=False) == expected
        if expected is not None:
            route = next(route for route in settings.routes if route.name == expected[0])
            told = Grants(route, SCALE).trace(each)
            assert next(look.rule for look in told if look.holds) == expected[1]
