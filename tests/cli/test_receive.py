"""The receiver stores what is whole, proves that it has it, and lets nobody out of its folder."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import trio

from proxy.cli import main
from proxy.cli.receive import Receiver
from proxy.cli.send_exchange import fetch
from proxy.cli.send_place import Identity, Place, connect
from proxy.cli.wording import lockgate
from proxy.edge.binding import bind
from proxy.edge.listener import Listener
from proxy.edge.outbound import Outbound, Pool
from proxy.errors import UpstreamFailure
from proxy.model import Framing
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.settings.schema import ListenerLimits, ListenerTls
from proxy.tls.context import server_context
from proxy.wire.digests import format_sha256
from proxy.wire.events import Data
from tests.patience import PATIENCE
from tests.pki import pki, write

ID = "0b5e1f0c-5f0e-4a55-9d8c-5d2f6a3c1e77"
CLIENT = Identity(
    pki().client.certificate, pki().client.key, pki().trust, server_name="receiver.lockgate.example"
)
Fields = tuple[tuple[bytes, bytes], ...]


@asynccontextmanager
async def receiving(folder: Path, identity: Identity = CLIENT) -> AsyncIterator[Pool]:
    """A receiver on `folder`, and connections to it; at the end every exchange has ended."""
    with (folder.parent / "receiver.log").open("w") as file:
        log = Log("json", file)
        context = server_context(pki().receiver, pki().trust, None, ListenerTls())
        listener = Listener(
            "receive",
            bind("127.0.0.1:0", folder),
            ListenerLimits(),
            lambda: context,
            metrics=Metrics(),
            log=log,
        )
        async with trio.open_nursery() as connections, trio.open_nursery() as accepting:
            accepting.start_soon(listener.run, connections, Receiver(folder, log).serve)
            pool = connect(Place(f"https://{listener.address}", "/"), identity)
            yield pool
            await pool.retire()
            accepting.cancel_scope.cancel()


async def post(
    pool: Pool, body: bytes, fields: Fields = (), *, chunked: bool = False, trailers: Fields = ()
) -> tuple[int, dict[str, object]]:
    """Status and JSON of the answer to one POST."""
    connection = await pool.acquire("")
    framing = Framing(chunked=True) if chunked else Framing(length=len(body))
    await connection.send_head("POST", "/a/b", [(b"host", b"x"), *fields], framing)
    await connection.send_data(body)
    await connection.send_end(b"", trailers)
    status, answer = await read(connection)
    pool.give_back(connection, complete=True)
    return status, orjson.loads(answer)


async def read(connection: Outbound) -> tuple[int, bytes]:
    head = await connection.head()
    body = b""
    while isinstance(event := await connection.body(PATIENCE), Data):
        body += event.data
    return head.status, body


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.mark.parametrize(
    ("content_type", "suffix"),
    [
        (b"application/json", "json"),
        (b"application/json; charset=utf-8", "json"),
        (b"application/problem+json", "json"),
        (b"application/x-ndjson", "ndjson"),
        (b"text/plain", "txt"),
        (b"image/png", "bin"),
        (b"../../x", "bin"),
    ],
)
async def test_a_body_is_stored_under_its_transfer_id_and_handed_out_again(
    inbox: Path, content_type: bytes, suffix: str
) -> None:
    body = b'{"n": 1.10}\n'
    fields = ((b"transfer-id", ID.upper().encode()), (b"content-type", content_type))
    async with receiving(inbox) as pool:
        status, told = await post(pool, body, fields)
        back = await fetch(pool, f"/any/where/{ID}.{suffix}")
    sha256 = hashlib.sha256(body).hexdigest()
    assert (status, told) == (
        201,
        {"stored": f"{ID}.{suffix}", "bytes": len(body), "sha256": sha256},
    )
    assert (back.status, back.body) == (200, body)
    assert names(inbox) == [f"{ID}.{suffix}"]


async def test_a_transfer_without_an_id_gets_one(inbox: Path) -> None:
    async with receiving(inbox) as pool:
        status, told = await post(pool, b"x")
    assert status == 201
    assert names(inbox) == [told["stored"]]


async def test_an_id_that_is_no_uuid_is_refused(inbox: Path) -> None:
    async with receiving(inbox) as pool:
        status, told = await post(pool, b"x", ((b"transfer-id", b"../../etc/passwd"),))
    assert (status, told["type"]) == (400, "urn:lockgate:problem:transfer-id-malformed")
    assert names(inbox) == []


async def test_a_later_attempt_replaces_the_file(inbox: Path) -> None:
    fields = ((b"transfer-id", ID.encode()),)
    async with receiving(inbox) as pool:
        await post(pool, b"first", fields)
        await post(pool, b"second", fields)
    assert (inbox / f"{ID}.bin").read_bytes() == b"second"


@pytest.mark.parametrize("late", [False, True], ids=["header", "trailer"])
@pytest.mark.parametrize("right", [False, True], ids=["wrong", "right"])
@pytest.mark.parametrize("name", [b"Content-Digest", b"Repr-Digest"])
async def test_only_content_that_has_its_digest_is_kept(
    inbox: Path, name: bytes, late: bool, right: bool
) -> None:
    digest = hashlib.sha256(b"content" if right else b"other").digest()
    field = ((name.lower(), format_sha256(digest)),)
    async with receiving(inbox) as pool:
        if late:
            announced = ((b"trailer", name),)
            status, _ = await post(pool, b"content", announced, chunked=True, trailers=field)
        else:
            status, _ = await post(pool, b"content", field)
    assert status == (201 if right else 400)
    assert len(names(inbox)) == right


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_interrupted_upload_leaves_no_file(inbox: Path, chunked: bool) -> None:
    async with receiving(inbox) as pool:
        connection = await pool.acquire("")
        framing = Framing(chunked=True) if chunked else Framing(length=300_000)
        await connection.send_head("POST", "/", [(b"host", b"x")], framing)
        await connection.send_data(b"x" * 200_000)
        connection.stream.abort()
    assert names(inbox) == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/../secret.json",
        "/..%2fsecret.json",
        "/%2e%2e/secret.json",
        "/.incoming-0000000000000000",
        f"/{ID}.json/",
        f"/{ID}.png",
        f"/{ID}",
    ],
)
async def test_only_files_that_were_received_are_handed_out(inbox: Path, path: str) -> None:
    (inbox.parent / "secret.json").write_text("secret")
    (inbox / ".incoming-0000000000000000").write_text("half")
    (inbox / f"{ID}.png").write_text("not ours")
    (inbox / f"{ID}.json").symlink_to(inbox.parent / "secret.json")
    async with receiving(inbox) as pool:
        answer = await fetch(pool, path)
        assert (answer.status, answer.values(b"content-type")) == (404, (b"text/plain",))
        assert b"lockgate receive: no such file" in answer.body
        assert (await fetch(pool, f"/{ID}.json")).status == 404


def test_plain_http_is_spoken_on_loopback_where_no_keys_are_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"content")
    words = [*lockgate(), "receive", str(tmp_path / "inbox"), "--bind", "127.0.0.1:0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = f"http://{orjson.loads(process.stdout.readline())['bind']}/x"
        assert main(["send", url, str(tmp_path / "file"), "--no-receipt", "--id", ID]) == 0
        process.terminate()
        process.stdout.read()
    assert (tmp_path / "inbox" / f"{ID}.bin").read_bytes() == b"content"
    capsys.readouterr()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--bind", "0.0.0.0:0"], "plain HTTP is for loopback only"),
        (["--cert", "c.pem"], "belong together"),
        (["--bind", "[::]:0"], "plain HTTP is for loopback only"),
    ],
)
def test_nothing_is_plain_beyond_loopback(
    inbox: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(["receive", str(inbox / "new"), *options]) == 2
    assert said in capsys.readouterr().err
    assert not (inbox / "new").exists()


@pytest.mark.parametrize("bind", ["foo", "127.0.0.1", "127.0.0.1:99999", "name.example:1"])
def test_an_address_that_is_none_is_a_usage_error(
    inbox: Path, capsys: pytest.CaptureFixture[str], bind: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(receive(inbox, bind))
    assert stop.value.code == 2
    assert "argument --bind: " in capsys.readouterr().err


def test_an_address_that_is_taken_is_told_in_one_plain_line(inbox: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        ran = subprocess.run(
            [*lockgate(), *receive(inbox, taken)], capture_output=True, text=True, check=False
        )
    assert (ran.returncode, ran.stderr) == (1, f"{taken}: Address already in use\n")


def receive(inbox: Path, bind: str) -> list[str]:
    """The words of the command, with keys of its own."""
    certs = write(inbox.parent / "certs")
    words = ["receive", str(inbox), "--bind", bind, "--trust", str(certs / "ca.pem")]
    return [*words, "--cert", str(certs / "receiver.pem"), "--key", str(certs / "receiver.key")]


@pytest.mark.parametrize(
    "identity",
    [
        replace(CLIENT, certificate=None, key=None),
        replace(CLIENT, certificate=pki().impostor.certificate, key=pki().impostor.key),
    ],
    ids=["no certificate", "foreign authority"],
)
async def test_whoever_is_not_vouched_for_is_refused(inbox: Path, identity: Identity) -> None:
    async with receiving(inbox, identity) as pool:
        with pytest.raises(UpstreamFailure):
            await fetch(pool, "/")
    refused = orjson.loads((inbox.parent / "receiver.log").read_bytes().splitlines()[0])
    assert refused["event"] == "handshake_refused"
    assert refused["reason"] in ("no_certificate", "untrusted")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_says_where_it_listens_and_ends_with_0(
    tmp_path: Path, number: signal.Signals
) -> None:
    certs = write(tmp_path / "certs")
    command = [sys.executable, "-c", "import sys; from proxy.cli import main; sys.exit(main())"]
    command += ["receive", str(tmp_path / "new" / "inbox"), "--bind", "127.0.0.1:0"]
    command += ["--cert", str(certs / "receiver.pem"), "--key", str(certs / "receiver.key")]
    with subprocess.Popen(
        [*command, "--trust", str(certs / "ca.pem")], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        ready = orjson.loads(process.stdout.readline())
        process.send_signal(number)
        code = process.wait(PATIENCE)
    assert ready["event"] == "ready"
    assert int(ready["bind"].rpartition(":")[2]) > 0
    assert code == 0
