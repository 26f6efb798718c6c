"""What is found, what becomes of it, and that the gate lets every finding through."""

import base64
import functools
import json
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.detect import Detector
from proxy.content.findings import Findings
from proxy.content.fold import fold
from proxy.content.identifiers import (
    IBAN_LENGTHS,
    find_cards,
    find_ibans,
    find_ssns,
    is_card,
)
from proxy.content.judge import FINDINGS_MAXIMUM
from proxy.content.kinds import Kind, Likelihood
from proxy.content.patterns import find_emails
from proxy.content.registry import KINDS
from proxy.content.watch import watches
from proxy.content.words import Vocabulary, unmarked
from proxy.errors import Refusal
from proxy.settings.schema import DETECTED_TYPES, DetectRule
from tests.content.policies import EVERYTHING, compiled, masked, sent
from tests.content.samples import iban
from tests.content.spelling import documents

DASHES = "-" * 5
SSN = Vocabulary({"us_ssn": KINDS["us_ssn"][1].context})


def pem(label: str, end: bool = True) -> str:
    text = f"{DASHES}BEGIN {label}{DASHES}\nMIIB+/=\nabc=\n"
    return text + (f"{DASHES}END {label}{DASHES}" if end else "")


def jwt(header: str, parts: int = 3) -> str:
    encoded = base64.urlsafe_b64encode(header.encode()).decode().rstrip("=")
    return ".".join([encoded, "eyJzdWIiOiIxIn0", *["c2ln"] * (parts - 2)])


FOUND = [
    ("credit_card", number)
    for number in (
        "4111111111111111",
        "4111-1111-1111-1111",
        "4222222222222",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "3056 930902 5904",
        "30569309025904",
        "3530111333300000",
        "6200000000000005",
        "6304000000000000",
        "180000826105910",
        "4111 1111 1111 1111",
    )
]
FOUND += [("iban", iban(country)) for country in IBAN_LENGTHS]
FOUND += [("iban", "GB82 WEST 1234 5698 7654 32"), ("us_ssn", "123-45-6789")]
FOUND += [
    ("email", mail)
    for mail in ("jane.doe+x@mail.example.co.uk", "j@x.io", "müller@bücher.example", "a@b-c.museum")
]
LABELS = ("", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ")
FOUND += [("private_key", pem(label + "PRIVATE KEY")) for label in LABELS]
FOUND += [("private_key", pem("PGP PRIVATE KEY BLOCK")), ("aws_key", "ASIA" + "Q7" * 8)]
FOUND += [("aws_key", "AKIA" + "IOSFODNN7EXAMPLE"), ("jwt", jwt('{"alg":"none"}'))]
FOUND += [("jwt", jwt('{ "typ":"JWT", "alg":"RS256"}')), ("jwt", jwt('{"alg":"dir"}', 5))]


@pytest.mark.parametrize(("kind", "text"), FOUND)
def test_each_type_is_found_alone_and_in_a_sentence(kind: str, text: str) -> None:
    rules = compiled({}, EVERYTHING)
    for around in ("%s", "pay %s, please", "(%s)", "see:%s.", "\n%s\n"):
        output, report = sent(rules, "json", [json.dumps([around % text]).encode()])
        assert report.findings == {kind: 1}
        assert json.loads(output) == [around % f"[REDACTED:{kind}]"]
        assert sent(rules, "json", [output])[0] == output


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("4111 1111 1111 1111-12/27", "[REDACTED:credit_card]-12/27"),
        ("4111-1111-1111-1111-1", "[REDACTED:credit_card]-1"),
        ("1-4111-1111-1111-1111", "1-[REDACTED:credit_card]"),
        ("4111111111111111-1", "[REDACTED:credit_card]-1"),
        ("1-378282246310005.7", "1-[REDACTED:credit_card].7"),
        ("4111111111111111.50", "[REDACTED:credit_card].50"),
        ("536-90-4399-1", "[REDACTED:us_ssn]-1"),
        ("1-536-90-4399", "1-[REDACTED:us_ssn]"),
        ("536-90-4399.1", "[REDACTED:us_ssn].1"),
        ("536-90-4399-4111111111111111", "[REDACTED:us_ssn]-[REDACTED:credit_card]"),
        ("4111111111111111-536-90-4399", "[REDACTED:credit_card]-[REDACTED:us_ssn]"),
    ],
)
def test_digits_beside_a_finding_do_not_hide_it(text: str, left: str) -> None:
    assert json.loads(masked(json.dumps([text]), {}, EVERYTHING)) == [left]
    for kind in DETECTED_TYPES:
        if kind in left:
            assert kind in masked(json.dumps([text]), {}, {kind: "redact"}).decode()


SEPARATORS = ["  ", ".", "\u00a0", "\u00a0 ", "\u2007", "\u202f", "\u3000"]
SEPARATORS += [chr(dash) for dash in range(0x2010, 0x2016)] + ["\u2212", "\uff0d"]
WIDE = str.maketrans("0123456789", "".join(chr(0xFF10 + digit) for digit in range(10)))


@pytest.mark.parametrize("escape", [False, True])
@pytest.mark.parametrize("separator", SEPARATORS)
def test_other_dashes_spaces_and_digits_hide_nothing(separator: str, escape: bool) -> None:
    text = "né " + separator.join(["4111", "1111"] * 1 + ["1111", "1111"]) + " é, "
    text += separator.join(["3782", "822463", "10005"]) + "."
    for spelt in (text, text.translate(WIDE)):
        document = json.dumps({"a": spelt, "b": "é"}, ensure_ascii=escape)
        output, report = sent(compiled({}, EVERYTHING), "json", [document.encode()])
        assert report.findings == {"credit_card": 2}
        assert json.loads(output)["a"] == "né [REDACTED:credit_card] é, [REDACTED:credit_card]."
    if separator.strip() and separator != ".":
        dashed = "é\u00a0" + separator.join(["536", "90", "4399"]) + "\u2014é"
        output = masked(json.dumps([dashed], ensure_ascii=escape), {}, EVERYTHING)
        assert json.loads(output) == ["é\u00a0[REDACTED:us_ssn]\u2014é"]
    elif separator != "." and len(separator) == 1:
        account = separator.join(["GB82", "WEST", "1234", "5698", "7654", "32"])
        output = masked(json.dumps([account], ensure_ascii=escape), {}, EVERYTHING)
        assert json.loads(output) == ["[REDACTED:iban]"]
        keyed = {"ssn": separator.join(["536", "90", "4399"]).translate(WIDE)}
        output = masked(json.dumps(keyed, ensure_ascii=escape), {}, EVERYTHING)
        assert json.loads(output) == {"ssn": "[REDACTED:us_ssn]"}


def test_folding_is_no_change_of_what_stays() -> None:
    before = '{"a":"５-６ – 4111\u00a0","b":"x@y.example"}'
    after = before.replace("x@y.example", "[REDACTED:email]")
    assert masked(before, {}, EVERYTHING).decode() == after


@pytest.mark.parametrize(
    ("number", "ssn"),
    [
        ("4111111111111111.0", False),
        ("4111111111111111e0", False),
        ("4111111111111111E-00", False),
        ("41111111111111110e-1", False),
        ("-4111111111111111.000e+0", False),
        ("4.111111111111111e15", False),
        ("0.004111111111111111e18", False),
        ("6304e12", False),
        ("536904399.0", True),
        ("5.36904399e8", True),
        ("-5369043990e-1", True),
    ],
)
def test_the_spelling_of_a_number_hides_nothing(number: str, ssn: bool) -> None:
    kind = "us_ssn" if ssn else "credit_card"
    for document in ('{"ssn":%s}', '{"a":1.5e3,"ssn":[ %s ,2.5]}', '{"a":[1, \n%s]}', "%s"):
        output, report = sent(compiled({}, EVERYTHING), "json", [(document % number).encode()])
        if ssn and '"ssn"' not in document:
            assert report.findings == {}
        else:
            assert report.findings == {kind: 1}
            assert output.decode() == document % f'"[REDACTED:{kind}]"'


@given(
    st.sampled_from([4111111111111111, 6304000000000000, 378282246310005, 536904399, 123456789]),
    st.integers(-45, 45),
    st.integers(0, 30),
    st.sampled_from(["e", "E"]),
    st.booleans(),
)
def test_any_spelling_of_an_integer_is_judged_as_that_integer(
    value: int, shift: int, zeros: int, exponent: str, minus: bool
) -> None:
    digits = str(value) + "0" * max(shift, 0) + "0" * zeros
    point = len(digits) - zeros
    whole, rest = digits[:point] or "0", digits[point:]
    if shift < 0:
        padded = digits.rjust(len(digits) - shift, "0")
        point = len(padded) - zeros + shift
        whole, rest = padded[:point].lstrip("0") or "0", padded[point:]
    number = "-" * minus + whole + ("." + rest if rest else "") + f"{exponent}{-shift}"
    output, report = sent(compiled({}, EVERYTHING), "ndjson", [f'{{"ssn":{number}}}\n'.encode()])
    assert report.findings == {"us_ssn" if value < 10**9 else "credit_card": 1}
    assert output.startswith(b'{"ssn":"[REDACTED:')


def test_an_abandoned_body_is_refused_wherever_its_judging_is() -> None:
    rules = compiled({"$.a": "redact"}, EVERYTHING)
    for form in ("json", "ndjson"):
        inspector = rules.open(form)
        inspector.feed(b'{"a":1}')
        inspector.abandon()
        with pytest.raises(Refusal, match="unparseable: abandoned"):
            inspector.finish()
    late = Findings()
    late.abandoned = True
    with pytest.raises(Refusal):
        detector().examine(rb'["\u0061"]', EMAIL, (), late, "it")
    with pytest.raises(Refusal):
        detector().judge(b"a@b.example", (), "$", EMAIL, late, "it")
    opaque = rules.open("opaque")
    opaque.abandon()
    assert opaque.feed(b"x") == b"x"


def test_more_findings_than_a_document_may_have_are_refused() -> None:
    rules = compiled({}, {"email": "redact", "us_ssn": "flag"})
    most = " ".join(["a@bb.cc"] * (FINDINGS_MAXIMUM - 1) + ["536-90-4399"])
    assert sum(sent(rules, "json", [f'["{most}"]'.encode()])[1].findings.values()) == 10_000
    lines = f'"{most}"\n' * 2
    assert sent(rules, "ndjson", [lines.encode()])[1].findings["us_ssn"] == 2
    for document in (f'["{most} a@bb.cc"]', f'["{most}","a@bb.cc"]', f'{{"a@bb.cc":"{most}"}}'):
        with pytest.raises(Refusal, match="over 10000 findings in the document") as caught:
            sent(rules, "json", [document.encode()])
        assert caught.value.code == "finding-rejected"


def test_a_private_key_without_an_end_goes_to_the_end_of_its_string() -> None:
    document = json.dumps({"a": f"key: {pem('PRIVATE KEY', end=False)} tail", "b": "stays"})
    assert json.loads(masked(document, {}, EVERYTHING)) == {
        "a": "key: [REDACTED:private_key]",
        "b": "stays",
    }
    two = json.dumps([pem("PRIVATE KEY", end=False), pem("EC PRIVATE KEY") + " and " + FOUND[0][1]])
    assert json.loads(masked(two, {}, EVERYTHING)) == [
        "[REDACTED:private_key]",
        "[REDACTED:private_key] and [REDACTED:credit_card]",
    ]
    putty = json.dumps("x PuTTY-User-" + "Key-File-2: ssh-rsa\nPrivate-Lines: 1")
    assert masked(putty, {}, EVERYTHING) == b'"x [REDACTED:private_key]"'


def test_several_findings_in_one_string_are_each_replaced() -> None:
    text = "a@b.example then 4111 1111 1111 1111 123 and c@d.example, SSN 123-45-6789"
    output, report = sent(compiled({}, EVERYTHING), "json", [json.dumps(text).encode()])
    assert output.decode() == (
        '"[REDACTED:email] then [REDACTED:credit_card] 123 and [REDACTED:email], '
        'SSN [REDACTED:us_ssn]"'
    )
    assert report.findings == {"email": 2, "credit_card": 1, "us_ssn": 1}


def test_keys_and_numbers_are_looked_at_and_all_else_stays() -> None:
    before = b'{ "a@b.example" : [4111111111111111, -4111111111111111 , 1.10], "x":"\\u00e9" }'
    assert masked(before, {}, EVERYTHING) == (
        b'{ "[REDACTED:email]" : ["[REDACTED:credit_card]", "[REDACTED:credit_card]" , 1.10],'
        b' "x":"\\u00e9" }'
    )


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("ssn", True),
        ("SSN", True),
        ("customerSsn", True),
        ("ssn_no", True),
        ("SSNNumber", True),
        ("social_security_number", True),
        ("socialSecurity", True),
        ("Social Security No", True),
        ("assn", False),
        ("classname", False),
        ("social", False),
        ("security_social", False),
        ("lessn", False),
        ("[REDACTED:us_ssn]", False),
        ("", False),
    ],
)
def test_bare_social_security_numbers_need_a_key_that_says_so(key: str, says: bool) -> None:
    assert SSN.in_key(key) == ({"us_ssn"} if says else set())
    output = masked(
        json.dumps({key: {"v": [{}, 123456789, {"x": "123 45 6789"}]}, "o": 123456789}),
        {},
        EVERYTHING,
    )
    assert output.count(b"[REDACTED:us_ssn]") - key.count("[") == (2 if says else 0)
    assert output.endswith(b'"o": 123456789}')


def test_reject_names_the_type_and_the_line_and_nothing_else() -> None:
    inspector = compiled({}, {"email": "reject", "credit_card": "redact"}).open("ndjson")
    assert b"[REDACTED" in inspector.feed(b'"4111111111111111"\n')
    with pytest.raises(Refusal) as caught:
        inspector.feed(b'{}\n{"k":"jane@example.com"}\n')
    assert caught.value.code == "finding-rejected"
    assert caught.value.reason == "email in line 3"


def test_what_rejects_is_counted_beside_what_was_found_before_it() -> None:
    rules = compiled({}, {"email": "reject", "credit_card": "redact"})
    lines = rules.open("ndjson")
    lines.feed(b'"4111111111111111"\n')
    with pytest.raises(Refusal):
        lines.feed(b'{}\n{"k":"jane@example.com"}\n')
    assert lines.report().findings == {"credit_card": 1, "email": 1}
    assert lines.report().records == 3
    document = rules.open("json")
    document.feed(b'{"k":"jane@example.com or joe@example.com"}')
    with pytest.raises(Refusal):
        document.finish()
    assert document.report().findings == {"email": 2}
    assert document.report().records == 1


def test_flag_passes_and_raises_to_the_highest_label_asked_for() -> None:
    rules = [
        {"type": "email", "action": "flag", "raises": "internal"},
        {"type": "us_ssn", "action": "flag", "raises": "confidential"},
        {"type": "iban", "action": "flag"},
    ]
    one = b'["jane@example.com"]'
    two = b'["123-45-6789","jane@example.com"]'
    three = b'["DE89370400440532013000"]'
    for document, label in ((one, "internal"), (two, "confidential"), (three, "restricted")):
        output, report = sent(compiled({}, rules), "json", [document])
        assert output == document
        assert report.label == label
        assert not report.changed
    assert sent(compiled({}, rules), "ndjson", [two + b"\n" + one])[1].label == "confidential"


def test_a_flagged_finding_beside_a_redacted_one_is_counted_once_and_stays() -> None:
    rules = compiled({}, {"email": "flag", "credit_card": "redact"})
    output, report = sent(rules, "json", [b'"a@b.example 4111111111111111"'])
    assert output == b'"a@b.example [REDACTED:credit_card]"'
    assert report.findings == {"email": 1, "credit_card": 1}
    assert report.label == "restricted"


def test_a_row_of_one_digit_is_no_card() -> None:
    assert not any(is_card(digit.encode() * n) for digit in "0123456789" for n in range(1, 30))


def test_a_flag_to_a_label_that_is_not_on_the_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="not on the scale"):
        compiled({}, [{"type": "email", "action": "flag", "raises": "cosmic"}])


def test_what_masking_has_put_in_place_is_no_finding() -> None:
    keep = {"$.card": {"partial": {"keep_last": 17}}}
    card = b'{"card":"12 4111111111111111"}'
    output, report = sent(compiled(keep, {"credit_card": "reject"}), "json", [card])
    assert output == b'{"card":"** 4111111111111111"}'
    assert report.findings == {}
    mail = {"$.m": {"partial": {"keep_last": 11}}, "$.gone": "drop"}
    output, report = sent(
        compiled(mail, {"email": "redact"}),
        "json",
        [b'{"gone":1,"m":"jane@x.example.com","n":"a@b.de"}'],
    )
    assert output == b'{"m":"*******example.com","n":"[REDACTED:email]"}'


# --- the gate ----------------------------------------------------------------------------------


@functools.cache
def detector() -> Detector:
    """Of every kind. Compiled where it is used, since every process of tests imports this."""
    rules = [DetectRule(type=kind, action="redact") for kind in KINDS]
    return Detector(watches(rules, (), KINDS, "top"), Likelihood.LIKELY)


EMAIL = frozenset(KINDS["email"])

pieces = st.sampled_from([text for _, text in FOUND]) | st.text(
    st.sampled_from('0123456789 -.@aAeyJ_/\\"\n\t\u00e9\u20ac\u00a0\u2011\uff14'), max_size=6
)
texts = st.lists(pieces, max_size=6).map("".join)
texts |= texts.map(lambda text: text.translate(WIDE).replace("-", "\u2011").replace(" ", "\u00a0"))
texts |= st.text(max_size=20)
evidence = st.recursive(
    texts | st.integers(10**11, 10**17),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts | st.just("ssn"), inner, max_size=3)
    ),
    max_leaves=4,
)


CONTEXTS = {kind: Vocabulary({kind: kind.context}) for rows in KINDS.values() for kind in rows}


def judged(value: object, keys: tuple[str, ...] = ()) -> set[str]:
    """The types that the exact patterns find in a parsed value, string by string."""
    if isinstance(value, dict):
        named = {kind for key in value for kind in judged(key, keys)}
        return named.union(*(judged(item, (*keys, key)) for key, item in value.items()))
    if isinstance(value, list):
        return set().union(*(judged(item, keys) for item in value))
    text = str(value).encode()
    return {kind.name for kind in CONTEXTS if is_found(kind, text, keys)}


def is_found(kind: Kind, text: bytes, keys: tuple[str, ...]) -> bool:
    plain = fold(text) if kind.folds else text
    context = CONTEXTS[kind]
    raised = kind.with_context >= Likelihood.LIKELY
    said = any(map(context.in_key, keys))
    return any(
        likelihood >= Likelihood.LIKELY
        or (raised and (said or context.near(unmarked(plain), start, end)))
        for start, end, likelihood in kind.find(plain)
    )


@given(documents(evidence))
def test_the_gate_lets_through_whatever_the_exact_patterns_find(
    document: tuple[object, str],
) -> None:
    value, text = document
    kinds = judged(value)
    suspects = detector().suspects(text.encode())
    assert kinds <= {kind.name for kind in suspects}
    output, report = sent(compiled({}, EVERYTHING), "json", [text.encode()])
    assert kinds <= set(report.findings)
    assert judged(json.loads(output)) == set()
    assert sent(compiled({}, EVERYTHING), "json", [output])[0] == output


def test_settings_name_every_kind_that_there_is() -> None:
    assert set(DETECTED_TYPES) == set(KINDS)
    assert len(set(DETECTED_TYPES)) == len(DETECTED_TYPES)


def test_threads_scan_at_the_same_time() -> None:
    data = b'["4111111111111111"]' + b" " * 100_000
    results: list[frozenset[Kind]] = []
    threads = [
        threading.Thread(
            target=lambda: results.extend(detector().suspects(data) for _ in range(50))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [frozenset(KINDS["credit_card"])] * 200


# --- figures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entity", "finder", "least"),
    [
        ("CREDIT_CARD", find_cards, 125),
        ("US_SSN", find_ssns, 16),
        ("EMAIL_ADDRESS", find_emails, 49),
        ("IBAN_CODE", find_ibans, 20),
    ],
)
def test_recall_and_false_alarms_on_labelled_texts(
    corpora: Path, entity: str, finder: object, least: int
) -> None:
    found = alarms = 0
    texts = json.loads((corpora / "presidio-research" / "synth_dataset_v2.json").read_text("utf-8"))
    for sample in texts:
        text = sample["full_text"].encode()
        wanted = [s["entity_value"] for s in sample["spans"] if s["entity_type"] == entity]
        for start, end in finder(text):  # type: ignore[operator]
            value = text[start:end].decode()
            if value in wanted:
                wanted.remove(value)
                found += 1
            else:
                alarms += 1
    assert len(texts) == 1500
    assert found >= least
    assert alarms == 0


@given(st.text("0123456789", min_size=12, max_size=19))
def test_a_card_with_one_digit_changed_is_none(digits: str) -> None:
    if is_card(digits.encode()):
        changed = [digits[:n] + str((int(digits[n]) + 1) % 10) + digits[n + 1 :] for n in range(12)]
        assert not any(is_card(one.encode()) for one in changed)


@pytest.mark.parametrize(
    "text",
    [
        "a@" * 50_000,
        "4" * 200_000,
        "4111 " * 40_000,
        "4111-1111-1111-1111-" * 10_000,
        "4111  " * 40_000,
        "4.0e0" * 40_000,
        "eyJ" * 70_000,
        "a." * 90_000 + "@",
        "DE89" * 50_000,
        "eyJhbGciOiJu." * 15_000,
        ("-----BEGIN " + "RSA ") * 14_000,
        "123-45-" * 30_000,
    ],
)
def test_no_text_takes_more_than_linear_time(text: str) -> None:
    for finder in [kind.find for rows in KINDS.values() for kind in rows]:
        assert len(list(finder(text.encode()))) < len(text)
