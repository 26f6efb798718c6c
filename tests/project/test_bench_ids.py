"""`make bench-ids` fills a table, asks it every question, and leaves nothing."""

import re
from pathlib import Path

import pytest

from loadtest.ids import main
from tests.project.tree import bench


def test_the_bench_of_ids_measures_disk_and_checks(tmp_path: Path) -> None:
    sizes = ["--ids", "9000", "--checks", "50", "--microseconds", "1e9"]
    told = bench("loadtest.ids", sizes, tmp_path)
    assert re.search(r"^without nonces +[0-9.]+ MiB( +[0-9.]+ µs){3}$", told, re.M), told
    assert re.search(r"^with nonces +[0-9.]+ MiB( +[0-9.]+ µs){4}$", told, re.M), told
    assert told.endswith(": kept\n")


@pytest.mark.parametrize("limit", [["--microseconds", "0"], ["--mebibytes", "0.01"]])
def test_the_bench_of_ids_fails_where_a_limit_is_exceeded(
    limit: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--ids", "500", "--checks", "5", "--microseconds", "1e9", *limit]) == 1
    assert capsys.readouterr().out.endswith(": exceeded\n")
