"""A small fuzz of HTTP in every run of the tests; `make fuzz-http` has a hundred times as many."""

from pathlib import Path

from tests.fuzz.run import Fuzz
from tests.fuzz.senders import Conversation


def test_a_thousand_fuzzed_requests_leave_no_crash_no_hang_and_one_reading(tmp_path: Path) -> None:
    fuzz = Fuzz(tmp_path, seed=3)
    try:
        fuzz.run(1000, connections=4)
        fuzz.finish()
    finally:
        fuzz.gateway.close()
    assert not fuzz.found, fuzz.found
    verdicts = {verdict for verdict, _ in fuzz.gateway.verdicts}
    assert verdicts == {"delivered", "rejected", "failed", "indeterminate"}
    assert fuzz.upstream.broken


def test_a_conversation_comes_again_by_its_seed_and_number() -> None:
    assert Conversation(7, 12).pieces == Conversation(7, 12).pieces
    assert Conversation(7, 12).pieces != Conversation(7, 13).pieces != Conversation(8, 13).pieces
