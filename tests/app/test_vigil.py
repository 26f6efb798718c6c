"""Operators read when the log took nothing, why, and for how long."""

import json
from io import StringIO
from typing import Any

import trio
import trio.testing

from proxy.app.vigil import Vigil
from proxy.model import Trouble, named_trouble
from proxy.observe.log import Log


def lines_of(*seen: tuple[float, Trouble | None]) -> list[dict[str, Any]]:
    """What a vigil writes that sees these troubles, each from that second on."""
    stream = StringIO()
    log, began = Log("json", stream), 0.0

    async def find() -> Trouble | None:
        now = trio.current_time() - began
        return [trouble for since, trouble in seen if since <= now][-1]

    async def watch() -> None:
        nonlocal began
        began = trio.current_time()
        with trio.move_on_after(100):
            await Vigil(log, find).run()

    trio.run(watch, clock=trio.testing.MockClock(autojump_threshold=0))
    log.close()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_line_says_that_the_log_takes_nothing_and_one_that_it_does_again() -> None:
    full = Trouble("disk-full", "the journal cannot be written: No space left on device")
    gone, back = lines_of((0, None), (10, full), (30, None))
    assert (gone["event"], gone["level"], gone["code"]) == ("log_unavailable", "error", "disk-full")
    assert gone["reason"] == full.text
    assert (back["event"], back["level"], back["seconds"]) == ("log_available", "info", 20.0)


def test_another_reason_is_another_line_and_all_of_it_one_time() -> None:
    sealed, slow = named_trouble("read-only"), named_trouble("slow")
    told = lines_of((0, None), (10, sealed), (20, slow), (50, None), (60, slow), (61, None))
    assert [(each["event"], each.get("code"), each.get("seconds")) for each in told] == [
        ("log_unavailable", "read-only", None),
        ("log_unavailable", "slow", None),
        ("log_available", None, 40.0),
        ("log_unavailable", "slow", None),
        ("log_available", None, 1.0),
    ]


def test_a_drain_is_no_trouble_of_the_log() -> None:
    assert lines_of((0, None), (10, named_trouble("draining"))) == []


def test_one_that_rests_while_all_is_well_is_woken_by_trouble_and_sees_its_end() -> None:
    stream, looks = StringIO(), 0
    log, troubles = Log("json", stream), [Trouble("disk-full", "full")]

    async def test() -> None:
        stirred = trio.Event()

        async def find() -> Trouble | None:
            nonlocal looks
            looks += 1
            return troubles[0] if troubles and stirred.is_set() else None

        async with trio.open_nursery() as nursery:
            nursery.start_soon(Vigil(log, find, stirred.wait).run)
            await trio.sleep(1000)
            assert looks == 1
            stirred.set()
            await trio.sleep(10.5)
            troubles.clear()
            await trio.sleep(10)
            nursery.cancel_scope.cancel()

    trio.run(test, clock=trio.testing.MockClock(autojump_threshold=0))
    log.close()
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [each["event"] for each in told] == ["log_unavailable", "log_available"]
