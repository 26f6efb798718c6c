"""What the checkout looks like: its files, its modules, what they import."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "proxy"


def read(path: str) -> str:
    return (ROOT / path).read_text()


def bench(module: str, sizes: list[str], temporary: Path) -> str:
    """What a bench prints; it leaves nothing behind in its temporary folder."""
    done = subprocess.run(
        [sys.executable, "-m", module, *sizes],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(temporary.iterdir()) == []
    return done.stdout


def pyproject() -> dict[str, Any]:
    return tomllib.loads(read("pyproject.toml"))


def sources() -> list[Path]:
    """Every file of the package, in order."""
    return sorted(PACKAGE.rglob("*.py"))


def children() -> set[str]:
    """What stands directly under `proxy`: packages and modules, without `.py`."""
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    return packages | {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}


def imports(path: Path) -> set[str]:
    """Full names of all modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names
