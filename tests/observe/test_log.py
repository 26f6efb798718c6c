"""The log never blocks, and says what it lost."""

import json
import os
import threading

from proxy.observe.log import Log
from tests.patience import PATIENCE


def test_a_collector_that_stalls_stops_nobody_and_what_was_dropped_is_counted() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        log = Log("json", stream)
        for number in range(30_000):
            log.info("event", number=number, padding="x" * 100)
        collected: list[dict[str, object]] = []

        def collect() -> None:
            with os.fdopen(reading) as lines:
                collected.extend(json.loads(line) for line in lines)

        collector = threading.Thread(target=collect)
        collector.start()
        while log.waiting:
            pass  # the collector is at work
        log.info("last")
        log.close(PATIENCE)
    collector.join()
    dropped = [int(str(line["count"])) for line in collected if "dropped" in str(line["event"])]
    numbers = [line["number"] for line in collected if line["event"] == "event"]
    assert numbers == sorted(numbers)  # type: ignore[type-var]
    assert dropped
    assert sum(dropped) == 30_000 - len(numbers)
    assert collected[-1]["event"] == "last"


def test_what_waits_is_written_before_the_end() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        log = Log("json", stream)
        log.info("one")
        log.info("two", nothing=None)
        log.close(PATIENCE)
    with os.fdopen(reading) as lines:
        assert [list(json.loads(line)) for line in lines] == [["time", "level", "event"]] * 2
