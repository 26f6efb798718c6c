"""Secrets are read from where a reference points, and never said aloud."""

import os
from pathlib import Path

import pytest

from proxy.errors import CredentialError
from proxy.settings.secrets import MAX_OCTETS, read_secret, resolve_path


def test_a_file_is_found_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "k").write_bytes(b"\x00octets\n")
    assert read_secret("file:certs/k", tmp_path) == b"\x00octets\n"
    assert read_secret("file:../certs/k", tmp_path / "certs") == b"\x00octets\n"
    assert read_secret(f"file:{tmp_path}/certs/k", Path("/nowhere")) == b"\x00octets\n"


def test_a_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_TEST_KEY", "octets")
    assert read_secret("env:LOCKGATE_TEST_KEY", Path()) == b"octets"


@pytest.mark.parametrize(
    ("ref", "words"),
    [("file:none", "cannot be read: No such file"), ("file:.", "cannot be read: Is a directory"),
     ("file:empty", "is empty"), ("file:pipe", "is empty"), ("file:large", "is larger than"),
     ("env:LOCKGATE_NOT_SET", "is not set"), ("env:LOCKGATE_EMPTY", "is empty")],
)  # fmt: skip
def test_what_cannot_be_read_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ref: str, words: str
) -> None:
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"marker" * MAX_OCTETS)
    monkeypatch.setenv("LOCKGATE_EMPTY", "")
    opened = len(os.listdir("/proc/self/fd"))
    with pytest.raises(CredentialError) as caught:
        read_secret(ref, tmp_path)
    assert len(os.listdir("/proc/self/fd")) == opened
    assert str(caught.value).startswith(f"{ref} {words}")
    assert "marker" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "ref", ["marker", "-----BEGIN marker", "file:", "env:a marker", "https://marker"]
)
def test_what_is_no_reference_is_not_repeated(ref: str) -> None:
    with pytest.raises(CredentialError, match="not a reference") as caught:
        read_secret(ref, Path())
    assert "marker" not in str(caught.value)


def test_paths_resolve_against_the_folder() -> None:
    assert resolve_path("var", Path("/etc/x")) == Path("/etc/x/var")
    assert resolve_path("unix:/run/x", Path("/etc/x")) == Path("/run/x")
    assert resolve_path("file:a/b", Path("/etc/x")) == Path("/etc/x/a/b")


def test_a_path_that_is_told_is_told_as_the_kernel_goes(tmp_path: Path) -> None:
    real = tmp_path.resolve()
    (real / "there" / "config").mkdir(parents=True)
    (real / "here").symlink_to(real / "there" / "config")
    assert resolve_path("../var/receipts", real / "there" / "config") == real / "there/var/receipts"
    assert resolve_path("../var/receipts", real / "here") == real / "there/var/receipts"
