"""A command of a small authority that is cut short, at any of its system calls, is no dead end."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from proxy.cli import main
from proxy.cli.certs_store import opened
from proxy.tls.credentials import Credentials, load_credentials

_CALLS: Final = ("open", "fsync", "replace", "rename", "close")
_STOPPED: Final = 77


def certs(*words: str | Path) -> int:
    return main(["certs", *map(str, words)])


def stopped(number: int, *words: str | Path) -> bool:
    """Run a command in a process that ends just before its system call of that number; False when
    it had no more of them."""
    child = os.fork()
    if child == 0:
        left = [number]

        def counting(call: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*arguments: Any, **named: Any) -> Any:
                if left[0] == 0:
                    os._exit(_STOPPED)
                left[0] -= 1
                return call(*arguments, **named)

            return counted

        for name in _CALLS:
            setattr(os, name, counting(getattr(os, name)))
        os._exit(certs(*words))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, _STOPPED)
    return code == _STOPPED


def pair(folder: Path, name: str) -> Credentials:
    return load_credentials(
        (folder / f"{name}.pem").read_bytes(), (folder / f"{name}.key").read_bytes()
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "ca"
    assert certs("init", folder, "--authority", "Acme CA") == 0
    assert certs("issue", folder, "old", "--dns", "old.example") == 0
    return folder


@pytest.mark.parametrize(
    ("words", "name"), [(("issue", "etl", "--dns", "e.example"), "etl"), (("renew", "old"), "old")]
)
def test_what_was_cut_short_is_begun_again_or_finished(
    authority: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Again where nothing was prepared, else `rotate --finish`, which the command names."""
    action, *rest = words
    number, finished = 0, 0
    while True:
        folder = tmp_path / str(number)
        shutil.copytree(authority, folder)
        if not stopped(number, action, folder, *rest):
            break
        again = (folder / f"{name}.next.pem").exists()
        finished += again
        if again:
            assert certs(action, folder, *rest) == 1
            assert "`certs rotate --finish` ends it" in capsys.readouterr().err
            assert certs("rotate", folder, name, "--finish") == 0
        elif action == "renew" or not (folder / f"{name}.pem").exists():
            assert certs(action, folder, *rest) == 0
        pair(folder, name)
        with opened(folder) as store:
            assert {entry.name for entry in store.book.entries} == {"old", name}
        assert not list(folder.glob(f"{name}.next.*"))
        number += 1
    assert number > 15
    assert finished >= 3


def test_a_certificate_that_was_never_in_place_has_no_old_pin_to_take_out(
    authority: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "ca"
    shutil.copytree(authority, folder)
    number = 0
    while stopped(number, "issue", folder, "etl", "--dns", "e.example"):
        if (folder / "etl.next.pem").exists():
            break
        number += 1
    capsys.readouterr()
    assert certs("issue", folder, "etl", "--dns", "e.example") == 1
    assert "`certs rotate --finish` ends it" in capsys.readouterr().err
    assert certs("rotate", folder, "etl", "--finish") == 0
    told = capsys.readouterr().out
    assert "etl.pem: in place" in told
    assert told.count("sha256:") == 1
