"""An audit does not take the log's own word: what is signed but out of place is found as well."""

import functools
from collections.abc import Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import orjson
import pytest

from proxy.errors import EvidenceError
from proxy.receipt import dsse, keychain, merkle, note
from proxy.receipt.audit import Audited, Crew, audit
from proxy.receipt.marks import Demand, Kept
from proxy.receipt.walk import Walk
from tests.receipt.logs import (
    KEYS,
    LOG_KEY,
    NEXT_KEY,
    ORIGIN,
    RECEIPT_KEY,
    START,
    VKEYS,
    Maker,
    checkpoint,
    files,
    log,
    outcome,
)

DEMAND = Demand(VKEYS)
HANDOVER = keychain.handover(RECEIPT_KEY.public_key(), NEXT_KEY.public_key())
STREAM = "ip:192.0.2.9/orders"


def audited(entries: Sequence[bytes], **changes: Any) -> Audited:
    return audit(files(entries).get, DEMAND, KEYS, **changes)


def fault(entries: Sequence[bytes], **changes: Any) -> str:
    with pytest.raises(EvidenceError) as caught:
        audited(entries, **changes)
    return str(caught.value)


def told(entries: Sequence[bytes]) -> list[str]:
    """Every gap, then what ended the audit."""
    gaps: list[str] = []
    end = fault(entries, gap=gaps.append)
    return [*gaps, end]


def two(**place: Any) -> list[bytes]:
    """Two entries of a stream, the second out of place."""
    maker = Maker()
    maker.receipt(outcome(1))
    maker.receipt(outcome(2), **place)
    return maker.entries


# --- places --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 256, 257, 511, 512, 513])
def test_a_log_in_order_passes(size: int) -> None:
    assert audited(log(size) if size else []).walk.tree.size == size


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (two(number=1, previous=None), "is number 1 of its stream, where 2 comes next"),
        (two(previous=None), "does not name the receipt before it in its stream"),
        (two(previous=bytes(32)), "does not name the receipt before it in its stream"),
        (two(number=3, previous=None), "is number 3 of its stream, where 2 comes next"),
        (two(number=0, previous=None), "is number 0 of its stream, where 2 comes next"),
        ([*two()[:1], dsse.sign(b"{}", RECEIPT_KEY)], "the payload is not an in-toto Statement v1"),
        ([*two()[:1], dsse.sign(two()[0], LOG_KEY)], "no signature on the envelope is by this key"),
        ([*two()[:1], b"{}"], "this is not a DSSE envelope"),
    ],
)
def test_a_signed_entry_out_of_place_is_named(entries: list[bytes], message: str) -> None:
    assert fault(entries) == f"tile/entries/000.p/2: entry 1: {message}"


def test_an_entry_of_another_log_is_named() -> None:
    maker, other = Maker(), Maker("elsewhere.example/log")
    entries = [maker.receipt(outcome(1)), other.receipt(outcome(2, "192.0.2.2"))]
    assert fault(entries).endswith("entry 1: is of another log")


def test_time_never_goes_back_in_a_log() -> None:
    maker = Maker()
    maker.receipt(outcome(1), completed=START + timedelta(seconds=1))
    maker.receipt(outcome(2, "192.0.2.2"), completed=START + timedelta(seconds=1))
    audited(maker.entries)
    maker.receipt(outcome(3), completed=START + timedelta(microseconds=999_999))
    assert fault(maker.entries).endswith("entry 2: was completed before the entry before it")


def test_events_stand_in_the_logs_own_stream_and_nothing_else_does() -> None:
    maker = Maker()
    maker.event("start", {}, stream="elsewhere/log")
    assert fault(maker.entries).endswith("is an event, but not in the log's own stream")
    maker = Maker()
    maker.receipt(outcome(1), stream=f"{ORIGIN}/log")
    assert fault(maker.entries).endswith("is no event, but in the log's own stream")


# --- gaps ----------------------------------------------------------------------------------------


def test_every_gap_of_every_stream_is_told() -> None:
    maker = Maker()
    digest = bytes(32)
    maker.event("start", {})
    maker.receipt(outcome(1), number=4, previous=digest)  # 1 to 3 are missing
    maker.receipt(outcome(2))
    maker.receipt(outcome(3, "192.0.2.2"))
    maker.event("stop", {}, number=3, previous=digest)  # 2 is missing
    maker.receipt(outcome(4), number=9, previous=digest)  # 6 to 8 are missing
    assert told(maker.entries) == [
        f"tile/entries/000.p/6: entry 1: is number 4 of its stream, where 1 comes next ({STREAM})",
        "tile/entries/000.p/6: entry 4: is number 3 of its stream, where 2 comes next "
        f"({ORIGIN}/log)",
        f"tile/entries/000.p/6: entry 5: is number 9 of its stream, where 6 comes next ({STREAM})",
        "3 gaps in the streams: receipts were left out",
    ]


def test_what_ends_the_audit_comes_after_the_gaps_before_it() -> None:
    entries = [*two(number=3, previous=bytes(32)), b"{}"]
    assert [line.split(": ", 1)[1] for line in told(entries)] == [
        f"entry 1: is number 3 of its stream, where 2 comes next ({STREAM})",
        "entry 2: this is not a DSSE envelope",
    ]


def test_gaps_are_told_one_by_one_however_many_there_are() -> None:
    maker = Maker()
    for number in range(150):
        maker.receipt(outcome(number), number=2 * number + 2, previous=bytes(32))
    lines = told(maker.entries)
    assert (len(lines), lines[-1]) == (151, "150 gaps in the streams: receipts were left out")


# --- envelopes -----------------------------------------------------------------------------------


def test_envelopes_that_are_spelt_otherwise_stand_among_the_others() -> None:
    maker = Maker()
    for number in range(8):
        entry = maker.receipt(outcome(number, f"192.0.2.{number}"))
        if number % 3 == 1:
            maker.entries[-1] = orjson.dumps(orjson.loads(entry), option=orjson.OPT_INDENT_2)
    assert audited(maker.entries).walk.tree.size == 8


# --- attempts ------------------------------------------------------------------------------------


def test_an_attempt_with_two_verdicts_is_named_with_both() -> None:
    entries = log(300)
    maker = Maker()
    maker.entries = entries
    maker.receipt(outcome(41, "192.0.2.3", transfer_id="x"))
    assert fault(entries) == "entry 300: is about the attempt that entry 41 is about"


# --- the chain of receipt keys -------------------------------------------------------------------


def handed_over() -> Maker:
    """A log whose key has changed behind its second entry."""
    maker = Maker()
    maker.receipt(outcome(1))
    maker.event("key", HANDOVER)
    maker.key = NEXT_KEY
    return maker


def test_a_later_key_is_learnt_from_the_one_before_it() -> None:
    maker = handed_over()
    maker.receipt(outcome(2))
    assert audited(maker.entries).walk.tree.size == 3
    with pytest.raises(EvidenceError, match="entry 0: no signature on the envelope is by this key"):
        audit(files(maker.entries).get, DEMAND, [NEXT_KEY.public_key()])


def test_a_key_that_was_replaced_signs_nothing_more() -> None:
    maker = handed_over()
    maker.key = RECEIPT_KEY
    maker.receipt(outcome(2))
    keyid = dsse.key_id(RECEIPT_KEY.public_key())
    assert fault(maker.entries).endswith(
        f"entry 2: is signed by {keyid}, which was replaced in entry 1"
    )


def test_a_key_that_was_replaced_may_come_back() -> None:
    maker = handed_over()
    maker.event("key", keychain.handover(NEXT_KEY.public_key(), RECEIPT_KEY.public_key()))
    maker.key = RECEIPT_KEY
    maker.receipt(outcome(2))
    assert audited(maker.entries).walk.tree.size == 4


def test_nobody_names_a_successor_for_somebody_else() -> None:
    maker = Maker()
    maker.event("key", keychain.handover(LOG_KEY.public_key(), NEXT_KEY.public_key()))
    assert fault(maker.entries).endswith("names a new receipt key for one that did not sign it")


def test_a_key_that_names_itself_is_not_trusted_for_it() -> None:
    maker = Maker(key=NEXT_KEY)
    maker.event("key", HANDOVER)
    assert fault(maker.entries).endswith("no signature on the envelope is by this key")


@pytest.mark.parametrize(
    "to",
    [
        None,
        "x",
        {},
        {"keyid": "SHA256:x", "spki": "%%"},
        keychain.describe(NEXT_KEY.public_key()) | {"keyid": "SHA256:x"},
        keychain.describe(NEXT_KEY.public_key()) | {"more": 1},
        {"keyid": dsse.key_id(NEXT_KEY.public_key()), "spki": ""},
    ],
)
def test_an_event_that_names_no_key_hands_nothing_on(to: object) -> None:
    maker = Maker()
    maker.event("key", HANDOVER | {"to": to})
    assert fault(maker.entries).endswith("the event does not name a receipt key")


# --- helpers -------------------------------------------------------------------------------------


class Refusing(Executor):
    """A pool whose processes were killed."""

    def __init__(self, *, at_once: bool) -> None:
        self.at_once = at_once

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        if self.at_once:
            raise BrokenExecutor
        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor())
        return future


@functools.cache
def long_log() -> list[bytes]:
    """Twelve bundles, the key changed in the third of them."""
    maker = Maker()
    for number in range(600):
        maker.receipt(outcome(number, f"192.0.2.{number % 3}"))
    maker.event("key", HANDOVER)
    maker.key = NEXT_KEY
    for number in range(600, 256 * 11 + 100):
        maker.receipt(outcome(number, f"192.0.2.{number % 3}"))
    return maker.entries


def crew_of(pool: Executor, folder: Mapping[str, bytes | None]) -> Crew:
    return Crew(pool, folder.get)


def test_helpers_find_what_one_process_finds_across_a_change_of_keys() -> None:
    damaged = [*long_log()[:1500], long_log()[1501], *long_log()[1501:]]
    alone = fault(damaged)
    with ThreadPoolExecutor(3) as pool:
        root = audited(long_log(), crew=crew_of(pool, files(long_log()))).walk.tree.root()
        assert root == audited(long_log()).walk.tree.root()
        assert fault(damaged, crew=crew_of(pool, files(damaged))) == alone
    assert alone.startswith("tile/entries/005: entry 1501: is number 501")


@pytest.mark.parametrize("at_once", [True, False])
def test_helpers_that_are_killed_are_not_needed(at_once: bool) -> None:
    crew = crew_of(Refusing(at_once=at_once), files(long_log()))
    assert audited(long_log(), crew=crew).walk.tree.size == len(long_log())


def test_the_first_wrong_thing_is_named_though_a_later_one_was_found_before() -> None:
    missing = {**files(long_log()), "tile/entries/002": None}
    both = {**missing, "tile/entries/001": files(long_log())["tile/entries/001"][:-1]}
    with ThreadPoolExecutor(3) as pool:
        for helped in (False, True):
            crew = crew_of(pool, both) if helped else None
            with pytest.raises(EvidenceError, match=r"^tile/entries/001: cut off in its entry 255"):
                audit(both.get, DEMAND, KEYS, crew=crew)
            crew = crew_of(pool, missing) if helped else None
            with pytest.raises(EvidenceError, match=r"^tile/entries/002: missing"):
                audit(missing.get, DEMAND, KEYS, crew=crew)


def test_progress_goes_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    audited(log(300), progress=lambda done, total: told.append((done, total)))
    assert told == [(256, 300), (300, 300)]


# --- checkpoints ---------------------------------------------------------------------------------


def test_a_checkpoint_under_a_name_that_no_given_key_bears_is_refused() -> None:
    found = note.Checkpoint("elsewhere.example/log", 0, merkle.EMPTY_ROOT)
    signed = note.render(found.text, [note.sign(found.text, ORIGIN, LOG_KEY)])
    with pytest.raises(EvidenceError, match=r"log elsewhere\.example"):
        audit({"checkpoint": signed}.get, Demand(VKEYS[:1]), KEYS)


def test_an_audit_without_keys_passes_nothing() -> None:
    signed = checkpoint(0, merkle.EMPTY_ROOT)
    assert audit({"checkpoint": signed}.get, DEMAND, KEYS).checkpoint.size == 0
    with pytest.raises(EvidenceError, match="no receipt key"):
        audit({"checkpoint": signed}.get, DEMAND, [])
    with pytest.raises(EvidenceError, match="no key"):
        audit({"checkpoint": signed}.get, Demand([]), KEYS)


def test_a_demand_for_ml_dsa_is_not_met_by_a_checkpoint_that_was_stripped_of_it() -> None:
    folder = files(log(3))
    demand = Demand(VKEYS[:1], require=["ml-dsa-44"])
    stripped = b"".join(folder["checkpoint"].splitlines(keepends=True)[:-1])
    with pytest.raises(EvidenceError, match=r"^checkpoint: .*did not sign it with ml-dsa-44"):
        audit(folder.get, demand, KEYS)  # nobody said which key that would be
    with pytest.raises(EvidenceError, match=r"^checkpoint: "):
        audit({**folder, "checkpoint": stripped}.get, Demand(VKEYS), KEYS)
    audit(folder.get, Demand(VKEYS, require=["ml-dsa-44"]), KEYS)


@pytest.mark.parametrize("at", [0, 1, 255, 256, 257, 299, 300])
def test_a_kept_checkpoint_is_compared_where_it_was_signed(at: int) -> None:
    entries = log(300)
    same, other = files(entries[:at])["checkpoint"], files(log(400)[400 - at :])["checkpoint"]
    assert audited(entries, kept=Kept("kept", same)).walk.tree.size == 300
    if at:
        assert fault(entries, kept=Kept("kept", other)) == (
            f"kept: the first {at} entries have another root now: the log was changed"
        )


def test_a_log_that_was_cut_is_found_by_a_later_checkpoint_from_anywhere() -> None:
    entries = log(5)
    later = files(entries)["checkpoint"]
    assert "the log was cut" in fault(entries[:4], kept=Kept("kept", later))
    with pytest.raises(
        EvidenceError, match=r"4 entries, but 5 were there when checkpoint\.witnessed"
    ):
        audit({**files(entries[:4]), "checkpoint.witnessed": later}.get, DEMAND, KEYS)


def test_one_step_checks_what_an_audit_checks() -> None:
    walk = Walk(ORIGIN, KEYS)
    first, second = two()
    walk.step(first, "here")
    with pytest.raises(EvidenceError, match="here: entry 1: is number 1 of its stream"):
        walk.step(first, "here")
    walk.step(second, "here")
    assert walk.tree.size == 2
