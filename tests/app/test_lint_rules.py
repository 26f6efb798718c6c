"""Which masks and detections can never match, compared with what masking does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.app.lint import _kept, _living, findings
from proxy.content.paths import UNBOUNDED, Automaton
from proxy.content.segments import parse
from proxy.settings.load import load_octets
from proxy.settings.schema import ContentPolicy
from tests.settings.example import Change, loaded, put

PATHS = st.lists(
    st.lists(
        st.sampled_from([".a", ".b", "[*]", "..a", "..*", "[0]", "['a','b']"]), max_size=3
    ).map(lambda steps: "$" + "".join(steps)),
    min_size=1,
    max_size=4,
)
DOCUMENTS = st.lists(st.sampled_from(["a", "b", "c", 0, 1]), max_size=5)


def never(folder: Path, policy: dict[str, Any], *changes: Change) -> list[tuple[str, str]]:
    """(place in the policy, code) of what is found of its rules."""
    content = {"content": ["json"]} | policy
    found = findings(loaded(folder, put("routes.0.request", content), put("keys", {}), *changes))
    begin = "routes[0].request."
    return [
        (each.path.removeprefix(begin), each.code)
        for each in found
        if each.path.startswith((f"{begin}mask", f"{begin}detect"))
    ]


def masked(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"mask": [{"action": "redact"} | rule for rule in rules]}


def paths(*texts: str) -> dict[str, Any]:
    return masked(*({"path": text} for text in texts))


@pytest.mark.parametrize(
    ("texts", "dead"),
    [
        (["$.a", "$.a"], [1]),
        (["$.a", "$['a']"], [1]),
        (["$.a", "$.a.b"], [1]),
        (["$.a.b", "$.a"], [0]),
        (["$..a", "$.b.a"], [1]),
        (["$.b.a", "$..a"], []),
        (["$.*", "$..a"], [1]),
        (["$..a", "$.*"], []),
        (["$.a[*]", "$.a[0]"], [1]),
        (["$.a[0]", "$.a[*]"], []),
        (["$[0:2]", "$[1]"], [1]),
        (["$[0:2]", "$[2]"], []),
        (["$[0:2]", "$[-1]"], []),
        (["$[:1]", "$[1:]", "$[-1]"], [2]),
        (["$[::2]", "$[1::2]", "$[7].a"], [2]),
        (["$[::2]", "$[-3]"], []),
        (["$[0:2000]", "$[1999]", "$[2000]"], [1]),
        (["$[0]", "$[0:2][1]"], []),
        (["$..[0:2]", "$.a[1]"], [1]),
        (["$['a','b']", "$.a", "$.b", "$.c"], [1, 2]),
        (["$.a", "$.b", "$['a','b']"], [2]),
        (["$", "$.a", "$..b"], [1, 2]),
    ],
)
def test_a_mask_that_others_leave_no_place_is_warned_of(
    tmp_path: Path, texts: list[str], dead: list[int]
) -> None:
    found = never(tmp_path, paths(*texts))
    assert found == [(f"mask[{index}]", "mask-never-matches") for index in dead]


def test_the_rule_that_takes_it_all_is_named(tmp_path: Path) -> None:
    policy = {"content": ["json"]} | paths("$.x", "$.a", "$.a")
    found = findings(loaded(tmp_path, put("routes.0.request", policy), put("keys", {})))
    (message,) = [each.message for each in found if each.code == "mask-never-matches"]
    assert "mask[1] takes" in message


def test_names_that_are_folded_are_one(tmp_path: Path) -> None:
    assert never(tmp_path, paths("$.Email", "$.email")) == []
    folded = {"fold_names": True} | paths("$.Email", "$.email")
    assert never(tmp_path, folded) == [("mask[1]", "mask-never-matches")]


@given(PATHS, st.lists(DOCUMENTS, max_size=20))
def test_a_rule_that_masks_anything_is_not_warned_of(
    texts: Sequence[str], places: list[list[str | int]]
) -> None:
    automaton = Automaton(texts)
    living = _living(texts, fold=False)
    for place in places:
        state = automaton.root
        for step in place:
            if state.accept >= 0:
                break
            if isinstance(step, int):
                state = state.element(step, UNBOUNDED)
            else:
                state = state.names.get(step.encode(), state.other)
        assert state.accept < 0 or state.accept in living


@pytest.mark.parametrize(
    ("only", "texts", "dead"),
    [
        (["$.a"], ["$.b", "$.a", "$.a.b", "$", "$..b"], [0]),
        (["$.a.b"], ["$.a.c", "$.a.b.c", "$.c.b", "$.a"], [0, 2]),
        (["$.a[*].b"], ["$.a[0].c", "$.a[0].b", "$.a.x.c"], [0, 2]),
        (["$.a[0].b"], ["$.a[1].b", "$.a[0].b", "$.a[:1].b", "$.a[1:].b", "$.a[-1].b"], [0, 3]),
        (["$"], ["$.a"], []),
        (["$..b"], ["$.a", "$.b", "$.c.b"], []),
    ],
)
def test_a_mask_of_what_may_not_cross_anyway_is_warned_of(
    tmp_path: Path, only: list[str], texts: list[str], dead: list[int]
) -> None:
    for index, text in enumerate(texts):
        found = never(tmp_path, paths(text) | {"allow_only": only})
        assert found == [("mask[0]", "mask-never-matches")] * (index in dead), text


@pytest.mark.parametrize("text", ["$[2:1]", "$.a[0:5:0]", "$[0:0]", "$[-1:-2]", "$[1:2:-1]"])
def test_a_mask_that_selects_nothing_is_warned_of(tmp_path: Path, text: str) -> None:
    policy = {"content": ["json"]} | paths("$.x", text)
    found = findings(loaded(tmp_path, put("routes.0.request", policy), put("keys", {})))
    (message,) = [each.message for each in found if each.code == "mask-never-matches"]
    assert "it selects nothing" in message


BOUND = st.none() | st.integers(-3, 3)


@given(BOUND, BOUND, BOUND)
def test_only_a_slice_that_selects_nothing_is_left_out(
    start: int | None, stop: int | None, step: int | None
) -> None:
    said = ":".join("" if each is None else str(each) for each in (start, stop, step))
    (segment,) = parse(f"$[{said}]")
    selected = [
        (index, length)
        for length in range(8)
        for index in (range(*slice(start, stop, step).indices(length)) if step != 0 else ())
    ]
    assert segment.slices or not selected


@given(PATHS, PATHS, st.lists(DOCUMENTS, max_size=20))
def test_a_rule_that_masks_what_may_cross_is_not_warned_of(
    texts: Sequence[str], only: Sequence[str], places: list[list[str | int]]
) -> None:
    policy = ContentPolicy.model_validate({"content": ["json"], "allow_only": only})
    kept = _kept(texts, policy)
    for place in places:
        rule, way, crosses = Automaton(texts).root, Automaton(only).root, False
        for step in [None, *place]:
            if isinstance(step, int):
                rule, way = rule.element(step, UNBOUNDED), way.element(step, UNBOUNDED)
            elif step is not None:
                name = step.encode()
                rule, way = rule.names.get(name, rule.other), way.names.get(name, way.other)
            crosses = crosses or way.accept >= 0
            if rule.accept >= 0 or not (crosses or way.live):
                break
        if crosses or way.live:
            assert rule.accept < 0 or rule.accept in kept


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ({"header": "X-User"}, {"header": "x-user"}, True),
        ({"query": "email"}, {"query": "email"}, True),
        ({"query": "email"}, {"query": "Email"}, False),
        ({"query": "email"}, {"header": "email"}, False),
    ],
)
def test_of_masks_that_name_one_field_the_first_decides(
    tmp_path: Path, first: dict[str, str], second: dict[str, str], found: bool
) -> None:
    expected = [("mask[1]", "mask-never-matches")] if found else []
    assert never(tmp_path, masked(first, second)) == expected


def rule(kind: str, action: str = "redact", **more: str) -> dict[str, str]:
    return {"type": kind, "action": action} | more


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ([rule("us_ssn"), rule("us_ssn", "reject")], [("detect[1]", "detect-never-matches")]),
        ([rule("personal"), rule("personal", "flag")], [("detect[1]", "detect-never-matches")]),
        ([rule("personal"), rule("us_ssn")], [("detect[1]", "detect-repeats")]),
        ([rule("us_ssn"), rule("personal")], [("detect[0]", "detect-repeats")]),
        ([rule("personal"), rule("us_ssn", "reject")], []),
        ([rule("personal"), rule("us_ssn", raises="secret")], []),
        ([rule("financial"), rule("us_ssn")], []),
    ],
)
def test_a_detection_that_others_leave_nothing_is_warned_of(
    tmp_path: Path, rules: list[dict[str, str]], found: list[tuple[str, str]]
) -> None:
    assert never(tmp_path, {"detect": rules}) == found


@pytest.mark.parametrize(
    ("own", "likelihood", "found"),
    [
        ({"likelihood": "possible"}, "likely", True),
        ({"likelihood": "possible"}, "possible", False),
        ({"likelihood": "possible", "context": ["badge"]}, "likely", False),
        ({}, "likely", False),
    ],
)
def test_what_is_never_as_likely_as_is_demanded_is_warned_of(
    tmp_path: Path, own: dict[str, Any], likelihood: str, found: bool
) -> None:
    detectors = put("detectors", {"badge": {"pattern": "B-[0-9]{6}"} | own})
    policy: dict[str, Any] = {"likelihood": likelihood}
    for key, code in (("detect", "detect-never-matches"), ("mask", "mask-never-matches")):
        expected = [(f"{key}[0].type", code)] if found else []
        assert never(tmp_path, policy | {key: [rule("badge")]}, detectors) == expected


def test_a_mask_of_a_type_that_is_rejected_never_masks(tmp_path: Path) -> None:
    masks = masked({"type": "us_ssn"})
    for action, found in (("reject", [("mask[0]", "mask-never-matches")]), ("flag", [])):
        assert never(tmp_path, masks | {"detect": [rule("us_ssn", action)]}) == found


def test_a_mask_of_a_group_of_which_one_type_is_rejected_masks_the_others(tmp_path: Path) -> None:
    policy = masked({"type": "personal"}) | {"detect": [rule("us_ssn", "reject")]}
    assert never(tmp_path, policy) == []


def test_where_no_file_is_opened_a_comment_about_files_is_not_called_useless(
    tmp_path: Path,
) -> None:
    found = loaded(tmp_path)
    comment = b"# lockgate: allow crl-expired it is made anew every night\n"
    commented = load_octets(found.path, comment + found.octets)
    codes = {each.code for each in findings(commented)}
    assert codes == {each.code for each in findings(found)}


def test_rules_where_no_content_may_cross_never_match(tmp_path: Path) -> None:
    policy = paths("$.a", "$.a") | {"detect": [rule("us_ssn")], "content": []}
    policy["mask"].append({"header": "x-user", "action": "redact"})
    assert never(tmp_path, policy) == [
        ("mask[0]", "mask-never-matches"),
        ("mask[1]", "mask-never-matches"),
        ("detect[0]", "detect-never-matches"),
    ]


def test_a_rule_in_shadow_leaves_those_in_force_their_places(tmp_path: Path) -> None:
    shaded: dict[str, Any] = {"path": "$.a", "shadow": True}
    assert never(tmp_path, masked(shaded, {"path": "$.a.b"})) == [("mask[0].shadow", "in-shadow")]
    first = [{"type": "iban", "action": "reject", "shadow": True}]
    second: list[dict[str, Any]] = [{"type": "iban", "action": "flag"}]
    found = never(tmp_path, {"detect": [*first, *second]})
    assert found == [("detect[0].shadow", "in-shadow")]


def test_a_rule_in_shadow_behind_one_that_takes_it_all_never_reports(tmp_path: Path) -> None:
    shaded = {"path": "$.a.b", "shadow": True}
    found = never(tmp_path, masked({"path": "$.a"}, shaded))
    assert set(found) == {("mask[1].shadow", "in-shadow"), ("mask[1]", "mask-never-matches")}
    rules: list[dict[str, Any]] = [{"type": "iban", "action": "reject"}]
    rules.append({"type": "iban", "action": "flag", "shadow": True})
    found = never(tmp_path, {"detect": rules})
    assert set(found) == {("detect[1].shadow", "in-shadow"), ("detect[1]", "detect-never-matches")}
