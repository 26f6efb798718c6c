"""`make bench-policy` decides as each kind of configuration says, and leaves nothing."""

import re
from pathlib import Path

from loadtest.policy import KINDS
from tests.project.tree import bench


def test_the_bench_of_decisions_measures_every_kind_of_configuration(tmp_path: Path) -> None:
    sizes = ["--routes", "20", "--grants", "3", "--calls", "5", "--limit", "1e9"]
    told = bench("loadtest.policy", sizes, tmp_path)
    for name in KINDS:
        assert re.search(rf"^{name} +([0-9.]+ µs *){{3}}$", told, re.M), told
    assert told.endswith(": kept\n")
