"""JSON values for hypothesis, and every way to spell one: white space, escapes, numbers."""

import json
from typing import Any

from hypothesis import strategies as st

KEYS = ["a", "b", "email", "ssn", "x y", "é", '"', "\\", ""]
SPACE = st.sampled_from(["", "", "", " ", "\n\t", "\r\n "])

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["[{", '"},', "]", "a\\", "**", "[REDACTED]"])
)
keys = st.sampled_from(KEYS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=25,
)


def _string(text: str, draw: Any) -> str:
    spelt: list[str] = []
    for character in text:
        plain = json.dumps(character, ensure_ascii=draw(st.booleans()))[1:-1]
        if ord(character) < 0x10000 and draw(st.integers(0, 9)) == 0:
            plain = f"\\u{ord(character):04x}"
        spelt.append(plain)
    return '"' + "".join(spelt) + '"'


@st.composite
def documents(draw: Any, inner: st.SearchStrategy[Any] = values) -> tuple[Any, str]:
    """A value and one spelling of it."""

    def spell(value: Any) -> str:
        before: str = draw(SPACE)
        after: str = draw(SPACE)
        if isinstance(value, str):
            text = _string(value, draw)
        elif isinstance(value, list):
            text = "[" + (",".join(map(spell, value)) or draw(SPACE)) + "]"
        elif isinstance(value, dict):
            members = [
                f"{draw(SPACE)}{_string(key, draw)}{draw(SPACE)}:{spell(item)}"
                for key, item in value.items()
            ]
            text = "{" + (",".join(members) or draw(SPACE)) + "}"
        else:
            text = json.dumps(value)
        return before + text + after

    value = draw(inner)
    return value, spell(value)


selectors = st.sampled_from(
    [
        "*",
        "0",
        "-1",
        "1:",
        ":-1",
        "::2",
        "::-1",
        "-2:",
        "'a'",
        "'b'",
        "'email'",
        "'é'",
        "'\"'",
        "'a','b'",
        "0,-1",
        "*,'a'",
        "'\\\\'",
        "1,1:3",
        "''",
    ]
)
segments = st.builds(
    lambda descendant, selector: ("..[" if descendant else "[") + selector + "]",
    st.sampled_from([False, False, True]),
    selectors,
)
paths = st.lists(segments, min_size=1, max_size=4).map(lambda parts: "$" + "".join(parts))
