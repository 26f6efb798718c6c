"""Standard output that takes no more: a command ends with a code that says so, in one line."""

import os
import subprocess
from pathlib import Path

import pytest

from proxy.cli.wording import lockgate
from proxy.tls.keys import public_pem
from tests.receipt.test_chain import KEYS, chain
from tests.scenarios.receiver import Receiver


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A receipt with its key, and files to send."""
    folder = tmp_path_factory.mktemp("output")
    (folder / "receipt.json").write_bytes(chain()[0].envelope)
    (folder / "receipts.pub").write_bytes(public_pem(KEYS[0]))
    (folder / "outbox").mkdir()
    for number in range(20):
        (folder / "outbox" / f"{number}.bin").write_bytes(b"%d" % number)
    return folder


COMMANDS = {
    "verify": ["receipts", "verify", "receipt.json", "--key", "receipts.pub"],
    "help": ["receipts", "verify", "--help"],
    "completion": ["completion", "bash"],
    "send": ["send", "URL", "outbox/1.bin", "--no-receipt", "--new"],
    "send-for-programs": ["send", "URL", "outbox", "--no-receipt", "--new", "--json"],
    "send-several": ["send", "URL", "outbox", "--no-receipt", "--new"],
}


def run(name: str, folder: Path, stdout: int) -> tuple[int, str]:
    """Exit code and standard error, of a command that writes there.

    A small file is answered at once: whether that is before its end was sent is nobody's business.
    """
    receiver = Receiver(None) if "send" in name else None
    url = receiver.endpoint + "/x" if receiver else ""
    words = [url if word == "URL" else word for word in COMMANDS[name]]
    try:
        done = subprocess.run(
            [*lockgate(), *words], cwd=folder, stdout=stdout, stderr=subprocess.PIPE, text=True,
            timeout=60, check=False,
        )  # fmt: skip
    finally:
        if receiver:
            receiver.close()
    lines = done.stderr.splitlines(keepends=True)
    return done.returncode, "".join(each for each in lines if "before everything" not in each)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_reader_that_has_gone_ends_a_command_in_silence(folder: Path, name: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert run(name, folder, writer) == (141, "")
    finally:
        os.close(writer)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_ends_a_command_in_one_line(folder: Path, name: str) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        code, said = run(name, folder, full)
    finally:
        os.close(full)
    assert (code, said) == (2, "standard output: No space left on device\n")


def test_an_answer_that_was_told_keeps_its_code_where_there_is_no_standard_output(
    folder: Path,
) -> None:
    line = " ".join([*lockgate(), *COMMANDS["verify"]])
    for command, code in ((line, 0), (f"{line} --content receipts.pub", 1)):
        done = subprocess.run(
            ["sh", "-c", f"exec {command} >&-"], cwd=folder, capture_output=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
