"""What is compiled, and that nothing depends on it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.project.tree import ROOT


def test_without_a_compiler_everything_else_installs(tmp_path: Path) -> None:
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, tmp_path)
    plain = shutil.ignore_patterns("_*.so", "__pycache__")
    shutil.copytree(ROOT / "proxy", tmp_path / "proxy", ignore=plain)
    if (ROOT / "build" / "cython").is_dir():  # what Cython has written is not written again
        shutil.copytree(ROOT / "build" / "cython", tmp_path / "build" / "cython")
    done = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--inplace"],
        cwd=tmp_path,
        env={**os.environ, "CC": str(tmp_path / "no-such-compiler")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in ("_jsonscan", "_jsonsplice"):
        assert f'building extension "proxy.content.{name}" failed' in done.stdout + done.stderr
    assert list((tmp_path / "proxy" / "content").glob("_*.so")) == []
