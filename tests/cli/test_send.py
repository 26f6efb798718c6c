"""A file goes as one transfer; 0 says that it was delivered and that its receipt holds."""

import signal
import socket
import stat
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from proxy.cli import main
from proxy.cli.demo.site import Site
from proxy.cli.receipts_files import read_public_key
from proxy.cli.wording import lockgate
from proxy.receipt import dsse
from tests.cli.gateway import gateway
from tests.patience import PATIENCE

ORDER = b'{"customer": {"ssn": "x", "email": "a@b.example"}, "n": 1.10}\n'
PIN = "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with gateway(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def order(tmp_path: Path) -> Path:
    (tmp_path / "order.json").write_bytes(ORDER)
    return tmp_path / "order.json"


def send(
    site: Site,
    file: Path,
    *options: str,
    path: str = "/orders/1",
    party: str | None = "client",
    key: str | None = "receipts.pub",
    origin: str | None = None,
) -> int:
    """The exit code of `lockgate send`."""
    certs = site.folder / "certs"
    words = ["send", (origin or f"https://{site.gateway}") + path, str(file)]
    words += ["--trust", str(certs / "ca.pem")]
    if party is not None:
        words += ["--cert", str(certs / f"{party}.pem"), "--key", str(certs / f"{party}.key")]
    if key is not None:
        words += ["--receipts-key", str(certs / key)]
    return main([*words, *options])


def stored(site: Site) -> int:
    return len(list((site.folder / "inbox").iterdir()))


def test_a_delivered_file_exits_0_and_leaves_its_receipt_and_key_beside_it(
    site: Site, order: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stored(site)
    assert send(site, order) == 0
    out = capsys.readouterr().out
    assert out.startswith("delivered: 201 Created\n")
    assert "verified, signed by SHA256:" in out
    assert "it is about exactly this file" in out
    assert stored(site) == before + 1
    saved, key = (
        order.with_name("order.json.receipt.json"),
        order.with_name("order.json.receipt.key"),
    )
    dsse.verify(saved.read_bytes(), read_public_key(site.folder / "certs" / "receipts.pub"))
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_receipt_it_saves_verifies_offline_with_the_key_it_saves(
    site: Site, order: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "elsewhere.json"
    assert send(site, order, "--receipt-out", str(out)) == 0
    key = out.with_name("elsewhere.key").read_text()
    words = ["receipts", "verify", str(out), "--key", str(site.folder / "certs" / "receipts.pub")]
    assert main([*words, "--content", str(order), "--receipt-key", key]) == 0
    order.write_bytes(ORDER + b" ")
    assert main([*words, "--content", str(order), "--receipt-key", key]) == 1
    capsys.readouterr()


def test_without_a_key_the_receipt_counts_but_is_called_unverified(
    site: Site, order: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send(site, order, key=None) == 0
    assert "not verified: no key given" in capsys.readouterr().out


def test_a_receipt_by_another_key_exits_1(
    site: Site, order: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send(site, order, key="other.pub") == 1
    out = capsys.readouterr().out
    assert out.startswith("delivered, but without proof: 201")
    assert "no signature on the envelope is by this key" in out
    assert not order.with_name("order.json.receipt.json").exists()


@pytest.mark.parametrize(
    ("content", "path", "party", "problem"),
    [
        (b'{"half": ', "/orders/1", "client", "unparseable"),
        (ORDER, "/orders/1", "stranger", "not-allowed"),
        (ORDER, "/nowhere", "client", "no-route"),
    ],
)
def test_a_refused_transfer_exits_1_with_a_receipt_of_the_refusal(
    site: Site,
    order: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    path: str,
    party: str,
    problem: str,
) -> None:
    before = stored(site)
    order.write_bytes(content)
    assert send(site, order, path=path, party=party) == 1
    out = capsys.readouterr().out
    assert out.startswith("rejected: 4")
    assert f"({problem})" in out
    assert "verified, signed by" in out
    assert stored(site) == before


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--pin", PIN), "pin: no pin matches"),
        (("--server-name", "other.example"), "name: the certificate is not for 'other.example'"),
    ],
)
def test_nothing_is_sent_to_a_server_that_is_not_the_one_that_was_meant(
    site: Site,
    order: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    reason: str,
) -> None:
    before = stored(site)
    assert send(site, order, *options) == 1
    out = capsys.readouterr().out
    assert "the server is not who it should be; nothing was sent" in out
    assert reason in out
    assert stored(site) == before


def test_the_right_pin_passes(site: Site, order: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["certs", "pin", str(site.folder / "certs" / "gateway.pem")])
    pin = capsys.readouterr().out.split()[0]
    assert send(site, order, "--pin", PIN, "--pin", pin) == 0
    capsys.readouterr()


@pytest.mark.parametrize("party", [None, "impostor"])
def test_a_sender_that_is_refused_in_the_handshake_is_told_so(
    site: Site, order: Path, capsys: pytest.CaptureFixture[str], party: str | None
) -> None:
    assert send(site, order, party=party) == 1
    assert "the server refused us in the handshake" in capsys.readouterr().out


def test_a_server_that_is_not_there_exits_1(
    site: Site, order: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send(site, order, "--retries", "0", origin="https://127.0.0.1:1") == 1
    assert "the server cannot be reached" in capsys.readouterr().out


def test_the_same_id_is_delivered_once(
    site: Site, order: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = str(uuid.uuid4())
    assert send(site, order, "--id", same) == 0
    before, kept = stored(site), sorted(order.parent.iterdir())
    capsys.readouterr()
    assert send(site, order, "--id", same.upper()) == 0
    out = capsys.readouterr().out
    assert "delivered before, and not again: 201 Created" in out
    assert "what was received is known by the key that came with the first answer" in out
    assert f"saved     {order}.receipt.json" in out
    assert (stored(site), sorted(order.parent.iterdir())) == (before, kept)
    assert send(site, order, "--id", same, "--json") == 0
    told = orjson.loads(capsys.readouterr().out)
    assert (told["delivered"], told["duplicate"], told["verdict"]) == (True, True, "delivered")
    assert (told["receipt"]["verified"], told["receipt"]["content_proven"]) == (True, False)
    order.write_bytes(order.read_bytes() + b" ")
    assert send(site, order, "--id", same) == 1
    assert "(id-reused)" in capsys.readouterr().out


def test_the_result_for_programs_says_all_of_it(
    site: Site, order: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send(site, order, "--json") == 0
    told = orjson.loads(capsys.readouterr().out)
    assert (told["delivered"], told["status"], told["verdict"]) == (True, 201, "delivered")
    assert told["receipt"]["verified"] is True
    assert told["receipt"]["content_proven"] is True
    assert told["receipt"]["statement"]["predicate"]["transferId"] == told["transfer_id"]
    assert orjson.loads(told["answer"])["stored"] == f"{told['transfer_id']}.json"


def test_without_a_digest_a_transfer_is_delivered_where_none_is_required(
    site: Site, order: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send(site, order, "--no-digest") == 0
    capsys.readouterr()


def test_a_file_of_no_known_kind_goes_as_octets_and_its_receipt_has_the_plain_digest(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file.dat"
    file.write_bytes(bytes(range(256)) * 1000)
    assert send(site, file, "--json", path="/files/1") == 0
    told = orjson.loads(capsys.readouterr().out)
    content = told["receipt"]["statement"]["predicate"]["content"]
    assert content["received"] == {"sha256": told["sha256"], "bytes": "256000"}


def test_what_is_too_large_is_refused_before_all_of_it_is_sent(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(bytes(64 * 2**20))
    assert send(site, file, path="/files/1") == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("rejected: 413")
    assert "the file was not read to its end" in captured.out
    assert "answered 413 before everything was sent" in captured.err


def test_an_answer_without_a_receipt_is_no_proof_unless_none_is_wanted(
    site: Site, order: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver = f"https://{site.receiver}"
    assert send(site, order, origin=receiver) == 1
    assert "no receipt came with the answer" in capsys.readouterr().out
    assert send(site, order, "--no-receipt", origin=receiver) == 0
    capsys.readouterr()


@pytest.mark.parametrize(
    "words",
    [
        ["https://gate.example/%zz\u00e9", "FILE"],
        ["http://gate.example/", "FILE"],
        ["http://localhost/", "FILE", "--trust", "CA"],
        ["http://localhost/", "FILE", "--server-name", "gate.example"],
        ["http://localhost/", "FILE", "--pin", "sha256:7"],
        ["http://localhost/", "FILE", "--cert", "CA"],
        ["http://gate.example/", "FILE", "--unix-socket", "x.sock", "--pin", "sha256:7"],
        ["https://gate.example/", "FILE", "--trust", "CA", "--unix-socket", "x.sock"],
        ["http://gate example/", "FILE", "--unix-socket", "x.sock"],
        ["http://gate.example/", "FILE", "--unix-socket", "//x.sock"],
        ["http://gate.example/", "FILE", "--unix-socket", "x" * 108],
        ["ftp://gate.example/", "FILE"],
        ["https://u@gate.example/", "FILE"],
        ["https://gate.example:99999/", "FILE"],
        ["https://gate.example/", "FILE"],
        ["https://gate.example/", "MISSING", "--trust", "CA"],
        ["https://gate.example/", "FILE", "--trust", "MISSING"],
        ["https://gate.example/", "FILE", "--trust", "CA", "--cert", "CA"],
        ["https://gate.example/", "FILE", "--trust", "FILE"],
        ["https://gate.example/", "FILE", "--trust", "CA", "--id", "7"],
        ["https://gate.example/", "FILE", "--trust", "CA", "--pin", "sha256:7"],
        ["https://gate.example/", "FILE", "--trust", "CA", "--server-name", "a b"],
        ["https://gate.example/", "FILE", "--trust", "CA", "--header", "x: a\r\ny: b"],
        ["https://gate.example/", "FILE", "--trust", "CA", "--header", "Host: other"],
        ["https://gate.example/", "FILE", "--trust", "CA", "--receipts-key", "CA"],
    ],
)
def test_what_cannot_be_tried_exits_2(
    site: Site, order: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    names = {
        "FILE": str(order),
        "MISSING": str(order.with_name("missing")),
        "CA": str(site.folder / "certs" / "ca.pem"),
    }
    assert main(["send", *(names.get(word, word) for word in words)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1


def test_ended_by_ctrl_c_it_exits_130_and_says_that_it_was_broken_off(tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(16 * 2**20))
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with subprocess.Popen(
            [*lockgate(), "send", url, str(tmp_path / "large.bin")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            peer, _ = server.accept()
            with peer:
                peer.recv(1)
                process.send_signal(signal.SIGINT)
                out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert out.startswith(b"broken off before all of it was sent\n")
    assert b"call again: the same id goes with the same file" in out


# --- the receipt is kept -------------------------------------------------------------------------


def test_a_receipt_that_could_not_be_kept_stops_the_transfer_before_it_begins(
    site: Site, order: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stored(site)
    order.with_name("other.key").write_bytes(b"the key of another receipt")
    for name in ("nowhere/receipt.json", "order.json", "other.json"):
        assert send(site, order, "--receipt-out", str(order.parent / name)) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert stored(site) == before
    assert order.read_bytes() == ORDER


def test_another_transfer_of_the_same_file_leaves_the_evidence_of_the_first(
    site: Site, order: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send(site, order) == 0
    first = {path: path.read_bytes() for path in order.parent.glob("*.receipt.*")}
    assert len(first) == 2
    capsys.readouterr()
    same = str(uuid.uuid4())
    second = order.with_name(f"order.json.{same}.receipt.json")
    assert send(site, order, "--id", same) == 0
    assert f"saved     {second}" in capsys.readouterr().out
    order.write_bytes(ORDER + b" ")
    assert send(site, order, "--id", same) == 1  # refused: that receipt is one more
    assert f"saved     {order}.{same}.2.receipt.json" in capsys.readouterr().out
    order.write_bytes(ORDER)
    assert {path: path.read_bytes() for path in first} == first
    words = ["receipts", "verify", "--key", str(site.folder / "certs" / "receipts.pub")]
    for receipt in (order.with_name("order.json.receipt.json"), second):
        key = receipt.with_suffix(".key").read_text()
        words += ["--content", str(order), "--receipt-key", key]
        assert main([*words, str(receipt)]) == 0
    assert len(list(order.parent.glob("*.receipt.*"))) == 6
    capsys.readouterr()


def test_the_receipt_of_a_refused_attempt_makes_room_for_that_of_the_next(
    site: Site, order: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = str(uuid.uuid4())
    assert send(site, order, "--id", same, party="stranger") == 1
    assert send(site, order, "--id", same) == 0
    assert len(list(order.parent.glob("*.receipt.*"))) == 2
    capsys.readouterr()
