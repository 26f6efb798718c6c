"""`lockgate receipts`, with public keys and a log's folder."""

import base64
import hashlib
import hmac
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.cli import main
from proxy.model import Digest
from proxy.receipt import header
from proxy.receipt.vkey import ed25519_vkey, mldsa44_vkey
from tests.notary.samples import (
    LOG_KEY,
    ORIGIN,
    PQ_KEY,
    RECEIPT_KEY,
    conclude,
    deliver,
    outcome,
    pem,
    refusal,
    running,
)

MASKED = b"masked"
SENT, TRANSFER_KEY = b'{"ssn":"123-45-6789"}', bytes(range(32))
VKEYS = [str(ed25519_vkey(ORIGIN, LOG_KEY)), str(mldsa44_vkey(ORIGIN, PQ_KEY))]
THE_ID = "8e2f0b8e-6a5c-4f0e-9f1e-3d8a2c0b7a11"
Run = Callable[..., tuple[int, str, str]]


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log of three entries, keys, the content that was sent and saved headers."""
    folder = tmp_path_factory.mktemp("site")
    digest = Digest(len(SENT), hmac_sha256=hmac.digest(TRANSFER_KEY, SENT, "sha256"))
    found = outcome(transfer_id=THE_ID)
    delivered = Digest(len(MASKED), sha256=hashlib.sha256(MASKED).digest())
    found = replace(found, request=replace(found.request, received=digest, delivered=delivered))

    async def make() -> None:
        async with running(folder / "log") as notary:
            await conclude(notary, refusal())
            await notary.publish()
            envelope = await deliver(notary, found)
            await conclude(notary, refusal("above-clearance", route="reports", method="P\x1b[2J"))
        upstream = header.item(b'{"payload":"","payloadType":"x","signatures":[{"sig":""}]}')
        saved = b"HTTP/1.1 201 Created\r\nTransfer-Receipt: %b\r\nTransfer-Receipt-Key: %b\r\n\r\n"
        own = header.item(envelope)
        (folder / "headers").write_bytes(saved % (own, header.item(TRANSFER_KEY)))
        (folder / "two-hops").write_bytes(saved % (own + b", " + own, b":YQ==:"))
        (folder / "strange-hop").write_bytes(saved % (upstream + b", " + own, b":YQ==:"))
        (folder / "envelope.json").write_bytes(envelope + b"\n")

    trio.run(make)
    (folder / "receipts.pub").write_bytes(public(RECEIPT_KEY))
    (folder / "other.pub").write_bytes(public(LOG_KEY))
    (folder / "log.key").write_bytes(pem(LOG_KEY))
    (folder / "log-pq.key").write_bytes(pem(PQ_KEY))
    (folder / "sent").write_bytes(SENT)
    (folder / "masked").write_bytes(MASKED)
    (folder / "changed").write_bytes(SENT + b" ")
    return folder


@pytest.fixture
def run(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command in that folder: exit code, standard output, standard error."""
    monkeypatch.chdir(place)

    def command(*words: str) -> tuple[int, str, str]:
        try:
            code = main(["receipts", *words])
        except SystemExit as stop:
            code = int(str(stop.code))
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


AUDIT = ("audit", "log", "--vkey", VKEYS[0], "--vkey", VKEYS[1], "--key", "receipts.pub")


def test_list_tells_one_line_an_entry_and_filters(run: Run) -> None:
    code, out, _ = run("list", "log")
    assert (code, len(out.splitlines())) == (0, 3)
    assert THE_ID in out
    assert run("list", "log", "--verdict", "delivered")[1].split()[0] == "1"
    assert run("list", "log", "--id", THE_ID)[1].split()[0] == "1"
    assert run("list", "log", "--route", "reports")[1].split()[0] == "2"
    assert run("list", "log", "--route", "reports", "--verdict", "failed")[1] == ""
    lines = run("list", "log", "--json")[1].splitlines()
    assert [json.loads(line)["index"] for line in lines] == [0, 1, 2]


def test_show_tells_by_index_and_by_transfer_id(run: Run, place: Path) -> None:
    for which in ("1", THE_ID):
        code, out, _ = run("show", "log", which)
        assert code == 0
        assert "delivered: the whole message was forwarded" in out
        assert "$.ssn × 1" in out
    assert json.loads(run("show", "log", "1", "--json")[1])["predicate"]["kind"] == "delivered"
    envelope = (place / "envelope.json").read_text()
    assert run("show", "log", "1", "--envelope")[1] == envelope
    assert run("show", "log", "no-such")[0] == 1
    assert "\x1b" not in run("show", "log", "2")[1]


def test_verify_takes_an_envelope_or_saved_headers(run: Run) -> None:
    for file in ("envelope.json", "headers", "two-hops"):
        code, out, _ = run("verify", file, "--key", "receipts.pub")
        assert code == 0
        assert out.startswith("verified: signed by SHA256:")
    assert "receipt 1 of 2 is by a gateway further on; not verified" in out
    code, out, _ = run("verify", "strange-hop", "--key", "receipts.pub")
    assert code == 0
    assert "not readable here" in out


def test_verify_refuses_another_key_and_a_changed_envelope(run: Run, place: Path) -> None:
    assert run("verify", "envelope.json", "--key", "other.pub")[0] == 1
    text = (place / "envelope.json").read_text()
    (place / "flipped.json").write_text(text.replace("A", "B", 1))
    code, out, err = run("verify", "flipped.json", "--key", "receipts.pub")
    assert (code, out) == (1, "")
    assert err
    assert run("verify", "masked", "--key", "receipts.pub")[0] == 1


@pytest.mark.parametrize(
    "options",
    [
        ("changed",),
        ("sent", "--receipt-key", base64.b64encode(bytes(32)).decode()),
        ("sent", "--receipt-key", "%"),
    ],
)
def test_verify_says_nothing_but_no_when_the_answer_is_no(
    run: Run, options: tuple[str, ...]
) -> None:
    base = ("verify", "headers", "--key", "receipts.pub", "--content")
    code, out, err = run(*base, *options)
    assert (code, out) == (1, "")
    assert err.startswith("does not verify: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "options",
    [
        ("nothing-there", "--key", "receipts.pub"),
        ("envelope.json", "--key", "nothing-there"),
        ("envelope.json", "--key", "masked"),
        ("envelope.json", "--key", "receipts.pub", "--content", "nothing-there"),
    ],
)
def test_verify_exits_2_when_a_file_cannot_be_used(run: Run, options: tuple[str, ...]) -> None:
    code, out, err = run("verify", *options)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "does not verify" not in err


def test_a_folder_that_is_no_log_is_not_listed_as_an_empty_one(run: Run, place: Path) -> None:
    (place / "no-log").mkdir(exist_ok=True)
    for words in (("list", "no-log"), ("show", "no-log", "0")):
        code, out, err = run(*words)
        assert (code, out) == (1, "")
        assert err.startswith("no-log: no log is here")


def test_verify_holds_content_against_the_receipt(run: Run) -> None:
    base = ("verify", "headers", "--key", "receipts.pub", "--content")
    code, out, _ = run(*base, "sent")
    assert (code, out.splitlines()[-1]) == (0, "sent: this is the content that was received")
    code, out, _ = run(*base, "masked")
    assert (code, out.splitlines()[-1]) == (0, "masked: this is the content that was delivered")
    assert run(*base, "changed")[0] == 1
    envelope = ("verify", "envelope.json", "--key", "receipts.pub", "--content", "sent")
    code, _, err = run(*envelope)
    assert code == 1
    assert "--receipt-key" in err
    key = base64.b64encode(TRANSFER_KEY).decode()
    assert run(*envelope, "--receipt-key", key)[0] == 0
    assert run(*envelope, "--receipt-key", f":{key}:")[0] == 0
    assert run(*envelope, "--receipt-key", "%")[0] == 1


def test_what_a_receipt_keeps_of_masked_content_cannot_be_guessed_from_it(place: Path) -> None:
    envelope = (place / "envelope.json").read_bytes()
    statement = base64.b64decode(json.loads(envelope)["payload"])
    assert hashlib.sha256(SENT).hexdigest().encode() not in statement
    assert b"123-45" not in statement


def test_audit_needs_public_keys_only_and_says_how_far_it_went(run: Run, place: Path) -> None:
    shutil.copy(place / "log" / "checkpoint", place / "kept")
    code, out, err = run(*AUDIT, "--checkpoint", "kept")
    assert (code, err) == (0, "")
    assert "3 entries, as the checkpoint says" in out
    assert "consistent with kept" in out


def test_audit_names_the_first_thing_that_is_wrong(run: Run, place: Path) -> None:
    shutil.copytree(place / "log", place / "copy")
    path = place / "copy" / "tile" / "entries" / "000.p" / "3"
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)
    code, out, err = run("audit", "copy", *AUDIT[2:])
    assert (code, out) == (1, "")
    assert err.startswith("tile/entries/000.p/3: entry 0: ")
    shutil.rmtree(place / "copy")


def test_audit_demands_every_key_that_it_is_given(run: Run) -> None:
    other = str(ed25519_vkey(ORIGIN, RECEIPT_KEY))
    code, _, err = run(*AUDIT, "--vkey", other)
    assert code == 1
    assert "no signature by" in err
    assert run("audit", "log", "--vkey", VKEYS[0], "--key", "other.pub")[0] == 1
    assert run("audit", "log", "--vkey", "nonsense", "--key", "receipts.pub")[0] == 2
    assert run("audit", "nowhere", *AUDIT[2:])[0] == 2


def test_vkey_prints_what_audit_takes(run: Run) -> None:
    base = ("vkey", "--origin", ORIGIN, "--log-key", "log.key")
    assert run(*base)[1].split() == VKEYS[:1]
    assert run(*base, "--log-pq-key", "log-pq.key")[1].split() == VKEYS
    assert run(*base, "--log-pq-key", "log.key")[0] == 1
    assert run("vkey")[0] == 2
    assert run("vkey", "--origin", ORIGIN)[0] == 2


def test_usage_errors_are_exit_code_2(run: Run) -> None:
    for words in ((), ("audit", "log"), ("verify", "x"), ("list",), ("nonsense",)):
        assert run(*words)[0] == 2
