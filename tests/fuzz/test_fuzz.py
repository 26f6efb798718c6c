"""A small fuzz of HTTP in every run of the tests; `make fuzz-http` has eighty times as many."""

from pathlib import Path

import pytest

from tests.fuzz.run import Fuzz
from tests.fuzz.senders import Conversation


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
