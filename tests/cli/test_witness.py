"""`lockgate witness` as a command: its key, its words, and what a kill leaves behind."""

import json
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy.cli import main
from proxy.cli.wording import lockgate
from proxy.notary.client import Client
from proxy.receipt import note
from proxy.receipt.vkey import ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, parse_vkey
from proxy.receipt.witnessing import MAX_OFFER
from tests.patience import PATIENCE
from tests.receipt.test_merkle import ROOTS
from tests.receipt.witnesses import ED, MLDSA, ORIGIN, head
from tests.witness.test_watched import offer

NAME = "witness.example/site-b"
SIZE = "text/x.tlog.size"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A command in this process: exit code, output, errors."""

    def call(*words: object) -> tuple[int, str, str]:
        try:
            code = main(["witness", *map(str, words)])
        except SystemExit as end:
            code = int(str(end.code))
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ([], ED25519_COSIGNATURE),
        (["ed25519"], ED25519_COSIGNATURE),
        (["ml-dsa-44"], MLDSA44_COSIGNATURE),
    ],
)
def test_init_makes_a_key_that_only_the_owner_reads_and_prints_its_vkey(
    run: Run, tmp_path: Path, algorithm: list[str], kind: int
) -> None:
    store = tmp_path / "new"
    code, out, err = run(store, "--name", NAME, "--init", *algorithm)
    assert (code, err) == (0, "")
    vkey = parse_vkey(out)
    assert (vkey.name, vkey.kind) == (NAME, kind)
    key = store / "witness.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    code, out, err = run(store, "--name", NAME, "--init")
    assert (code, out) == (1, "")
    assert "is there already, and is not replaced" in err
    assert key.read_bytes() == before


def test_a_second_key_lies_where_it_is_said(run: Run, tmp_path: Path) -> None:
    key = tmp_path / "keys" / "pq.key"
    code, out, _ = run(tmp_path / "s", "--name", NAME, "--key", key, "--init", "ml-dsa-44")
    assert (code, parse_vkey(out).kind, key.exists()) == (0, MLDSA44_COSIGNATURE, True)


def test_what_cannot_be_used_is_a_usage_error_that_names_it(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert run(store, "--name", NAME, "--init")[0] == 0
    (tmp_path / "no.key").write_text("no key")
    cases: list[tuple[list[object], str]] = [
        ([store], "--name"),
        ([store, "--name", NAME], "name the logs to watch"),
        ([store, "--name", "a b", "--log", ED], "a name has no spaces"),
        ([store, "--name", "a+b", "--init"], "a name has no spaces"),
        ([store, "--name", NAME, "--log", "nonsense"], "--log: "),
        ([store, "--name", NAME, "--init", "--log", ED], "watches nothing"),
        ([store, "--name", NAME, "--init", "rsa"], "invalid choice"),
        ([store, "--name", NAME, "--log", ED, "--key", tmp_path / "none"], "No such file"),
        ([store, "--name", NAME, "--log", ED, "--key", tmp_path / "no.key"], "not an Ed25519"),
        ([tmp_path / "empty", "--name", NAME, "--log", ED], "witness.key: No such file"),
    ]
    for words, said in cases:
        code, out, err = run(*words)
        assert (code, out, said in err) == (2, "", True), (words, err)


def test_an_address_that_cannot_be_had_ends_it(run: Run, tmp_path: Path) -> None:
    assert run(tmp_path, "--name", NAME, "--init")[0] == 0
    code, _, err = run(tmp_path, "--name", NAME, "--log", ED, "--bind", "192.0.2.1:9")
    assert (code, "bind" in err) == (1, True)


class Process:
    """`lockgate witness`, running."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.start()

    def start(self) -> None:
        command = [*lockgate(), "witness", str(self.store), "--name", NAME]
        command += ["--log", str(ED), "--log", str(MLDSA), "--bind", "127.0.0.1:0"]
        self.running = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.running.stderr is not None
        self.ready = json.loads(self.running.stderr.readline())
        self.client = Client(f"http://{self.ready['witness']}", timeout=PATIENCE, most=MAX_OFFER)

    def ask(self, data: bytes) -> tuple[int, str, bytes]:
        return self.client.ask("POST", "/add-checkpoint", data)

    def end(self, number: int) -> int:
        self.client.close()
        self.running.send_signal(number)
        self.out, self.err = self.running.communicate(timeout=PATIENCE)
        return self.running.returncode


@pytest.fixture
def process(run: Run, tmp_path: Path) -> Iterator[Process]:
    assert run(tmp_path, "--name", NAME, "--init")[0] == 0
    found = Process(tmp_path)
    yield found
    if found.running.poll() is None:
        found.end(signal.SIGKILL)


def test_a_kill_leaves_it_what_it_had_cosigned_and_a_term_ends_it_well(process: Process) -> None:
    assert process.ready["logs"] == {ORIGIN: 0}
    status, _, body = process.ask(offer(0, 7))
    assert status == 200
    assert process.end(signal.SIGKILL) == -signal.SIGKILL
    vkey = parse_vkey(process.out)
    lines = note.parse_signatures(body.decode())
    assert note.verify(note.Note(head(7).text, lines), [vkey]) == (vkey,)
    process.start()
    assert process.ready["logs"] == {ORIGIN: 7}
    assert process.ask(offer(0, 9)) == (409, SIZE, b"7\n")
    assert process.ask(offer(7, 7, ROOTS[6])) == (409, SIZE, b"7\n")
    assert process.ask(offer(7, 9))[0] == 200
    assert process.end(signal.SIGTERM) == 0
    assert "Traceback" not in process.err


def test_two_of_them_do_not_share_a_store(process: Process, run: Run) -> None:
    code, out, err = run(process.store, "--name", NAME, "--log", ED, "--bind", "127.0.0.1:0")
    assert (code, out) == (1, "")
    assert "is in use by another process" in err
