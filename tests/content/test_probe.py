"""The short cut finds what the scanner finds, or says that it does not know."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.paths import Automaton
from proxy.content.probe import plain_rules, probe
from proxy.content.scan import find
from tests.content.spelling import documents

NAMES = ["a", "b", "ssn", "x-1", "true", "e"]
plain_paths = st.lists(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(
        lambda names: "$." + ".".join(names)
    )
    | st.sampled_from(NAMES).map(lambda name: f"$..{name}"),
    min_size=1,
    max_size=4,
).map(lambda paths: [path.replace("x-1", "x_1") for path in paths])
keyed = st.recursive(
    st.integers(0, 9) | st.sampled_from(NAMES) | st.sampled_from(["", ",", ":"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, "x_1", ",", ":"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(documents(keyed), plain_paths, st.sampled_from(NAMES))
def test_the_probe_agrees_with_the_scanner_or_is_in_doubt(
    document: tuple[Any, str], paths: list[str], doubled: str
) -> None:
    automaton = Automaton(paths)
    rules = plain_rules(automaton.rules)
    if rules is None:
        return
    value, text = document
    twice = f'{{"{doubled}":{text},"{doubled}":1}}'
    for spelt, parsed in ((text, value), (twice, json.loads(twice))):
        found = probe(spelt.encode(), parsed, rules)
        assert found in (None, list(find(spelt.encode(), automaton.root)))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"c":{"ssn":1},"c":{}}', "$.c.ssn"),
        ('{"ssn":1,"ssn":2}', "$.ssn"),
        ('{"ssn":"ssn"}', "$.ssn"),
        ('{"\\u0073sn":1}', "$.ssn"),
        ('{"x":{"ssn":1}}', "$.ssn"),
    ],
)
def test_the_probe_is_in_doubt_where_a_key_may_hide(text: str, path: str) -> None:
    rules = plain_rules(Automaton([path]).rules)
    assert rules is not None
    assert probe(text.encode(), json.loads(text), rules) is None


@pytest.mark.parametrize(
    "paths", [["$"], ["$.a[0]"], ["$.*"], ["$..a.b"], ["$.a", "$..a"], ["$['a b']"], ["$['a','b']"]]
)
def test_rules_that_are_not_plain_take_no_short_cut(paths: list[str]) -> None:
    assert plain_rules(Automaton(paths).rules) is None


def test_the_probe_answers_for_a_plain_record() -> None:
    data = b'{"id":1,"customer":{"ssn":{"a":[1]},"email":"x"},"says":"email2"}'
    automaton = Automaton(["$..email", "$.customer.ssn", "$.other"])
    rules = plain_rules(automaton.rules)
    assert rules is not None
    assert probe(data, json.loads(data), rules) == list(find(data, automaton.root))
    assert probe(data, json.loads(data), rules) is not None
