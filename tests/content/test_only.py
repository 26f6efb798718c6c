"""`allow_only` of JSON and NDJSON: what is listed crosses, and nothing else does."""

import json
import re
from collections.abc import Sequence
from typing import Any

import jsonpath_rfc9535
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.rules import Rules
from proxy.errors import Refusal
from tests.content.policies import EVERYTHING, compiled, sent
from tests.content.spelling import documents, segments, values

ORDER = (
    '{"id" : 7, "ssn":"A", "items":[ {"sku":"x" , "n": 2},3, {"n":1} ], "to":{"name":"B"}, "id":8}'
)


def allowing(*paths: str, mask: Any = (), detect: Any = (), **limits: Any) -> Rules:
    return compiled(mask, detect, policy={"allow_only": list(paths)}, **limits)


def kept(document: str, /, *paths: str, form: str = "json", **options: Any) -> str:
    return sent(allowing(*paths, **options), form, [document.encode()])[0].decode()


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["$.id"], '{"id" : 7, "id":8}'),
        (["$.ssn"], '{"ssn":"A"}'),
        (["$.to"], '{"to":{"name":"B"}}'),
        (["$.to.none"], '{"to":{}}'),
        (["$.items[*].sku"], '{"items":[ {"sku":"x"},{} ]}'),
        (["$.items[0]", "$.id"], '{"id" : 7, "items":[ {"sku":"x" , "n": 2} ],"id":8}'),
        (["$.items[1:].n"], '{"items":[ {"n":1} ]}'),
        (["$.items[-1]"], '{"items":[ {"n":1} ]}'),
        (["$..n"], '{"items":[ {"n": 2},{"n":1} ],"to":{}}'),
        (["$.id.x"], "{}"),
        (["$"], ORDER),
        (["$.*"], ORDER),
    ],
)
def test_what_is_listed_stays_with_the_containers_on_the_way(
    paths: list[str], expected: str
) -> None:
    out = kept(ORDER, *paths)
    assert "".join(out.split()) == "".join(expected.split())
    assert kept(out, *paths) == out or "[0]" in paths[0] or "[1:]" in paths[0]


def test_keys_are_compared_decoded_and_every_one_of_them_stays() -> None:
    assert kept('{"\\u0069d":1,"Id":2,"id":3}', "$.id") == '{"\\u0069d":1,"id":3}'


def test_masks_and_detection_see_what_is_left() -> None:
    rules = allowing("$.a", "$.n", mask={"$.a": "redact"}, detect=EVERYTHING)
    data = b'{"a":1,"x":"jane@example.com","n":"joan@example.com"}'
    out, report = sent(rules, "json", [data])
    assert out == b'{"a":"[REDACTED]","n":"[REDACTED:email]"}'
    assert report.masked == {"$.a": 1, "allow_only": 1}
    assert report.findings == {"email": 1}
    assert report.changed
    assert not sent(rules, "json", [b'{"n":1}'])[1].changed


def test_lines_are_taken_one_by_one() -> None:
    data = '{"id":1,"x":2}\r\n\r\n  \n[{"id":3}]\n{"x":1}'
    assert kept(data, "$.id", form="ndjson") == '{"id":1}\r\n\r\n  \n[]\n{}'
    rules = allowing("$.id")
    whole = sent(rules, "ndjson", [data.encode()])
    assert (whole[1].records, whole[1].masked) == (3, {"allow_only": 3})
    for n in range(len(data)):
        assert sent(rules, "ndjson", [data[:n].encode(), data[n:].encode()]) == whole


@pytest.mark.parametrize("form", ["json", "ndjson"])
@pytest.mark.parametrize("document", ['"secret"', "536904399", "null", "{", '{"a":1}}', "", "\x00"])
def test_what_holds_nothing_that_may_cross_or_is_no_json_is_refused(
    form: str, document: str
) -> None:
    if form == "ndjson":
        document = f"{{}}\n{document or 'x'}\n"
    with pytest.raises(Refusal, match="unparseable"):
        kept(document, "$.id", form=form)


def test_limits_hold_for_what_is_sent() -> None:
    with pytest.raises(Refusal, match="nested deeper"):
        kept('{"x":' * 9 + "1" + "}" * 9, "$.id", depth=8)
    for form, limit in (("json", "document"), ("ndjson", "record")):
        with pytest.raises(Refusal, match="content-too-large"):
            kept('{"x":"%s"}' % ("y" * 90), "$.id", form=form, **{limit: 90})
    with pytest.raises(Refusal, match="line 2 is over"):
        kept('{}\n{"x":"%s"}\n' % ("y" * 90), "$.id", form="ndjson", record=90)


def found(query: str, value: Any) -> set[tuple[str | int, ...]]:
    return {tuple(node.location) for node in jsonpath_rfc9535.find(query, value)}


def expected(value: Any, paths: Sequence[Sequence[str]]) -> Any:
    """What may cross of a value, by an implementation of JSONPath that is not ours."""
    whole = set().union(*(found("$" + "".join(path), value) for path in paths))
    ways = [
        (found("$" + "".join(path[:n]), value), segment.startswith(".."))
        for path in paths
        for n, segment in enumerate(path)
    ]

    def on_the_way(place: tuple[str | int, ...]) -> bool:
        return any(
            place in nodes or (below and any(place[: len(node)] == node for node in nodes))
            for nodes, below in ways
        )

    def left(value: Any, place: tuple[str | int, ...]) -> Any:
        if place in whole:
            return value
        children = value.items() if isinstance(value, dict) else enumerate(value)
        chosen = [
            (key, left(item, (*place, key)))
            for key, item in children
            if (*place, key) in whole
            or (isinstance(item, dict | list) and on_the_way((*place, key)))
        ]
        return dict(chosen) if isinstance(value, dict) else [item for _, item in chosen]

    return left(value, ())


containers = st.lists(values, max_size=5) | st.dictionaries(
    st.sampled_from(["a", "b", "email", "é"]), values, max_size=5
)
several = st.lists(st.lists(segments, min_size=1, max_size=3), min_size=1, max_size=3)


@given(documents(containers), several)
def test_what_crosses_is_what_another_implementation_selects(
    document: tuple[Any, str], paths: list[list[str]]
) -> None:
    _, text = document
    out = kept(text, *("$" + "".join(path) for path in paths))
    assert json.loads(out) == expected(json.loads(text), paths)


def test_a_path_that_is_none_is_named() -> None:
    for wrong in ("id", "$.a[?@.b]", "$."):
        with pytest.raises(ValueError, match=re.escape(wrong)):
            allowing("$.a", wrong)
