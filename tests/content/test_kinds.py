"""Every type of finding: what it finds, what it does not, what its gate lets by, what it costs."""

import functools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.fold import digits_of, fold
from proxy.content.gate import Gate
from proxy.content.kinds import Found, Kind, Likelihood
from proxy.content.registry import KINDS
from tests.content.samples import ETHEREUM, NUMBERS, iban
from tests.content.samples_secret import SECRETS
from tests.content.spelling import documents

SAMPLES = NUMBERS | SECRETS
ROWS = [kind for rows in KINDS.values() for kind in rows]
FOUND = [(name, text) for name, samples in SAMPLES.items() for text in samples.found]
NEAR = [(name, text) for name, samples in SAMPLES.items() for text in samples.near]


def finds(kind: Kind, text: str) -> list[Found]:
    """What one row finds in a string, in its octets after folding."""
    octets = text.encode()
    return list(kind.find(fold(octets) if kind.folds else octets))


def test_every_type_has_samples_of_both_sorts() -> None:
    assert SAMPLES.keys() == KINDS.keys()
    assert all(samples.found and samples.near for samples in SAMPLES.values())


@pytest.mark.parametrize(("name", "text"), FOUND)
def test_each_type_is_found_whole_alone_and_in_a_sentence(name: str, text: str) -> None:
    for around in ("%s", "see %s, please", "(%s)", "\n%s\n", '"%s"', "\u4e2d%s\u4e2d"):
        if name == "private_key" and around != "%s" and "PuTTY" in text:
            continue  # nothing says where it ends
        start = len((around % "\t").partition("\t")[0].encode())
        span = (start, start + len(text.encode()))
        spans = [found for kind in KINDS[name] for found in finds(kind, around % text)]
        assert span in [found[:2] for found in spans], around


@pytest.mark.parametrize(("name", "text"), NEAR)
def test_what_is_nearly_one_is_none(name: str, text: str) -> None:
    for around in ("%s", "see %s, please"):
        for kind in KINDS[name]:
            assert finds(kind, around % text) == []


def test_a_number_is_found_where_others_stand_before_it_in_the_same_groups() -> None:
    (sin,) = KINDS["ca_sin"]
    one = SAMPLES["ca_sin"].found[1]
    for before in ("111", "111 222", "000 000 000"):
        spans = [span[:2] for span in finds(sin, f"{before} {one}")]
        start = len(before) + 1
        assert spans == [(start, start + len(one))]


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.name)
def test_what_cannot_be_trusted_alone_has_words_that_vouch_for_it(kind: Kind) -> None:
    samples = SAMPLES[kind.name].found
    likelihoods = {found[2] for text in samples for found in finds(kind, text)}
    assert max(likelihoods) == kind.alone
    assert kind.with_context >= max(Likelihood.LIKELY, kind.alone)
    assert kind.context or kind.alone >= Likelihood.LIKELY
    assert kind.context or min(likelihoods) >= Likelihood.LIKELY


def test_what_stands_by_default_is_what_the_manual_promises() -> None:
    default = {kind.name for kind in ROWS if kind.default}
    assert default == {"credit_card", "iban", "us_ssn", "email", *SECRETS}
    assert {name for name, rows in KINDS.items() if rows[0].group == "secret"} == SECRETS.keys()
    assert {kind.group for kind in ROWS} == {"personal", "financial", "secret", "network"}
    for rows in KINDS.values():
        assert len({(kind.group, kind.default) for kind in rows}) == 1


@pytest.mark.parametrize(
    ("name", "text", "likelihood"),
    [
        ("mac_address", "00:1b:44:11:3a:b7", Likelihood.LIKELY),
        ("mac_address", "001b.4411.3ab7", Likelihood.POSSIBLE),
        ("mac_address", "23-11-20-16-30-45", Likelihood.POSSIBLE),
        ("ip_address", "2001:db8::1", Likelihood.LIKELY),
        ("ip_address", "a::b", Likelihood.POSSIBLE),
        ("ip_address", "10.0.19.41", Likelihood.POSSIBLE),
        ("ethereum_address", ETHEREUM, Likelihood.VERY_LIKELY),
        ("ethereum_address", ETHEREUM.lower(), Likelihood.POSSIBLE),
        ("phone_number", "+49 30 901820", Likelihood.LIKELY),
        ("phone_number", "(415) 555-2671", Likelihood.POSSIBLE),
        ("phone_number", "030/9018200", Likelihood.UNLIKELY),
        ("iban", iban("GB").lower(), Likelihood.POSSIBLE),
        ("us_ssn", "536 90 4399", Likelihood.UNLIKELY),
        ("us_itin", "912-70-4821", Likelihood.POSSIBLE),
    ],
)
def test_what_less_speaks_for_is_less_likely(name: str, text: str, likelihood: Likelihood) -> None:
    assert max(found[2] for kind in KINDS[name] for found in finds(kind, text)) == likelihood


# --- gates ---------------------------------------------------------------------------------------

WIDE = str.maketrans("0123456789", "".join(chr(0xFF10 + digit) for digit in range(10)))
pieces = st.sampled_from([text for _, text in FOUND + NEAR]) | st.text(
    st.sampled_from('0123456789 -./:@aAeZ_=+()\\"\n\t\u00e9\u00a0\u2011\uff14'), max_size=5
)
texts = st.lists(pieces, min_size=1, max_size=4).map("".join)
texts |= st.tuples(texts, st.integers(0, 60), st.sampled_from("0aA -.=")).map(
    lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :]
)
texts |= texts.map(lambda text: text.translate(WIDE).replace("-", "\u2011").replace(" ", "\u00a0"))


@functools.cache
def gate() -> Gate:
    """At a likelihood at which none asks for a context word. Compiled where it is used, since every
    process of tests imports this."""
    return Gate(ROWS, Likelihood.VERY_UNLIKELY)


@given(documents(texts))
def test_the_gate_of_a_row_opens_wherever_the_row_finds(document: tuple[str, str]) -> None:
    text, spelt = document
    wanted = {kind for kind in ROWS if finds(kind, text)}
    assert wanted <= gate().in_text(text.encode())
    assert wanted <= gate().in_json(spelt.encode())
    octets = text.encode()
    assert all(kind.needed in (fold(octets) if kind.folds else octets) for kind in wanted)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_gate_opens_for_every_sample(name: str) -> None:
    for text in SAMPLES[name].found:
        wanted = {kind for kind in KINDS[name] if finds(kind, text)}
        assert wanted <= gate().in_text(f"see: {text}.".encode())
        assert wanted <= gate().in_json(json.dumps({"a": [text]}).encode())


NUMERIC = [
    (kind, text)
    for kind in ROWS
    if kind.folds
    for text in SAMPLES[kind.name].found
    if text.isascii() and text.isdigit() and text[0] != "0" and finds(kind, text)
]


@given(st.sampled_from(NUMERIC), st.integers(-25, 25), st.integers(0, 9), st.sampled_from("eE"))
def test_the_gate_of_a_row_opens_for_any_spelling_of_a_number(
    row: tuple[Kind, str], shift: int, zeros: int, exponent: str
) -> None:
    kind, digits = row
    point = len(digits) + shift
    padded = (digits + "0" * zeros).ljust(point, "0").rjust(len(digits) + zeros - point, "0")
    whole = padded[: max(point, 0)].lstrip("0") or "0"
    fraction = padded[point:] if point > 0 else "0" * -point + digits + "0" * zeros
    literal = f"{whole}{'.' * bool(fraction)}{fraction}{exponent}{-shift}"
    assert digits_of(literal.encode()) in (digits.encode(), b"")
    if digits_of(literal.encode()):
        for document in ("[%s]", '{"a": %s}', "%s", "-%s"):
            assert kind in gate().in_json((document % literal).encode())


# --- cost ----------------------------------------------------------------------------------------

LENGTH = 200_000
"""A search whose steps grow with the square of it takes hours instead of milliseconds."""


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.name)
def test_no_text_takes_more_than_linear_time(kind: Kind) -> None:
    samples = SAMPLES[kind.name]
    units = {text[:-1] + joint for text in samples.found[-3:] for joint in ("", " ", "-")}
    for unit in {*units, *samples.near, samples.found[0][:3], "0", "1-", "a:", "A", "1 ", "9/"}:
        text = (unit * (LENGTH // len(unit) + 1)).encode()
        assert sum(1 for _ in kind.find(text)) <= len(text)
