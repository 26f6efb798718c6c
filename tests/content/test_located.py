"""Where something may be is told for many records at once, and nothing is lost by that."""

import functools
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.fold import fold
from proxy.content.gate import Gate
from proxy.content.kinds import Kind, Likelihood
from proxy.content.registry import KINDS
from proxy.content.rules import Rules
from tests.content.policies import EVERYTHING, compiled, sent
from tests.content.samples import NUMBERS
from tests.content.samples_secret import SECRETS

ROWS = [kind for rows in KINDS.values() for kind in rows]
WORDS = sorted({word for kind in ROWS for word in kind.context})
TEXTS = [text for each in (NUMBERS | SECRETS).values() for text in (*each.found, *each.near)]
ODD = ["3 de octubre,\u00a0de 1980", "1A\u2010B234C5", "AB\u2010C1234", "123\u2011456\uff17"]
WIDE = str.maketrans({"-": "\u2010", " ": "\u00a0", "4": "\uff14"})

samples = st.sampled_from([*TEXTS, *ODD])
texts = samples | samples.map(lambda text: text.translate(WIDE))
texts |= st.tuples(st.sampled_from(WORDS), texts).map(" ".join)
texts |= st.lists(
    st.sampled_from(["12", "1980", "/", "-", ".", " ", "A", "b", "T", "_", ",", "März", "nd"])
).map("".join)
keys = st.sampled_from([*WORDS, "id", "note", "created"]) | texts
values: st.SearchStrategy[object] = texts | st.integers(-(10**6), 10**16) | st.floats(0, 1e9)
values |= st.none() | st.lists(values, max_size=3) | st.dictionaries(keys, values, max_size=2)
records = st.dictionaries(keys, values, max_size=4)


# Compiled where they are used, since every process of tests imports this.


@functools.cache
def gate_of(kind: Kind) -> Gate:
    return Gate((kind,), Likelihood.LIKELY)


@functools.cache
def rules() -> Rules:
    return compiled((), EVERYTHING)


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: f"{kind.name}-{kind.alone.name}")
@given(text=texts, ascii_only=st.booleans())
def test_a_gate_lets_by_whatever_its_kind_finds(kind: Kind, text: str, ascii_only: bool) -> None:
    plain = fold(text.encode()) if kind.folds else text.encode()
    if not list(kind.find(plain)):
        return
    written = json.dumps([text], ensure_ascii=ascii_only).encode()
    gate = gate_of(kind)
    assert gate.in_text(text.encode(), context=True) == {kind}
    assert gate.in_json(written, context=True) == {kind}
    assert gate.in_value(text.encode(), lambda: [kind]) == [kind]
    assert gate.located(written, [kind])


@given(st.lists(records, max_size=12), st.booleans(), st.sampled_from(["", " ", "\t"]))
def test_a_block_of_records_is_judged_as_each_of_them_alone(
    listed: list[object], ascii_only: bool, space: str
) -> None:
    lines = [
        json.dumps(record, ensure_ascii=ascii_only, separators=("," + space, space + ":")).encode()
        for record in listed
    ]
    alone = [sent(rules(), "json", [line]) for line in lines]
    output, report = sent(rules(), "ndjson", [b"".join(line + b"\n" for line in lines)])
    assert output == b"".join(out + b"\n" for out, _ in alone)
    assert report.findings == sum((Counter(each.findings) for _, each in alone), Counter())


@pytest.mark.parametrize("kind", ["passport", "date_of_birth", "us_npi", "email", "credit_card"])
def test_something_in_the_last_of_very_many_values_is_found(kind: str) -> None:
    found = NUMBERS[kind].found[0]
    word = min(KINDS[kind][0].context, default="id")
    dense = [123456789] * 4000 + ["1980-02-29 12-34-56"] * 500
    _, report = sent(rules(), "json", [json.dumps({"x": dense, word: found}).encode()])
    assert report.findings[kind] >= 1
    block = b"".join(b'{"n":%d,"at":"2026-11-23"}\n' % n for n in range(3000))
    last = json.dumps({word: found}).encode() + b"\n"
    assert kind in sent(rules(), "ndjson", [block + last])[1].findings
