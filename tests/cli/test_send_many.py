"""Many files in one call: all of them, each once, and a list of those that did not arrive."""

import io
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import orjson
import pytest

from proxy.cli import main
from proxy.cli.demo.site import Site
from proxy.cli.wording import lockgate
from tests.cli.gateway import ONCE, gateway
from tests.patience import PATIENCE
from tests.scenarios.servers import free_port


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with gateway(tmp_path_factory.mktemp("site"), ONCE) as running:
        yield running


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    (tmp_path / "outbox").mkdir()
    return tmp_path / "outbox"


def command(site: Site, *words: str | Path, path: str = "/once") -> list[str]:
    """The words of `lockgate send` to the site, as the client."""
    certs = site.folder / "certs"
    line = [*lockgate(), "send", f"https://{site.gateway}{path}", *map(str, words)]
    line += ["--trust", str(certs / "ca.pem"), "--receipts-key", str(certs / "receipts.pub")]
    return [*line, "--cert", str(certs / "client.pem"), "--key", str(certs / "client.key")]


def send(
    site: Site, *words: str | Path, path: str = "/once", given: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """Run it in this process, or where it is given something as one of its own."""
    line = command(site, *words, path=path)
    if given:
        return subprocess.run(line, input=given, capture_output=True, check=False, timeout=PATIENCE)
    out, err = _octets(), _octets()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(line[len(lockgate()) :])
    said, errors = (each.buffer.getvalue() for each in (out, err))
    return subprocess.CompletedProcess(line, code, said, errors)


class _Buffered(io.TextIOWrapper):
    buffer: io.BytesIO


def _octets() -> _Buffered:
    return _Buffered(io.BytesIO(), encoding="utf-8", write_through=True)


def fill(folder: Path, number: int) -> set[bytes]:
    """So many small files, no two alike, in a few folders; their contents."""
    contents = set()
    for index in range(number):
        file = folder / f"d{index % 7}" / f"file {index}.bin"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(os.urandom(20) + b"%d" % index)
        contents.add(file.read_bytes())
    return contents


def arrived(site: Site) -> list[bytes]:
    """The contents of what the receiver has, sorted: a transfer that came twice under two ids
    stands here twice."""
    return sorted(path.read_bytes() for path in (site.folder / "inbox").glob("[!.]*"))


def stored(site: Site) -> list[str]:
    """A name for each time that the receiver stored something."""
    site.logged("receiver", "ready")
    return [str(line["stored"]) for line in site.logged("receiver", "stored")]


def new(site: Site, before: list[bytes]) -> list[bytes]:
    now = arrived(site)
    for content in before:
        now.remove(content)
    return now


def of(number: int) -> bytes:
    """As it is shown."""
    return f"{number:,}".encode()


# --- folders -------------------------------------------------------------------------------------


@pytest.mark.parametrize("many", [200, pytest.param(1000, marks=pytest.mark.large)])
def test_many_files_arrive_once_each_with_receipts_that_a_second_call_goes_by(
    site: Site, outbox: Path, many: int
) -> None:
    before, contents = arrived(site), fill(outbox, many)
    ran = send(site, outbox, "--parallel", "8")
    assert ran.returncode == 0, ran.stdout
    assert ran.stdout.startswith(b"%s of %s files delivered; " % (of(many), of(many)))
    assert new(site, before) == sorted(contents)
    assert len(list(outbox.rglob("*.receipt.json"))) == many
    times = len(stored(site))
    again = send(site, outbox)
    assert again.returncode == 0
    said = b"%s of %s files delivered, %s of them before and not again"
    assert said % (of(many), of(many), of(many)) in again.stdout
    assert b"not sent: receipts and keys of earlier calls: " + of(2 * many) in again.stderr
    assert len(stored(site)) == times


def test_the_path_below_the_folder_is_the_path_below_the_url(
    site: Site, outbox: Path, tmp_path: Path
) -> None:
    (outbox / "a" / "ä b").mkdir(parents=True)
    (outbox / "a" / "ä b" / "1+1=2?.bin").write_bytes(b"odd")
    ran = send(site, outbox, "--receipts", tmp_path / "evidence", "--json")
    assert ran.returncode == 0, ran.stdout
    line = orjson.loads(ran.stdout)
    assert line["file"] == f"{outbox}/a/ä b/1+1=2?.bin"
    kept = tmp_path / "evidence" / "a" / "ä b" / "1+1=2?.bin.receipt.json"
    assert line["receipt"]["saved"] == str(kept)
    assert kept.is_file()
    assert kept.with_name("1+1=2?.bin.receipt.key").is_file()
    assert len(list(outbox.rglob("*.receipt.*"))) == 0
    (seen,) = [
        each
        for each in site.logged("gateway", "transfer")
        if each["transfer_id"] == line["transfer_id"]
    ]
    assert seen["verdict"] == "delivered"


def test_what_leads_elsewhere_or_is_no_file_is_left_out_and_said(site: Site, outbox: Path) -> None:
    before = arrived(site)
    (outbox.parent / "secret").write_bytes(b"secret")
    (outbox / "plain").write_bytes(b"plain one")
    (outbox / "link").symlink_to(outbox.parent / "secret")
    (outbox / "folder").symlink_to(outbox.parent)
    os.mkfifo(outbox / "pipe")
    ran = send(site, outbox)
    assert ran.returncode == 0
    assert ran.stdout.startswith(b"1 of 1 file delivered; ")
    assert ran.stderr.decode().splitlines() == [
        f"not sent: {outbox}/folder: a symbolic link, which is not followed",
        f"not sent: {outbox}/link: a symbolic link, which is not followed",
        f"not sent: {outbox}/pipe: no regular file",
    ]
    assert new(site, before) == [b"plain one"]


def test_a_name_that_can_be_no_path_is_listed_and_the_rest_arrives(
    site: Site, outbox: Path
) -> None:
    before = arrived(site)
    (outbox / "fine").write_bytes(b"fine")
    (outbox / "back\\slash").write_bytes(b"not fine")
    ran = send(site, outbox)
    assert ran.returncode == 1
    assert ran.stdout.startswith(b"1 of 2 files delivered; ")
    assert b"did not arrive:\n" in ran.stdout
    assert b"back\\slash: not tried: its name would make a path with an encoded" in ran.stdout
    assert new(site, before) == [b"fine"]


def test_what_is_refused_is_listed_with_the_reason_and_what_to_do(site: Site, outbox: Path) -> None:
    for name, content in (("a.json", b"{}"), ("b.json", b'{"half": '), ("c.json", b"[]")):
        (outbox / name).write_bytes(content)
    ran = send(site, *sorted(outbox.iterdir()), path="/orders")
    assert ran.returncode == 1
    lines = ran.stdout.decode().splitlines()
    assert lines[0].startswith("2 of 3 files delivered; ")
    assert lines[1] == "did not arrive:"
    assert lines[2].startswith(f"  {outbox}/b.json: rejected: 422 ")
    assert "(unparseable)" in lines[2]
    assert "Make the content valid" in lines[2]
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x/same", "y/same"], "would go to the same place"),
        (["x", "--id", "0b5e1f0c-5f0e-4a55-9d8c-5d2f6a3c1e77"], "for a single file"),
        (["x", "--receipt-out", "r.json"], "for a single file"),
        (["-", "x"], "sent alone"),
        (["missing", "x"], "missing: No such file"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_sent(
    site: Site, outbox: Path, words: list[str], said: str
) -> None:
    before = arrived(site)
    for name in ("x", "y"):
        (outbox / name).mkdir()
        (outbox / name / "same").write_bytes(b"same")
    names = [str(outbox / word) if word[0] in "xym" else word for word in words]
    ran = send(site, *names)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert said in ran.stderr.decode()
    assert arrived(site) == before


# --- standard input ------------------------------------------------------------------------------


def test_standard_input_is_sent_with_its_digest_and_known_again(site: Site, outbox: Path) -> None:
    before = arrived(site)
    given = os.urandom(3_000_000)
    kept = outbox / "evidence"
    first = send(site, "-", "--receipts", kept, "--json", path="/once/in", given=given)
    assert first.returncode == 0, first.stdout
    told = orjson.loads(first.stdout)
    assert (told["file"], told["bytes"], told["delivered"]) == ("-", 3_000_000, True)
    assert (kept / "stdin.receipt.json").is_file()
    again = orjson.loads(
        send(site, "-", "--no-receipt", "--json", path="/once/in", given=given).stdout
    )
    assert again["transfer_id"] == told["transfer_id"]
    assert again["delivered"] is True
    assert new(site, before) == [given]


# --- called again --------------------------------------------------------------------------------


def test_the_id_of_a_file_is_the_same_until_it_changes_and_new_ones_can_be_asked_for(
    site: Site, outbox: Path
) -> None:
    file = outbox / "one"
    file.write_bytes(b"first")

    def sent(*words: str) -> str:
        told = orjson.loads(send(site, file, *words, "--json", path="/once/x").stdout)
        assert told["delivered"] is True, told
        return str(told["transfer_id"])

    first = sent()
    assert first[14] == "8"
    assert sent() == first
    assert sent("--new") != first
    file.write_bytes(b"second")
    assert sent() != first
    file.write_bytes(b"first")
    assert sent() == first
    (outbox / "secret").write_bytes(os.urandom(32))
    assert sent("--id-key", str(outbox / "secret")) != first


def test_killed_in_the_middle_and_called_again_it_sends_nothing_twice(
    site: Site, outbox: Path
) -> None:
    before, times = arrived(site), len(stored(site))
    contents = fill(outbox, 300)
    with subprocess.Popen(
        [*command(site, outbox), "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        for _ in range(40):
            process.stdout.readline()
        process.kill()
    assert 40 <= len(new(site, before)) < 300
    for receipt in list(outbox.rglob("*.receipt.json"))[::2]:
        receipt.unlink()  # as if it had been killed before this was kept: the gateway knows
    ran = send(site, outbox)
    assert ran.returncode == 0, ran.stdout
    assert ran.stdout.startswith(b"300 of 300 files delivered, ")
    assert new(site, before) == sorted(contents)
    assert len(stored(site)) == times + 300


def test_a_gateway_that_is_restarted_in_the_middle_costs_no_file(
    own_site: Site, outbox: Path
) -> None:
    contents = fill(outbox, 200)
    settings = (own_site.folder / "gateway.yaml").read_text()
    with subprocess.Popen(
        [*command(own_site, outbox, "--retries", "30"), "--json"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        assert own_site.stop("gateway") == 0
        own_site.start_gateway(settings)
        said = process.stdout.read()
    assert process.returncode == 0, said
    assert arrived(own_site) == sorted(contents)
    assert len(stored(own_site)) == 200
    assert any(orjson.loads(line)["attempts"] > 1 for line in said.splitlines())


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    with gateway(tmp_path / "own", ONCE, free_port()) as running:
        yield running


# --- what ends it --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_list_of_what_did_not_arrive(
    outbox: Path, number: signal.Signals
) -> None:
    for name in ("a", "b", "c"):
        (outbox / name).write_bytes(name.encode())
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        words = [*lockgate(), "send", url, str(outbox), "--parallel", "1"]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
            peer, _ = server.accept()
            peer.settimeout(PATIENCE)
            with peer:
                seen = b""
                while not seen.endswith(b"\r\n\r\na"):
                    seen += peer.recv(65536)
                process.send_signal(number)
                out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    lines = out.decode().splitlines()
    assert lines[0].startswith("0 of 3 files delivered; ")
    assert lines[1:] == [
        "did not arrive:",
        f"  {outbox}/a: broken off; it may have arrived; "
        "call again: the same id goes with the same file",
        f"  {outbox}/b: not tried",
        f"  {outbox}/c: not tried",
    ]


def test_a_server_that_is_not_there_is_not_asked_for_every_file(outbox: Path) -> None:
    fill(outbox, 30)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/x"
        words = [*lockgate(), "send", url, str(outbox), "--parallel", "2", "--retries", "1"]
        ran = subprocess.run(words, capture_output=True, check=False, timeout=PATIENCE)
    assert ran.returncode == 1
    lines = ran.stdout.decode().splitlines()
    assert lines[0].startswith("0 of 30 files delivered; ")
    assert sum("the server cannot be reached" in line for line in lines) == 2
    assert sum(line.endswith(": not tried") for line in lines) == 28
    assert ran.stderr.count(b"; again in 0.") == 2
