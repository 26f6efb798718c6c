"""Where the line is between what is warned of and what is not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import ConfigError
from proxy.policy.paths import compile_pattern
from proxy.settings.lint_grants import lint_ends
from proxy.settings.lint_shadows import covers
from proxy.settings.mistakes import Mistakes
from tests.settings.example import PIN, Change, changed, loaded, mistakes, put, warned

PATHS = st.lists(st.sampled_from(["a", "b", "*", "**"]), min_size=1, max_size=4).flatmap(
    lambda segments: st.sampled_from([segments, [*segments, ""]])
)
CONCRETE = st.lists(st.sampled_from(["a", "b", "c"]), max_size=6).flatmap(
    lambda segments: st.sampled_from([segments, [*segments, ""]] if segments else [[""]])
)


def codes(folder: Path, *changes: Change) -> list[tuple[str, str]]:
    return [(each.code, each.path) for each in warned(loaded(folder, *changes))]


def granted(entry: object) -> Change:
    return put("routes.0.allow", [entry])


# --- grants --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mine", "bound", "said"),
    [
        ({"rate": "10/s"}, {"rate": "10/s"}, ["rate"]),
        ({"rate": "600/m"}, {"rate": "9/s"}, ["rate"]),
        ({"rate": "10/s"}, {"rate": "10/s burst 20"}, []),
        ({"rate": "9/s"}, {"rate": "10/s"}, []),
        ({"volume": "2GiB/day"}, {"volume": "1GiB/day"}, ["volume"]),
        ({"volume": "2GiB/day"}, {"rate": "1/day"}, []),
    ],
)
def test_a_pace_that_the_route_never_lets_anybody_reach_means_nothing(
    tmp_path: Path, mine: dict[str, str], bound: dict[str, str], said: list[str]
) -> None:
    entry = put("routes.0.allow", [{"spiffe": "spiffe://acme/etl/*"} | mine])
    found = codes(tmp_path, entry, put("routes.0.limits", bound))
    assert found == [("means-nothing", f"routes[0].allow[0].{key}") for key in said]


@pytest.mark.parametrize(
    "entry",
    [
        {"spiffe": "spiffe://acme/**"},
        {"spiffe": "spiffe://acme/*"},
        {"spiffe": "spiffe://acme/*/**"},
        {"spiffe": ["spiffe://acme/etl", "spiffe://acme/**"]},
        {"dns": "*.com"},
        {"uri": "urn:*"},
        {"uri": "https://acme.example/*"},
        {"networks": "0.0.0.0/0"},
        {"networks": ["10.0.0.0/8", "::/0"]},
        {"networks": ["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/2"]},
        {"ip": "::/0"},
        {"spiffe": "spiffe://acme/**", "networks": "0.0.0.0/0"},
    ],
)
def test_an_entry_that_names_everybody_is_warned_of(tmp_path: Path, entry: object) -> None:
    assert codes(tmp_path, granted(entry)) == [("wildcard-principal", "routes[0].allow[0]")]
    assert codes(tmp_path, granted({"pins": [PIN]}), put("routes.0.deny", [entry])) == []


@pytest.mark.parametrize(
    "entry",
    [
        {"spiffe": "spiffe://acme/etl/**"},
        {"spiffe": "spiffe://acme/*/etl"},
        {"spiffe": "spiffe://acme/a*"},
        {"spiffe": "spiffe://acme/**", "pins": [PIN]},
        {"spiffe": "spiffe://acme/**", "networks": "10.0.0.0/8"},
        {"spiffe": "spiffe://acme/etl", "networks": "0.0.0.0/0"},
        {"dns": "*.example.com"},
        {"dns": "localhost"},
        {"uri": "urn:acme:*"},
        {"networks": ["0.0.0.0/1", "128.0.0.0/2"]},
        {"cn": "a*", "pins": [PIN]},
    ],
)
def test_one_that_some_key_narrows_is_not(tmp_path: Path, entry: object) -> None:
    assert codes(tmp_path, granted(entry)) == []


def test_whom_an_upstream_has_to_be_is_looked_at_as_well(tmp_path: Path) -> None:
    change = put("upstreams.out.peer", {"spiffe": "spiffe://acme/**"})
    assert codes(tmp_path, change) == [("wildcard-principal", "upstreams.out.peer")]


@pytest.mark.parametrize("key", ["cn", "ou"])
def test_a_subject_needs_something_stronger_beside_it(tmp_path: Path, key: str) -> None:
    assert codes(tmp_path, granted({key: "etl"})) == [("subject-only", "routes[0].allow[0]")]
    assert codes(tmp_path, granted({key: "etl", "networks": "10.0.0.0/8"})) != []
    assert codes(tmp_path, granted({key: "etl", "dns": "a.example"})) == []


# --- upstreams and zones -------------------------------------------------------------------------


def test_an_upstream_is_unpinned_where_it_has_tls_and_no_pins(tmp_path: Path) -> None:
    def unpinned(*changes: Change) -> list[str]:
        found = loaded(tmp_path, *changes).warnings
        return [each.path for each in found if each.code == "unpinned-upstream"]

    assert unpinned() == ["upstreams.out"]
    assert unpinned(put("upstreams.out.peer", {"spiffe": "spiffe://acme/out"})) == ["upstreams.out"]
    assert unpinned(put("upstreams.out.pins", [PIN])) == []
    assert unpinned(put("upstreams.out.endpoints", ["http://127.0.0.1:80"])) == []


@pytest.mark.parametrize(
    ("way", "far", "downhill"),
    [("response", "internal", True), ("request", "internal", False), ("response", "secret", False)],
)
def test_opaque_content_is_warned_of_on_its_way_to_less_clearance(
    tmp_path: Path, way: str, far: str, downhill: bool
) -> None:
    policy = {"content": ["opaque"], "label": "public"}
    changes = [put(f"routes.0.{way}", policy), put("zones.far.clearance", far)]
    warnings = loaded(tmp_path, *changes).warnings
    found = [each.path for each in warnings if each.code == "opaque-downhill"]
    assert found == ([f"routes[0].{way}.content"] if downhill else [])


# --- routes that shadow others -------------------------------------------------------------------


def route(name: str, match: dict[str, Any]) -> dict[str, Any]:
    usual: dict[str, Any] = changed()["routes"][0]
    return usual | {"name": name, "match": match}


@pytest.mark.parametrize(
    ("first", "second", "third", "by"),
    [
        ({"path": "/**"}, {"path": "/a/*"}, None, "r0"),
        ({"path": "/*/b"}, {"path": "/a/b", "methods": ["GET"]}, None, "r0"),
        ({"path": "/a/**"}, {"path": "/a/**/b/*"}, None, "r0"),
        (
            {"path": "/a/**", "methods": ["GET"]},
            {"path": "/a/*", "methods": ["POST", "PUT"]},
            {"path": "/a/b", "methods": ["GET", "PUT"]},
            "r0, r1",
        ),
    ],
)
def test_a_route_of_which_earlier_ones_leave_nothing_is_warned_of(
    tmp_path: Path, first: Any, second: Any, third: Any, by: str
) -> None:
    matches = [match for match in (first, second, third) if match is not None]
    routes = [route(f"r{at}", match) for at, match in enumerate(matches)]
    (found,) = warned(loaded(tmp_path, put("routes", routes)))
    assert found.code == "shadowed-route"
    assert found.path == f"routes[{len(matches) - 1}].match"
    assert found.message.endswith(f"before it, {by}")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"path": "/a/*"}, {"path": "/**"}),
        ({"path": "/a/*"}, {"path": "/a/**"}),
        ({"path": "/a/*"}, {"path": "/a/"}),
        ({"path": "/a/*/**"}, {"path": "/a/**"}),
        ({"path": "/**", "methods": ["GET"]}, {"path": "/a"}),
        ({"path": "/**", "methods": ["GET"]}, {"path": "/a", "methods": ["GET", "HEAD"]}),
        ({"path": "/b/**"}, {"path": "/a/**"}),
    ],
)
def test_one_that_is_left_something_is_not(tmp_path: Path, first: Any, second: Any) -> None:
    routes = [route("first", first), route("second", second)]
    assert codes(tmp_path, put("routes", routes)) == []


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (["*.example.com"], ["a.example.com", "B.example.com"], True),
        (["*.example.com", "b.example"], ["a.example.com", "b.example"], True),
        (["*.example.com"], ["a.example.com", "example.com"], False),
        (["*.example.com"], ["a.b.example.com"], False),
    ],
)
def test_tunnels_are_shadowed_by_server_name(
    tmp_path: Path, first: list[str], second: list[str], found: bool
) -> None:
    opaque = {"content": ["opaque"], "label": "public"}
    routes = [
        route(name, {"sni": names}) | {"request": opaque}
        for name, names in (("first", first), ("second", second))
    ]
    changes = [
        put("listeners.in.protocol", "tcp"),
        put("upstreams.out.endpoints", ["tls://receiver.example:1"]),
        put("keys", {}),
        put("routes", routes),
    ]
    expected = [("shadowed-route", "routes[1].match")] if found else []
    assert codes(tmp_path, *changes) == expected


def test_routes_of_another_listener_take_nothing(tmp_path: Path) -> None:
    routes = [route("a", {"path": "/**"}), route("b", {"path": "/b"}) | {"listener": "x"}]
    other = put("listeners.x", {"bind": "127.0.0.1:1", "zone": "far"})
    assert codes(tmp_path, other, put("routes", routes)) == []


@given(PATHS, PATHS, st.lists(CONCRETE, max_size=20))
def test_a_pattern_covers_another_only_if_it_takes_all_that_the_other_takes(
    earlier: list[str], later: list[str], paths: list[list[str]]
) -> None:
    one, other = (compile_pattern("/" + "/".join(each)) for each in (earlier, later))
    if covers(tuple(earlier), tuple(later)):
        texts = ["/" + "/".join(path) for path in paths]
        assert all(one.matches(text) for text in texts if other.matches(text))


@given(PATHS, PATHS)
def test_and_always_if_it_does_so_for_all_short_paths(earlier: list[str], later: list[str]) -> None:
    one, other = (compile_pattern("/" + "/".join(each)) for each in (earlier, later))
    if not covers(tuple(earlier), tuple(later)):
        assert any(other.matches(text) and not one.matches(text) for text in SHORT)


def every(length: int) -> list[str]:
    if not length:
        return [""]
    return [f"{begin}/{name}" for begin in every(length - 1) for name in ("a", "b", "c")]


SHORT = [
    text + end
    for length in range(7)
    for text in every(length)
    for end in ("", "/")
    if text + end
]  # fmt: skip


# --- what means nothing, and what is weak --------------------------------------------------------


def test_hygiene_and_bounds_of_the_default_are_not_weak(tmp_path: Path) -> None:
    strict = put("hygiene", {"lifetime": "refuse", "two_identities": "report"})
    assert codes(tmp_path, strict, put("identity.max_lifetime", "398d")) == []


def test_a_receipt_in_the_log_is_all_that_a_tunnel_can_have(tmp_path: Path) -> None:
    opaque = {"content": ["opaque"], "label": "public"}
    tunnel = changed()["routes"][0] | {"receipt": "log", "request": opaque}
    del tunnel["match"]
    changes = [
        put("listeners.in.protocol", "tcp"),
        put("upstreams.out.endpoints", ["tls://receiver.example:1"]),
        put("routes", [tunnel]),
        put("keys", {}),
    ]
    assert mistakes(tmp_path, changed(*changes)) == []
    assert codes(tmp_path, *changes) == []


def test_a_likelihood_means_nothing_where_nothing_is_searched_for(tmp_path: Path) -> None:
    change = put("routes.0.request.likelihood", "very_likely")
    assert codes(tmp_path, change) == [("means-nothing", "routes[0].request.likelihood")]


def test_a_grant_that_ends_too_late_has_the_code_of_one_without_end(tmp_path: Path) -> None:
    grant = {"spiffe": "spiffe://acme/etl", "when": {"until": "2999-01-01"}}
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, granted(grant), put("policy.grants_expire_within", "90d"))
    (problem,) = caught.value.problems
    assert (problem.code, problem.severity) == ("grant-without-end", "error")


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ([None], "the only grant has no end"),
        (["2999-01-01", None, None], "2 of 3 grants have no end"),
        (["2999-01-01"], ""),
    ],
)
def test_grants_without_an_end_are_told_once_where_no_policy_asks_for_ends(
    tmp_path: Path, ends: list[str | None], said: str
) -> None:
    grants = [
        {"spiffe": f"spiffe://acme/{number}"} | ({"when": {"until": end}} if end else {})
        for number, end in enumerate(ends)
    ]
    found = [
        (each.severity, each.path, each.message)
        for each in loaded(tmp_path, put("routes.0.allow", grants)).warnings
        if each.code == "endless-grants"
    ]
    told = f"{said}: `policy.grants_expire_within` would ask for one"
    assert found == ([("note", "routes", told)] if said else [])


def test_grants_within_the_policy_are_not_told_of_again(tmp_path: Path) -> None:
    end = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    grant = {"spiffe": "spiffe://acme/etl", "when": {"until": end}}
    found = loaded(tmp_path, granted(grant), put("policy.grants_expire_within", "90d")).warnings
    assert "endless-grants" not in [each.code for each in found]


def test_tls_is_weak_only_where_there_is_any(tmp_path: Path) -> None:
    tls = {"minimum": "1.2", "groups": ["x25519"]}
    for place in ("listeners.in.tls", "upstreams.out.tls"):
        shown = place.removesuffix(".tls")
        assert codes(tmp_path, put(place, tls)) == [
            ("tls-below-1.3", f"{shown}.tls.minimum"),
            ("no-hybrid-group", f"{shown}.tls.groups"),
        ]
    plain = put("upstreams.out.endpoints", ["http://127.0.0.1:80"])
    assert codes(tmp_path, plain, put("upstreams.out.tls", tls)) == []


# --- grants that have ended ----------------------------------------------------------------------


@pytest.mark.parametrize("key", ["allow", "deny"])
def test_an_entry_is_told_of_from_the_moment_on_at_which_it_ends(tmp_path: Path, key: str) -> None:
    when = {"until": "2027-01-01", "timezone": "Europe/Berlin"}
    entry = {"spiffe": "spiffe://acme/old", "when": when}
    found = loaded(tmp_path, put(f"routes.0.{key}", [entry]))
    end = datetime(2026, 12, 31, 23, tzinfo=UTC)
    for moment, ended in ((end - timedelta(seconds=1), False), (end, True)):
        notes = Mistakes("f", found.marks)
        lint_ends(found.settings, notes, moment)
        expected = [f"routes[0].{key}[0].when.until"] if ended else []
        assert [each.path for each in notes.problems] == expected


def test_patterns_that_would_need_too_long_a_look_take_nothing() -> None:
    many = ("**", "a", *["*"] * 20)
    assert not covers(many, many), "though it does"
    assert covers(("**",), many[:8])


# --- rules in shadow -----------------------------------------------------------------------------


def test_rules_in_shadow_are_told_and_those_of_which_none_is_in_force(tmp_path: Path) -> None:
    shaded = {"spiffe": "spiffe://acme/b", "shadow": True}
    named = {"spiffe": "spiffe://acme/a"}
    note = ("in-shadow", "routes[0].allow[1].shadow")
    assert codes(tmp_path, put("routes.0.allow", [named, shaded])) == [note]
    assert codes(tmp_path, put("routes.0.allow", [shaded])) == [("admits-nobody", "routes[0]")]
    denied = [("in-shadow", "routes[0].deny[0].shadow")]
    assert codes(tmp_path, put("routes.0.deny", [{"methods": ["POST"], "shadow": True}])) == denied
    mask = "routes.0.request.mask.0.shadow"
    detect = put("routes.0.request.detect", [{"type": "iban", "action": "redact"}])
    assert codes(tmp_path, put(mask, True)) == [("only-in-shadow", "routes[0].request")]
    assert codes(tmp_path, put(mask, True), detect) == [
        ("in-shadow", "routes[0].request.mask[0].shadow")
    ]


def test_shadow_alone_names_nobody(tmp_path: Path) -> None:
    for key in ("allow", "deny"):
        found = mistakes(tmp_path, changed(put(f"routes.0.{key}", [{"shadow": True}])))
        assert [path for path, _ in found] == [f"routes[0].{key}[0]"]
