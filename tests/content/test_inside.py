"""JSON and base64 inside strings: looked into where the route says so, told where it does not."""

import base64
import hashlib
import json
import random
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.decode import BASE64_INSIDE, JSON_INSIDE
from proxy.content.gate import gate
from proxy.content.kinds import Likelihood
from proxy.content.runs import base64_runs, unwrapped, wrapped
from proxy.errors import Refusal
from proxy.model import Report
from tests.content.policies import EVERYTHING, compiled, sent

CARD = "4111111111111111"
INNER = '{"ssn": 536904399, "n": "caf\u00e9", "list": ["4111 1111 1111 1111", 1.10]}'


def looked_into(
    document: object, *decode: str, form: str = "json", detect: Any = EVERYTHING
) -> tuple[Any, Report]:
    rules = compiled({}, detect, policy={"decode": list(decode)})
    output, report = sent(rules, form, [json.dumps(document).encode()])
    return json.loads(output), report


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_case_14_json_in_a_string_is_masked_and_written_again(form: str) -> None:
    for text in (INNER, json.dumps(json.loads(INNER)), f" {INNER}\n"):
        output, report = looked_into({"payload": text}, "json", form=form)
        inner = json.loads(output["payload"])
        assert inner["ssn"] == "[REDACTED:us_ssn]"
        assert inner["list"] == ["[REDACTED:credit_card]", 1.10]
        assert output["payload"].endswith(text[text.index("4111 1111 1111 1111") + 19 :])
        assert report.findings == {"us_ssn": 1, "credit_card": 1}
        assert report.found_at == {
            "us_ssn": {"$.payload.ssn": 1},
            "credit_card": {"$.payload.list[*]": 1},
        }
        assert report.unscanned == 0


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_case_14_base64_of_json_is_masked_and_written_again(form: str) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for bare in (False, True):
            run = encode(INNER.encode()).decode().rstrip("=" if bare else " ")
            output, report = looked_into([f"x {run}, y"], "json", "base64", form=form)
            inner = output[0].removeprefix("x ").removesuffix(", y")
            said = json.loads(base64.urlsafe_b64decode(inner.replace("+", "-") + "==="))
            assert said["ssn"] == "[REDACTED:us_ssn]"
            assert report.findings == {"us_ssn": 1, "credit_card": 1}
            assert report.unscanned == 0


@pytest.mark.parametrize("form", ["json", "ndjson"])
@pytest.mark.parametrize("inside", [INNER, b64(INNER), b64("my card, 4111 1111 1111 1111")])
def test_case_14_what_is_not_looked_into_is_counted_and_never_clean(inside: str, form: str) -> None:
    for around in ([inside], {"a": inside}, {inside: 1}):
        _, report = looked_into(around, form=form)
        assert report.unscanned == 1
    _, report = looked_into([inside, "[REDACTED]", "{}", "[]", '"', "[x]"], "json", "base64")
    assert report.unscanned == 0


def test_each_is_looked_into_only_where_it_is_named() -> None:
    _, report = looked_into([INNER, b64(INNER)], "json")
    assert report.unscanned == 1
    _, report = looked_into([b64(INNER)], "base64")
    assert report.unscanned == 1
    assert report.findings == {"credit_card": 1, "us_ssn": 1}


def test_what_is_inside_what_is_inside_is_looked_into_three_times() -> None:
    for times in range(1, 6):
        text = f"my card: {CARD}"
        for _ in range(times):
            text = b64(text)
        output, report = looked_into([text], "base64")
        assert report.unscanned == (times > 3)
        for _ in range(times):
            output[0] = base64.b64decode(output[0]).decode()
        assert output[0] == ("my card: " + (CARD if times > 3 else "[REDACTED:credit_card]"))


def test_nested_json_is_found_under_the_keys_above_it_all() -> None:
    nested = json.dumps({"ssn": json.dumps({"n": json.dumps([536904399])})})
    output, report = looked_into({"body": nested}, "json")
    assert "536904399" not in json.dumps(output)
    assert report.found_at == {"us_ssn": {"$.body.ssn.n[*]": 1}}


def test_escapes_upon_escapes_hide_nothing() -> None:
    inner = '{"c": "\\u0034111111111111111"}'
    for text in (inner, json.dumps(inner)):
        output, report = looked_into([text], "json")
        assert report.findings == {"credit_card": 1}
        assert "111" not in json.dumps(output)


def test_what_only_looks_like_it_is_left_alone_and_not_counted() -> None:
    harmless = [
        "550e8400-e29b-41d4-a716-446655440000",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "tok:k1:ER-1oiT0LnZznNSv-N0U-sVklOHG6p5m",
        base64.b64encode(bytes(range(128, 256))).decode(),
        "/usr/lib/python3/dist-packages/setuptools/command",
        "pneumonoultramicroscopicsilicovolcanoconiosis",
        "{not json}",
        "[1, 2",
    ]
    for decode in ((), ("json", "base64")):
        output, report = looked_into(harmless, *decode)
        assert output == harmless
        assert report.unscanned == 0
        assert not report.findings


ESCAPED = '"078\\u002d05-1120"'


def in_cell(text: str, form: str) -> bytes:
    """One value in a body of another format, beside an innocent one."""
    if form == "form":
        return b"a=b&note=" + quote_plus(text).encode()
    cell = '"' + text.replace('"', '""') + '"'
    delimiter = "\t" if form == "tsv" else ","
    return text.encode() if form == "text" else f"a{delimiter}note\nb{delimiter}{cell}\n".encode()


@pytest.mark.parametrize("form", ["csv", "tsv", "form", "text"])
@pytest.mark.parametrize("space", ["", " ", "\n "])
def test_a_string_of_json_with_escapes_is_looked_into_in_every_format(
    form: str, space: str
) -> None:
    if form == "form" or not (form == "tsv" and "\n" in space):
        body = in_cell(space + ESCAPED, form)
        for decode in (["json"], []):
            policy = {"content": [form], "decode": decode, "tsv": {"quote": '"'}}
            rules = compiled({}, {"us_ssn": "redact"}, policy=policy)
            output, report = sent(rules, form, [body])
            assert report.unscanned == (not decode)
            assert report.findings == ({"us_ssn": 1} if decode else {})
            assert (output == body) is not bool(decode)


@pytest.mark.parametrize("text", ['"a\\/b"', ' "\\n"', '"say \\"a\\""'])
def test_whatever_is_escaped_in_a_string_of_json_it_is_counted(text: str) -> None:
    for form in ("csv", "form", "text"):
        rules = compiled({}, {"us_ssn": "redact"}, policy={"content": [form]})
        assert sent(rules, form, [in_cell(text, form)])[1].unscanned == 1
    doubled = text.replace('"', '""')
    rules = compiled({}, {"us_ssn": "redact"}, policy={"content": ["csv"]})
    assert sent(rules, "csv", [f'a,"{doubled}"\nb,c\n'.encode()])[1].unscanned == 1


def test_the_name_of_a_column_may_be_json_too() -> None:
    cell = ESCAPED.replace('"', '""')
    for decode in (["json"], []):
        policy = {"content": ["csv"], "decode": decode}
        rules = compiled({}, {"us_ssn": "redact"}, policy=policy)
        _, report = sent(rules, "csv", [f'a,"{cell}"\nb,c\n'.encode()])
        assert report.unscanned == (not decode)
        assert report.findings == ({"us_ssn": 1} if decode else {})


@pytest.mark.parametrize("decode", [[], ["json", "base64"]])
@pytest.mark.parametrize(
    "text",
    [
        '{"a": NaN, "ssn": "078\\u002d05-1120"}',
        '[NaN, "078\\u002d05-1120"]',
        '\ufeff{"ssn": 1}',
        '{"a": 1}{"ssn": 2}',
        'payload={\n "ssn": 2}',
        'payload: "078\\u002d05-1120"',
        '{"ssn": "078\\u002d05-1120", "b":',
        "{" + '"a":{' * 300 + "}" * 301,
    ],
)
def test_what_is_only_nearly_json_is_counted_in_every_format(text: str, decode: list[str]) -> None:
    spelt = json.dumps([text]).replace("{", "\\u007b").replace('\\"', "\\u0022")
    for document in (json.dumps([text]), spelt, spelt.replace("\\\\", "\\u005c")):
        for form in ("json", "ndjson"):
            rules = compiled({}, EVERYTHING, policy={"decode": decode})
            output, report = sent(rules, form, [document.encode()])
            assert output == document.encode()
            assert report.unscanned == 1
    for form in ("csv", "form", "text"):
        rules = compiled({}, EVERYTHING, policy={"content": [form], "decode": decode})
        assert sent(rules, form, [in_cell(text, form)])[1].unscanned == 1


def test_a_text_of_many_windows_that_is_json_is_counted() -> None:
    data = json.dumps({f"n{n}": n for n in range(20_000)}, indent=1).encode()
    rules = compiled({}, EVERYTHING, policy={"content": ["text"], "decode": ["json"]})
    assert sent(rules, "text", [data])[1].unscanned > 0
    assert sent(rules, "text", [data[:2000]])[1].unscanned == 1


def test_what_is_too_large_is_counted_and_searched_as_it_is() -> None:
    large = json.dumps(["x" * 2**20, f"card {CARD}"])
    output, report = looked_into([large], "json")
    assert report.unscanned == 1
    assert CARD not in output[0]


def test_a_finding_inside_rejects_like_any_other() -> None:
    for text in (INNER, b64(INNER)):
        with pytest.raises(Refusal, match="us_ssn in the document"):
            looked_into([text], "json", "base64", detect={"us_ssn": "reject"})


GLUED = [
    "https://x.example/u/%s",
    "token-%s",
    "key_%s",
    "/a/b-c/%s/edit",
    "%s_%s",
    "d=%s",
]


@pytest.mark.parametrize("glue", GLUED)
@pytest.mark.parametrize("said", ["my SSN is 536-90-4399?", "écrit: 536-90-4399? That is mine, é"])
@pytest.mark.parametrize("form", ["json", "text"])
def test_base64_is_looked_into_behind_and_before_what_is_of_its_alphabet(
    glue: str, said: str, form: str
) -> None:
    count = glue.count("%s")
    for padded in (False, True):
        for more in ("", "?", "??"):
            run = base64.urlsafe_b64encode((said + more).encode()).decode()
            text = glue.replace("%s", run if padded and not glue.count("_") else run.rstrip("="))
            body = json.dumps([text]) if form == "json" else text
            rules = compiled({}, EVERYTHING, policy={"content": [form], "decode": ["base64"]})
            output, report = sent(rules, form, [body.encode()])
            assert report.findings == {"us_ssn": count}
            assert report.unscanned == 0
            left = (json.loads(output)[0] if form == "json" else output.decode()).split("W1JFREFD")
            assert len(left) <= count + 1
            before, after = glue.split("%s")[0], glue.split("%s")[-1]
            assert left[0].startswith(before)
            assert left[-1].endswith(after)


@pytest.mark.parametrize("glue", ["x%s", "abc%s", "%sx", "ab%scd"])
def test_base64_of_which_nobody_can_say_where_it_starts_is_counted(glue: str) -> None:
    text = glue.replace("%s", b64("my name is Jane and my SSN 536-90-4399, is it not").rstrip("="))
    for form in ("json", "text"):
        body = json.dumps([text]) if form == "json" else text
        rules = compiled({}, EVERYTHING, policy={"content": [form], "decode": ["base64"]})
        output, report = sent(rules, form, [body.encode()])
        assert report.unscanned == (not report.findings)
        assert bool(report.findings) == (output != body.encode())


def test_json_in_base64_behind_a_joint_is_counted_where_it_is_not_decoded() -> None:
    for glue in ("https://x.example/u/", "token-", "key_"):
        run = b64('{"ssn": "536-90-4399", "name": "Jane Doe of no address"}').rstrip("=")
        _, report = looked_into([glue + run])
        assert report.unscanned == 1


def test_a_file_with_text_in_it_is_counted_and_never_taken_apart() -> None:
    noise = hashlib.shake_256(b"").digest(600)
    for before, after in ((600, 600), (30, 600), (600, 30)):
        file = (
            noise[:before] + b"??? Jane, jane.doe@example.com, SSN 536-90-4399 ???" + noise[:after]
        )
        output, report = looked_into([base64.b64encode(file).decode()], "base64")
        assert base64.b64decode(output[0]) == file
        assert report.unscanned == 1


def test_lines_that_go_on_as_something_else_hide_nothing() -> None:
    said = "My card is 4111 1111 1111 1111, my SSN 536-90-4399. "[:48] * 3
    for after in ("Regards, Jane", "--boundary--", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"):
        run = b64(said)
        lines = "".join(f"{run[n : n + 64]}\n" for n in range(0, len(run), 64)) + after
        output, report = looked_into([lines], "base64")
        assert report.findings["credit_card"] == 3
        assert report.unscanned == 0
        assert output[0].endswith(f"\n{after}")


def test_what_is_random_is_neither_decoded_nor_counted() -> None:
    source = random.Random(6)  # noqa: S311
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        ids = [encode(source.randbytes(size)).decode() for size in range(16, 400)]
        for decode in ([], ["base64"]):
            output, report = looked_into(ids, *decode)
            assert output == ids
            assert report.unscanned == 0


def test_base64_in_lines_is_one() -> None:
    lines = base64.encodebytes(b"one and two and three " * 9 + CARD.encode() + b" end.").decode()
    output, report = looked_into({"mail": lines}, "base64")
    assert report.findings == {"credit_card": 1}
    assert CARD.encode() not in base64.b64decode(output["mail"])


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=20), st.booleans())
def test_there_and_back_is_the_same(text: str, padded: bool) -> None:
    run = base64.b64encode(text.encode())
    run = run if padded else run.rstrip(b"=")
    assert unwrapped(run) == text.encode()
    assert wrapped(text.encode(), run) == run


@given(
    st.text(st.sampled_from(" .,:;abcxyzABC0189@{}[]\"'-_/"), min_size=20),
    st.text(max_size=6),
    st.text("abc ", max_size=6),
)
def test_the_gate_lets_base64_of_ascii_through(text: str, before: str, after: str) -> None:
    only = gate((JSON_INSIDE, BASE64_INSIDE), Likelihood.LIKELY)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        run = encode(text.encode()).decode()
        document = json.dumps([f"{before} {run} {after}"]).encode()
        assert BASE64_INSIDE in only.in_json(document)
        assert BASE64_INSIDE in only.in_text(f"{before} {run}".encode())


@given(st.recursive(st.text(max_size=5), lambda inner: st.lists(inner, min_size=1), max_leaves=3))
def test_the_gate_lets_json_in_strings_through(value: object) -> None:
    only = gate((JSON_INSIDE, BASE64_INSIDE), Likelihood.LIKELY)
    for space in ("", " ", "\n\t", "\r\n"):
        text = space + json.dumps(value)
        if text.strip()[0] == "[":
            assert JSON_INSIDE in only.in_json(json.dumps({"a": text}).encode())


@pytest.mark.parametrize("form", ["json", "ndjson"])
@pytest.mark.parametrize("decode", [[], ["base64"], ["json", "base64"]])
def test_a_string_with_base64_in_which_nothing_is_found_stays_octet_for_octet(
    form: str, decode: list[str]
) -> None:
    document = b'{"a":"\\u0065\\/ %b"}' % b64("nothing is said in here").encode()
    rules = compiled({}, EVERYTHING, policy={"decode": decode})
    output, report = sent(rules, form, [document])
    assert output == document
    assert not report.changed


@pytest.mark.parametrize("tail", ["\n", "\n\n", "", "\r\n, x"])
@pytest.mark.parametrize("width", [60, 64, 76])
def test_lines_of_base64_are_one_run_whatever_follows_the_last(width: int, tail: str) -> None:
    said = b64("x" * 7 + f" {CARD} " * 60)
    said = said[: len(said) // width * width]
    end = "\r\n" if "\r" in tail else "\n"
    lines = end.join(said[n : n + width] for n in range(0, len(said), width))
    output, report = looked_into([lines + tail], "base64")
    assert output[0].endswith(tail)
    assert CARD not in base64.b64decode(output[0].strip(", x") + "==").decode(errors="replace")
    assert report.findings["credit_card"] >= 40


def test_base64_in_very_many_full_lines_takes_linear_time() -> None:
    runs = list(base64_runs(base64.encodebytes(b"some words about things. " * 60_000)))
    assert len(runs) == 1
