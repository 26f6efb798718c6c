"""`make bench-spill` measures both ways, and leaves nothing."""

import os
import re
from pathlib import Path

from tests.project.tree import bench


def test_the_bench_of_held_content_measures_both_ways(tmp_path: Path) -> None:
    sizes = ["--mebibytes", "1", "--rounds", "1", "--limit", "1e9", "--folder", str(tmp_path)]
    told = bench("loadtest.spill", sizes, tmp_path)
    assert len(re.findall(r"^.* [0-9.]+ ns an octet$", told, re.M)) == 2, told
    assert told.endswith(": kept\n")
    assert os.listdir(tmp_path) == []
