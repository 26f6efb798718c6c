"""What `lockgate send` does at once, and what it shows of it on a terminal."""

import os
import pty
import re
import subprocess
import threading
from pathlib import Path

from proxy.cli.wording import lockgate
from tests.cli.terminal import written
from tests.patience import PATIENCE
from tests.scenarios.conftest import StartReceiver
from tests.scenarios.receiver import Exchange

MIB = 2**20
BAR = re.compile(rb"sending .*\d/4\.2 MB [\d.]+ [kMG]?B/s \d:\d\d:\d\d")
"""What of all has been sent, at which rate, and the time that remains."""


def words(socket: Path, *more: str | Path) -> list[str]:
    """Without receipts: there is no gateway behind this socket."""
    line = [*lockgate(), "send", "http://receiver/x", *map(str, more)]
    return [*line, "--unix-socket", str(socket), "--no-receipt"]


def test_several_files_are_on_their_way_at_the_same_time(
    start_receiver: StartReceiver, tmp_path: Path
) -> None:
    (outbox := tmp_path / "outbox").mkdir()
    for number in range(6):
        (outbox / f"{number}.bin").write_bytes(b"%d" % number)
    receiver, together = start_receiver(None, tmp_path / "its.sock"), threading.Barrier(3)

    def answer_three_together(exchange: Exchange) -> None:
        exchange.read()
        together.wait(PATIENCE)
        exchange.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    receiver.behave = answer_three_together
    command = words(tmp_path / "its.sock", outbox, "--parallel", "3", "--retries", "0")
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(receiver.received) == 6


def test_a_terminal_shows_how_much_is_sent_at_which_rate_and_the_time_that_remains(
    start_receiver: StartReceiver, tmp_path: Path
) -> None:
    (large := tmp_path / "large.bin").write_bytes(bytes(4 * MIB))
    receiver, seen_it = start_receiver(None, tmp_path / "its.sock"), threading.Event()

    def read_a_little_at_a_time_until_it_was_seen(exchange: Exchange) -> None:
        for _ in range(4 * MIB // 65536 - 1):
            if not seen_it.wait(0.1):
                exchange.sock.recv(65536)
        seen_it.wait(PATIENCE)
        exchange.reset()

    receiver.behave = read_a_little_at_a_time_until_it_was_seen
    terminal, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "100"}
    with subprocess.Popen(
        words(tmp_path / "its.sock", large, "--retries", "0"),
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment,
    ) as process:  # fmt: skip
        os.close(theirs)
        seen = b""
        while not BAR.search(re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", seen)):
            seen += os.read(terminal, 65536)
        seen_it.set()
        written(terminal)
        process.wait(PATIENCE)
