"""Paths that are not normal are refused; patterns match whole segments."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.policy.paths import compile_pattern, require_normal


@pytest.mark.parametrize(
    "path",
    ["/", "/orders", "/orders/", "/a/b.c", "/a/...", "/a;b=1/c", "/%20", "/caf%C3%A9", "/a%40b",
     "/a@b:c", "/100%25", "/~x", "/*", "/.well-known/x", "/a..b", "/%25252F"],
)  # fmt: skip
def test_a_normal_path_passes(path: str) -> None:
    require_normal(path)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "no /"), ("orders", "no /"), ("*", "no /"), ("http://x/", "no /"),
        ("//", "empty segment"), ("/a//b", "empty segment"), ("/a//", "empty segment"),
        ("/.", "dot segment"), ("/..", "dot segment"), ("/a/../b", "dot segment"),
        ("/a/./b", "dot segment"), ("/a/..;x/b", "dot segment"), ("/.;/b", "dot segment"),
        ("/%2e%2e/b", "small letters"), ("/%2E%2E/b", "needs no encoding"),
        ("/%41", "needs no encoding"), ("/%7E", "needs no encoding"), ("/a%2Db", "needs no"),
        ("/a%2Fb", "encoded slash"), ("/a%2fb", "small letters"), ("/a%5Cb", "encoded slash"),
        ("/a%00", "control"), ("/a%0D%0Ab", "control"), ("/a%7F", "control"),
        ("/a\\b", "may not hold"), ("/a b", "may not hold"), ("/a?b", "may not hold"),
        ("/a#b", "may not hold"), ("/a%", "may not hold"), ("/a%2", "may not hold"),
        ("/a%GG", "may not hold"), ("/a\x00", "may not hold"), ("/caf\u00e9", "may not hold"),
        ("/a\n", "may not hold"), ('/a"b', "may not hold"), ("/a|b", "may not hold"),
        ("/caf%c3%a9", "small letters"), ("/%C0%AF", "not UTF-8"), ("/%E9", "not UTF-8"),
        ("/%C3/%A9", "not UTF-8"),
    ],
)  # fmt: skip
def test_a_path_that_is_not_normal_is_refused(path: str, reason: str) -> None:
    with pytest.raises(Refusal, match="path-not-normal") as caught:
        require_normal(path)
    assert reason in caught.value.reason


@given(st.text(max_size=30) | st.text("/.%25EeFf2Ca;~\\", max_size=12).map(lambda text: "/" + text))
def test_any_path_is_normal_or_refused_and_a_normal_one_has_one_spelling(path: str) -> None:
    try:
        require_normal(path)
    except Refusal:
        return
    assert path.startswith("/")
    assert not re.search(r"//|%2F|%2f|\\|/\.\.?(/|;|$)", path)
    for digits in re.findall("%(..)", path):
        assert digits == digits.upper()
        assert not re.fullmatch("[A-Za-z0-9._~-]", chr(int(digits, 16)))


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("/", ["/"], ["/a"]),
        ("/orders", ["/orders"], ["/orders/", "/orders/7", "/Orders", "/"]),
        ("/orders/", ["/orders/"], ["/orders"]),
        ("/orders/*", ["/orders/7", "/orders/%2C"], ["/orders", "/orders/", "/orders/7/x"]),
        (
            "/orders/**",
            ["/orders", "/orders/", "/orders/7", "/orders/7/x/"],
            ["/order", "/ordersx"],
        ),
        ("/**", ["/", "/a", "/a/b/"], []),
        ("/**/x", ["/x", "/a/x", "/a/b/x", "/x/x"], ["/", "/x/", "/xx"]),
        ("/a/**/b/*/c", ["/a/b/1/c", "/a/b/b/b/1/c"], ["/a/b/c", "/a/1/c"]),
        ("/**/a/**/b", ["/a/b", "/x/a/y/b", "/a/a/b/b"], ["/b/a", "/a"]),
        ("/a@b", ["/a@b", "/a%40b"], []),
        ("/%2A", ["/*", "/%2A"], ["/a"]),
    ],
)
def test_a_pattern_matches_whole_segments(pattern: str, yes: list[str], no: list[str]) -> None:
    compiled = compile_pattern(pattern)
    assert [path for path in yes if not compiled.matches(path)] == []
    assert [path for path in no if compiled.matches(path)] == []


def naive(pattern: list[str], path: list[str]) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(naive(pattern[1:], path[cut:]) for cut in range(len(path) + 1))
    return bool(path) and (
        ((pattern[0] == "*" and path[0] != "") or pattern[0] == path[0])
        and naive(pattern[1:], path[1:])
    )


def test_every_small_pattern_agrees_with_the_definition() -> None:
    paths = [
        list(path) for size in range(1, 5) for path in itertools.product("ab", repeat=size)
    ] + [[""], ["a", ""], ["b", "a", ""]]
    for size in range(1, 5):
        for pattern in itertools.product(["a", "b", "*", "**"], repeat=size):
            compiled = compile_pattern("/" + "/".join(pattern))
            for path in paths:
                assert compiled.matches("/" + "/".join(path)) == naive(list(pattern), path)


def test_a_hostile_path_costs_no_more_than_pattern_times_path() -> None:
    compiled = compile_pattern("/**/a" * 20 + "/b")
    assert not compiled.matches("/a" * 10_000)


@pytest.mark.parametrize("pattern", ["", "a", "/a*", "/***", "/a//b", "/../a", "/%41"])
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"normal form|whole segments"):
        compile_pattern(pattern)
