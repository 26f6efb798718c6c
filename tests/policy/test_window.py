"""`when`: every key narrows, nights belong to the day on which they begin, clocks may jump."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.model import FOREVER
from proxy.policy.window import Window
from proxy.settings.schema import When

MINUTE = timedelta(minutes=1)


def window(**keys: Any) -> Window:
    return Window(When.model_validate(keys))


def denial(**keys: Any) -> Window:
    return Window(When.model_validate(keys), denies=True)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("keys", "yes", "no"),
    [
        ({"not_before": "2026-12-01"}, ["2026-12-01T00:00:00Z", "2030-01-01T00:00Z"],
         ["2026-11-30T23:59:59.999999Z"]),
        ({"until": "2027-01-01"}, ["2026-12-31T23:59:59.999999Z"],
         ["2027-01-01T00:00:00Z", "2027-06-01T00:00Z"]),
        ({"until": "2027-01-01", "timezone": "Europe/Berlin"}, ["2026-12-31T22:59:59Z"],
         ["2026-12-31T23:00:00Z"]),
        ({"until": "2027-01-01T06:00:30Z", "timezone": "Europe/Berlin"},
         ["2027-01-01T06:00:29Z"], ["2027-01-01T06:00:30Z"]),
        ({"until": "2027-01-01T06:00+01:00"}, ["2027-01-01T04:59Z"], ["2027-01-01T05:00Z"]),
        ({"days": "mon-fri"}, ["2026-11-23T00:00Z", "2026-11-27T23:59:59Z"],
         ["2026-11-22T23:59:59Z", "2026-11-28T00:00Z"]),
        ({"days": ["sat", "sun-mon"]}, ["2026-11-21T12:00Z", "2026-11-23T12:00Z"],
         ["2026-11-24T12:00Z", "2026-11-20T12:00Z"]),
        ({"days": "fri-mon"}, ["2026-11-20T12:00Z", "2026-11-23T12:00Z"], ["2026-11-24T12:00Z"]),
        ({"hours": "06:00-20:00"}, ["2026-11-23T06:00Z", "2026-11-23T19:59:59.9Z"],
         ["2026-11-23T05:59:59Z", "2026-11-23T20:00Z"]),
        ({"hours": ["06:00-07:00", "23:00-24:00"]}, ["2026-11-23T06:30Z", "2026-11-23T23:59:59Z"],
         ["2026-11-23T07:00Z", "2026-11-24T00:00Z"]),
        ({"hours": "22:00-06:00"}, ["2026-11-23T22:00Z", "2026-11-24T05:59Z", "2026-11-24T00:00Z"],
         ["2026-11-23T21:59Z", "2026-11-24T06:00Z"]),
        ({"days": "fri", "hours": "22:00-06:00"}, ["2026-11-27T22:00Z", "2026-11-28T05:59Z"],
         ["2026-11-27T05:59Z", "2026-11-28T22:00Z", "2026-11-28T06:00Z"]),
        ({"days": "sun", "hours": "22:00-00:00"}, ["2026-11-22T23:59Z"], ["2026-11-23T00:00Z"]),
        ({"days": "mon-fri", "hours": "06:00-20:00", "timezone": "America/New_York"},
         ["2026-11-23T11:00Z", "2026-07-20T10:00Z"], ["2026-11-23T10:59Z", "2026-07-20T09:59Z"]),
    ],
)  # fmt: skip
def test_every_key_narrows(keys: dict[str, Any], yes: list[str], no: list[str]) -> None:
    assert [text for text in yes if not window(**keys).holds(at(text))] == []
    assert [text for text in no if window(**keys).holds(at(text))] == []


BERLIN = {"timezone": "Europe/Berlin"}
# 2026-03-29: 02:00 CET is 03:00 CEST, at 01:00Z. 2026-10-25: 03:00 CEST is 02:00 CET, at 01:00Z.


@pytest.mark.parametrize(
    ("hours", "yes", "no"),
    [
        ("02:15-02:45", [], ["2026-03-29T00:30Z", "2026-03-29T01:00Z", "2026-03-29T01:30Z"]),
        ("01:00-02:30", ["2026-03-29T00:59:59Z"], ["2026-03-29T01:00Z", "2026-03-29T01:29Z"]),
        ("02:30-04:00", ["2026-03-29T01:00Z", "2026-03-29T01:59Z"], ["2026-03-29T00:59Z"]),
        ("02:15-02:45", ["2026-10-25T00:15Z", "2026-10-25T01:15Z", "2026-10-25T01:44Z"],
         ["2026-10-25T00:45Z", "2026-10-25T01:14Z", "2026-10-25T01:45Z"]),
        ("22:00-06:00", ["2026-10-25T00:30Z", "2026-10-25T01:30Z", "2026-10-25T04:59Z"],
         ["2026-10-25T05:00Z"]),
    ],
)  # fmt: skip
def test_hours_are_what_the_clock_shows_also_when_it_jumps(
    hours: str, yes: list[str], no: list[str]
) -> None:
    assert [text for text in yes if not window(hours=hours, **BERLIN).holds(at(text))] == []
    assert [text for text in no if window(hours=hours, **BERLIN).holds(at(text))] == []


@pytest.mark.parametrize("shown", ["2026-03-29T02:30", "2026-10-25T02:30"])
def test_a_moment_that_is_shown_twice_or_never_admits_less(shown: str) -> None:
    early, late = at(shown[:10] + "T00:30Z"), at(shown[:10] + "T01:30Z")
    from_then, till_then = window(not_before=shown, **BERLIN), window(until=shown, **BERLIN)
    assert not from_then.holds(late - MINUTE)
    assert from_then.holds(late)
    assert till_then.holds(early - MINUTE)
    assert not till_then.holds(early)


@pytest.mark.parametrize("shown", ["2026-03-29T02:30", "2026-10-25T02:30"])
def test_what_denies_does_so_by_both_readings_of_such_a_moment(shown: str) -> None:
    early, late = at(shown[:10] + "T00:30Z"), at(shown[:10] + "T01:30Z")
    from_then, till_then = denial(not_before=shown, **BERLIN), denial(until=shown, **BERLIN)
    assert not from_then.holds(early - MINUTE)
    assert from_then.holds(early)
    assert till_then.holds(late - MINUTE)
    assert not till_then.holds(late)


def test_what_never_changes_is_known_to_last_for_ever() -> None:
    assert window(not_before="2026-01-01").changes(at("2026-02-01T00:00Z")) == FOREVER
    assert window(until="2026-01-01").changes(at("2026-02-01T00:00Z")) == FOREVER
    assert window(until="2026-01-01").changes(at("2025-02-01T00:00Z")) == at("2026-01-01T00:00Z")


def test_a_window_ends_when_the_clock_jumps_over_its_end() -> None:
    held = window(hours="01:00-02:30", **BERLIN)
    moment = at("2026-03-29T00:45:12.5Z")
    while held.holds(moment):
        moment = held.changes(moment)
    assert moment == at("2026-03-29T01:00Z")


# --- against a reading minute by minute ----------------------------------------------------------

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
JUMPS = ["2026-03-08T05:00Z", "2026-03-29T00:00Z", "2026-10-25T00:00Z", "2026-11-01T05:00Z",
         "2026-04-04T14:00Z", "2026-10-03T15:00Z", "2026-11-23T12:00Z"]  # fmt: skip
times = st.integers(0, 95).map(lambda quarter: f"{quarter // 4:02d}:{quarter % 4 * 15:02d}")
hours = st.tuples(times, times).filter(lambda pair: pair[0] != pair[1]).map("-".join)
days = st.sets(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1)


def naive(keys: dict[str, Any], now: datetime) -> bool:
    """The sentences of the manual, one after the other."""
    clock = now.astimezone(ZoneInfo(keys["timezone"]))
    names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    today, yesterday = names[clock.weekday()], names[clock.weekday() - 1]
    shown = f"{clock:%H:%M}"
    for each in keys["hours"]:
        first, end = each.split("-")
        if first < end and first <= shown < end and today in keys["days"]:
            return True
        if first > end and shown >= first and today in keys["days"]:
            return True
        if first > end and shown < end and yesterday in keys["days"]:
            return True
    return False


@given(
    st.lists(hours, min_size=1, max_size=3),
    days.map(sorted),
    st.sampled_from(ZONES),
    st.sampled_from(JUMPS),
)
def test_it_holds_when_its_sentences_do_and_changes_no_sooner_than_it_says(
    spans: list[str], on: list[str], zone: str, start: str
) -> None:
    keys = {"hours": spans, "days": on, "timezone": zone}
    kept = window(**keys)
    first = at(start) - timedelta(hours=3)
    until, held = first, False
    for step in range(0, 30 * 60, 5):
        now = first + step * MINUTE
        expected = naive(keys, now)
        assert kept.holds(now) is expected
        if now >= until:
            held, until = expected, window(**keys).changes(now)
            assert until > now
        assert expected is held, "nothing changed before it was said to"
