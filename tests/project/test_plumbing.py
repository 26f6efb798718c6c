"""The commands around the code do what the pages say of them."""

import os
import subprocess
from pathlib import Path

from tests.project.tree import ROOT, bench, pyproject, read


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


def test_the_bench_measures_and_leaves_nothing_behind(tmp_path: Path) -> None:
    sizes = ["--rounds", "1", "--transfers", "16", "--mebibytes", "1"]
    told = bench("loadtest", sizes, tmp_path)
    (row,) = [line for line in told.splitlines() if line.startswith("lockgate ")]
    small, _, bulk, _ = row.removeprefix("lockgate ").split()
    assert float(small) > 0
    assert float(bulk) > 0
    assert "nginx" in told
