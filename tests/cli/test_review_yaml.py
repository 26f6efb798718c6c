"""Entries of `allow` written anew: they mean what is meant, and all else stays as it was."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cli.review_yaml import flow, rewritten
from proxy.settings.yaml12 import parse

FILE = """\
# above
routes:
  - name: a   # first
    allow:
      # who
      - spiffe: spiffe://acme/*  # lockgate: allow wildcard-principal meant
        methods: [GET,
          POST]
      - {spiffe: "spiffe://acme/b", size: 1MB}   # second
      # before the third
      - cn: c

    # after
    upstream: x
  - {name: b, allow: [{cn: d}, {cn: e, methods: [GET]}], upstream: y}
  - name: c
    allow: []
    upstream: z
"""


def read(text: str) -> Any:
    data: Any = parse(text.encode(), "x").data
    return [route["allow"] for route in data["routes"]]


OLD = read(FILE)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, OLD),
        ({0: {1: {"cn": "new"}}}, [[OLD[0][0], {"cn": "new"}, OLD[0][2]], *OLD[1:]]),
        ({0: {0: {"cn": "new"}}}, [[{"cn": "new"}, *OLD[0][1:]], *OLD[1:]]),
        ({0: {0: None}}, [OLD[0][1:], *OLD[1:]]),
        ({0: {1: None}}, [[OLD[0][0], OLD[0][2]], *OLD[1:]]),
        ({0: {2: None}}, [OLD[0][:2], *OLD[1:]]),
        ({0: {0: None, 1: {"cn": "new"}, 2: None}}, [[{"cn": "new"}], *OLD[1:]]),
        ({0: dict.fromkeys(range(3))}, [[], *OLD[1:]]),
        ({1: {0: None}}, [OLD[0], OLD[1][1:], []]),
        ({1: {1: {"cn": "new"}}}, [OLD[0], [OLD[1][0], {"cn": "new"}], []]),
        ({1: {0: None, 1: None}}, [OLD[0], [], []]),
        ({0: {2: {"cn": "x"}}, 1: {0: {"cn": "y"}}},
         [[*OLD[0][:2], {"cn": "x"}], [{"cn": "y"}, OLD[1][1]], []]),
    ],
)  # fmt: skip
def test_what_changes_changes_and_nothing_else(
    changes: dict[int, Any], expected: list[list[Any]]
) -> None:
    text = rewritten(FILE, changes)
    assert read(text) == expected
    for line in (
        "# above",
        "  - name: a   # first",
        "    # after\n    upstream: x",
        "upstream: y}",
    ):
        assert line in text


def test_comments_go_with_the_lines_of_an_entry_alone() -> None:
    text = rewritten(FILE, {0: {1: None, 2: {"cn": "new"}}})
    assert re.findall("#.*", text) == re.findall("#.*", FILE.replace("   # second", ""))
    text = rewritten(FILE, {0: {1: {"cn": "new"}}})
    assert text == FILE.replace('{spiffe: "spiffe://acme/b", size: 1MB}', "{cn: new}")


@pytest.mark.parametrize("entry", [{"cn": "new"}, None])
def test_an_entry_may_begin_below_its_dash(entry: dict[str, str] | None) -> None:
    text = "routes:\n- allow:\n  -\n    cn: a\n    ou: b\n  -\n    cn: c\n  name: x\n"
    for place, kept in ((0, {"cn": "c"}), (1, {"cn": "a", "ou": "b"})):
        changed = read(rewritten(text, {0: {place: entry}}))
        expected = [kept, *([entry] if entry else [])]
        assert sorted(changed[0], key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("entry", [{"cn": "new"}, None])
def test_text_in_a_block_ends_before_what_follows_it(entry: dict[str, str] | None) -> None:
    text = "routes:\n  - allow:\n      - cn: a\n      - cn: |-\n          b\n\n    name: x\n"
    changed = rewritten(text, {0: {1: entry}})
    assert read(changed) == [[{"cn": "a"}, *([entry] if entry else [])]]
    assert changed.endswith("\n    name: x\n")


def test_a_file_without_a_last_newline_is_rewritten() -> None:
    text = "routes:\n  - name: a\n    allow:\n      - {cn: a}\n      - {cn: b}"
    assert read(rewritten(text, {0: {1: None}})) == [[{"cn": "a"}]]
    assert read(rewritten(text, {0: {0: {"cn": "x"}}})) == [[{"cn": "x"}, {"cn": "b"}]]


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co", "Cn"]), max_size=9)
    | st.sampled_from(["null", "off", "1e3", "0x1f", "22:00", "~", "16KiB", "No", "a: b", "x #y"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["when", "not_before", "size"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(VALUES)
def test_a_value_on_one_line_is_read_as_what_it_is(value: object) -> None:
    data: Any = parse(f"x: {flow(value)}\n".encode(), "x").data
    assert data == {"x": value}
