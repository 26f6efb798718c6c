"""The table of rates: exact among processes, keyed, bounded, and never waited for long."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from proxy.edge.rates import ROW, Header, Table, memory, moved
from proxy.errors import LockgateError, Refusal
from proxy.settings.pace import Pace
from tests.patience import PATIENCE

SLOW = Pace(1, 86400, 1000, "")
"""Nothing of it drains while a test lasts."""
FAST = Pace(10**9, 1, 10**9, "")
"""All of it drains at once."""
TAKING = """
import sys
from proxy.edge.rates import Table
from proxy.errors import Refusal
from proxy.settings.pace import Pace
table, slow = Table(int(sys.argv[1])), Pace(1, 86400, 30000, "")
mark = table.mark(b"shared")
print("ready", flush=True)
sys.stdin.readline()
def taken():
    while True:
        try:
            return table.take(mark, slow, 1) == 0
        except Refusal:  # the other was stopped while it held the row
            pass
print(sum(taken() for _ in range(20000)))
"""
HOLDING = """
import sys
from fcntl import LOCK_EX, lockf
lockf(int(sys.argv[1]), LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.alone()
    yield made
    made.close()


def start(script: str, table: Table) -> "subprocess.Popen[str]":
    """Another process with the descriptor of the table."""
    return subprocess.Popen(
        [sys.executable, "-c", script, str(table.fd)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[table.fd],
        text=True,
    )


def test_what_is_taken_is_taken_and_what_does_not_fit_costs_nothing(table: Table) -> None:
    mark = table.mark(b"a")
    assert table.take(mark, SLOW, 600) == 0
    assert table.take(mark, SLOW, 401) == pytest.approx(86400, rel=0.01)
    assert table.take(mark, SLOW, 400) == 0
    assert table.take(mark, SLOW, 1001) == float("inf")


def test_to_ask_whether_something_would_fit_takes_nothing(table: Table) -> None:
    mark = table.mark(b"a")
    assert table.take(mark, SLOW, 0, need=1000) == 0
    assert not table.used
    assert table.take(mark, SLOW, 1000) == 0
    assert table.take(mark, SLOW, 0, need=1) > 0


def test_what_has_come_already_is_owed_beyond_the_burst(table: Table) -> None:
    mark = table.mark(b"a")
    table.owe(mark, SLOW, 3000)
    assert table.take(mark, SLOW, 1) == pytest.approx(2001 * 86400, rel=0.01)


def test_a_level_stays_what_it_is_when_the_pace_changes(table: Table) -> None:
    mark, wider = table.mark(b"a"), Pace(1, 86400, 1500, "")
    assert table.take(mark, SLOW, 1000) == 0
    assert table.take(mark, wider, 500) == 0
    assert table.take(mark, wider, 1) > 0


def test_names_differ_in_every_part(table: Table) -> None:
    assert table.mark(b"ab", b"c") != table.mark(b"a", b"bc")
    assert table.mark(b"a", b"") != table.mark(b"a")


def test_nobody_can_tell_beforehand_where_a_name_stands(table: Table) -> None:
    other = Table.alone()
    assert other.mark(b"a") != table.mark(b"a")
    other.close()


def test_two_processes_take_exactly_what_there_is(table: Table) -> None:
    takers = [start(TAKING, table) for _ in range(2)]
    for taker in takers:
        assert taker.stdout is not None
        assert taker.stdout.readline() == "ready\n"
    for taker in takers:
        assert taker.stdin is not None
        taker.stdin.write("\n")
        taker.stdin.flush()
    assert sum(int(taker.communicate(timeout=PATIENCE)[0]) for taker in takers) == 30_000


def test_a_process_that_dies_with_a_row_leaves_it_to_the_others(table: Table) -> None:
    holder = start(HOLDING, table)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    holder.communicate(timeout=PATIENCE)
    assert table.take(table.mark(b"a"), SLOW, 1) == 0


def test_a_row_that_another_does_not_let_go_is_not_waited_for(table: Table) -> None:
    holder = start(HOLDING, table)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Refusal, match="another worker holds") as caught:
        table.take(table.mark(b"a"), SLOW, 1)
    assert caught.value.code == "overloaded"
    holder.communicate("\n", timeout=PATIENCE)
    assert table.take(table.mark(b"a"), SLOW, 1) == 0


def test_a_full_table_refuses_and_takes_in_whose_time_has_passed() -> None:
    table = Table(memory(Header.fresh(capacity=32)))  # one row
    for number in range(64):
        pace = FAST if number == 7 else SLOW
        assert table.take(table.mark(b"%d" % number), pace, 1) == 0
    assert table.take(table.mark(b"one more"), SLOW, 1) == 0, "in the place of what has drained"
    with pytest.raises(Refusal, match=r"rates\.capacity") as caught:
        table.take(table.mark(b"one too many"), SLOW, 1)
    assert (caught.value.code, caught.value.status) == ("overloaded", 503)
    assert table.take(table.mark(b"8"), SLOW, 999) == 0, "who is there goes on"
    table.close()


def test_as_many_buckets_as_are_promised_find_their_place() -> None:
    table = Table(memory(Header.fresh(capacity=4096)))
    for number in range(4096):
        assert table.take(table.mark(b"%d" % number), SLOW, 1) == 0
    table.close()


def test_octets_that_look_like_a_mark_and_stand_elsewhere_are_none(table: Table) -> None:
    mark = table.mark(b"a")
    row = ROW * (1 + int.from_bytes(mark, "little") % ((table.size - ROW) // ROW))
    os.pwrite(table.fd, mark, row + 8)  # as a level
    os.pwrite(table.fd, mark, row + ROW - 8)  # as a time, at the very end
    assert table.take(mark, SLOW, 1000) == 0
    assert table.take(mark, SLOW, 1) > 0


def test_what_is_in_use_moves_to_a_table_of_another_size() -> None:
    small, large = Table.alone(64), Header.fresh(4096)
    mark = small.mark(b"a")
    small.take(mark, SLOW, 700)
    small.take(small.mark(b"b"), FAST, 1)
    places = dict(moved(small.octets(0, small.size), large))
    assert len(places) == 1, "what has drained is left behind"
    fd = memory(large)
    for at, place in places.items():
        os.pwrite(fd, place, at)
    grown = Table(fd)
    assert grown.take(mark, SLOW, 301) > 0
    assert grown.take(mark, SLOW, 300) == 0
    small.close()
    grown.close()


def test_what_is_in_use_does_not_fit_into_too_small_a_table() -> None:
    large = Table.alone(4096)
    for number in range(65):
        large.take(large.mark(b"%d" % number), SLOW, 1)
    with pytest.raises(Refusal, match=r"rates\.capacity is too small"):
        list(moved(large.octets(0, large.size), Header.fresh(1)))
    large.close()


@pytest.mark.parametrize("damage", [b"", b"x" * ROW, b"LGrates1" + bytes(3 * ROW)])
def test_what_is_no_table_is_refused(damage: bytes) -> None:
    fd = os.memfd_create("none")
    os.write(fd, damage)
    with pytest.raises(LockgateError):
        Table(fd)
    os.close(fd)
