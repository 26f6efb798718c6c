"""A shell completes what the parsers know; tried in the shells themselves, with the Tab key."""

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

from proxy.cli import MODULES
from proxy.cli.wording import lockgate
from tests.cli.terminal import written
from tests.cli.test_help import ALL
from tests.patience import PATIENCE

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    for shell in SHELLS:
        ran = subprocess.run([*lockgate(), "completion", shell], capture_output=True, check=True)
        (folder / shell).write_bytes(ran.stdout)
    return folder


def require(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed on this machine")
    return found


def offered(scripts: Path, *words: str) -> set[str]:
    """What bash's own function offers for the last of these words."""
    program = """
        source "$1"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _lockgate && printf '%s\\n' "${COMPREPLY[@]}"
    """
    ran = subprocess.run(
        ["bash", "-c", program, "bash", str(scripts / "bash"), "lockgate", *words],
        capture_output=True,
        check=True,
        text=True,
    )
    assert ran.stderr == ""
    return set(ran.stdout.split())


def test_every_command_and_every_option_is_offered(scripts: Path) -> None:
    assert offered(scripts, "") == set(MODULES)
    for name, each in ALL.items():
        options = {option for action in each._actions for option in action.option_strings}
        assert offered(scripts, *name.split()[1:], "-") == options


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("rec",), {"receipts", "receive"}),
        (("receipts", "ver"), {"verify"}),
        (("send", "https://x/", "--method", "P"), {"POST", "PUT", "PATCH"}),
        (("send", "--id", ""), set()),
        (("completion", ""), set(SHELLS)),
        (("receipts", "verify", "verify", "--ke"), {"--key"}),
    ],
)
def test_words_are_offered_where_they_fit(
    scripts: Path, words: tuple[str, ...], expected: set[str]
) -> None:
    assert offered(scripts, *words) == expected


@pytest.mark.parametrize("before", [("send", "https://x/"), ("send", "--key"), ("check",)])
def test_files_are_offered_where_files_are_named(
    scripts: Path, tmp_path: Path, before: tuple[str, ...]
) -> None:
    (tmp_path / "client.key").touch()
    assert offered(scripts, *before, str(tmp_path / "cl")) == {str(tmp_path / "client.key")}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_tab_key_completes_in_an_interactive_shell(
    scripts: Path, tmp_path: Path, shell: str
) -> None:
    words = {
        "bash": ["--norc", "--noprofile", "-i"],
        "zsh": ["-f", "-i"],
    }
    prepare = {"bash": "", "zsh": f"autoload -U compinit && compinit -u -d {tmp_path}/dump\n"}
    typed = prepare[shell] + (
        f"source {scripts / shell}\n"
        'lockgate() { printf "ran:%s:\\n" "$*"; }\n'
        "lockgate receiv\t\n"
        "lockgate receipts verif\t--rec\t\n"
        "exit\n"
    )
    terminal, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "HOME": str(tmp_path), "PS1": "$ "}
    with subprocess.Popen(
        [require(shell), *words[shell]],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
    ) as process:  # fmt: skip
        os.close(theirs)
        os.write(terminal, typed.encode())
        seen = written(terminal)
        process.wait(PATIENCE)
    assert b"ran:receive:" in seen, seen
    assert b"ran:receipts verify --receipt-key:" in seen, seen


def test_fish_offers_the_same(scripts: Path, tmp_path: Path) -> None:
    def fish(line: str) -> set[str]:
        program = f"source {scripts / 'fish'}; complete -C '{line}'"
        ran = subprocess.run(
            [require("fish"), "--no-config", "-c", program],
            capture_output=True, check=True, text=True, env={**os.environ, "HOME": str(tmp_path)},
        )  # fmt: skip
        assert ran.stderr == ""
        return {each.partition("\t")[0] for each in ran.stdout.splitlines()}

    assert fish("lockgate re") >= {"receipts", "receive"}
    assert fish("lockgate receipts ver") == {"verify"}
    assert fish("lockgate send --method P") == {"POST", "PUT", "PATCH"}
    assert "--receipts-key" in fish("lockgate send --rec")
    assert fish("lockgate receipts verify --receipts-k") == set()
