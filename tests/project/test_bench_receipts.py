"""`make bench-receipts` measures the whole path of the evidence and leaves nothing behind."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.project.tree import ROOT, read


def test_the_bench_of_receipts_measures_and_leaves_nothing_behind(tmp_path: Path) -> None:
    sizes = ["--receipts", "300", "--attempts", "16", "--rounds", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.receipts", *sizes],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = dict(re.findall(r"^ +(\S.*?)  +([0-9.]+)", done.stdout, re.MULTILINE))
    for name in ("one process", "the worker", "the notary", "Ed25519 signature"):
        assert float(rows[name]) > 0
    assert re.search(r"^audit: 330 entries, [0-9,]+ a second", done.stdout, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_make_names_it() -> None:
    assert "\nbench-receipts:" in read("Makefile")
