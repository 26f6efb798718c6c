"""`lockgate receipts audit` as it is typed: what it prints, how it ends, with processes to help."""

import os
import pty
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.cli import main
from proxy.cli.receipts_helpers import helpers
from proxy.cli.receipts_progress import lines
from proxy.cli.wording import lockgate
from proxy.errors import EvidenceError
from proxy.notary.folder import Folder, audit_log
from proxy.notary.website import Website
from proxy.receipt import keychain, note
from proxy.receipt.audit import audit
from proxy.receipt.marks import Demand
from proxy.receipt.vkey import ed25519_cosignature_vkey
from tests.cli.terminal import written
from tests.patience import PATIENCE
from tests.receipt.logs import (
    KEYS,
    NEXT_KEY,
    ORIGIN,
    RECEIPT_KEY,
    VKEYS,
    Maker,
    files,
    log,
    outcome,
)

ENTRIES = log(600)
WITNESS = NEXT_KEY


def write(folder: Path, entries: Sequence[bytes]) -> Path:
    for name, data in files(entries).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    pem = KEYS[0].public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "receipts.pub").write_bytes(pem)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write(tmp_path / "log", ENTRIES)


def words(store: Path, *more: str, log: str | None = None) -> list[str]:
    vkeys = [word for vkey in VKEYS for word in ("--vkey", str(vkey))]
    return [
        "receipts",
        "audit",
        log or str(store),
        "--key",
        str(store / "receipts.pub"),
        *vkeys,
        *more,
    ]


@pytest.fixture
def website(store: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

    with serving(partial(Quiet, directory=str(store))) as url:
        yield url


@contextmanager
def serving(handler: Callable[..., SimpleHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_log_that_holds_is_told_with_who_signed_it(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(store, "--require", "ml-dsa-44")) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.splitlines() == [
        f"{ORIGIN}: 600 entries, as the checkpoint says",
        f"  signed by {VKEYS[0].name}+{VKEYS[0].key_id.hex()} (Ed25519)",
        f"  signed by {VKEYS[1].name}+{VKEYS[1].key_id.hex()} (ML-DSA-44)",
    ]


def test_a_log_that_a_web_server_serves_is_audited_like_a_folder(
    store: Path, website: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(store, log=website)) == 0
    assert "600 entries, as the checkpoint says" in capsys.readouterr().out
    (store / "tile/entries/001").write_bytes(b"")
    assert main(words(store, log=website)) == 1
    assert capsys.readouterr().err == "tile/entries/001: holds 0, not 256\n"
    (store / "checkpoint").unlink()
    assert main(words(store, log=website)) == 1
    assert capsys.readouterr().err == "checkpoint: missing\n"


def test_every_gap_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    maker = Maker()
    for number in (2, 4, 5, 9):
        maker.receipt(
            outcome(number),
            number=number,
            previous=bytes(32) if number != 5 else maker.place("ip:192.0.2.9/orders").previous,
        )
    store = write(tmp_path / "log", maker.entries)
    assert main(words(store)) == 1
    told = capsys.readouterr()
    assert told.out == ""
    *gaps, end = told.err.splitlines()
    assert end == "3 gaps in the streams: receipts were left out"
    assert [line.split(": ", 1)[1] for line in gaps] == [
        "entry 0: is number 2 of its stream, where 1 comes next (ip:192.0.2.9/orders)",
        "entry 1: is number 4 of its stream, where 3 comes next (ip:192.0.2.9/orders)",
        "entry 3: is number 9 of its stream, where 6 comes next (ip:192.0.2.9/orders)",
    ]


def test_a_log_writes_no_line_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maker = Maker()
    loud = "x\nthe log: 9 entries, as the checkpoint says\x1b[2J"
    maker.receipt(outcome(2, sender=loud), number=2, previous=bytes(32))
    assert main(words(write(tmp_path / "log", maker.entries))) == 1
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 2
    assert "\x1b" not in told


def test_what_a_policy_demands_is_looked_for_in_both_checkpoints(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy"
    logs = "".join(f"log {vkey}\n" for vkey in VKEYS)
    policy.write_text(
        f"{logs}witness w {ed25519_cosignature_vkey('w.example', WITNESS)}\nquorum w\n", "utf-8"
    )
    line = ["receipts", "audit", str(store), "--key", str(store / "receipts.pub")]
    line += ["--policy", str(policy)]
    assert main(line) == 1
    assert (
        capsys.readouterr().err
        == "checkpoint: the quorum is not met: cosigned by nobody, not by w\n"
    )
    earlier = files(ENTRIES[:300])["checkpoint"]
    found = note.parse_checkpoint(note.parse(earlier).text)
    cosignature = note.witness(found, "w.example", WITNESS, 1_700_000_000)
    (store / "checkpoint.witnessed").write_bytes(earlier + f"{cosignature}\n".encode())
    assert main(line) == 0
    told = capsys.readouterr().out
    assert "  up to 300 as checkpoint.witnessed\n" in told
    assert "    cosigned by w at 2023-11-14T22:13:20Z\n" in told


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--vkey", "nonsense"], "--vkey: "),
        (["--policy", "/nowhere"], "/nowhere: "),
        (["--checkpoint", "/nowhere"], "/nowhere: "),
        (["--key", "/nowhere"], "/nowhere: "),
        (["--key", __file__], "this is not a PEM public key"),
    ],
)
def test_what_cannot_be_used_is_another_answer_than_no(
    store: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(store, *more)) == 2
    assert message in capsys.readouterr().err


def test_a_checkpoint_is_never_believed_without_being_asked_for(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["receipts", "audit", str(store), "--key", str(store / "receipts.pub")]
    assert main(line) == 2
    assert "give --vkey or --policy" in capsys.readouterr().err


def test_a_later_receipt_key_needs_not_be_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maker = Maker()
    maker.event("key", keychain.handover(RECEIPT_KEY.public_key(), NEXT_KEY.public_key()))
    maker.key = NEXT_KEY
    maker.receipt(outcome(1))
    assert main(words(write(tmp_path / "log", maker.entries))) == 0


# --- how far it is -------------------------------------------------------------------------------


def test_without_a_terminal_there_is_a_line_now_and_then() -> None:
    told: list[str] = []
    times = iter([0.0, 1.0, 5.0, 6.0, 9.9, 10.0, 15.0, 20.0])
    tick = lines(told.append, lambda: next(times))
    for done in (1000, 50_000, 60_000, 99_000, 100_000, 109_000, 200_000):
        tick(done, 200_000)
    assert told == [
        "audited 50,000 of 200,000 entries (25 %), 10,000 a second\n",
        "audited 100,000 of 200,000 entries (50 %), 10,000 a second\n",
    ]


@pytest.mark.parametrize("colour", [True, False])
def test_on_a_terminal_there_is_a_bar_unless_no_color_asks_for_plain_text(
    store: Path, colour: bool
) -> None:
    terminal, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    if not colour:
        environment["NO_COLOR"] = "1"
    ran = subprocess.Popen(
        [*lockgate(), *words(store)], stdout=subprocess.PIPE, stderr=theirs, env=environment
    )
    os.close(theirs)
    seen = written(terminal)
    out, _ = ran.communicate(timeout=PATIENCE)
    assert ran.returncode == 0
    assert b"600 entries" in out
    assert (b"auditing" in seen) is colour
    assert (b"\x1b" in seen) is colour


def test_processes_find_what_one_finds(tmp_path: Path) -> None:
    entries = [*ENTRIES, *ENTRIES[-1:]]
    folder = Folder(write(tmp_path / "log", ENTRIES))
    wrong = Folder(write(tmp_path / "wrong", entries))
    with helpers(folder, 2) as crew:
        assert crew is not None
        found = audit_log(folder, Demand(VKEYS), KEYS, crew=crew)
        assert found.log.checkpoint.size == 600
    with helpers(wrong, 2) as crew, pytest.raises(EvidenceError, match="entry 600: is number"):
        audit_log(wrong, Demand(VKEYS), KEYS, crew=crew)
    with helpers(folder, 1) as crew:
        assert crew is None


def test_a_server_that_does_not_answer_leaves_the_log_unchecked_and_not_found_wrong(
    website: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        assert main(words(store, log=f"http://127.0.0.1:{nobody.getsockname()[1]}")) == 2
    assert "Connection refused" in capsys.readouterr().err
    assert main(words(store, log=f"{website}/nothing")) == 1, "it answers: there is no log"
    (store / "tile/entries/001").write_bytes(b"")
    assert main(words(store, log=website)) == 1, "it answers: the log is wrong"


def test_a_server_that_ends_in_the_middle_of_an_audit_leaves_the_log_unchecked(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Ending(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/tile/entries/001":
                self.send_error(503)
            else:
                super().do_GET()

    with serving(partial(Ending, directory=str(store))) as url:
        assert main(words(store, log=url)) == 2
    assert "the server answered 503" in capsys.readouterr().err


def test_processes_read_a_website_by_themselves(website: str) -> None:
    site = Website(website)
    with closing(site), helpers(site, 2) as crew:
        assert crew is not None
        assert audit(site.load, Demand(VKEYS), KEYS, crew=crew).checkpoint.size == 600
