"""`make test` sees to the programs that the tests talk with: it installs them, or says how to."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.project.tree import ROOT

MISSING = "PROGRAMS=sh:dash no-such-program:its-package"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Stands first in PATH."""
    say(tmp_path, "apt-get", f'echo "$@" >> {tmp_path}/asked')
    return tmp_path


def say(folder: Path, name: str, line: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{line}\n")
    (folder / name).chmod(0o755)


def make(folder: Path, *settings: str) -> "subprocess.CompletedProcess[str]":
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.run(
        ["make", "--no-print-directory", "programs", *settings],
        cwd=ROOT, env={**os.environ, "PATH": path},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_all_programs_are_here_and_nothing_is_said_or_installed(folder: Path) -> None:
    done = make(folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (folder / "asked").exists()


def test_root_gets_the_package_of_what_is_missing_and_no_other(folder: Path) -> None:
    say(folder, "id", "echo 0")
    assert make(folder, MISSING).returncode == 0
    update, install = (folder / "asked").read_text().splitlines()
    assert update.split()[-1] == "update"
    assert "its-package" in install.split()
    assert "dash" not in install.split()


def test_who_is_not_root_is_told_what_to_type(folder: Path) -> None:
    say(folder, "id", "echo 1000")
    done = make(folder, MISSING)
    assert done.returncode != 0
    assert "as root: apt-get install -y --no-install-recommends its-package\n" in done.stderr
    assert not (folder / "asked").exists()


def test_an_install_that_fails_is_not_passed_over(folder: Path) -> None:
    say(folder, "id", "echo 0")
    say(folder, "apt-get", "exit 100")
    assert make(folder, MISSING).returncode != 0
