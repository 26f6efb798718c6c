"""A small fuzz of HTTP in every run of the tests; `make fuzz-http` has eighty times as many."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fuzz.reader import Upstream
from tests.fuzz.run import Fuzz
from tests.fuzz.senders import Conversation, is_bad, is_masked
from tests.wire.readings import Reading


@pytest.mark.parametrize("workers", [1, 2])
def test_fuzzed_requests_leave_no_crash_no_hang_one_reading_and_no_secret(
    tmp_path: Path, workers: int
) -> None:
    fuzz = Fuzz(tmp_path, seed=3, workers=workers)
    try:
        fuzz.run(600, connections=4, first=workers * 1000)
        fuzz.finish()
    finally:
        fuzz.gateway.close()
    assert not fuzz.found, fuzz.found
    verdicts = {verdict for verdict, _ in fuzz.gateway.verdicts}
    assert verdicts == {"delivered", "rejected", "failed", "indeterminate"}
    assert fuzz.upstream.broken
    assert fuzz.upstream.masked > 20


def test_a_conversation_comes_again_by_its_seed_and_number() -> None:
    assert Conversation(7, 12).pieces == Conversation(7, 12).pieces
    assert Conversation(7, 12).pieces != Conversation(7, 13).pieces != Conversation(8, 13).pieces


class Overwrites(Upstream):
    """As if every answer's content had been overwritten on its way back."""

    def answer(self, reading: Reading) -> bytes:
        head, end, content = super().answer(reading).rpartition(b"\r\n\r\n")
        return head + end + b"#" * len(content)


class Swaps(Upstream):
    """As if every content had been changed on its way here."""

    def answer(self, reading: Reading) -> bytes:
        return super().answer(replace(reading, body=reading.body.swapcase()))


class Mixes(Upstream):
    """As if each answer went to another request than its own."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, Reading] = {}

    def answer(self, reading: Reading) -> bytes:
        if is_bad(reading.first[1]):
            return super().answer(reading)
        kind = str(is_masked(reading.first[1]))
        other, self.before[kind] = self.before.get(kind, reading), reading
        return super().answer(other)


@pytest.mark.parametrize("lie", [Overwrites, Swaps, Mixes])
def test_a_fuzz_that_is_lied_to_finds_it(tmp_path: Path, lie: type[Upstream]) -> None:
    fuzz = Fuzz(tmp_path, seed=3, upstream=lie())
    try:
        fuzz.run(100, connections=4)
        fuzz.finish()
    finally:
        fuzz.gateway.close()
    assert any(each.startswith("conversation ") for each in fuzz.found), fuzz.found
