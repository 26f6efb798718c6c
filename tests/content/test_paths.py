"""The scanner finds exactly the nodes that RFC 9535 says, and refuses what it does not support."""

import json
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import jsonpath_rfc9535
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.paths import Automaton, State
from proxy.content.rows import spots
from proxy.content.scan import find
from tests.content.policies import compiled, masked
from tests.content.spelling import documents, paths

Location = tuple[str | int, ...]


def outermost(path: str, value: Any) -> set[Location]:
    """The oracle: the locations of a path's nodes, without those inside another."""
    nodes = {node.location for node in jsonpath_rfc9535.find(path, value)}
    return {place for place in nodes if not any(place[:n] in nodes for n in range(len(place)))}


def at(value: Any, location: Location) -> Any:
    for step in location:
        value = value[step]
    return value


def found(path: str, text: str) -> list[Any]:
    data = text.encode()
    hits = list(find(data, Automaton([path]).root))
    assert all(this[3] <= following[2] for this, following in pairwise(hits))
    return [json.loads(data[start:end]) for _, _, start, end in hits]


def supported(path: str) -> bool:
    return "?" not in path


def suite(folder: Path) -> list[dict[str, Any]]:
    cases = json.loads((folder / "jsonpath-cts" / "cts.json").read_text())["tests"]
    assert len(cases) > 600
    return list(cases)


def test_the_compliance_suite_selects_the_same_nodes(corpora: Path) -> None:
    selected = 0
    for case in suite(corpora):
        if case.get("invalid_selector") or not supported(case["selector"]):
            continue
        value, path = case["document"], case["selector"]
        expected = sorted(json.dumps(at(value, place)) for place in outermost(path, value))
        for text in (json.dumps(value), json.dumps(value, indent=1, ensure_ascii=False)):
            assert sorted(map(json.dumps, found(path, text))) == expected, case["name"]
        selected += 1
    assert selected > 150


def test_the_compliance_suite_of_what_is_refused(corpora: Path) -> None:
    refused = 0
    for case in suite(corpora):
        if case.get("invalid_selector") or not supported(case["selector"]):
            with pytest.raises(ValueError, match=r"JSONPath|filters"):
                Automaton([case["selector"]])
            refused += 1
    assert refused > 300


@given(documents(), paths)
def test_random_paths_select_what_the_oracle_selects(document: tuple[Any, str], path: str) -> None:
    value, text = document
    expected = sorted(json.dumps(at(value, place)) for place in outermost(path, value))
    assert sorted(map(json.dumps, found(path, text))) == expected


@pytest.mark.parametrize("path", ["$[?@.a]", "$[?length(@.a)>1]", "$.a[?@>1]", "$[0,?@.a]"])
def test_filters_and_functions_are_refused_with_the_path(path: str) -> None:
    with pytest.raises(ValueError, match="filters and functions") as caught:
        compiled({"$.fine": "redact", path: "redact"})
    assert path in str(caught.value)


def test_paths_that_would_need_too_many_states_are_refused() -> None:
    with pytest.raises(ValueError, match="states"):
        Automaton(["$..a" + ".*" * 24, "$..b" + ".*" * 24])
    with pytest.raises(ValueError, match="states"):
        Automaton(["$..[0]" + "[0:2]" * 24])


@given(documents(), paths)
def test_no_state_is_made_while_a_document_is_scanned(document: tuple[Any, str], path: str) -> None:
    automaton = Automaton([path])
    before = len(automaton._states)
    assert list(find(document[1].encode(), automaton.root)) is not None
    assert len(automaton._states) == before


@given(st.integers(0, 12), st.integers(-14, 14))
def test_indexes_count_from_either_end(length: int, index: int) -> None:
    value = list(range(length))
    expected = value[index : index + 1 or None] if -length <= index < length else []
    assert found(f"$[{index}]", json.dumps(value)) == expected
    nested = json.dumps([[], {}, value, {"a": [1, [2]]}])
    assert found(f"$[2][{index}]", nested) == expected


def test_of_overlapping_rules_the_first_that_matches_a_node_wins() -> None:
    rules = [("$.a.b", {"partial": {"keep_last": 1}}), ("$.a.*", "redact"), ("$.c", "drop")]
    assert masked('{"a":{"b":"xy","d":1},"c":1}', rules) == (b'{"a":{"b":"*y","d":"[REDACTED]"}}')
    assert masked('{"a":{"b":"xy"}}', rules[::-1]) == b'{"a":{"b":"[REDACTED]"}}'


def test_a_masked_subtree_swallows_the_rules_inside_it() -> None:
    assert masked('{"a":{"b":"xy"}}', [("$.a.b", "drop"), ("$.a", "redact")]) == (
        b'{"a":"[REDACTED]"}'
    )


@given(st.lists(paths, min_size=1, max_size=3), st.integers(0, 12))
def test_a_row_of_elements_has_the_states_of_each_of_them(rules: list[str], length: int) -> None:
    state = Automaton(rules).root
    expected = [state.element(n, length) for n in range(length)]
    assert list(islice(state.each(length), length)) == expected


BOUNDS = st.none() | st.integers(-6, 6)
STEPS = st.sampled_from([None, 1, 2, 3, -1, -2, -3])
SELECTORS = st.integers(-6, 6).map(str) | st.tuples(BOUNDS, BOUNDS, STEPS).map(
    lambda cut: ":".join("" if each is None else str(each) for each in cut)
)


@given(st.lists(SELECTORS.map(lambda selector: f"$[{selector}].a"), min_size=1, max_size=3))
def test_the_states_below_one_are_those_that_elements_can_be_in(rules: list[str]) -> None:
    root = Automaton(rules).root
    rows = ((n, length) for length in range(40) for n in range(length))
    below, expected = set(root.below()), {root.other, *(root.element(*place) for place in rows)}
    assert below >= expected
    assert below == expected or spots(*root.positions) is None


@pytest.mark.parametrize("path", ["$[0]", "$[-1]", "$[1:]", "$[::2]", "$[5:-3:3]", "$[-2::-3]"])
def test_a_long_row_is_not_looked_at_one_by_one(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state = Automaton([path]).root
    expected = [state.element(n, 1000) for n in range(1000)]
    asked: list[int] = []
    plain = State.element

    def element(self: State, index: int, length: int) -> State:
        asked.append(index)
        return plain(self, index, length)

    monkeypatch.setattr(State, "element", element)
    assert list(islice(state.each(1000), 1000)) == expected
    assert len(asked) <= 12
    assert list(islice(state.each(1000), 1000)) == expected
    assert len(asked) <= 12
