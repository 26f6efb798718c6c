"""What a request does is counted, and held to `loadtest/budget.json`."""

import json
import os
import select
import socket
from pathlib import Path

import pytest

from loadtest.counted import Tally, system_call
from loadtest.counts import BUDGET, Counts, least, over, slack, version
from proxy.content.native import Native
from tests.project.tree import bench

KINDS = ("plain", "masked", "fresh")


def kept() -> tuple[str, dict[str, Counts]]:
    """The version of Python that the budget is for, and the budget."""
    found = json.loads(BUDGET.read_text())
    return found["python"], found["a request"]


def test_a_request_does_no_more_than_its_budget_allows(tmp_path: Path) -> None:
    python, _ = kept()
    if python != version():
        pytest.skip(f"calls differ between versions of Python, and the budget is for {python}")
    try:
        Native(compiled=True)
    except ImportError:
        pytest.skip("the content engine is interpreted here: it makes more calls")
    told = bench("loadtest.counts", [], tmp_path)
    assert told.endswith("as the budget has it\n"), told


def test_the_budget_counts_every_kind_of_request_and_its_one_sync() -> None:
    _, budget = kept()
    assert tuple(budget) == KINDS
    for counts in budget.values():
        assert counts["python"] > 0
        assert counts["system fdatasync"] == 1


def test_what_is_above_the_budget_is_named_and_so_is_a_budget_that_guards_nothing() -> None:
    budget = {"plain": {"python": 1000.0, "system": 20.0, "system fdatasync": 1.0}}
    even = {"plain": dict(budget["plain"])}
    assert over(even, budget) == []
    for name, value in (("python", 1040.0), ("system", 23.0), ("system fdatasync", 2.0)):
        (line,) = over({"plain": budget["plain"] | {name: value}}, budget)
        assert line.startswith(f"plain: {name}: {value:g} ")
    (line,) = over({"plain": budget["plain"] | {"python": 700.0}}, budget)
    assert line.endswith("make bench-counts")


def test_a_call_of_the_system_that_no_budget_has_is_above_it() -> None:
    budget = {"plain": {"python": 1000.0}}
    (line,) = over({"plain": {"python": 1000.0, "system fsync": 1.0}}, budget)
    assert line == "plain: system fsync: 1 of a request, and its budget is 0"


def test_what_a_request_leaves_in_cycles_is_above_every_budget(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "counts")
    tally.toggle()
    ring: list[object] = []
    ring.append(ring)
    del ring
    tally.toggle()
    found = json.loads((tmp_path / "counts").read_text())["cyclic"]
    assert found >= 1
    for counts in kept()[1].values():
        (line,) = over({"plain": counts | {"cyclic": found}}, {"plain": counts})
        assert line.startswith(f"plain: cyclic: {found} ")


def test_what_depends_on_how_octets_arrive_may_vary_by_two() -> None:
    assert slack("system recv", 5) == 2
    assert slack("system write", 5) < 1


def test_the_least_of_the_batches_counts_and_what_one_lacks_does_not() -> None:
    batches = [
        {"python": 250, "system read": 25, "system stat": 1},
        {"python": 275, "system read": 50},
    ]
    assert least(batches) == {"python": 10, "system": 1.04, "system read": 1}


def test_calls_of_the_system_are_told_from_other_functions_in_c() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, select.epoll() as poll:
        assert all(map(system_call, (os.write, os.fdatasync, ours.send, poll.poll)))
        others: tuple[object, ...] = (os.fspath, os.getpid, len, b"".replace, ours.fileno, {}.get)
        assert not any(map(system_call, others))
