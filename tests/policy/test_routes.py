"""The first route that matches decides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.policy.paths import compile_pattern, split
from proxy.policy.routes import Routes
from proxy.policy.tree import Tree
from tests.settings.example import Data, changed, put, settings

ROUTE = changed()["routes"][0]
LISTENERS = {name: {"bind": f"unix:{name}", "zone": "far"} for name in ("one", "two")}


def route(name: str, listener: str, path: str, methods: list[str] | None = None) -> object:
    match = {"path": path} | ({"methods": methods} if methods else {})
    return ROUTE | {"name": name, "listener": listener, "match": match}


ROUTES = Routes(
    settings(
        put("listeners", LISTENERS),
        put(
            "routes",
            [
                route("exact", "one", "/a/b"),
                route("reads", "one", "/a/**", ["GET"]),
                route("rest", "one", "/a/*"),
                route("late", "one", "/a/b"),
                route("other", "two", "/**"),
            ],
        ),
    )
)


@pytest.mark.parametrize(
    ("listener", "method", "path", "name"),
    [
        ("one", "GET", "/a/b", "exact"),
        ("one", "GET", "/a/c", "reads"),
        ("one", "GET", "/a", "reads"),
        ("one", "POST", "/a/c", "rest"),
        ("two", "GET", "/a/b", "other"),
    ],
)
def test_the_first_match_decides(listener: str, method: str, path: str, name: str) -> None:
    assert ROUTES.find(listener, method, path).name == name


@pytest.mark.parametrize(
    ("listener", "method", "path"),
    [("one", "POST", "/a"), ("one", "get", "/a"), ("one", "HEAD", "/a"), ("one", "GET", "/x"),
     ("none", "GET", "/a/b"), ("", "GET", "/a/b")],
)  # fmt: skip
def test_what_nothing_matches_is_refused(listener: str, method: str, path: str) -> None:
    with pytest.raises(Refusal) as caught:
        ROUTES.find(listener, method, path)
    assert caught.value.code == "no-route"
    assert caught.value.status == 404


def test_a_malformed_pattern_shows_when_routes_are_made() -> None:
    with pytest.raises(ValueError, match="whole segments"):
        Routes(settings(put("routes.0.match.path", "/a*")))


# --- tunnels -------------------------------------------------------------------------------------


def tunnels(*names: list[str] | None) -> Routes:
    """Routes of a tcp listener; each is called by its place, and takes these server names."""

    def change(data: Data) -> None:
        data["listeners"]["in"]["protocol"] = "tcp"
        (route,) = data["routes"]
        data["routes"] = [
            route | {"name": f"r{place}", "match": {"sni": each} if each else {}}
            for place, each in enumerate(names)
        ]

    return Routes(settings(change))


@pytest.mark.parametrize(
    ("name", "route"),
    [
        ("a.example", "r0"),
        ("A.Example", "r0"),
        ("x.b.example", "r1"),
        ("b.example", "r2"),
        ("x.y.b.example", "r2"),
        ("a.example.", "r2"),
        ("axexample", "r2"),
        ("*.b.example", "r2"),
        ("", "r2"),
        (None, "r2"),
    ],
)
def test_the_first_route_that_takes_the_server_name_decides(name: str | None, route: str) -> None:
    routes = tunnels(["a.example"], ["*.b.example", "a.example"], None)
    assert routes.find_tunnel("in", name).name == route


@pytest.mark.parametrize("name", ["b.example", "", None])
def test_a_server_name_that_no_route_takes_has_no_route(name: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        tunnels(["a.example"]).find_tunnel("in", name)
    assert caught.value.code == "no-route"


def test_a_listener_of_messages_has_no_tunnels_and_the_other_way_round() -> None:
    with pytest.raises(Refusal):
        Routes(settings()).find_tunnel("in", None)
    with pytest.raises(Refusal):
        tunnels(None).find("in", "POST", "/orders/1")


SEGMENTS = st.sampled_from(["a", "b", "c", "*", "**"])
WRITTEN = st.lists(SEGMENTS, min_size=1, max_size=5).map(lambda each: "/" + "/".join(each))
ASKED = st.lists(st.sampled_from(["a", "b", "c"]), max_size=6).map("/".join)


@given(
    st.lists(st.tuples(WRITTEN, st.sampled_from([None, "GET", "POST"])), max_size=12),
    ASKED,
    st.booleans(),
)
def test_the_tree_finds_what_one_pattern_after_the_other_does(
    written: list[tuple[str, str | None]], asked: str, slash: bool
) -> None:
    path = f"/{asked}/" if asked and slash else f"/{asked}"
    patterns = [(compile_pattern(text), {method} if method else None) for text, method in written]
    tree = Tree((each.segments, frozenset(named) if named else None) for each, named in patterns)
    scanned = [
        number
        for number, (each, named) in enumerate(patterns)
        if (named is None or "GET" in named) and each.matches(path)
    ]
    assert tree.first("GET", split(path)) == next(iter(scanned), None)
