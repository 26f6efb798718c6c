"""A command imports what it needs: a start is mostly imports."""

import gc
import subprocess
import sys
from contextlib import suppress

import pytest

from proxy.cli import MODULES, main, receipts

SHOW = "import sys; from proxy.cli import parser; parser({!r}); print(*sys.modules, sep='\\n')"


def imported(*words: str) -> set[str]:
    """Every module that has been imported when these words are understood."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW.format(words)], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines())


def commands(group: str, names: tuple[str, ...]) -> set[str]:
    return {f"proxy.cli.{group}{name}" for name in names}


@pytest.mark.parametrize("name", ["list", "vkey"])
def test_of_the_commands_that_read_a_log_it_is_the_one_that_is_asked_for(name: str) -> None:
    found = imported("receipts", name, "LOG")
    assert found & commands("receipts_", receipts.COMMANDS) == {f"proxy.cli.receipts_{name}"}
    assert found & commands("", MODULES) == {"proxy.cli.receipts"}
    assert not found & {"trio", "rich", "OpenSSL", "proxy.notary.notary", "proxy.notary.writer"}


def test_whoever_only_reads_a_log_reads_no_configuration() -> None:
    assert not imported("receipts", "list", "LOG") & {"pydantic", "yaml"}


@pytest.mark.parametrize("words", [["completion", "bash"], ["check", "missing.yaml"], ["lst"]])
def test_what_is_no_longer_used_is_looked_for_again_when_all_is_imported(words: list[str]) -> None:
    gc.enable()
    with suppress(SystemExit):
        main(words)
    assert gc.isenabled()


@pytest.mark.parametrize("words", [(), ("receipts",), ("receipts", "--help"), ("receipts", "lst")])
def test_all_are_there_where_none_is_asked_for(words: tuple[str, ...]) -> None:
    assert commands("receipts_", receipts.COMMANDS) <= imported(*words)
