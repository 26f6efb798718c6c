"""Plain text: what is found is replaced wherever it stands, in bounded memory."""

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.rules import Rules
from proxy.content.text import AROUND, WINDOW
from proxy.errors import Refusal
from tests.content.policies import EVERYTHING, compiled, sent

KEY = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQ+/abc\n" * 400 + "-----END PRIVATE KEY-----\n"
SECRETS = {
    "credit_card": "4111 1111 1111 1111",
    "us_ssn": "536-90-4399",
    "email": "jane.doe@example.com",
    "iban": "DE89 3704 0044 0532 0130 00",
    "aws_key": "AKIAIOSFODNN7EXAMPLE",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0." + "a" * 3000,
    "private_key": KEY.strip(),
}
LINE = "the quick brown fox jumps over the lazy dog\n"


def texts(detect: Any = EVERYTHING, **limits: Any) -> Rules:
    return compiled({}, detect, policy={"content": ["text"]}, **limits)


SMALL = texts(record=2000)
ALL = texts()


def through(text: str | bytes, rules: Rules = ALL, size: int = WINDOW) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return sent(rules, "text", [data[n : n + size] for n in range(0, len(data), size)])[0]


def test_what_is_found_is_replaced_in_its_place() -> None:
    before = "Dear Jane,\r\n\tcard: 4111 1111 1111 1111;\tmail jane@example.com\r\n\r\nécrit"
    out, report = sent(ALL, "text", [before.encode()])
    assert out.decode() == (
        "Dear Jane,\r\n\tcard: [REDACTED:credit_card];\tmail [REDACTED:email]\r\n\r\nécrit"
    )
    assert (report.format, report.records, report.changed) == ("text", 1, True)
    assert report.findings == {"credit_card": 1, "email": 1}


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("space", ["\n", " "])
def test_case_12_a_secret_across_a_window_and_at_the_very_end_is_found(
    kind: str, space: str
) -> None:
    secret = SECRETS[kind]
    filler = LINE.replace("\n", " ").replace(" ", space) * (2 * WINDOW // len(LINE))
    for before in (0, 1, len(secret) // 2, len(secret) - 1, len(secret)):
        head = filler[: WINDOW - before - 1] + space
        data = f"{head}{secret}{space}{filler}"
        out = through(data)
        assert out.decode() == f"{head}[REDACTED:{kind}]{space}{filler}"
    for size in (WINDOW - 1, WINDOW, WINDOW + AROUND, 3 * WINDOW):
        data = (filler * 2)[: size - 1] + space + secret
        assert through(data).endswith(f"{space}[REDACTED:{kind}]".encode())


@pytest.mark.parametrize("step", [1, 7, 100, 1023])
def test_case_12_wherever_the_window_ends(step: int) -> None:
    secret = "4111 1111 1111 1111"
    for shift in range(0, 2100, step if step > 1 else 97):
        data = "word " * 200 + "x" * (shift % 5) + " " + "y " * shift + secret + " end" * 900
        out, report = sent(SMALL, "text", [data.encode()])
        assert out.decode() == data.replace(secret, "[REDACTED:credit_card]")
        assert report.findings == {"credit_card": 1}


@pytest.mark.parametrize("between", ["", " of a b c d e f g h"])
def test_a_word_that_says_what_a_number_is_stays_in_its_window(between: str) -> None:
    rules = texts({"us_ssn": "redact"}, record=2000)
    flagged = texts({"us_ssn": "flag"}, record=2000)
    for shift in range(0, 60):
        data = "a b " * 485 + "x" * shift + f"\nSSN{between}:\n536904399\n" + "a b " * 600
        assert b"[REDACTED:us_ssn]" in through(data, rules)
        assert sent(flagged, "text", [data.encode()])[1].findings == {"us_ssn": 1}


@pytest.mark.parametrize("padding", [0, 1, 500, WINDOW - 3000, WINDOW - 100, WINDOW - 20, WINDOW])
def test_a_key_of_many_lines_is_replaced_whole(padding: int) -> None:
    before = (LINE * 2000)[:padding] + "\n"
    out = through(f"{before}{KEY}{LINE * 3000}")
    assert out.decode() == f"{before}[REDACTED:private_key]\n{LINE * 3000}"


def test_a_key_without_an_end_is_never_let_by_in_part() -> None:
    rules = texts(record=100_000)
    beginning = KEY.partition("-----END")[0]
    assert through(LINE + beginning) == f"{LINE}[REDACTED:private_key]".encode()
    inspector = rules.open("text")
    out = bytearray()
    with pytest.raises(Refusal, match="content-too-large"):
        out += feed_all(inspector.feed, LINE * 3000 + beginning + LINE * 5000, out)
    assert b"BEGIN" not in out
    assert b"MIIEvQ" not in out
    assert out.startswith(LINE.encode())


def feed_all(feed: Any, text: str, out: bytearray) -> bytes:
    data = text.encode()
    for n in range(0, len(data), 4096):
        out += feed(data[n : n + 4096])
    return b""


def in_lines(text: str, width: int) -> str:
    run = base64.b64encode(text.encode()).decode()
    return "".join(f"{run[n : n + width]}\n" for n in range(0, len(run), width))


@pytest.mark.parametrize("width", [60, 61, 62, 63, 76])
@pytest.mark.parametrize("said", ["an SSN, 536-90-4399. ", "é 536-90-4399 écrit. "])
def test_lines_of_base64_stay_in_one_window(width: int, said: str) -> None:
    encoded = in_lines(said * 200 + "!", width)
    rules = compiled({}, EVERYTHING, policy={"content": ["text"], "decode": ["base64"]})
    counted = texts()
    for into in (100, 3000, 4000):
        before = (LINE * 2000)[: WINDOW - into] + "\n"
        data = f"{before}{encoded}\n{LINE * 100}".encode()
        out, report = sent(rules, "text", [data])
        assert report.findings == {"us_ssn": 200}
        assert report.unscanned == 0
        assert out.startswith(before.encode())
        assert out.endswith(f"\n{LINE * 100}".encode())
        assert sent(counted, "text", [data])[1].unscanned == 1


def test_a_window_that_cannot_grow_ends_before_base64_that_fits_into_the_next() -> None:
    rules = compiled(
        {}, EVERYTHING, policy={"content": ["text"], "decode": ["base64"]}, record=6000
    )
    encoded = in_lines("an SSN, 536-90-4399, of Jane. " * 120, 62)
    for into in (3000, 4000):
        before = LINE.replace(" ", "-") * 200
        data = f"{before[: 6000 - into]}\n{encoded}\n{LINE * 300}".encode()
        _, report = sent(rules, "text", [data])
        assert report.findings == {"us_ssn": 120}
        assert report.unscanned == 0


def test_base64_over_the_limit_is_divided_and_counted() -> None:
    rules = compiled(
        {}, EVERYTHING, policy={"content": ["text"], "decode": ["base64"]}, record=100_000
    )
    encoded = in_lines("an SSN, 536-90-4399, of Jane. " * 10_000, 62)
    inspector = rules.open("text")
    for n in range(0, len(encoded), 4096):
        inspector.feed(encoded[n : n + 4096].encode())
        assert inspector.held <= 100_000 + AROUND + 4096
    inspector.finish()
    assert inspector.report().unscanned >= len(encoded) // 100_000


def test_lines_of_hashes_divide() -> None:
    hashes = "".join(
        f"{hashlib.sha256(bytes([n % 256, n // 256])).hexdigest()}\n" for n in range(4000)
    )
    inspector = texts().open("text")
    inspector.feed(hashes.encode())
    assert inspector.held < WINDOW + AROUND
    assert inspector.report().unscanned == 0


def test_text_that_nothing_divides_is_refused_over_the_limit() -> None:
    word = "x" * 90_000
    assert through(f"a {word} b", texts(record=100_000)) == f"a {word} b".encode()
    with pytest.raises(Refusal, match="content-too-large"):
        through("x" * 102_000, texts(record=100_000))


def test_memory_is_bounded_by_the_window() -> None:
    inspector = ALL.open("text")
    piece = (LINE * 100).encode()
    for _ in range(200):
        inspector.feed(piece)
        assert inspector.held < WINDOW + AROUND + len(piece)


@pytest.mark.parametrize(
    "data", [b"\xff", b"a\xc0\xaf", b"\xed\xa0\x80", b"a\0b", "a".encode("utf-16"), b"caf\xc3"]
)
@pytest.mark.parametrize("rules", [ALL, texts({})], ids=["searched", "passed"])
def test_what_is_no_utf8_is_refused_wherever_it_stands(data: bytes, rules: Rules) -> None:
    for head in (b"", b"a b \n" * 50_000):
        for pieces in ([head + data], [head, *(data[n : n + 1] for n in range(len(data)))]):
            with pytest.raises(Refusal, match="unparseable"):
                sent(rules, "text", pieces)


def test_what_is_not_searched_passes_character_by_character() -> None:
    inspector = texts({}).open("text")
    assert inspector.feed("aé".encode()[:-1]) == b"a"
    assert inspector.held == 1
    assert inspector.feed("é€".encode()[1:]) == "é€".encode()
    assert inspector.finish() == b""


def test_a_finding_that_rejects_refuses_the_text_and_flags_are_counted_once() -> None:
    filler = LINE * 4000
    with pytest.raises(Refusal, match="email in the text from octet"):
        through(f"{filler}jane@example.com\n{filler}", texts({"email": "reject"}))
    flagged = texts({"credit_card": "flag"})
    for shift in range(0, 40, 3):
        data = (LINE * 2000)[: WINDOW - shift] + " 4111 1111 1111 1111 " + filler
        out, report = sent(flagged, "text", [data.encode()])
        assert out == data.encode()
        assert report.findings == {"credit_card": 1}


def test_every_line_may_hold_something() -> None:
    line = "user jane.doe@example.com paid with 4111 1111 1111 1111, SSN 536-90-4399\n"
    data = line * (3 * WINDOW // len(line))
    out, report = sent(ALL, "text", [data.encode()])
    assert out.decode() == data.replace(
        line, "user [REDACTED:email] paid with [REDACTED:credit_card], SSN [REDACTED:us_ssn]\n"
    )
    assert set(report.findings.values()) == {data.count("\n")}


words = st.sampled_from(
    [
        "a",
        "b",
        "SSN",
        "536904399",
        "4111",
        "1111",
        "jane@example.com",
        "é",
        "\U0001f600",
        "-",
        "x" * 99,
    ]
) | st.sampled_from(list(SECRETS.values()))
spaces = st.sampled_from([" ", "\n", "\r\n", "\t", "", "  "])
prose = st.lists(st.tuples(words, spaces), max_size=60).map(lambda p: "".join(map("".join, p)))


@given(prose, st.integers(1, 3000), st.lists(st.integers(0, 2**16), max_size=5))
def test_case_11_split_anywhere_a_text_comes_out_the_same(
    text: str, again: int, cuts: list[int]
) -> None:
    data = (text * (1 + again // max(1, len(text)))).encode()
    places = sorted(cut % (len(data) + 1) for cut in cuts)
    pieces = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]

    def outcome(given_pieces: list[bytes]) -> object:
        try:
            return sent(SMALL, "text", given_pieces)
        except Refusal as refusal:
            return refusal.code

    whole = outcome([data])
    assert outcome(pieces) == whole
    assert outcome([data[n : n + 1] for n in range(len(data))]) == whole


@given(prose, prose, st.integers(0, 2500))
def test_no_secret_is_left_and_searching_twice_is_searching_once(
    before: str, after: str, length: int
) -> None:
    secrets = ("joan@example.net", "AKIA234567ABCDEFGHIJ", "5500 0055 5555 5559")
    long = "n o " * (length // 4)
    for secret in secrets:
        text = f"{long}{before} {secret} {after} {long}"
        once = sent(ALL, "text", [text.encode()])[0]
        assert secret.encode() not in once
        assert sent(ALL, "text", [once])[0] == once
        try:
            assert secret.encode() not in sent(SMALL, "text", [text.encode()])[0]
        except Refusal as refusal:
            assert refusal.code == "content-too-large"  # noqa: PT017
