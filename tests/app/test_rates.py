"""What peers have taken is kept beside the log, across restarts, boots and other sizes."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
import trio
import trio.testing

from proxy.app.rates import NAME, Rates
from proxy.edge.rates import ROW, Header
from proxy.errors import ConfigError
from proxy.observe.log import Log
from proxy.settings.load import Loaded
from proxy.settings.pace import Pace
from tests.patience import PATIENCE
from tests.settings.example import loaded, put

DAILY = Pace(86400, 86400, 86400, "")
"""One a second."""
DAY = 86400 * 10**9


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log("json", StringIO())
    yield made
    made.close()


@pytest.fixture
def config(tmp_path: Path) -> Loaded:
    (tmp_path / "var").mkdir()
    return loaded(tmp_path)


def path_of(config: Loaded) -> Path:
    return config.directory / "var" / NAME


def take_and_close(rates: Rates, amount: float) -> None:
    assert rates.table.take(rates.table.mark(b"a"), DAILY, amount) == 0
    rates.close()


def left(config: Loaded, log: Log) -> float:
    """Of what is in the file, how much a peer may still take; opened afresh."""
    rates = Rates(config, log)
    short = rates.table.take(rates.table.mark(b"a"), DAILY, 0, need=DAILY.burst)
    rates.close()
    return DAILY.burst - short  # one a second


def rewrite(config: Loaded, *, boot: bytes, later: int) -> None:
    """As if another kernel had written the file, whose clock on the wall was so much ahead."""
    octets = path_of(config).read_bytes()
    header = Header.of(octets)
    other = replace(header, boot=boot, offset=header.offset + later)
    path_of(config).write_bytes(other.octets(used=True) + octets[ROW:])


def test_what_was_taken_is_there_after_a_restart(config: Loaded, log: Log) -> None:
    take_and_close(Rates(config, log), 80_000)
    assert left(config, log) == pytest.approx(6_400, abs=60)


def test_nothing_is_written_where_nothing_was_taken(config: Loaded, log: Log) -> None:
    Rates(config, log).close()
    assert not path_of(config).exists()


def test_what_changes_is_written_in_place(config: Loaded, log: Log) -> None:
    rates = Rates(config, log)
    mark = rates.table.mark(b"a")
    rates.table.take(mark, DAILY, 40_000)
    rates.write()
    inode = path_of(config).stat().st_ino
    rates.table.take(mark, DAILY, 40_000)
    rates.write()
    assert path_of(config).stat().st_ino == inode
    assert path_of(config).read_bytes() == rates.table.octets(0, rates.table.size)
    rates.close()


def test_the_file_is_for_nobody_else_and_has_no_name_in_it(config: Loaded, log: Log) -> None:
    rates = Rates(config, log)
    rates.table.take(rates.table.mark(b"spiffe://acme/etl"), DAILY, 1)
    rates.close()
    assert path_of(config).stat().st_mode & 0o777 == 0o600
    assert b"acme" not in path_of(config).read_bytes()


def test_a_table_of_another_size_takes_over_what_is_in_use(
    tmp_path: Path, config: Loaded, log: Log
) -> None:
    take_and_close(Rates(config, log), 80_000)
    assert left(loaded(tmp_path, put("rates.capacity", 100)), log) == pytest.approx(6_400, abs=60)
    assert left(loaded(tmp_path, put("rates.capacity", 200_000)), log) < 7_000


def test_within_one_boot_the_clock_on_the_wall_does_not_matter(config: Loaded, log: Log) -> None:
    take_and_close(Rates(config, log), 80_000)
    boot = Header.of(path_of(config).read_bytes()).boot
    rewrite(config, boot=boot, later=0)
    offset = Header.of(path_of(config).read_bytes()).offset
    rates = Rates(config, log)
    assert Header.of(rates.table.octets(0, ROW)).offset == offset
    rates.close()


def test_across_boots_the_clock_on_the_wall_says_how_long_it_took(config: Loaded, log: Log) -> None:
    """The other kernel's clock stood elsewhere: its times mean what the wall showed then."""
    rates = Rates(config, log)
    table = rates.table
    mark = table.mark(b"a")
    table.take(mark, DAILY, 80_000)
    rates.close()
    octets = bytearray(path_of(config).read_bytes())
    row = octets.index(mark, ROW)
    since = int.from_bytes(octets[row + 16 : row + 24], "little") - 10_000 * 10**9
    octets[row + 16 : row + 24] = since.to_bytes(8, "little")
    path_of(config).write_bytes(octets)
    rewrite(config, boot=b"another".ljust(36, b"\0"), later=5_000 * 10**9)
    assert left(config, log) == pytest.approx(16_400, abs=60), "it was off for 10,000 seconds"


def test_where_the_wall_clock_has_gone_back_no_time_has_passed(config: Loaded, log: Log) -> None:
    take_and_close(Rates(config, log), 80_000)
    octets = bytearray(path_of(config).read_bytes())
    row = next(at for at in range(ROW, len(octets), 32) if any(octets[at : at + 32]))
    for at in (row + 16, row + 24):
        ahead = int.from_bytes(octets[at : at + 8], "little") + 3 * DAY
        octets[at : at + 8] = ahead.to_bytes(8, "little")
    path_of(config).write_bytes(octets)
    rewrite(config, boot=b"another".ljust(36, b"\0"), later=0)
    rates = Rates(config, log)
    mark, now = rates.table.mark(b"a"), rates.table.now()
    octets = bytearray(rates.table.octets(0, rates.table.size))
    row = octets.index(mark, ROW)
    assert int.from_bytes(octets[row + 16 : row + 24], "little") <= now, "it drains from now on"
    rates.close()
    assert left(config, log) == pytest.approx(6_400, abs=60)


@pytest.mark.parametrize(
    "damage", [lambda octets: octets[:-1], lambda octets: b"x" + octets[1:], lambda octets: b""]
)
def test_a_file_that_cannot_be_read_is_no_reason_to_begin_anew(
    config: Loaded, log: Log, damage: object
) -> None:
    take_and_close(Rates(config, log), 80_000)
    assert callable(damage)
    path_of(config).write_bytes(damage(path_of(config).read_bytes()))
    with pytest.raises(ConfigError, match=r"rates: .*rates.*without this file every peer"):
        Rates(config, log)


def test_a_disk_that_fails_is_told_of_once(config: Loaded) -> None:
    said = StringIO()
    log = Log("json", said)
    rates = Rates(config, log)
    rates.table.take(rates.table.mark(b"a"), DAILY, 1)
    path_of(config).parent.rename(config.directory / "elsewhere")
    rates.write()
    rates.write()
    (config.directory / "elsewhere").rename(path_of(config).parent)
    rates.close()
    assert path_of(config).exists(), "it is tried again"
    log.close()
    assert said.getvalue().count("rates_not_kept") == 1


@pytest.mark.parametrize("shared", [False, True])
def test_a_table_of_one_process_is_looked_at_from_the_first_use_on(
    config: Loaded, log: Log, *, shared: bool
) -> None:
    rates = Rates(config, log)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(rates.run, shared=shared))
            await trio.testing.wait_all_tasks_blocked()
            deadline = trio.lowlevel.current_statistics().seconds_to_next_deadline
            assert (deadline <= 1) is shared
            rates.table.take(rates.table.mark(b"a"), DAILY, 80_000)
            with trio.fail_after(PATIENCE):
                while not path_of(config).exists():
                    await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

    trio.run(main)
    rates.close()
    assert left(config, log) == pytest.approx(6_400, abs=60)
