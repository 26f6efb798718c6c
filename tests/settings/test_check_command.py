"""`lockgate check`: ok, or every mistake, and an exit code to match."""

import base64
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.cli import main
from proxy.settings.secrets import MAX_LISTS
from tests.pki import write as make_everybody
from tests.settings.example import changed, put, write

CONFIG = Path(__file__).resolve().parents[2] / "config"


def test_a_mistake_goes_to_standard_error_and_the_answer_is_no(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, changed(put("version", 2), put("routes.0.upstream", "no")))
    assert main(["check", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(": ")[1] for line in err.splitlines()] == ["version", "routes[0].upstream"]
    assert all(line.startswith(f"{path}:") for line in err.splitlines())


def test_a_file_that_is_not_there_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "no-such-file.yaml"]) == 1
    assert capsys.readouterr().err == (
        "no-such-file.yaml:1:1: cannot be read: No such file or directory\n"
    )


def sock(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def vast(path: Path) -> None:
    path.touch()
    os.truncate(path, MAX_LISTS + 1)


def holding(octets: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(octets)


def armoured(label: str, der: bytes) -> Callable[[Path], object]:
    lines = (f"-----BEGIN {label}-----\n", f"-----END {label}-----\n")
    return holding(base64.encodebytes(der).decode().join(lines).encode())


ODD: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a pipe that nobody writes to": os.mkfifo,
    "a socket": sock,
    "a link to itself": lambda path: path.symlink_to(path),
    "nothing": Path.touch,
    "larger than anything": vast,
    "zeros": holding(bytes(3000)),
    "UTF-16": holding("version: 1".encode("utf-16")),
    "no UTF-8": holding(b"version: \xe9"),
    "half of a PEM block": holding(b"-----BEGIN CERTIFICATE-----\nMIIB"),
    "a PEM block of nothing": holding(b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
    "endless levels of YAML": holding(b"[" * 500_000),
    "endless keys of YAML": holding(b"{a: " * 100_000),
    "endless levels of DER": holding(b"\x30\x80" * 100_000),
    "a length that is not there": holding(b"\x30\x84\xff\xff\xff\xff"),
    "a certificate without end": armoured("CERTIFICATE", b"\x30\x80" * 10_000),
    "a key without end": armoured("PRIVATE KEY", b"\x30\x80" * 10_000),
    "a list without end": armoured("X509 CRL", b"\x30\x80" * 10_000),
}
"""What may stand where a file is expected."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_everybody(tmp_path_factory.mktemp("made") / "pki")


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Path:
    """The configuration, and all that it names."""
    names = {"c.pem": "gateway.pem", "c.key": "gateway.key", "ca.pem": "ca.pem", "ca.crl": "ca.crl"}
    names |= {"p.key": "pseudonym.key", "r": "receipts.key", "l": "log.key"}
    for name, other in names.items():
        (tmp_path / name).write_bytes((made / other).read_bytes())
    return write(tmp_path, changed(put("identity.crl", "file:ca.crl")))


@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_whatever_stands_in_the_place_of_a_file_is_a_mistake_with_its_place(
    site: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], object]
) -> None:
    places = {
        "c.pem": "identity.certificate", "c.key": "identity.key", "ca.pem": "identity.trust",
        "ca.crl": "identity.crl", "r": "receipts.key", "l": "receipts.log_key",
    }  # fmt: skip
    for name, place in places.items():
        file = site.parent / name
        before = file.read_bytes()
        file.unlink()
        make(file)
        assert main(["check", str(site)]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        for line in err.splitlines():
            assert re.fullmatch(rf"{site}:\d+:\d+: {re.escape(place)}: .+", line), line
        file.rmdir() if file.is_dir() else file.unlink()
        file.write_bytes(before)
    assert main(["check", str(site)]) == 0


@pytest.mark.parametrize("name", [name for name in ODD if "pipe" not in name])
def test_so_is_whatever_stands_in_the_place_of_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = tmp_path / "gate.yaml"
    ODD[name](path)
    assert main(["check", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err
    assert all(re.match(rf"{path}:\d+:\d+: .", line) for line in err.splitlines()), err


def test_patterns_and_paths_are_tried_where_they_stand_without_opening_any_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = [
        {"path": "$.name", "action": "drop"},
        {"path": "$.a.b", "action": "drop"},
        {"header": "Content-Length", "action": "drop"},
    ]
    own = {"good": {"pattern": "E[0-9]"}, "open": {"pattern": "([0-9]"}, "end": {"pattern": "a$"}}
    policy = {"content": ["csv"], "label": "public", "mask": masks}
    data = changed(
        put("detectors", own), put("routes.0.request", policy), put("routes.0.response", policy)
    )
    path = write(tmp_path, data)
    assert main(["check", "--no-credentials", str(path)]) == 1
    said = [line.removeprefix(f"{path}:") for line in capsys.readouterr().err.splitlines()]
    told = dict(line.split(": ")[:2] for line in said if not line.endswith("(warning)"))
    assert sorted(told.values()) == [
        "detectors.end.pattern",
        "detectors.open.pattern",
        "routes[0].request.mask[1].path",
        "routes[0].request.mask[2].header",
        "routes[0].response.mask[1].path",
        "routes[0].response.mask[2].header",
    ]
    written = path.read_text().splitlines()
    for where, place in told.items():
        line = int(where.split(":")[0])
        assert place.rpartition(".")[2] in written[line - 1]
