"""`receipts prove`, `receipts verify --proof` and `receipts keys`: what they write, and refuse."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.cli import main
from proxy.receipt import keychain, note
from proxy.receipt import proof as tlog_proof
from proxy.receipt.merkle import leaf_hash
from proxy.receipt.vkey import ed25519_vkey
from proxy.tls.keys import public_pem
from tests.receipt.logs import (
    LOG_KEY,
    NEXT_KEY,
    ORIGIN,
    RECEIPT_KEY,
    VKEYS,
    Maker,
    files,
    log,
    outcome,
    signed,
)
from tests.receipt.witnesses import ED_WITNESSES
from tests.receipt.witnesses import VKEYS as WITNESSES

ENTRIES = log(300)
LAST_KEY = Ed25519PrivateKey.from_private_bytes(bytes([5]) * 32)


def write(folder: Path, found: dict[str, bytes]) -> Path:
    for name, data in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def cosigned(checkpoint: bytes, *names: str) -> bytes:
    parsed = note.parse(checkpoint)
    head = note.parse_checkpoint(parsed.text)
    more = [note.witness(head, WITNESSES[n].name, ED_WITNESSES[n], 1_700_000_000) for n in names]
    return note.render(parsed.text, [*parsed.signatures, *more])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 300 entries, of which the first 290 were witnessed by north."""
    found = files(ENTRIES) | {"checkpoint.witnessed": cosigned(signed(ENTRIES[:290]), "north")}
    folder = write(tmp_path_factory.mktemp("log"), found)
    (folder / "receipts.pub").write_bytes(public_pem(RECEIPT_KEY))
    for name, quorum in (("north", "north"), ("east", "east"), ("nobody", "none")):
        lines = [f"log {vkey}" for vkey in VKEYS]
        lines += [f"witness {each} {vkey}" for each, vkey in WITNESSES.items()]
        text = "\n".join([*lines, f"quorum {quorum}", ""])
        (folder / f"{name}.policy").write_text(text)
    return folder


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A command in this process: exit code, output, errors."""

    def call(*words: object) -> tuple[int, str, str]:
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = int(str(end.code))
        out, err = capsys.readouterr()
        return code, out, err

    return call


VKEY_WORDS = [word for vkey in VKEYS for word in ("--vkey", str(vkey))]


@pytest.mark.parametrize("index", [0, 1, 255, 256, 289, 299])
def test_an_entry_is_proven_and_the_proof_verifies(
    run: Run, store: Path, tmp_path: Path, index: int
) -> None:
    code, out, err = run("receipts", "prove", store, index, "--output", tmp_path / "new" / "kept")
    assert (code, err) == (0, "")
    assert f"entry {index} of {290 if index < 290 else 300} entries" in out
    receipt = tmp_path / "new" / "kept" / f"receipt-{index}.json"
    assert receipt.read_bytes() == ENTRIES[index]
    proof = receipt.with_suffix(".tlog-proof")
    parsed = tlog_proof.parse(proof.read_bytes())
    assert tlog_proof.require_proof(parsed, ENTRIES[index], VKEYS).origin == ORIGIN
    words = ("--key", store / "receipts.pub", "--proof", proof, *VKEY_WORDS)
    code, out, err = run("receipts", "verify", receipt, *words, "--require", "ml-dsa-44")
    assert (code, err) == (0, "")
    assert f"in the log {ORIGIN}: entry {index} of" in out
    assert out.count("signed by receipts.example/gateway-a+") == 2


def test_a_transfer_is_found_by_its_id_with_all_its_attempts(run: Run, tmp_path: Path) -> None:
    maker = Maker()
    for number in (1, 2, 3, 1, 4):
        maker.receipt(outcome(len(maker.entries), transfer_id=outcome(number).transfer_id))
    store = write(tmp_path / "log", files(maker.entries))
    wanted = outcome(1).transfer_id.upper()
    code, out, _ = run("receipts", "prove", store, wanted, "--output", tmp_path, *VKEY_WORDS)
    assert code == 0
    assert sorted(path.name for path in tmp_path.glob("receipt-*")) == [
        "receipt-0.json",
        "receipt-0.tlog-proof",
        "receipt-3.json",
        "receipt-3.tlog-proof",
    ]
    assert (tmp_path / "receipt-3.json").read_bytes() == maker.entries[3]
    assert "(ML-DSA-44)" in out
    code, _, err = run("receipts", "prove", store, outcome(9).transfer_id)
    assert (code, "no entry is about the transfer" in err) == (1, True)


def test_with_a_policy_a_checkpoint_is_taken_that_its_witnesses_have_seen(
    run: Run, store: Path, tmp_path: Path
) -> None:
    policy = ("--policy", store / "north.policy")
    code, out, _ = run("receipts", "prove", store, 7, "--output", tmp_path, *policy)
    assert code == 0
    assert "entry 7 of 290 entries" in out
    assert "cosigned by north at 2023-11-14T22:13:20Z" in out
    words = ("--key", store / "receipts.pub", "--proof", tmp_path / "receipt-7.tlog-proof")
    code, out, _ = run("receipts", "verify", tmp_path / "receipt-7.json", *words, *policy)
    assert (code, "cosigned by north" in out) == (0, True)
    east = ("--policy", store / "east.policy")
    code, out, err = run("receipts", "verify", tmp_path / "receipt-7.json", *words, *east)
    assert (code, out) == (1, "")
    assert err == "does not verify: the quorum is not met: cosigned by north, not by east\n"
    code, _, err = run("receipts", "prove", store, 7, "--output", tmp_path, *east)
    assert (code, "quorum is not met" in err) == (1, True)
    code, _, err = run("receipts", "prove", store, 295, "--output", tmp_path, *policy)
    assert (code, "quorum is not met: cosigned by nobody" in err) == (1, True)


def test_an_entry_under_no_checkpoint_yet_is_refused(run: Run, store: Path, tmp_path: Path) -> None:
    code, _, err = run("receipts", "prove", store, 300, "--output", tmp_path)
    assert (code, err) == (1, "checkpoint: holds 300 entries, not 301 yet\n")
    assert list(tmp_path.iterdir()) == []


def test_a_log_whose_tiles_and_entries_disagree_proves_nothing(
    run: Run, store: Path, tmp_path: Path
) -> None:
    found = files(ENTRIES)
    for name in ("tile/entries/000", "tile/0/000", "tile/0/001.p/44"):
        data = found[name]
        damaged = write(
            tmp_path / name, found | {name: bytes([data[40] ^ 1]).join((data[:40], data[41:]))}
        )
        code, _, err = run("receipts", "prove", damaged, 0, "--output", tmp_path / "out")
        assert (code, err != "") == (1, True), name
    assert not (tmp_path / "out").exists()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder on a web server."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_log_at_a_url_is_proven_as_one_in_a_folder(run: Run, store: Path, tmp_path: Path) -> None:
    with served(store.parent) as url:
        place = f"{url}/{store.name}/"
        code, _, err = run("receipts", "prove", place, 41, "--output", tmp_path, *VKEY_WORDS)
        assert (code, err) == (0, "")
        assert (tmp_path / "receipt-41.json").read_bytes() == ENTRIES[41]
        by_id = outcome(41).transfer_id
        assert run("receipts", "prove", place, by_id, "--output", tmp_path / "b")[0] == 0
        code, _, err = run("receipts", "prove", f"{url}/nothing", 41, "--output", tmp_path)
        assert (code, "checkpoint" in err) == (1, True)
    code, _, err = run("receipts", "prove", place, 41)
    assert (code, "Connection refused" in err) == (2, True)
    code, _, err = run("receipts", "prove", "ftp://x", 41)
    assert (code, "a URL begins with http" in err) == (2, True)


# --- verify --------------------------------------------------------------------------------------


@pytest.fixture
def proven(run: Run, store: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Receipt and proof of entry 7."""
    assert run("receipts", "prove", store, 7, "--output", tmp_path)[0] == 0
    return tmp_path / "receipt-7.json", tmp_path / "receipt-7.tlog-proof"


def verify(run: Run, store: Path, receipt: Path, proof: Path, *more: object) -> tuple[int, str]:
    words = ("--key", store / "receipts.pub", "--proof", proof, *(more or VKEY_WORDS))
    code, out, err = run("receipts", "verify", receipt, *words)
    assert (out == "") is (code != 0)
    return code, err


def test_a_proof_of_another_entry_index_path_root_or_log_is_refused(
    run: Run, store: Path, proven: tuple[Path, Path]
) -> None:
    receipt, proof = proven
    assert verify(run, store, receipt, proof) == (0, "")
    good = proof.read_bytes()
    lines = good.split(b"\n")
    sign = good.index(b" " + ORIGIN.encode() + b" ")
    mark = good[sign : sign + len(ORIGIN) + 40]
    other = write(store.parent / "other", {"receipt": ENTRIES[8]}) / "receipt"
    assert verify(run, store, other, proof)[0] == 1
    broken = {
        "index": good.replace(b"index 7\n", b"index 8\n"),
        "path": b"\n".join([*lines[:2], lines[3], lines[2], *lines[4:]]),
        "shorter": b"\n".join([*lines[:2], *lines[3:]]),
        "size": good.replace(b"\n290\n", b"\n291\n"),
        "signature": good.replace(mark, mark[:-1] + (b"A" if mark[-1:] != b"A" else b"B")),
        "stripped": good[: good.rindex("—".encode())],
        "nothing": b"",
        "other checkpoint": good[: good.index(b"\n\n") + 2] + signed(ENTRIES[:289]),
    }
    for name, data in broken.items():
        proof.write_bytes(data)
        if name == "stripped":  # that was the witness's
            assert verify(run, store, receipt, proof)[0] == 0
            continue
        code, err = verify(run, store, receipt, proof)
        assert (code, err.startswith("does not verify: ")) == (1, True), name


def test_a_key_that_did_not_sign_the_checkpoint_is_not_believed(
    run: Run, store: Path, proven: tuple[Path, Path]
) -> None:
    stranger = ed25519_vkey(ORIGIN, NEXT_KEY)
    for words in (["--vkey", stranger], [*VKEY_WORDS, "--vkey", stranger]):
        code, err = verify(run, store, *proven, *words)
        assert (code, "no signature by" in err) == (1, True)
    only = ["--vkey", VKEYS[0], "--require", "ml-dsa-44"]
    code, err = verify(run, store, *proven, *only)
    assert (code, "did not sign it with ml-dsa-44" in err) == (1, True)


def test_a_receipt_that_a_strange_log_holds_is_refused(
    run: Run, store: Path, tmp_path: Path
) -> None:
    """Anybody may put a copy of our receipt into a log of their own, and prove that."""
    found = note.Checkpoint("strange.example/log", 1, leaf_hash(ENTRIES[0]))
    signature = note.sign(found.text, found.origin, NEXT_KEY)
    made = tlog_proof.Proof(0, (), note.render(found.text, [signature]))
    (tmp_path / "p").write_bytes(tlog_proof.render(made))
    (tmp_path / "r").write_bytes(ENTRIES[0])
    words = ["--vkey", ed25519_vkey(found.origin, NEXT_KEY)]
    code, err = verify(run, store, tmp_path / "r", tmp_path / "p", *words)
    assert (code, "the receipt is of another log than strange.example/log" in err) == (1, True)


def test_whom_to_believe_must_be_said_and_only_with_a_proof(
    run: Run, store: Path, proven: tuple[Path, Path], tmp_path: Path
) -> None:
    receipt, proof = proven
    key = ("--key", store / "receipts.pub")
    for words in (
        ["--proof", proof],
        ["--proof", proof, "--require", "ml-dsa-44"],
        VKEY_WORDS,
        ["--policy", store / "north.policy"],
        ["--require", "ml-dsa-44"],
        ["--proof", proof, *VKEY_WORDS, "--require", "rsa"],
        ["--proof", proof, "--vkey", "nonsense"],
        ["--proof", tmp_path / "no-such", *VKEY_WORDS],
        ["--proof", proof, "--policy", tmp_path / "no-such"],
        ["--proof", proof, "--policy", receipt],
    ):
        code, out, err = run("receipts", "verify", receipt, *key, *words)
        assert (code, out, err != "") == (2, "", True), words


# --- keys ----------------------------------------------------------------------------------------


def rotated() -> Maker:
    maker = Maker()
    maker.receipt(outcome(1))
    for new in (NEXT_KEY, LAST_KEY):
        details = keychain.handover(maker.key.public_key(), new.public_key())
        maker.event("key", details)
        maker.key = new
        maker.receipt(outcome(len(maker.entries)))
    return maker


def test_the_chain_of_receipt_keys_is_shown_from_one_that_is_trusted(
    run: Run, tmp_path: Path
) -> None:
    store = write(tmp_path / "log", files(rotated().entries))
    key = tmp_path / "first.pub"
    key.write_bytes(public_pem(RECEIPT_KEY))
    code, out, err = run("receipts", "keys", store, "--key", key)
    assert (code, err) == (0, "")
    pems = [public_pem(each).decode().strip() for each in (RECEIPT_KEY, NEXT_KEY, LAST_KEY)]
    places = [out.index(pem) for pem in pems]
    assert places == sorted(places)
    assert out.count("BEGIN PUBLIC KEY") == 3
    assert "since entry 1, 2026-05-01T12:00:00Z, signed by SHA256:" in out
    assert "since entry 3, " in out


def test_a_chain_that_begins_elsewhere_or_that_a_stranger_goes_on_with_is_refused(
    run: Run, tmp_path: Path
) -> None:
    maker = rotated()
    key = tmp_path / "first.pub"
    key.write_bytes(public_pem(NEXT_KEY))
    store = write(tmp_path / "log", files(maker.entries))
    code, out, err = run("receipts", "keys", store, "--key", key)
    assert (code, out) == (1, "")
    assert err.startswith("entry 1: ")
    maker.key = RECEIPT_KEY  # replaced long ago
    maker.event("key", keychain.handover(RECEIPT_KEY.public_key(), LOG_KEY.public_key()))
    again = write(tmp_path / "again", files(maker.entries))
    key.write_bytes(public_pem(RECEIPT_KEY))
    code, _, err = run("receipts", "keys", again, "--key", key)
    assert (code, "which was replaced in entry 1" in err) == (1, True)


def test_a_log_without_changes_has_the_one_key(run: Run, store: Path) -> None:
    code, out, _ = run("receipts", "keys", store, "--key", store / "receipts.pub")
    assert (code, out.count("BEGIN PUBLIC KEY")) == (0, 1)
