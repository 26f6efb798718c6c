"""`make bench-receipts` and `bench-audit` measure the path of the evidence, and leave nothing."""

import re
from pathlib import Path

import pytest

from loadtest import audits
from proxy.cli.certs import make_folder
from proxy.notary.folder import Folder
from tests.project.tree import bench, read


def test_the_bench_of_receipts_measures_and_leaves_nothing_behind(tmp_path: Path) -> None:
    sizes = ["--receipts", "300", "--attempts", "16", "--rounds", "1"]
    told = bench("loadtest.receipts", sizes, tmp_path)
    rows = dict(re.findall(r"^ +(\S.*?)  +([0-9.]+)", told, re.MULTILINE))
    for name in ("one process", "the worker", "the notary", "Ed25519 signature"):
        assert float(rows[name]) > 0
    assert re.search(r"^audit: 330 entries, [0-9,]+ a second", told, re.MULTILINE)


def test_the_bench_of_an_audit_makes_a_log_and_tells_of_every_process(tmp_path: Path) -> None:
    told = bench("loadtest.audits", ["--entries", "300"], tmp_path)
    assert re.search(r"^log: 300 entries, made in ", told, re.MULTILINE)
    assert re.search(r"^CPU: [0-9.]+ us an entry, [0-9,]+ a second on ", told, re.MULTILINE)
    assert re.search(r"^memory at most, each process: [0-9]+ MiB", told, re.MULTILINE)


def test_the_journal_of_that_log_is_begun_anew_as_a_gateways_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "_BATCH", 64)
    make_folder(tmp_path / "pki")
    edition = 64 * audits._EDITION
    assert audits.make_log(tmp_path / "log", tmp_path / "pki", 6 * edition, rotate=1) == 6 * edition
    tail = Folder(tmp_path / "log").tail()
    assert tail is not None
    assert len(tail.entries) < 3 * edition


def test_make_names_them() -> None:
    assert {"bench-receipts:", "bench-audit:"} <= set(
        re.findall("^bench.*?:", read("Makefile"), re.MULTILINE)
    )
