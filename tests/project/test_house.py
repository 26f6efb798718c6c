"""The house as the design draws it: floors, siblings, and which package owns which library."""

import ast
from pathlib import Path

import pytest

from tests.project.tree import PACKAGE, ROOT, children, imports, pyproject, sources

FLOORS = [
    {"cli"},
    {"app"},
    {"journey", "tunnelling"},
    {"client", "edge", "notary"},
    {"receipt", "content", "wire", "policy", "tls", "observe"},
    {"settings"},
    {"model"},
    {"errors"},
    {"problems"},
]
SOURCES = pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
FORKS = {"os.fork", "multiprocessing", "asyncio", "random", "pickle", "ssl"}
HELPERS = PACKAGE / "cli" / "receipts_helpers.py"
"""An audit has processes to help it, fresh ones; the gateway itself is not made so."""


def floor_of(name: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if name in floor)


def owner(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_module_has_its_floor_and_every_floor_its_modules() -> None:
    assert children() == set().union(*FLOORS)


def test_the_contract_that_make_check_holds_is_that_of_the_design() -> None:
    (layers,) = [c for c in pyproject()["tool"]["importlinter"]["contracts"] if "layers" in c]
    assert [set(floor.split(" | ")) for floor in layers["layers"]] == FLOORS
    assert layers["exhaustive"] is True
    assert layers["containers"] == ["proxy"]
    assert "ignore_imports" not in layers


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("trio", {"edge", "notary", "journey", "tunnelling", "app", "cli"}),
        ("OpenSSL", {"tls"}),
        ("h11", {"wire"}),
    ],
)
def test_the_contract_of_a_library_names_every_module_that_may_not_have_it(
    library: str, allowed: set[str]
) -> None:
    (contract,) = [
        contract
        for contract in pyproject()["tool"]["importlinter"]["contracts"]
        if contract.get("forbidden_modules") == [library]
    ]
    named = {name.removeprefix("proxy.") for name in contract["source_modules"]}
    assert named == children() - allowed
    assert "ignore_imports" not in contract


@SOURCES
def test_a_module_imports_only_from_lower_floors_and_its_own_package(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        assert imports(path) == set()
        return
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("proxy.")}
    for other in ours - {owner(path)}:
        assert floor_of(other) > floor_of(owner(path)), f"{path.name} imports {other}"


@SOURCES
def test_a_library_is_imported_by_its_owner_alone(path: Path) -> None:
    tops = {name.split(".")[0] for name in imports(path)}
    who = owner(path)
    assert "OpenSSL" not in tops or who == "tls"
    assert "h11" not in tops or who == "wire"
    assert "trio" not in tops or floor_of(who) <= floor_of("edge")
    assert not tops & (FORKS - {"multiprocessing"} if path == HELPERS else FORKS)


@SOURCES
def test_a_file_says_what_it_is_for_and_stays_readable(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "no docstring"
    assert len(text.splitlines()) <= 280
