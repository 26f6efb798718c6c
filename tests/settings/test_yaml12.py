"""YAML by the 1.2 core schema, refused or understood, and the place of everything."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import ConfigError
from proxy.settings.yaml12 import MAX_DEPTH, MAX_OCTETS, Mark, parse


def value(text: str) -> object:
    data = parse(f"x: {text}\n".encode(), "f.yaml").data
    assert isinstance(data, dict)
    return data["x"]


def refusal(text: str | bytes) -> str:
    octets = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ConfigError) as caught:
        parse(octets, "f.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["off", "on", "yes", "no", "y", "22:00", "1:30", "2027-01-01", "1_000", "0b11", "0o8", "0xg",
     "=", "1e", "tRUE", "nULL", "+.", ".5.", "12e03x"],
)  # fmt: skip
def test_what_yaml_1_1_would_have_converted_stays_text(text: str) -> None:
    assert value(text) == text


@pytest.mark.parametrize(
    ("text", "meaning"),
    [("12", 12), ("-3", -3), ("+1", 1), ("017", 17), ("0o17", 15), ("0x1F", 31), ("1.5", 1.5),
     ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0), (".inf", math.inf), ("-.INF", -math.inf),
     ("+.Inf", math.inf), ("true", True), ("FALSE", False), ("null", None), ("~", None), ("", None),
     ("'12'", "12"), ('"true"', "true"), ("|\n  12\n", "12\n")],
)  # fmt: skip
def test_plain_scalars_mean_what_the_core_schema_says(text: str, meaning: object) -> None:
    found = value(text)
    assert found == meaning
    assert type(found) is type(meaning)


def test_nan_is_a_float() -> None:
    found = value(".nan")
    assert isinstance(found, float)
    assert math.isnan(found)


def test_every_key_and_value_has_its_place() -> None:
    document = parse(b"# c\na:\n  - x: off\n    'y': [1, 2]\n", "f.yaml")
    assert document.data == {"a": [{"x": "off", "y": [1, 2]}]}
    assert document.marks == {
        (): Mark((2, 1), (2, 1)),
        ("a",): Mark((2, 1), (3, 3)),
        ("a", 0): Mark((3, 5), (3, 5)),
        ("a", 0, "x"): Mark((3, 5), (3, 8)),
        ("a", 0, "y"): Mark((4, 5), (4, 10)),
        ("a", 0, "y", 0): Mark((4, 11), (4, 11)),
        ("a", 0, "y", 1): Mark((4, 14), (4, 14)),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: this key stands twice; first on line 1"),
        ("a: {b: 1, 'b': 2}\n", "f.yaml:1:11: this key stands twice; first on line 1"),
        ("a: &x 1\n", "f.yaml:1:4: anchors (&name) are not allowed; repeat the value"),
        ("&x a: 1\n", "f.yaml:1:1: anchors (&name) are not allowed; repeat the value"),
        ("a: *x\n", "f.yaml:1:4: aliases (*name) are not allowed; repeat the value"),
        ("*x : 1\n", "f.yaml:1:1: aliases (*name) are not allowed; repeat the value"),
        ("<<: {a: 1}\n", "f.yaml:1:1: merge keys (<<) are not allowed; repeat the values"),
        ("a: !!str 1\n", "f.yaml:1:4: tags (!name) are not allowed"),
        ("a: ! 1\n", "f.yaml:1:4: tags (!name) are not allowed"),
        ("a: !!python/object:os.system []\n", "f.yaml:1:4: tags (!name) are not allowed"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: one document a file; `---` begins a second one"),
        ("%YAML 1.1\n--- {}\n", "f.yaml:1:1: only `%YAML 1.2` may stand above the document"),
        ("%TAG ! x:\n--- {}\n", "f.yaml:1:1: only `%YAML 1.2` may stand above the document"),
        ("1: x\n", "f.yaml:1:1: a key must be text; put it in quotes"),
        ("a:\n  true: x\n", "f.yaml:2:3: a key must be text; put it in quotes"),
        ("? [a]\n: b\n", "f.yaml:1:3: a key must be text, not a list or a mapping"),
        ("", "f.yaml:1:1: the file is empty"),
        ("# nothing\n", "f.yaml:1:1: the file is empty"),
        ('a: "\\x1b"\n', "f.yaml:1:4: the text holds a control character"),
        ('a: "\\ud800"\n', "f.yaml:1:4: the text holds a control character"),
        ("a: 1\r\nb: \x07\r\n", "f.yaml:2:4: a character that YAML text may not hold"),
        ("a: b\u2028c", "f.yaml:1:5: a character that YAML text may not hold"),
        (b"a: 1\nb: \xff\n", "f.yaml:2:4: the file is not UTF-8 here"),
        ("a: " + "9" * 5000, "f.yaml:1:4: this number is too long"),
        ("a" * (MAX_OCTETS + 1), f"f.yaml:1:1: the file is larger than {MAX_OCTETS} octets"),
        ("[" * 200, f"f.yaml:1:{MAX_DEPTH + 1}: nested deeper than {MAX_DEPTH} levels"),
    ],
)
def test_what_is_refused_says_where(text: str | bytes, message: str) -> None:
    assert refusal(text) == message


def test_the_1_2_directive_and_a_byte_order_mark_are_understood() -> None:
    assert parse("\ufeff%YAML 1.2\n---\na: 1\n...\n".encode(), "f").data == {"a": 1}


@pytest.mark.parametrize("text", ["a: b: c", "a: [1, 2", "\ta: 1", "a: 'x", "- a\nb: 1", "@x"])
def test_a_syntax_error_has_a_place(text: str) -> None:
    assert refusal(text).startswith("f.yaml:")
    assert "not well-formed YAML" in refusal(text)


def test_all_that_can_be_told_apart_is_told_at_once() -> None:
    assert refusal("a: &x 1\nb: *x\na: 2\n<<: {}\nc: [1\n").count("f.yaml:") == 5


def test_no_message_repeats_a_value() -> None:
    for text in ("k: 'marker\n", "k: marker: marker\n", 'k: "\\qmarker"\n', "k: &a marker\n"):
        assert "marker" not in refusal(text)


def places(octets: bytes) -> list[tuple[int, int]]:
    try:
        return [place for mark in parse(octets, "f").marks.values() for place in mark]
    except ConfigError as error:
        return [(problem.line, problem.column) for problem in error.problems]


@given(st.text(max_size=60) | st.text("{}[]:,-?&*!|>'\"%@`#\n \tab01.<\\x", max_size=60))
def test_any_text_parses_or_is_a_config_error_and_has_places(text: str) -> None:
    found = places(text.encode("utf-8", "surrogatepass"))
    assert found
    assert min(min(place) for place in found) >= 1


@given(st.binary(max_size=60))
def test_any_octets_parse_or_are_a_config_error(octets: bytes) -> None:
    assert places(octets)


@given(
    st.recursive(
        st.booleans() | st.integers(-(10**18), 10**18) | st.text("abcé \"'\\:#", max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text("abc:", max_size=3), inner, max_size=4)
        ),
        max_leaves=20,
    )
)
def test_json_means_the_same_as_yaml(data: object) -> None:
    assert parse(json.dumps(data).encode(), "f").data == data
