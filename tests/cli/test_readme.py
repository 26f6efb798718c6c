"""The first transfer works as the README prints it, with config/gateway.yaml."""

import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from proxy.cli.wording import lockgate
from tests.patience import PATIENCE
from tests.project.tree import ROOT

PORTS = (8443, 9443, 9090)


def commands() -> list[str]:
    """What `Running it` says to type, one command each."""
    text = (ROOT / "README.md").read_text().partition("## Running it\n")[2]
    blocks = re.findall(r"^ {4}(.*)$", text.partition("\n[docs/")[0], re.MULTILINE)
    return "\n".join(blocks).replace("\\\n", " ").splitlines()


def is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def shell(command: str, folder: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        ["sh", "-c", command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def require_ready(process: "subprocess.Popen[bytes]") -> None:
    """Read what a command that stays says, until it says that it is ready."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        if b'"event":"ready"' in line:
            return
        said.append(line)
    pytest.fail(f"it ended before it was ready: {b''.join(said)!r}")


def test_the_first_transfer_works_as_printed(tmp_path: Path) -> None:
    if not all(map(is_free, PORTS)):
        pytest.skip("a port of config/gateway.yaml is taken on this machine")
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "lockgate").symlink_to(lockgate()[0])
    certs, check, run, receive, echo, send = commands()
    processes = []
    try:
        for command in (certs, check):
            with shell(command, tmp_path) as process:
                assert process.wait(PATIENCE) == 0
        for command in (run, receive):
            processes.append(shell(f"exec {command}", tmp_path))
            require_ready(processes[-1])
        for command in (echo, send):
            with shell(command, tmp_path) as process:
                out, _ = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, out
    finally:
        for process in processes:
            process.terminate()
            process.communicate(timeout=PATIENCE)
    (arrived,) = (tmp_path / "inbox").iterdir()
    assert b"tok:k1:" in arrived.read_bytes()
    assert (tmp_path / "order.json.receipt.json").is_file()
