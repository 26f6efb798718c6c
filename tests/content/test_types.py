"""Which finds count: groups, likelihood, context, and types of a configuration's own."""

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.checksums import CHECKSUMS
from proxy.content.findings import PATHS_MAXIMUM
from proxy.content.own import LONG_MAXIMUM, LONGEST, own_kinds
from proxy.content.registry import KINDS
from proxy.content.words import Vocabulary
from proxy.errors import Refusal
from proxy.model import Report
from proxy.settings.detected import CHECKSUM_NAMES, DETECTED_GROUPS
from proxy.settings.schema import OwnType
from tests.content.policies import EVERYTHING, HMAC, compiled, sent

BARE = "536904399"
CARD = "4111111111111111"
STAFF = {"pattern": r"\bE[0-9]{6}\b"}


def found(
    document: object, detect: Any, *, form: str = "json", own: Any = None, **policy: object
) -> tuple[Any, Report]:
    rules = compiled({}, detect, policy=policy, own=own)
    output, report = sent(rules, form, [json.dumps(document).encode()])
    return json.loads(output), report


# --- likelihood and context ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("driverLic", True),
        ("driver_lic", True),
        ("DRIVER-LIC", True),
        ("Driver Lic", True),
        ("lic", True),
        ("licNo", True),
        ("LICNumber", True),
        ("public", False),
        ("licence", False),
        ("duplicates", False),
        ("publicLicence", False),
        ("", False),
        ("lic" * 100, False),
    ],
)
def test_context_is_whole_words_however_they_are_put_together(key: str, says: bool) -> None:
    assert Vocabulary({"x": ["lic"]}).in_key(key) == ({"x"} if says else set())


@pytest.mark.parametrize(
    "key", ["socialSecurity", "social_security_no", "SOCIALSECURITY", "a.socialsecurity"]
)
def test_a_phrase_counts_as_words_and_as_one(key: str) -> None:
    assert Vocabulary({"x": ["social security"]}).in_key(key) == {"x"}


@pytest.mark.parametrize("separator", [" ", "·", "-", "\u3000"])
def test_a_word_in_the_text_counts_within_thirty_characters(separator: str) -> None:
    for distance in range(1, 60):
        between = separator * distance
        near = distance <= 27
        for text in (f"x ssn{between}|{BARE}", f"{BARE}|{between}ssn x"):
            _, report = found([text.replace("|", "")], EVERYTHING)
            assert (report.findings == {"us_ssn": 1}) is near
    assert found([f"classn {BARE} lessn"], {"us_ssn": "redact"})[1].findings == {}


def test_the_name_of_a_type_that_was_redacted_is_no_context() -> None:
    text = f"536-90-4399 {BARE}"
    output, report = found([text], {"us_ssn": "redact"})
    assert output == [f"[REDACTED:us_ssn] {BARE}"]
    assert found(output, {"us_ssn": "redact"})[0] == output
    assert report.findings == {"us_ssn": 1}


def test_the_threshold_of_the_route_decides() -> None:
    document = {"n": BARE, "d": "536-90-4399"}
    for likelihood, count in (
        ("very_unlikely", 2),
        ("unlikely", 2),
        ("possible", 1),
        ("likely", 1),
    ):
        _, report = found(document, {"us_ssn": "redact"}, likelihood=likelihood)
        assert report.findings == {"us_ssn": count}


def test_a_dashed_number_under_its_key_is_one_finding() -> None:
    assert found({"ssn": "536-90-4399"}, {"us_ssn": "redact"})[1].findings == {"us_ssn": 1}


# --- groups --------------------------------------------------------------------------------------


def test_a_group_is_all_its_types_and_every_type_is_in_one() -> None:
    groups = {kind.group for rows in KINDS.values() for kind in rows}
    assert groups == set(DETECTED_GROUPS) - {"default"}
    assert all(len({kind.group for kind in rows}) == 1 for rows in KINDS.values())


def test_a_type_wins_over_its_group_wherever_it_stands() -> None:
    group = {"type": "financial", "action": "redact"}
    card = {"type": "credit_card", "action": "flag", "raises": "confidential"}
    document = [CARD, "DE89370400440532013000", "jane@example.com"]
    for rules in ([group, card], [card, group]):
        output, report = found(document, rules)
        assert output == [CARD, "[REDACTED:iban]", "jane@example.com"]
        assert report.label == "confidential"
    first = [{"type": "default", "action": "redact"}, {"type": "financial", "action": "reject"}]
    assert found(document, first)[0] == [
        "[REDACTED:credit_card]",
        "[REDACTED:iban]",
        "[REDACTED:email]",
    ]
    with pytest.raises(Refusal, match="finding-rejected"):
        found(document, list(reversed(first)))


def test_raises_goes_with_every_action() -> None:
    for action in ("redact", "flag"):
        rules = [{"type": "email", "action": action, "raises": "internal"}]
        assert found(["jane@example.com"], rules)[1].label == "internal"
    assert found(["jane@example.com"], {"email": "redact"})[1].label is None
    assert found(["jane@example.com"], {"email": "flag"})[1].label == "restricted"


# --- masking what is found -----------------------------------------------------------------------


def by_type(rules: Sequence[tuple[str, object]], document: str, detect: Any = ()) -> bytes:
    mask = [{"type": name, "action": action} for name, action in rules]
    return sent(compiled((), detect, policy={"mask": mask}), "json", [document.encode()])[0]


def test_what_is_found_is_masked_where_it_stands() -> None:
    partial = {"partial": {"keep_last": 4}}
    assert by_type([("credit_card", partial)], f'["pay {CARD} now", {CARD}]') == (
        b'["pay ************1111 now", "************1111"]'
    )
    token = by_type([("email", HMAC)], '"jane@example.com"')
    assert by_type([("email", HMAC)], '"to jane@example.com, now"') == (
        b'"to ' + token.strip(b'"') + b', now"'
    )
    assert by_type([("email", HMAC)], token.decode()) == token


def test_a_mask_decides_what_a_finding_becomes_and_detect_whether_it_passes() -> None:
    flag = [{"type": "email", "action": "flag", "raises": "internal"}]
    assert b"tok:" in by_type([("email", HMAC)], '"jane@example.com"', flag)
    redact = [{"type": "default", "action": "redact"}]
    output = by_type(
        [("personal", HMAC), ("email", "redact")], '["a@b.example","536-90-4399"]', redact
    )
    assert output.startswith(b'["[REDACTED]","tok:')
    with pytest.raises(Refusal, match="finding-rejected"):
        by_type([("email", HMAC)], '"jane@example.com"', {"email": "reject"})


def test_of_findings_that_overlap_nothing_is_left() -> None:
    own = {"tail": {"pattern": "[a-z.]{3,20}@exam"}}
    rules = [("email", {"partial": {"keep_last": 8}}), ("tail", {"partial": {"keep_first": 3}})]
    mask = [{"type": name, "action": action} for name, action in rules]
    output, _ = sent(compiled(policy={"mask": mask}, own=own), "json", [b'"x jane@example.com"'])
    assert output == b'"x [REDACTED:email]"'


def test_a_partial_that_leaves_a_finding_is_not_masked_again_and_again() -> None:
    kept = by_type([("email", {"partial": {"keep_first": 15}})], '"jane@example.com x"')
    assert kept == b'"jane@example.co* x"'


# --- types of one's own --------------------------------------------------------------------------


def test_a_pattern_of_ones_own_is_found_like_any_other() -> None:
    own = {"staff_id": STAFF}
    for form in ("json", "ndjson"):
        document = {"a": ["ask E123456, or E12345", "xE123456"], "E654321": "\tE111111\n"}
        output, report = found(document, {"staff_id": "redact"}, form=form, own=own)
        assert output == {
            "a": ["ask [REDACTED:staff_id], or E12345", "xE123456"],
            "[REDACTED:staff_id]": "\t[REDACTED:staff_id]\n",
        }
        assert report.findings == {"staff_id": 3}
        assert report.found_at == {"staff_id": {"$.a[*]": 1, "$.*": 2}}
    assert found([123456], {"n": "redact"}, own={"n": {"pattern": "[0-9]{6}"}})[0] == [
        "[REDACTED:n]"
    ]


def test_likelihood_context_checksum_and_allow_decide_together() -> None:
    own = {
        "member": {
            "pattern": r"\b[0-9]{8}\b",
            "context": ["member", "card no"],
            "checksum": "luhn",
            "likelihood": "possible",
            "allow": ["00000000", "10000009"],
        }
    }
    for document, finds in (
        ({"member": "12345674"}, True),
        ({"memberNo": ["12345674"]}, True),
        ({"n": "Card No. 12345674"}, True),
        ({"n": "12345674"}, False),
        ({"remember": "12345674"}, False),
        ({"member": "12345675"}, False),
        ({"member": "10000009"}, False),
        ({"member": "00000000"}, False),
    ):
        _, report = found(document, {"member": "redact"}, own=own)
        assert report.findings == ({"member": 1} if finds else {})


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("^E[0-9]", "no anchor"),
        ("E[0-9]$", "no anchor"),
        (r"\AE[0-9]", "no anchor"),
        ("E(", "parenthesis"),
        ("E*", "may match nothing"),
        (r"(E)\1", "detectors.t"),
        ("(?=E)E", "detectors.t"),
        ("é", "ASCII"),
        (r"\hE", "RE2 does not read it"),
        ("E{2000}", "RE2 does not read it"),
    ],
)
def test_a_pattern_that_could_not_be_kept_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        own_kinds({"t": OwnType(pattern=pattern)})
    for fine in (r"[\^$]x", r"\$[0-9]", "[]^]x", r"[^a]x"):
        own_kinds({"t": OwnType(pattern=fine)})


def test_no_pattern_of_ones_own_takes_more_than_linear_time() -> None:
    for pattern in ("(?:a|aa){1,40}b", "(?:a{1,5}){1,5}!", "(?:[a-z]{1,9}-){2,9}x"):
        (kind,) = own_kinds({"t": OwnType(pattern=pattern)})["t"]
        assert list(kind.find(b"a" * 100_000)) == []
    (kind,) = own_kinds({"t": OwnType(pattern="a{1,40}")})["t"]
    spans = [(start, end) for start, end, _ in kind.find(b"a" * 100_000)]
    assert spans == [(start, start + 40) for start in range(0, 100_000, 40)]


@pytest.mark.parametrize("pattern", ["a+b", "[a-z]+ x", r"\b[a-z]+ x", "[a-z]* x"])
def test_no_pattern_of_ones_own_ends_the_process(pattern: str) -> None:
    """hyperscan does on such texts when it is asked where matches start."""
    (kind,) = own_kinds({"t": OwnType(pattern=pattern)})["t"]
    for text in (b"abc def " * 60, b"a" * 500, b"aab " * 200):
        spans = [(start, end) for start, end, _ in kind.find(text)]
        assert spans == [found.span() for found in re.finditer(pattern.encode(), text)]


def test_a_match_of_any_length_is_found_where_it_starts() -> None:
    own = {"t": {"pattern": r"\bBEGIN[^!]*END\b"}}
    text = "xBEGIN BEGIN" + " " * 5000 + "END, "
    output, _ = found([text], {"t": "redact"}, own=own)
    assert output == ["xBEGIN [REDACTED:t], "]
    exactly = "x BEGIN" + " " * (LONGEST - 8) + "END."  # the octet before it says where it starts
    assert found([exactly], {"t": "redact"}, own=own)[0] == ["x [REDACTED:t]."]
    glued = "xBEGIN" + " " * (LONGEST - 8) + "END."
    assert found([glued], {"t": "redact"}, own=own)[0] == [glued]


def test_a_value_with_very_many_long_matches_is_a_finding_as_a_whole() -> None:
    own = {"t": {"pattern": "a[^b]*!", "checksum": "luhn", "allow": ["x"]}}
    output, _ = found(["a" * 2000 + "!" * LONG_MAXIMUM, "a!"], {"t": "redact"}, own=own)
    assert output == ["a" * 2000 + "!" * LONG_MAXIMUM, "a!"]
    output, _ = found(["x" + "a" * 2000 + "!" * (LONG_MAXIMUM + 1)], {"t": "redact"}, own=own)
    assert output == ["[REDACTED:t]"]


def test_a_character_is_not_cut_in_two() -> None:
    output, _ = found(["xé y"], {"t": "redact"}, own={"t": {"pattern": "x."}})
    assert output == ["[REDACTED:t] y"]


MANY = " ".join(["word"] * 30_000)


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_a_pattern_that_matches_ever_so_often_is_found_in_its_places(form: str) -> None:
    own = {"t": {"pattern": r"\w{5,}"}}
    short = {"a": MANY, "b": "x" * 30_000, "c": ["see abcdef", MANY]}
    output, report = found(short, {"t": "redact"}, form=form, own=own)
    assert output == {"a": MANY, "b": "[REDACTED:t]", "c": ["see [REDACTED:t]", MANY]}
    assert report.findings == {"t": 2}
    with pytest.raises(Refusal, match="over 10000 findings") as refused:
        found([MANY], {"t": "redact"}, form=form, own={"t": {"pattern": r"\w{4,}"}})
    assert refused.value.code == "finding-rejected"


def test_a_pattern_of_ones_own_may_match_what_stands_between_values() -> None:
    for pattern in (r"\W{3,}", "[0-9]{3},?", "[^a]{3,}", "[a-z]{4}"):
        (kind,) = own_kinds({"t": OwnType(pattern=pattern)})["t"]
        document = [True, {"ab": None, "cd": [123, 123]}, ",,,,", "x", "\\\\\\", -0.5, False]
        output, report = found(document, {"t": "redact"}, own={"t": {"pattern": pattern}})
        flat = [123, 123, ",,,,", "x", "\\\\\\", -0.5]
        seen = [value for value in flat if list(kind.find(str(value).encode()))]
        assert sum(report.findings.values()) == len(seen)
        assert output[0] is True
        assert output[1]["ab"] is None


def test_a_number_is_searched_as_it_is_written_too() -> None:
    own = {"geo": {"pattern": r"-?[0-9]{1,2}\.[0-9]{4,}"}, "n": {"pattern": "-?[0-9]{4}"}}
    rules = compiled({}, {"geo": "redact", "n": "flag"}, own=own)
    sent_, report = sent(rules, "json", [b'{"lat":52.520008,"s":[-0.50001e1,1.5,-1234,1234e1]}'])
    assert sent_ == b'{"lat":"[REDACTED:geo]","s":["[REDACTED:geo]",1.5,-1234,1234e1]}'
    assert report.findings == {"geo": 2, "n": 4}


def test_what_was_redacted_is_not_redacted_again_by_a_pattern_that_says_so() -> None:
    own = {"loud": {"pattern": "[A-Z]{5,}"}}
    once, _ = found(["x HELLO y", "[REDACTED]"], {"loud": "redact"}, own=own)
    assert once == ["x [REDACTED:loud] y", "[REDACTED]"]
    twice, report = found(once, {"loud": "redact"}, own=own)
    assert twice == once
    assert report.findings == {}
    assert found(["[REDACTED:SECRET]"], {"loud": "redact"}, own=own)[0] != ["[REDACTED:SECRET]"]


def test_settings_name_every_checksum_that_there_is() -> None:
    assert set(CHECKSUM_NAMES) == set(CHECKSUMS)


# --- where it was found --------------------------------------------------------------------------


def test_paths_tell_where_and_never_what() -> None:
    mail = "a@b.example"
    document = {
        "a": {"b": [{"c": mail}, [mail]]},
        "x-y": mail,
        mail: {"in": mail},
        "Jane Doe": mail,
        "1234567": mail,
        "k12345": mail,
        "k" * 49: mail,
    }
    _, report = found(document, {"email": "flag"})
    assert report.found_at == {
        "email": {"$.a.b[*].c": 1, "$.a.b[*][*]": 1, "$['x-y']": 1, "$.*": 5, "$.*.in": 1}
    }
    assert found(mail, {"email": "flag"})[1].found_at == {"email": {"$": 1}}


def test_paths_are_bounded_and_the_rest_is_counted_together() -> None:
    many = {f"k{chr(97 + n // 26)}{chr(97 + n % 26)}": "a@b.example" for n in range(100)}
    _, report = found(many, {"email": "flag"})
    assert len(report.found_at["email"]) == PATHS_MAXIMUM + 1
    assert report.found_at["email"]["…"] == 100 - PATHS_MAXIMUM
    deep: Any = "a@b.example"
    for _ in range(20):
        deep = {"k" * 20: deep}
    assert found(deep, {"email": "flag"})[1].found_at == {"email": {"…": 1}}


# --- any spelling --------------------------------------------------------------------------------

SECRETS = {
    "credit_card": CARD,
    "iban": "DE89370400440532013000",
    "us_ssn": "536-90-4399",
    "email": "jane@example.com",
    "aws_key": "AKIA" + "IOSFODNN7EXAMPLE",
    "staff_id": "E123456",
}


@given(
    st.sampled_from(sorted(SECRETS)),
    st.text(st.sampled_from(" ,;()\n\t\"'\\/é€"), max_size=8),
    st.text(st.sampled_from(" ,;()\n\t\"'\\/é€"), max_size=8),
    st.lists(st.booleans(), min_size=60, max_size=60),
    st.lists(st.integers(0, 200), max_size=4),
)
def test_a_secret_anywhere_in_a_value_in_any_spelling_is_found(
    kind: str, before: str, after: str, escaped: list[bool], cuts: list[int]
) -> None:
    secret = SECRETS[kind]
    value = f"{before}{secret}{after}"
    spelt = "".join(
        f"\\u{ord(letter):04x}" if escape else json.dumps(letter, ensure_ascii=False)[1:-1]
        for letter, escape in zip(value, escaped, strict=False)
    )
    line = f'{{"a":1,"note":["{spelt}"]}}\n'.encode()
    edges = sorted({0, *(cut % len(line) for cut in cuts), len(line)})
    pieces = [line[a:b] for a, b in pairwise(edges)]
    rules = compiled((), {kind: "redact"}, own={"staff_id": STAFF})
    output, report = sent(rules, "ndjson", pieces)
    (note,) = json.loads(output)["note"]
    assert f"[REDACTED:{kind}]" in note
    assert secret not in note
    if kind != "email":  # whose letters may have accents
        assert note == f"{before}[REDACTED:{kind}]{after}"
    assert report.findings == {kind: 1}


HARMLESS = [
    1700000000123,
    "1700000000123",
    "550e8400-e29b-41d4-a716-446655440000",
    "00000000-0000-4000-8000-411111111111",
    2.3500000000000001e-3,
    "2.3500000000000001E-3",
    "0000000000000000",
    "12345-6789",
    "ZIP 94105-1234",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "2026-11-23T16:07:21.123456Z",
]


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_case_20_what_is_no_secret_is_left_alone(form: str) -> None:
    rules = [{"type": "default", "action": "reject"}]
    output, report = found({"v": HARMLESS}, rules, form=form)
    assert output == {"v": HARMLESS}
    assert report.findings == {}
    assert report.unscanned == 0


@given(st.lists(st.sampled_from([*SECRETS.values(), " ", ", ", "x", "é"]), max_size=8).map("".join))
def test_case_20_masking_twice_equals_masking_once(text: str) -> None:
    mask = [
        {"type": "email", "action": HMAC},
        {"type": "iban", "action": {"partial": {"keep_last": 4}}},
    ]
    detect = [{"type": "default", "action": "redact"}, {"type": "staff_id", "action": "redact"}]
    rules = compiled((), detect, policy={"mask": mask}, own={"staff_id": STAFF})
    once, _ = sent(rules, "json", [json.dumps([text]).encode()])
    assert sent(rules, "json", [once])[0] == once
