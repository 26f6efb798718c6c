"""What each action makes of a value, and that nothing else changes."""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import jsonpath_rfc9535
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from proxy.content.paths import Automaton
from proxy.content.tokens import Tokenizer
from proxy.errors import Refusal
from tests.content.deeds import ACTIONS, PERSONAL
from tests.content.policies import HMAC, KEYS, compiled, masked, sent
from tests.content.spelling import documents, paths

pytestmark = pytest.mark.usefixtures("either_engine")

PARTIAL = {"partial": {"keep_first": 1, "keep_last": 2}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"x":1}', "{}"),
        ('{ "x" : 1 }', "{  }"),
        ('{"x":1, "a":2}', '{"a":2}'),
        ('{"a":2 , "x":1 }', '{"a":2  }'),
        ('{"a":1,"x":2,"b":3}', '{"a":1,"b":3}'),
        ('{"a":1,"x":2,"x":3}', '{"a":1}'),
        ('{"x":2,"x":3,"a":1}', '{"a":1}'),
        ('{"x":2,"a":1,"x":3}', '{"a":1}'),
        ('{"x":2,"x":[{"x":1}]}', "{}"),
        ('{"a":{"x":1},"x":{"x":1}}', '{"a":{}}'),
        ('[{"a":1,"x":2},{"x":2}]', '[{"a":1},{}]'),
        ('{"a":",","x":"}"}', '{"a":","}'),
    ],
)
def test_drop_removes_a_member_with_one_comma(before: str, after: str) -> None:
    assert masked(before, {"$..x": "drop"}).decode() == after


@pytest.mark.parametrize(
    ("path", "after"),
    [
        ("$[0]", "[2 , 3 ]"),
        ("$[1]", "[ 1, 3 ]"),
        ("$[-1]", "[ 1, 2  ]"),
        ("$[0,2]", "[ 2  ]"),
        ("$[1:]", "[ 1 ]"),
        ("$[*]", "[  ]"),
        ("$[::2]", "[ 2  ]"),
    ],
)
def test_drop_of_elements_leaves_valid_json(path: str, after: str) -> None:
    out = masked("[ 1, 2 , 3 ]", {path: "drop"}).decode()
    assert json.loads(out) == json.loads(after)


@pytest.mark.parametrize(
    ("value", "after"),
    [
        ('"abcdef"', '"a***ef"'),
        ('"abc"', '"***"'),
        ('"ab"', '"**"'),
        ('""', '""'),
        ('"abcd"', '"a*cd"'),
        ('"\\u00e9\\ud83d\\ude00x\\ny"', '"é**\\ny"'),
        ("123456", '"1***56"'),
        ("-1.5e10", '"-****10"'),
        ("null", '"[REDACTED]"'),
        ("true", '"[REDACTED]"'),
        ("[1]", '"[REDACTED]"'),
        ("{}", '"[REDACTED]"'),
    ],
)
def test_partial_keeps_the_ends_counted_in_characters(value: str, after: str) -> None:
    assert masked(value, {"$": PARTIAL}).decode() == after
    assert masked(after, {"$": PARTIAL}).decode() == after


def test_partial_that_keeps_nothing_hides_everything() -> None:
    assert masked('["abc", 12]', {"$[*]": {"partial": {}}}) == b'["***", "**"]'


def test_the_whole_document_can_be_redacted_and_not_dropped() -> None:
    assert masked(' {"a":1} ', {"$": "redact"}) == b' "[REDACTED]" '
    with pytest.raises(ValueError, match="cannot be dropped"):
        compiled({"$": "drop"})


def test_the_report_counts_fields_by_the_path_as_written() -> None:
    rules = compiled([("$..['a']", "redact"), ("$.b", "drop"), ("$.z", "drop")])
    _, report = sent(rules, "ndjson", [b'{"a":1,"b":2,"a":{"a":3}}\n{"c":[{"a":1}]}\n'])
    assert report.masked == {"$..['a']": 3, "$.b": 1}
    assert report.records == 2
    assert report.format == "ndjson"
    assert report.changed


def test_opaque_content_passes_unseen_and_is_reported_so() -> None:
    output, report = sent(compiled({"$": "redact"}), "opaque", [b"\xff", b"", b"{"])
    assert output == b"\xff{"
    assert (report.format, report.records, report.changed) == ("opaque", None, False)


def test_a_document_over_its_limit_is_refused_while_it_arrives() -> None:
    inspector = compiled(document=4).open("json")
    assert inspector.feed(b"[12]") == b""
    with pytest.raises(Exception, match="content-too-large"):
        inspector.feed(b" ")
    with pytest.raises(Exception, match="refused"):
        inspector.finish()


# --- against an oracle that masks parsed values --------------------------------------------------

GONE = object()


def require_few_states(rules: list[tuple[str, Any]]) -> None:
    """Random rules may be refused for what they would cost together: leave those out."""
    try:
        Automaton(path for path, _ in rules)
    except ValueError:
        reject()


def oracle(value: Any, rules: list[tuple[str, Any]]) -> Any:
    chosen: dict[tuple[Any, ...], Any] = {}
    for path, action in rules:
        for node in jsonpath_rfc9535.find(path, value):
            chosen.setdefault(node.location, action)

    def walk(node: Any, place: tuple[Any, ...]) -> Any:
        if place in chosen:
            return act(node, chosen[place])
        if isinstance(node, dict):
            items = {key: walk(item, (*place, key)) for key, item in node.items()}
            return {key: item for key, item in items.items() if item is not GONE}
        if isinstance(node, list):
            elements = [walk(item, (*place, n)) for n, item in enumerate(node)]
            return [element for element in elements if element is not GONE]
        return node

    return walk(value, ())


def act(node: Any, action: Any) -> Any:
    if action == "drop":
        return GONE
    textual = isinstance(node, str | int | float) and not isinstance(node, bool)
    if action == "redact" or not textual or node == "[REDACTED]":
        return "[REDACTED]"
    text = node if isinstance(node, str) else json.dumps(node)
    if action == HMAC:
        return Tokenizer("n", KEYS["pseudonym"]).token(text.encode())
    return "*" * len(text) if len(text) <= 3 else text[0] + "*" * (len(text) - 3) + text[-2:]


rule_lists = st.lists(
    st.tuples(paths, st.sampled_from(["drop", "redact", PARTIAL, HMAC])), min_size=1, max_size=4
)


@given(documents(), rule_lists)
def test_parse_mask_parse_equals_the_oracle(
    document: tuple[Any, str], rules: list[tuple[str, Any]]
) -> None:
    require_few_states(rules)
    value, text = document
    output = masked(text, rules)
    assert json.loads(output) == oracle(value, rules)
    assert masked(text.replace("\n", " ").replace("\r", " "), rules, form="ndjson").split() == (
        output.split()
    )


@given(documents(), st.lists(st.tuples(paths, st.sampled_from(ACTIONS)), max_size=4))
def test_masking_twice_equals_masking_once(
    document: tuple[Any, str], rules: list[tuple[str, Any]]
) -> None:
    require_few_states(rules)
    once = masked(document[1], rules, keys=PERSONAL)
    json.loads(once)
    assert masked(once, rules, keys=PERSONAL) == once


def keeps(action: Any) -> bool:
    """A part of the text stays."""
    return isinstance(action, dict) and any(
        action.get("partial", {}).get(f"keep_{end}") for end in ("first", "last")
    )


def traces(secret: bytes) -> Iterator[bytes]:
    """What of a secret is left by whoever only writes it in another way."""
    yield secret
    yield secret[::-1]
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield b"".join(b"\\u%04x" % octet for octet in secret)
    yield b"".join(b"%%%02X" % octet for octet in secret)
    for before in range(3):  # whole groups of base64, wherever it begins
        yield base64.b64encode(b"." * before + secret)[4 if before else 0 : -4]
    for algorithm in ("md5", "sha1", "sha256"):
        yield hashlib.new(algorithm, secret).hexdigest().encode()


SECRET = b"5ecret-plain-text"
HELD = st.just({"ssn": [SECRET.decode(), {"x": SECRET.decode()}, 7], "email": [SECRET.decode()]})


@given(documents(), documents(HELD), st.sampled_from([each for each in ACTIONS if not keeps(each)]))
def test_no_masked_plaintext_is_in_the_output(
    document: tuple[Any, str], held: tuple[Any, str], action: Any
) -> None:
    text = f'[{document[1]},{held[1]},{{"ssn":{held[1]},"b":[{document[1]},{held[1]}]}}]'
    rules = {"$..ssn[*]": action, "$..ssn.*": action, "$..email": action}
    for form in ("json", "ndjson"):
        line = text.translate({10: " ", 13: " "}) if form == "ndjson" else text
        out = masked(line, rules, keys=PERSONAL, form=form)
        decoded = json.dumps(json.loads(out), ensure_ascii=False).encode()
        for trace in traces(SECRET):
            assert trace not in out
            assert trace not in decoded


@given(documents())
def test_without_rules_every_octet_stays(document: tuple[Any, str]) -> None:
    assert masked(document[1]) == document[1].encode()
    assert masked(document[1], {"$.nowhere[7].at.all": "redact"}) == document[1].encode()


@pytest.mark.parametrize("bad", [1, 16, 17, 32, 40])
def test_a_finding_among_many_lines_is_found_in_its_own(bad: int) -> None:
    lines = [b'{"a":"secret %d","b":"x"}' % n for n in range(1, 41)]
    lines[bad - 1] = b'{"a":"secret","b":"jane@example.com"}'
    rules = compiled({"$.a": HMAC}, {"email": "redact"})
    output, report = sent(rules, "ndjson", [b"\n".join(lines)])
    assert [n for n, line in enumerate(output.split(b"\n"), 1) if b"REDACTED" in line] == [bad]
    assert report.findings == {"email": 1}
    assert report.masked == {"$.a": 40}
    inspector = compiled({"$.a": HMAC}, {"email": "reject"}).open("ndjson")
    with pytest.raises(Refusal, match=f"email in line {bad}$"):
        inspector.feed(b"\n".join(lines) + b"\n")
