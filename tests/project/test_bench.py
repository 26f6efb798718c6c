"""`make bench` measures what is there and names what is missing."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from loadtest import machine, masking, plain
from loadtest.__main__ import parser, sizes_of
from loadtest.contest import OURS, Contest
from loadtest.figures import Round, Standing, digits, duration, octets, percentile, ratio, round_of
from loadtest.gateway import CIPHERS, Setup, settings
from loadtest.peers import PEERS, version_in
from loadtest.report import BEGIN, END, Report, markdown, put
from loadtest.rows import CONTESTS, QUICK, ROWS, Sizes
from loadtest.targets import TARGETS, table, verdict
from proxy.cli.certs import make_folder
from proxy.settings.load import load
from tests.project.tree import ROOT, bench, read


def rounds(*costs: float, busy: float = 1.0) -> tuple[Round, ...]:
    return tuple(Round(cost, 1 / cost, busy, cost, cost, cost) for cost in costs)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "pki"
    make_folder(folder)
    return folder


# --- the whole -----------------------------------------------------------------------------------


def test_the_bench_measures_ours_names_what_is_missing_and_leaves_nothing(tmp_path: Path) -> None:
    small = ["--rounds", "1", "--transfers", "16", "--mebibytes", "1"]
    rows = ["--only", "masked", "--only", "down"]
    told = bench("loadtest", ["--quick", *small, *rows, "--programs", "none"], tmp_path)
    for title in ("small POST masked", "opaque download, 1.00 MiB"):
        assert f"### {title}" in told
    assert len(re.findall(r"^\| lockgate \| [0-9.,]+ \|.* MiB \|$", told, re.M)) == 2, told
    for peer in ("nginx", "HAProxy", "Envoy", r"nginx \+ Lua", "mitmproxy"):
        assert re.search(rf"^\| {peer}(?: \(.*\))? \| ([0-9.,]+|missing) \|", told, re.M), told
    assert re.search(r"^\| start to ready \|.*\| not measured \|$", told, re.M), told


def test_a_part_is_never_written_into_the_page(tmp_path: Path) -> None:
    page = ROOT / "docs/performance.md"
    before = page.read_bytes()
    small = ["--quick", "--only", "start", "--rounds", "1", "--settle", "1", "--write", str(page)]
    assert "| start to ready |" in bench("loadtest", small, tmp_path)
    assert page.read_bytes() == before


def test_the_page_and_the_options_name_every_row_and_peer() -> None:
    page = read("docs/performance.md")
    assert page.count(BEGIN) == page.count(END) == 1
    for row in ROWS:
        assert f"`{row}`" in page
    for peer in PEERS:
        assert peer in page
    for contest in CONTESTS.values():
        assert set(contest.peers) <= set(PEERS)


def test_every_size_is_an_option_and_quick_makes_all_of_them_small() -> None:
    assert sizes_of(parser().parse_args([])) == Sizes()
    assert sizes_of(parser().parse_args(["--quick", "--idle", "7"])) == replace(QUICK, idle=7)
    whole = asdict(Sizes())
    assert all(small < whole[name] for name, small in asdict(QUICK).items())


# --- statistics ----------------------------------------------------------------------------------


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(each) for each in range(100, 0, -1)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile(values, 0.999) == 100
    assert percentile([3.0], 0.5) == 3


def test_a_round_is_told_for_one_unit() -> None:
    told = round_of(2.0, 4.0, [0.1, 0.2, 0.3], 8)
    assert (told.cpu, told.rate, told.busy) == (0.25, 2.0, 0.5)
    assert (told.p50, told.p99) == (0.2, 0.3)


def test_ratios_are_of_rounds_that_stood_beside_each_other() -> None:
    ours, peer = Standing("a", rounds(2, 8, 30)), Standing("b", rounds(1, 4, 3))
    assert ratio(ours, peer) == 2
    assert ratio(ours, Standing("gone")) is None


def test_a_proxy_with_time_to_spare_was_not_the_bottleneck() -> None:
    assert Standing("a", rounds(1, busy=0.95)).bottleneck
    assert not Standing("a", rounds(1, busy=0.6)).bottleneck


@pytest.mark.parametrize(
    ("written", "due"),
    [
        (duration(0.0000125), "12.5 µs"),
        (duration(2), "2.00 s"),
        (octets(1 << 30), "1.00 GiB"),
        (octets(500), "500 B"),
        (digits(1234.5), "1,234"),
        (digits(0.0876), "0.0876"),
    ],
)
def test_figures_have_three_digits_and_a_unit(written: str, due: str) -> None:
    assert written == due


# --- what is told --------------------------------------------------------------------------------


def test_a_row_tells_ratios_and_missing_peers_and_feeds_the_targets() -> None:
    report = Report()
    told = [
        Standing(OURS, rounds(2e-4, busy=0.5), 90 << 20),
        Standing("nginx", rounds(1e-4), 20 << 20),
        Standing("Envoy"),
    ]
    text = report.contest(CONTESTS["fresh"], 10, told)
    assert "| lockgate | 200 |  | ≥ 5,000/s | 200 µs |" in text
    assert "| nginx | 100 | 2.00 × | 10,000/s |" in text
    assert "| Envoy | missing |" in text
    assert report.facts["fresh/nginx"] == 2.0
    assert "fresh/Envoy" not in report.facts


def test_the_memory_of_missing_peers_is_never_guessed() -> None:
    assert "| Envoy | missing |" in Report().idle(10, {OURS: 40960.0, "Envoy": None})


def test_a_row_with_a_wrong_answer_has_no_figure_but_says_what_was_wrong() -> None:
    report = Report()
    assert "Not measured: ValueError: answered 503" in report.failed(
        "up", "x\nValueError: answered 503"
    )
    assert "### up" in report.text([])
    assert report.facts == {}


def test_targets_say_where_they_stand() -> None:
    target = next(each for each in TARGETS if each.fact == "fresh/nginx")
    for value, due in ((1.9, "goal met"), (2.5, "first step met"), (3.5, "missed")):
        assert verdict(target, {"fresh/nginx": value}) == due
    assert verdict(target, {}) == "not measured"
    dearer = next(each for each in TARGETS if each.least)
    assert verdict(dearer, {dearer.fact: 26}) == "goal met"
    assert verdict(dearer, {dearer.fact: 24}) == "missed"
    assert len(table({})) == len(TARGETS)


def test_all_facts_that_targets_ask_for_come_from_rows() -> None:
    others = {"idle", "latency", "workers", "mitmproxy"}
    for target in TARGETS:
        key, _, peer = target.fact.partition("/")
        if key in CONTESTS and peer != "peak":
            assert peer.removesuffix("/wall") in CONTESTS[key].peers, target
        else:
            assert key in others | {"start", "records"}, target


def test_delay_is_added_to_the_upstream_and_the_disk_alone() -> None:
    report, each = Report(), ("p50", "p99", "p99.9")

    def line(p99: float) -> dict[str, float]:
        return dict(zip(each, (p99 / 2, p99, p99 * 2), strict=True))

    report.latency(
        {"a": line(0.01), "a alone": line(0.001), "b": line(0.02), "b alone": line(0.002)}
        | {"the disk": line(0.008)}
    )
    assert report.facts["latency"] == pytest.approx(0.010)


def test_the_page_keeps_all_that_is_outside_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put(page, "new\n")
    assert page.read_text() == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="no marks"):
        put(page, "new")


def test_tables_are_markdown() -> None:
    assert markdown(["a", "b"], [["1", "2"]]) == ["| a | b |", "| --- | ---: |", "| 1 | 2 |"]


def test_the_page_says_the_command_that_was_typed() -> None:
    target = ["--programs", "folder", "--write", "page"]
    assert machine.command(target) == "make bench"
    assert machine.command([*target, "--idle", "7"]) == 'make bench BENCH="--idle 7"'


def test_processors_and_versions_are_read_from_what_they_say() -> None:
    assert machine.processor("flags\t: x\nmodel name\t: AMD EPYC\n") == "AMD EPYC"
    assert version_in("envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL") == "1.40.0"
    assert version_in("HAProxy version 2.6.12-1+deb12u4 2026/10/17") == "2.6.12-1+deb12u4"
    assert version_in("?") == "unknown"


# --- configurations ------------------------------------------------------------------------------


@pytest.mark.parametrize("setup", [Setup(), Setup(sidecar=True), Setup(2, 1000, replay=True)])
def test_ours_is_a_configuration_that_loads(tmp_path: Path, pki: Path, setup: Setup) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(json.dumps(settings(tmp_path, pki, 9443, setup)))
    found = load(path).settings
    assert found.workers == setup.workers
    assert sum(route.listener == "ingest" for route in found.routes) == setup.routes + 3
    assert found.upstreams["receiver"].tls.ciphers == CIPHERS


def test_all_peers_demand_and_show_certificates_by_tls_13(tmp_path: Path, pki: Path) -> None:
    pair = tmp_path / "pair"
    for text in (
        plain.nginx(tmp_path, pki, 9443, 8443),
        masking.nginx(tmp_path, pki, 9443, 8443),
        plain.haproxy("http", pair, pki, 9443, 8443),
        plain.haproxy("tcp", pair, pki, 9443, 8443),
        plain.stunnel(pair, pki, 9443, 8443, 8444),
    ):
        assert re.search(r"TLSv1\.3", text)
        assert CIPHERS[0] in text
        assert text.count("receiver.lockgate.example") >= 1
        assert re.search(r"ssl_verify_client on|verify required|requireCert = yes", text)
        assert re.search(r"proxy_ssl_verify on|verifyhost|checkHost", text)
    envoy = json.dumps(plain.envoy(pki, 9443, 8443))
    assert envoy.count("TLSv1_3") == 4
    assert '"require_client_certificate": true' in envoy
    assert "match_typed_subject_alt_names" in envoy


def test_a_peer_that_holds_everything_gets_a_part_and_it_is_said() -> None:
    contest = Contest(
        "k", "t", "records", "/records/1", ("mitmproxy",), True, (("mitmproxy", 0.25),)
    )
    assert contest.units(OURS, 1000) == 1000
    assert contest.units("mitmproxy", 1000) == 250
