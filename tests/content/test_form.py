"""What is a form (application/x-www-form-urlencoded), and what becomes of its pairs."""

import re
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.form import PAIRS_MAXIMUM
from proxy.content.rules import Rules
from proxy.errors import Refusal
from proxy.model import Report
from tests.content.policies import EVERYTHING, HMAC, compiled, sent

FORM = {"content": ["form"]}
REDACT = {"$.ssn": "redact"}
ACTIONS: dict[str, Any] = {
    "redact": "redact",
    "partial": {"partial": {"keep_first": 1, "keep_last": 1}},
    "hmac": HMAC,
}


def forms(mask: Any = (), detect: Any = (), **options: Any) -> Rules:
    only = {key: options.pop(key) for key in ("allow_only",) if key in options}
    return compiled(mask, detect, policy={**FORM, **only}, **options)


def through(data: str, mask: Any = REDACT, detect: Any = (), **options: Any) -> str:
    return sent(forms(mask, detect, **options), "form", [data.encode()])[0].decode()


def reported(data: str, mask: Any = REDACT, detect: Any = ()) -> Report:
    return sent(forms(mask, detect), "form", [data.encode()])[1]


def read(data: bytes) -> list[tuple[str, str]]:
    """The pairs, by a parser that is not ours."""
    return parse_qsl(data.decode("ascii"), keep_blank_values=True, errors="strict")


RULES = {name: forms({"$.ssn": action}, EVERYTHING) for name, action in ACTIONS.items()}
texts = st.text(
    st.sampled_from(list("abé1=+&%; \t\r\n\"'[]{}~*\U0001f600"))
    | st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    max_size=6,
)
names = st.sampled_from(["ssn", "ssn", "a", "ssn ", "ssn[]", "SSN", "user[ssn]", ""]) | texts


def is_ssn(name: str) -> bool:
    return re.fullmatch(r"\s*ssn\s*(?:\[.*)?", name, re.DOTALL) is not None


@st.composite
def written(draw: Any) -> tuple[list[tuple[str, str]], list[str]]:
    """Names and values, and one spelling of each pair."""

    def spelt(text: str) -> str:
        out = ""
        for character in text:
            if character == " " and draw(st.booleans()):
                out += "+"
            elif character in "abssn1*-._~!$'(),/:?@" and draw(st.integers(0, 3)):
                out += character
            else:
                octets = character.encode()
                out += "".join(draw(st.sampled_from([f"%{n:02x}", f"%{n:02X}"])) for n in octets)
        return out

    pairs = draw(st.lists(st.tuples(names, texts), min_size=1, max_size=6))
    pairs = [pair for pair in pairs if pair != ("", "")] or [("ssn", "")]
    return pairs, [
        spelt(name) + ("=" + spelt(value) if value or draw(st.booleans()) or not name else "")
        for name, value in pairs
    ]


Written = tuple[list[tuple[str, str]], list[str]]


def test_every_pair_of_a_name_is_masked_and_all_else_stays_as_it_is_written() -> None:
    before = "a=1%2b1&ssn=078-05-1120&b=%c3%a9+x&ssn=&&c&%73s%6E=A%26B&d=a=b&"
    after = before.replace("078-05-1120", "%5BREDACTED%5D").replace("A%26B", "%5BREDACTED%5D")
    assert through(before) == after.replace("ssn=&&", "ssn=%5BREDACTED%5D&&")
    assert through("ssn") == "ssn=%5BREDACTED%5D"
    assert reported(before).masked == {"$.ssn": 3}
    assert reported(before).format == "form"
    assert not reported("a=1").changed


@pytest.mark.parametrize("path", ["$.ssn", "$..ssn", "$['ssn']", "$.*", "$", "$['x','ssn']"])
def test_paths_reach_pairs_by_name(path: str) -> None:
    assert "A" not in through("ssn=A&ss%6e=A", {path: {"partial": {}}})


@pytest.mark.parametrize("path", ["$.user.ssn", "$[0]", "$..a.b"])
def test_a_path_that_could_never_match_a_pair_is_refused_at_load(path: str) -> None:
    with pytest.raises(ValueError, match="could never match"):
        forms({path: "redact"})


def test_a_name_that_is_not_there_is_no_mistake_and_is_compared_exactly() -> None:
    for other in ("a=1", "SSN=1", "ssn.=1", "ssn]=1", "user[ssn]=1"):
        assert through(other) == other
    assert through("user[ssn]=1", {"$['user[ssn]']": "redact"}) == "user[ssn]=%5BREDACTED%5D"


@pytest.mark.parametrize("name", ["ssn[]", "ssn%5b0%5D", "+ssn", "ssn%20", "ssn+[a][b]", "ssn["])
def test_what_some_servers_read_under_a_name_is_masked_with_it(name: str) -> None:
    assert through(f"{name}=A&b=1") == f"{name}=%5BREDACTED%5D&b=1"
    assert through("xssn[]=A&[ssn]=A") == "xssn[]=A&[ssn]=A"
    card = {"$['user[card]']": "drop", "$.user": "redact"}
    assert through("user[card]=A&user[x]=A", card) == "user[x]=%5BREDACTED%5D"
    assert through(f"{name}=A&ssn=A&b=1", allow_only=["$.ssn"]) == "ssn=%5BREDACTED%5D"


def test_what_is_dropped_goes_with_one_ampersand() -> None:
    for before, after in {
        "ssn=1": "",
        "ssn=1&a=2": "a=2",
        "a=2&ssn=1": "a=2",
        "a=1&ssn=1&ssn=2&b=1": "a=1&b=1",
        "&ssn=1&": "&",
    }.items():
        assert through(before, {"$.ssn": "drop"}) == after


def test_only_what_is_listed_crosses() -> None:
    only = ["$.id", "$.items[*].sku"]
    assert through("id=1&x=2&%69d=3&&y", {}, allow_only=only) == "id=1&%69d=3&"
    assert through("id=1&x=2", {"$.id": "redact"}, allow_only=only) == "id=%5BREDACTED%5D"
    assert sent(forms(allow_only=only), "form", [b"a=1&b=2"])[1].masked == {"allow_only": 2}


@pytest.mark.parametrize(
    "data",
    [
        "ssn=%",
        "ssn=%4",
        "ssn=%zz",
        "%=1",
        "a=1;ssn=2",
        "ssn=%ff",
        "%c0%af=1",
        "a=%ed%a0%80",
        "ss%00n=1",
        "a=%00",
        "a=é",
        "a=1\n",
        "a b=1",
        'a="1"',
        '{"ssn":"078-05-1120"}',
        "[{}]",
        "<ssn>1</ssn>",
        "a=1\0",
        "a|b",
        "&" * PAIRS_MAXIMUM,
    ],
)
def test_what_is_no_form_is_refused(data: str) -> None:
    with pytest.raises(Refusal) as caught:
        through(data)
    assert caught.value.code == "unparseable"


def test_a_form_over_the_limit_is_refused_before_it_is_whole() -> None:
    inspector = forms(document=10).open("form")
    assert inspector.feed(b"ssn=12345&") == b""
    assert inspector.held == 10
    with pytest.raises(Refusal, match="content-too-large"):
        inspector.feed(b"a")
    with pytest.raises(Refusal):
        inspector.finish()


def test_findings_are_judged_decoded_in_values_and_names() -> None:
    data = "note=4111%2b+jane%40example.com&customerSsn=536904399&x=536904399&jane%40a.example=1"
    rules = forms({"$.masked": "redact"}, EVERYTHING)
    out, report = sent(rules, "form", [data.encode()])
    assert read(out) == [
        ("note", "4111+ [REDACTED:email]"),
        ("customerSsn", "[REDACTED:us_ssn]"),
        ("x", "536904399"),
        ("[REDACTED:email]", "1"),
    ]
    assert report.findings == {"email": 2, "us_ssn": 1}
    assert "4111" not in through("c=4111+1111%201111%091111".replace("%09", "+"), {}, EVERYTHING)


@pytest.mark.parametrize("action", ACTIONS)
@given(written())
def test_another_parser_reads_the_same_but_for_the_masked(action: str, form: Written) -> None:
    pairs, spelt = form
    out = read(sent(RULES[action], "form", ["&".join(spelt).encode()])[0])
    assert [name for name, _ in out] == [name for name, _ in pairs]
    for (name, before), (_, after) in zip(pairs, out, strict=True):
        if not is_ssn(name):
            assert after == before
        elif action == "redact":
            assert after == "[REDACTED]"
        elif action == "hmac":
            assert after.startswith("tok:k2:")


@given(written(), st.lists(st.integers(0, 200), max_size=4))
def test_any_split_gives_the_same_and_masking_twice_is_masking_once(
    form: Written, cuts: list[int]
) -> None:
    data = "&".join(form[1]).encode()
    places = sorted(cut % (len(data) + 1) for cut in cuts)
    pieces = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    for rules in RULES.values():
        whole, report = sent(rules, "form", [data])
        assert sent(rules, "form", pieces) == (whole, report)
        assert sent(rules, "form", [whole])[0] == whole


@given(written())
def test_every_octet_of_the_other_pairs_stays(form: Written) -> None:
    pairs, spelt = form
    out = sent(RULES["redact"], "form", ["&".join(spelt).encode()])[0].decode().split("&")
    for (name, _), before, after in zip(pairs, spelt, out, strict=True):
        expected = before.partition("=")[0] + "=%5BREDACTED%5D" if is_ssn(name) else before
        assert after == expected


@given(st.text('0123456789ab"&= +%é', min_size=6, max_size=12), written())
def test_a_masked_value_is_nowhere_in_what_comes_out(secret: str, form: Written) -> None:
    others = [pair for (name, _), pair in zip(*form, strict=True) if not is_ssn(name)]
    octets = "§".encode() + secret.encode()
    data = "&".join([*others, "ssn=" + "".join(f"%{n:02X}" for n in octets)]).encode()
    for rules in RULES.values():
        out = sent(rules, "form", [data])[0]
        assert f"§{secret}" not in dict(read(out))["ssn"]
        assert b"".join(b"%%%02X" % n for n in octets) not in out


@given(st.binary(max_size=40) | st.text("ssn=&%+4;a", max_size=40).map(str.encode))
def test_any_octets_are_a_form_or_refused(data: bytes) -> None:
    try:
        out = sent(RULES["redact"], "form", [data])[0]
    except Refusal as refusal:
        assert refusal.code == "unparseable"  # noqa: PT017
        return
    assert all(value == "[REDACTED]" for name, value in read(out) if name == "ssn")
