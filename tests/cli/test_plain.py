"""Not a single escape sequence where nobody wants one: not on a terminal, or NO_COLOR is set."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.cli import MODULES
from proxy.cli.wording import lockgate
from tests.cli.terminal import written
from tests.cli.test_help import ALL
from tests.patience import PATIENCE
from tests.pki import write
from tests.project.tree import ROOT


def on_a_terminal(words: list[str], folder: Path, **environment: str) -> bytes:
    """Everything that a command writes, on a terminal that takes colours."""
    return from_terminal([*lockgate(), *words], folder, **environment)


def from_terminal(command: list[str], folder: Path, **environment: str) -> bytes:
    terminal, theirs = pty.openpty()
    known = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env={**known, "TERM": "xterm-256color", "COLUMNS": "100", **environment},
    ) as process:
        os.close(theirs)
        seen = written(terminal)
        process.wait(PATIENCE)
    return seen


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration, keys, and something to send."""
    folder = tmp_path_factory.mktemp("plain")
    write(folder / "certs")
    (folder / "large.bin").write_bytes(bytes(4 * 2**20))
    (folder / "order.json").write_text('{"customer": {"email": "ada@example.com"}}')
    (folder / "config").symlink_to(ROOT / "config")
    return folder


COMMANDS = {
    "run": ["run", "missing.yaml"],
    "check": ["check", "config/gateway.yaml"],
    "explain": [
        "explain",
        "config/gateway.yaml",
        "--cert",
        "certs/client.pem",
        "--listener",
        "ingest",
        "--method",
        "POST",
        "--path",
        "/orders/1",
    ],
    "review": ["review", "config/gateway.yaml", "--receipts", "nowhere"],
    "map": ["map", "config/gateway.yaml", "-o", "missing/map.mmd"],
    "mask": ["mask", "config/gateway.yaml", "--route", "orders", "order.json", "-o", "masked.json"],
    "detokenize": ["detokenize", "config/gateway.yaml", "--route", "orders", "order.json"],
    "health": ["health", "config/gateway.yaml"],
    "certs": ["certs", "inspect", "certs/client.pem"],
    "receipts": ["receipts", "list", "nowhere"],
    "witness": ["witness", "missing.yaml"],
    "send": ["send", "http://127.0.0.1:1/", "large.bin", "config", "--retries", "0"],
    "receive": ["receive", "inbox", "--cert", "certs/client.pem"],
    "completion": ["completion", "bash"],
}


ALL_COMMANDS = f"""
from contextlib import suppress
from proxy.cli import main
for name, words in {[*COMMANDS.items()]}:
    print("<", name, ">", sep="", flush=True)
    with suppress(SystemExit):
        main(words)
"""
"""All in one process: most of what one takes is to begin."""


@pytest.fixture(scope="module")
def in_plain(folder: Path) -> dict[str, bytes]:
    """What each command wrote on a terminal, with NO_COLOR."""
    seen = from_terminal([sys.executable, "-c", ALL_COMMANDS], folder, NO_COLOR="1")
    marks = rb"<(" + b"|".join(name.encode() for name in COMMANDS) + rb")>\r\n"
    assert seen.startswith(b"<run>")
    _, *pieces = re.split(marks, seen)
    return {name.decode(): said for name, said in zip(pieces[::2], pieces[1::2], strict=True)}


@pytest.mark.parametrize("name", COMMANDS)
def test_with_no_color_a_terminal_gets_plain_text(in_plain: dict[str, bytes], name: str) -> None:
    assert in_plain[name]
    assert b"\x1b" not in in_plain[name]


def test_every_command_is_tried() -> None:
    assert {*COMMANDS, "demo"} == set(MODULES)


def test_the_demo_shows_its_story_in_plain_text(folder: Path) -> None:
    words = ["demo", "--input", "missing.json"]
    assert b"\x1b" not in on_a_terminal(words, folder, NO_COLOR="1")


@pytest.mark.parametrize("name", sorted(ALL))
def test_help_is_plain_text(name: str) -> None:
    assert "\x1b" not in ALL[name].format_help()


def test_a_terminal_gets_a_bar_and_colours_and_a_dumb_one_does_not(folder: Path) -> None:
    assert b"\x1b[" in on_a_terminal(COMMANDS["send"], folder)
    assert b"\x1b" not in on_a_terminal(COMMANDS["send"], folder, TERM="dumb")


def test_elsewhere_there_is_plain_text_whatever_force_color_says(folder: Path) -> None:
    ran = subprocess.run(
        [*lockgate(), *COMMANDS["send"]],
        capture_output=True,
        check=False,
        cwd=folder,
        env={**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color"},
    )
    assert ran.returncode == 1
    assert b"\x1b" not in ran.stdout + ran.stderr
