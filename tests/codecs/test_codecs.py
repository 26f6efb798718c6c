"""The seeds of the fuzzer, and octets near them, in every run of the tests (`make fuzz`: more)."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.settings.schema import ContentPolicy
from tests.codecs import reading
from tests.codecs.seeds import CODECS, FORMATS, seeds
from tests.codecs.targets import Target


@pytest.mark.parametrize("codec", CODECS)
def test_what_must_hold_of_a_codec_holds_of_its_seeds(codec: str) -> None:
    target = Target(codec)
    passed = [target(bytes([cut]) + seed) for seed in seeds(codec) for cut in (0, 1, 2, 7, 128)]
    assert any(passed)
    assert not all(passed)


@pytest.mark.parametrize("codec", CODECS)
def test_what_must_hold_of_a_codec_holds_of_what_is_made_of_its_seeds(codec: str) -> None:
    target, known = Target(codec), list(seeds(codec))

    @given(st.data())
    def try_one(data: st.DataObject) -> None:
        octets = bytearray(data.draw(st.sampled_from(known))[:400])
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(octets)))
            end = at + data.draw(st.integers(0, 3))
            octets[at:end] = data.draw(st.binary(max_size=3))
        target(bytes([data.draw(st.integers(0, 255))]) + bytes(octets))

    try_one()


def test_every_codec_has_seeds_and_a_parser_that_is_not_ours() -> None:
    admitted = get_args(get_args(ContentPolicy.model_fields["content"].annotation)[0])
    assert {*FORMATS, "opaque"} == set(admitted)
    assert set(reading.READERS) >= set(CODECS)
    assert all(len(list(seeds(codec))) >= 4 for codec in CODECS)


@pytest.mark.parametrize(
    ("codec", "leak"),
    [
        ("json", b'{"a":[{"\\u0073sn":"1"}]}'),
        ("ndjson", b'{}\n{"email":"a@b.example"}'),
        ("csv", b"ssn\n1\n"),
        ("tsv", b"a\tssn\n1\t2\n"),
        ("form", b"a=1&%73sn=1"),
    ],
)
def test_the_parsers_find_what_was_not_masked(codec: str, leak: bytes) -> None:
    with pytest.raises(AssertionError, match="an unmasked"):
        reading.READERS[codec](leak)
