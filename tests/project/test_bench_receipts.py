"""`make bench-receipts` measures the whole path of the evidence and leaves nothing behind."""

import re
from pathlib import Path

from tests.project.tree import bench, read


def test_the_bench_of_receipts_measures_and_leaves_nothing_behind(tmp_path: Path) -> None:
    sizes = ["--receipts", "300", "--attempts", "16", "--rounds", "1"]
    told = bench("loadtest.receipts", sizes, tmp_path)
    rows = dict(re.findall(r"^ +(\S.*?)  +([0-9.]+)", told, re.MULTILINE))
    for name in ("one process", "the worker", "the notary", "Ed25519 signature"):
        assert float(rows[name]) > 0
    assert re.search(r"^audit: 330 entries, [0-9,]+ a second", told, re.MULTILINE)


def test_make_names_it() -> None:
    assert "\nbench-receipts:" in read("Makefile")
