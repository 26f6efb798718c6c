"""What the pages promise is there: files, modules, metrics, log lines, reasons, commands."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import proxy
from proxy.errors import ADVICE, PROBLEMS, TLS_FAILURES, TROUBLES
from proxy.observe.metrics import Metrics
from proxy.settings.load import load
from tests.project.tree import PACKAGE, ROOT, children, pyproject, read, sources

PAGES = [ROOT / "README.md", ROOT / "certs/README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def section(page: str, title: str) -> str:
    """The text under a heading, up to the next one of any level."""
    _, _, rest = read(page).partition(f"## {title}\n")
    return rest.partition("\n## ")[0]


def rows(text: str) -> dict[str, str]:
    """The tables of a text: what each name in the first column has in the others."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        cells = line.split("|")
        if len(cells) > 3:
            found |= dict.fromkeys(re.findall(r"`([^`]+)`", cells[1]), "|".join(cells[2:]))
    return found


# --- links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_claim_of_the_readme_names_a_test_that_proves_it() -> None:
    table = section("README.md", "What it refuses, and the test that proves it")
    claims = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(claims) > 10
    for claim in claims:
        proofs = LINK.findall(claim.split("|")[2])
        assert proofs, claim
        assert all(re.search(r"^(async )?def test_", read(proof), re.M) for proof in proofs), claim


def test_the_index_names_every_manual() -> None:
    manuals = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert manuals <= set(LINK.findall(read("docs/index.md")))


# --- the map -------------------------------------------------------------------------------------


def test_every_file_that_the_map_names_is_there() -> None:
    named = re.findall(r"[\w/]+\.py\b", proxy.__doc__ or "")
    assert len(named) > 40
    for name in named:
        assert (PACKAGE / name).is_file(), name


def test_the_map_leads_through_every_package() -> None:
    for name in children():
        assert re.search(rf"\b{name}(/|\.py)", proxy.__doc__ or ""), name


# --- commands ------------------------------------------------------------------------------------


def test_every_make_target_that_a_page_names_is_there() -> None:
    makefile = read("Makefile")
    for page in PAGES:
        for target in re.findall(r"(?:`|^ {4})make ([a-z-]+)", page.read_text(), re.M):
            assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_configurations_that_the_pages_run_are_there() -> None:
    for name in ("gateway", "sidecar", "tunnel-gateway", "tunnel-sidecar"):
        assert load(ROOT / f"config/{name}.yaml").settings.routes


def test_the_version_of_python_is_the_same_everywhere() -> None:
    assert pyproject()["project"]["requires-python"] == ">=3.11"
    assert "Python 3.11 or newer" in read("README.md")
    assert "(3, 11)" in read("Makefile")


# --- what senders see ----------------------------------------------------------------------------


def test_every_problem_is_documented_word_for_word_with_its_status_and_what_to_do() -> None:
    documented = rows(section("docs/http.md", "Answers that refuse"))
    told = {
        code: f" {status} | {title} | {ADVICE[code]} |"
        for code, (status, title) in PROBLEMS.items()
    }
    assert documented == told
    assert ADVICE.keys() == PROBLEMS.keys()


# --- what operators see --------------------------------------------------------------------------


def test_every_metric_is_documented_with_its_labels() -> None:
    metrics = Metrics()
    documented = rows(section("docs/observing.md", "Metrics"))
    registered = {}
    for collector in metrics.registry._collector_to_names:
        for family in collector.describe() if hasattr(collector, "describe") else ():
            suffix = "_total" if family.type == "counter" else ""
            registered[family.name + suffix] = set(getattr(collector, "_labelnames", ()))
    ours = {name: labels for name, labels in registered.items() if name.startswith("lockgate_")}
    assert len(ours) > 10
    assert documented.keys() == ours.keys()
    for name, labels in ours.items():
        assert set(re.findall(r"`([^`]+)`", documented[name].split("|")[0])) == labels, name


def test_every_reason_of_a_refused_handshake_is_documented() -> None:
    documented = rows(section("docs/observing.md", "Why a handshake was refused"))
    assert {name: text.strip(" |") for name, text in documented.items()} == TLS_FAILURES
    used = {
        node.args[0].value
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "TlsFailure"
        and isinstance(node.args[0], ast.Constant)
    }
    assert used <= TLS_FAILURES.keys()


def test_every_reason_why_the_log_takes_nothing_is_documented() -> None:
    documented = rows(section("docs/observing.md", "Why transfers are refused"))
    assert {name for name, means in documented.items() if means.strip()} >= TROUBLES.keys()
    assert documented.keys() == TROUBLES.keys()


def log_calls() -> Iterator[tuple[str, set[str]]]:
    """(event, names of fields) of every line that the proxy itself can write."""
    for path in sources():
        if path.is_relative_to(PACKAGE / "cli"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            verb = node.func.attr
            position = {"info": 0, "warning": 0, "once": 0, "error": 0, "write": 1}.get(verb)
            if position is None or len(node.args) <= position:
                continue
            event = node.args[position]
            if isinstance(event, ast.Constant) and isinstance(event.value, str):
                yield event.value, {keyword.arg for keyword in node.keywords if keyword.arg}


def test_every_log_line_is_documented_with_its_fields() -> None:
    text = section("docs/observing.md", "The log")
    documented = rows(text)
    calls = list(log_calls())
    assert {"ready", "transfer", "handshake_refused", "internal"} <= {event for event, _ in calls}
    for event, fields in calls:
        assert event in documented, event
        for name in fields:
            assert f"`{name}`" in (text if event == "transfer" else documented[event]), name
