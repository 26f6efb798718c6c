"""What is compiled is optional, and whoever runs it can see which of both it is."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.content.native import NATIVE
from tests.project.tree import ROOT, read


def compiled() -> set[str]:
    """Every source that setup.py compiles."""
    (modules,) = [
        ast.literal_eval(node.value)
        for node in ast.parse(read("setup.py")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MODULES"
    ]
    parts = {part for each in modules.values() for part in each}
    return {f"proxy/content/{part}{suffix}" for part in parts for suffix in (".py", ".pxd")}


def test_a_source_that_is_edited_is_compiled_anew_by_make(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    stamp = ".venv/.installed"
    for name in (*compiled(), "setup.py", "pyproject.toml", "requirements-dev.lock", stamp):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def up_to_date(*edited: str) -> bool:
        command = ["make", "-q", *(f"--what-if={name}" for name in edited), stamp]
        return subprocess.run(command, cwd=tmp_path, check=False).returncode == 0

    assert up_to_date()
    assert [name for name in sorted(compiled()) if up_to_date(name)] == []


def test_without_a_compiler_all_else_is_built(tmp_path: Path) -> None:
    (tmp_path / "proxy" / "content").mkdir(parents=True)
    shutil.copy(ROOT / "setup.py", tmp_path)
    for source in (ROOT / "proxy" / "content").glob("*.p*"):
        shutil.copy(source, tmp_path / "proxy" / "content")
    done = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--build-lib", "out"],
        cwd=tmp_path,
        env={**os.environ, "CC": "/nonexistent/cc"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "_jsonscan" in done.stdout + done.stderr
    assert list(tmp_path.rglob("*.so")) == []


@pytest.mark.parametrize("wanted", ["", "interpreted"])
def test_the_version_says_which_engine_runs(wanted: str) -> None:
    program = Path(sys.executable).parent / "lockgate"
    environment = {**os.environ, "LOCKGATE_ENGINE": wanted}
    told = subprocess.run(
        [program, "--version"], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert told == f"lockgate 0.1.0, content engine {wanted or NATIVE.name}\n"
