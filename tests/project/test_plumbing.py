"""The commands around the code do what the pages say of them."""

import os
import subprocess

from tests.project.tree import ROOT, pyproject, read


def test_what_must_hold_is_checked_and_tested_in_one_executable() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    lines = read(".ci/run").splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert any(line.startswith("set -eu") for line in lines)
    assert next(line for line in lines if line.startswith("make ")) == "make check"
    assert any(line.startswith("make test ") for line in lines)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


def test_types_are_strict_over_everything() -> None:
    mypy = pyproject()["tool"]["mypy"]
    assert mypy["strict"] is True
    assert set(mypy["files"]) == {"proxy", "tests", "loadtest"}
    assert "overrides" not in mypy


def test_warnings_are_errors_and_nothing_is_expected_to_fail_in_silence() -> None:
    options = pyproject()["tool"]["pytest"]["ini_options"]
    assert options["filterwarnings"][0] == "error"
    assert options["xfail_strict"] is True
