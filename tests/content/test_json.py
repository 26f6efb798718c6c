"""JSON itself: the corpus, and that arbitrary octets give output or a Refusal, nothing else."""

import json
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from tests.content.policies import EVERYTHING, HMAC, compiled, masked, sent
from tests.content.spelling import documents

pytestmark = pytest.mark.usefixtures("either_engine")

MASK = {"$..a": "redact", "$[-1]": "drop", "$.*.b": HMAC}


def passed(mask: dict[str, Any], form: str, data: bytes, **limits: Any) -> bytes | None:
    """The output, or None when it was refused as what does not parse."""
    try:
        return sent(compiled(mask, EVERYTHING, **limits), form, [data[:7], data[7:]])[0]
    except Refusal as refusal:
        if refusal.code != "unparseable":
            raise
        return None


def test_the_corpus_passes_unchanged_or_is_refused(corpora: Path) -> None:
    files = sorted((corpora / "jsontestsuite" / "test_parsing").glob("*.json"))
    assert len(files) > 300
    for file in files:
        data = file.read_bytes()
        for mask in ({}, {"$.nowhere": "redact"}):
            output = passed(mask, "json", data)
            if output is None:
                assert not file.name.startswith("y_"), file.name
            else:
                assert not file.name.startswith("n_"), file.name
                assert output == data, file.name


@given(st.binary(max_size=60) | documents().map(lambda pair: pair[1].encode()[:-1]))
def test_arbitrary_octets_give_output_or_a_refusal(data: bytes) -> None:
    for form in ("json", "ndjson"):
        output = passed(MASK, form, data, depth=6) or b""
        for line in output.split(b"\n") if form == "ndjson" else [output]:
            if line.strip():
                json.loads(line)


@given(documents(), st.data())
def test_a_document_with_one_octet_changed_gives_json_or_a_refusal(
    document: tuple[object, str], data: st.DataObject
) -> None:
    octets = bytearray(document[1].encode())
    octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    output = passed(MASK, "json", bytes(octets))
    if output is not None:
        json.loads(output)


@given(documents(), st.lists(st.integers(0, 400), max_size=6))
def test_however_ndjson_is_cut_the_output_is_the_same(
    document: tuple[object, str], cuts: list[int]
) -> None:
    line = document[1].replace("\n", " ").encode()
    data = b"\r\n".join([line, b"", line, b'{"a":"jane@example.com"}'])
    rules = compiled({"$..a": HMAC}, EVERYTHING)
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    pieces = [data[a:b] for a, b in pairwise(places)]
    assert sent(rules, "ndjson", pieces) == sent(rules, "ndjson", [data])


def test_large_documents_of_every_shape_take_linear_time_and_memory() -> None:
    for document in (
        b"[" + b'"x",' * 200_000 + b"1]",
        b"[" + b"[]," * 200_000 + b"{}]",
        b'{"a":' * 250 + b"1" + b"}" * 250,
        b"[" + b'{"b":[[[[1]]]]},' * 40_000 + b"0]",
        b'"' + b"\\\\" * 400_000 + b'"',
        b"[" + b"7" * 1_000_000 + b"]",
        b" " * 1_000_000 + b"1",
    ):
        untouched = masked(document, {"$..nowhere": "drop", "$[-9].x.y[-1:]": "redact"}, EVERYTHING)
        assert untouched == document


def test_a_stream_of_any_length_takes_bounded_memory() -> None:
    line = b'{"a":"jane@example.com","x":"%b"}\n' % (b"x" * 200)
    piece = line * 64 + line[:100]
    rest = line[100:]
    inspector = compiled({"$.a": HMAC}, EVERYTHING).open("ndjson")
    inspector.feed(piece + rest)
    tracemalloc.start()
    for _ in range(100):
        inspector.feed(piece)
        inspector.feed(rest)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert inspector.report().records == 101 * 65
    assert peak < 12 * len(piece)


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_an_inspector_that_has_ended_takes_nothing_more(form: str) -> None:
    inspector = compiled().open(form)
    assert inspector.feed(b"1") + inspector.finish() == b"1"
    with pytest.raises(Refusal):
        inspector.feed(b"2")


def test_a_format_that_is_not_known_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="format"):
        compiled().open("csv")
