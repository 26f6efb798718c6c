"""Values taken out of blocks, and others put in place: as it runs, and compiled, alike."""

import hashlib
import hmac
import json
from array import array
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content import blake2b, hmacsha256, jsonsplice, jsontaken, jsontokens
from proxy.content.jsonscan import WIDTH
from proxy.content.tokens import VALUE, Tokenizer
from tests.content.policies import HMAC, masked
from tests.content.spelling import documents, paths
from tests.content.test_jsonscan import agreed


def _forms() -> Iterator[Any]:
    yield SimpleNamespace(
        **{
            name: value
            for part in (blake2b, hmacsha256, jsontaken, jsontokens, jsonsplice)
            for name, value in vars(part).items()
        }
    )
    try:
        yield import_module("proxy.content._jsonsplice")
    except ImportError:
        pass


FORMS = list(_forms())


def flat(hits: list[tuple[int, ...]]) -> "array[int]":
    return array("q", [number for hit in hits for number in hit])


def made_tokens(work: Any, count: int, odd: list[int]) -> Any:
    """Tokens of the values 0, 1, 2, …; the odd ones become `1`, and stay, in turn."""
    values = b"".join(n.to_bytes(16, "big") for n in range(count))
    instead = [None if n % 2 else b"1" for n in range(len(odd))]
    return work.Tokens(b'"tok:k:', values, values, odd, instead)


@given(documents(), st.lists(paths, min_size=1, max_size=3), st.data())
def test_both_splices_put_the_same_in_place(
    document: tuple[Any, str], rules: list[str], data: st.DataObject
) -> None:
    block = document[1].encode() + b"\0"
    hits = agreed(rules, block, lines=False)[2]
    kinds = [data.draw(st.sampled_from(["drop", "fixed", "each", "tokens"])) for _ in rules]
    odd = data.draw(st.sampled_from([[], [0], [1], [0, 1]]))
    numbers = flat(hits)
    outputs: list[Any] = []
    for work in FORMS:
        splice = work.Splice(block)
        for n in range(0, len(hits), 2):
            step = numbers[n * WIDTH : (n + 2) * WIDTH]
            kept: dict[str, Any] = {
                "drop": lambda work: None,
                "fixed": lambda work: b'"+"',
                "each": lambda work: iter([b"0", None] * 2),
                "tokens": lambda work: made_tokens(work, 2, odd),
            }
            splice.add(step, len(step) // WIDTH, [kept[kind](work) for kind in kinds])
        also: list[int] = []
        texts = [work.texts(block, numbers, len(hits), rule, also) for rule in range(len(rules))]
        raws = [work.raws(block, numbers, len(hits), rule) for rule in range(len(rules))]
        whole, placed = splice.finish(len(block) - 1), list(splice.placed())
        outputs.append((whole, placed, splice.rest(), texts, also, raws))
    assert outputs[0] == outputs[-1]
    json.loads(outputs[0][0])


@pytest.mark.parametrize("work", FORMS)
def test_what_is_put_in_place_may_be_far_longer_than_what_it_replaces(work: Any) -> None:
    block = b"[" + b",".join([b"1"] * 500) + b"]\0"
    hits = agreed(["$[*]"], block, lines=False)[2]
    long = b'"' + b"x" * 5000 + b'"'
    splice = work.Splice(block)
    splice.add(flat(hits), len(hits), [iter([long] * 500)])
    whole = splice.finish(len(block) - 1)
    assert whole == b"[" + b",".join([long] * 500) + b"]"
    assert list(splice.placed()) == [1 + 5003 * n for n in range(500)]
    assert splice.rest() == b"[" + b"," * 499 + b"]"


@pytest.mark.parametrize("work", FORMS)
def test_tokens_that_do_not_suffice_are_a_mistake_of_ours(work: Any) -> None:
    block = b"[1,2,3]\0"
    hits = agreed(["$[*]"], block, lines=False)[2]
    with pytest.raises(ValueError, match="more places"):
        work.Splice(block).add(flat(hits), 3, [made_tokens(work, 2, [])])
    with pytest.raises(ValueError, match="for each"):
        work.Tokens(b"", bytes(32), bytes(16))


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=9), st.binary())
def test_letters_are_those_of_tokens(values: list[bytes], secret: bytes) -> None:
    tokenizer = Tokenizer("n", [("id", b"s" * 16 + secret)])
    joined = b"".join(values)
    checks = tokenizer.checks(joined)
    block = b"[" + b",".join([b"1"] * len(values)) + b"]\0"
    hits = agreed(["$[*]"], block, lines=False)[2]
    for work in FORMS:
        splice = work.Splice(block)
        splice.add(flat(hits), len(hits), [work.Tokens(b'"tok:id:', joined, checks)])
        texts = json.loads(splice.finish(len(block) - 1))
        assert all(map(tokenizer.recognises, texts))
        assert len(texts) == len(values)


@given(
    st.lists(st.one_of(st.text(), st.integers(), st.none(), st.just("[REDACTED]")), max_size=9),
    st.binary(min_size=1, max_size=64),
)
def test_values_are_those_of_the_texts(document: list[Any], key: bytes) -> None:
    for spelt in (json.dumps(document), json.dumps(document, ensure_ascii=False)):
        block = spelt.encode(errors="replace") + b"\0"
        numbers, hits = flat(found := agreed(["$[*]"], block, lines=False)[2]), len(found)
        for work in FORMS:
            odd: list[int] = []
            also: list[int] = []
            macs = work.Blake2b(key, VALUE)
            made = work.values(block, numbers, hits, 0, odd, macs)
            texts = work.texts(block, numbers, hits, 0, also)
            assert odd == also
            for n, text in enumerate(texts):
                expected = hashlib.blake2b(VALUE + text, key=key, digest_size=16).digest()
                if document[n] is not None:
                    assert made[16 * n : 16 * n + 16] == expected
            assert len(made) == 16 * hits


SIZES = st.lists(st.integers(0, 300), min_size=1, max_size=4)


@given(st.binary(min_size=1, max_size=64), st.binary(min_size=1, max_size=127), SIZES)
def test_macs_by_blake2b_are_those_of_hashlib(key: bytes, begin: bytes, sizes: list[int]) -> None:
    for work in FORMS:
        macs = work.Blake2b(key, begin)
        for size in sizes:
            text = bytes(n % 251 for n in range(size))
            expected = hashlib.blake2b(begin + text, key=key, digest_size=16).digest()
            assert macs.digest(text) == expected


@given(st.binary(min_size=1, max_size=100), st.binary(min_size=1, max_size=63), SIZES)
def test_macs_by_hmac_are_those_of_the_standard_library_on_any_processor(
    key: bytes, begin: bytes, sizes: list[int]
) -> None:
    for work in FORMS:
        for own in (True, False):
            macs = work.HmacSha256(key, begin, own)
            for size in sizes:
                text = bytes(n % 251 for n in range(size))
                expected = hmac.digest(key, begin + text, "sha256")[:16]
                assert macs.digest(text) == expected


def test_keys_and_beginnings_of_a_size_that_no_mac_has_are_refused() -> None:
    nothing, long = ((b"", b"x"), (b"k", b"")), (b"k", b"x" * 64)
    for work in FORMS:
        for cls, pairs in (
            (work.Blake2b, (*nothing, (b"k" * 65, b"x"), (b"k", b"x" * 128))),
            (work.HmacSha256, (*nothing, long)),
        ):
            for key, begin in pairs:
                with pytest.raises(ValueError, match="wrong size"):
                    cls(key, begin)


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "blake2b"])
def test_a_document_of_odd_values_and_others_has_each_in_its_place(algorithm: str) -> None:
    action = {"hmac": {**HMAC["hmac"], "algorithm": algorithm}}
    document = [
        "a",
        "[REDACTED]",
        "tomorrow",
        "tok:k2:x",
        None,
        7,
        "\u00e9",
        '"',
        "\\u0074o",
        [1],
        "b",
    ]
    out = json.loads(masked(json.dumps(document), {"$[*]": action}))
    alone = [json.loads(masked(json.dumps([each]), {"$[*]": action}))[0] for each in document]
    assert out == alone
    assert [n for n, each in enumerate(out) if not each.startswith("tok:k2:")] == [1, 4, 9]


def test_what_is_compiled_was_compiled_with_its_types() -> None:
    try:
        work = import_module("proxy.content._jsonsplice")
    except ImportError:
        pytest.skip("nothing was compiled when this was installed: there was no C compiler")
    for plain, compiled in ((jsonsplice.Splice, work.Splice), (blake2b.Blake2b, work.Blake2b)):
        assert any(name.startswith("_") and not hasattr(compiled, name) for name in vars(plain))
