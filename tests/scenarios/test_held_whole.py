"""Content that waits for its digest, in memory or on the disk: the program, in both forms."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.edge.test_digests_said import digest
from tests.scenarios.client import begun, chunk, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.forms import BOTH_FORMS
from tests.scenarios.gateway import Config, Gateway, lockgate, wait_until
from tests.scenarios.message import Broken
from tests.scenarios.policy import CLIENT, STRANGER, opaque, policy, route, with_routes
from tests.scenarios.proof import Watch, receipt_of, sha256
from tests.scenarios.receiver import Receiver

workers = BOTH_FORMS

HOLD = 4096
SIZE = 4 * 2**20
"""Octets that may wait on the disk, of all transfers of one sender together."""
SHORT = bytes(range(256)) * 4
LONG = bytes(range(256)) * 1200
KIND = "application/octet-stream"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spill")


def config(parties: Path, endpoint: str, folder: Path) -> Config:
    proven = route(
        "proven",
        request=opaque("internal"),
        response=opaque("internal"),
        integrity={"require": "content-digest"},
        limits={"hold": HOLD, "body": SIZE},
        allow=[CLIENT, STRANGER],
    )
    streamed = {**proven, "name": "streamed", "match": {"path": "/streamed/**"}, "streaming": True}
    spill = {"folder": str(folder), "size": SIZE * 4 // 3}
    return with_routes(policy(parties, endpoint, spill=spill), proven, streamed)


@pytest.fixture(scope="module")
def gateway(
    start_gateway: StartGateway, shared_receiver: Receiver, parties: Path, folder: Path
) -> Gateway:
    return start_gateway(config(parties, shared_receiver.endpoint, folder))


def said(body: bytes) -> str:
    return f"Content-Digest: {digest(body)}"


@pytest.mark.parametrize("body", [SHORT, LONG], ids=["in-memory", "on-disk"])
@pytest.mark.parametrize("pieces", [1, 7], ids=["sized", "chunked"])
def test_what_holds_is_delivered_whole_with_its_length_and_receipt(
    gateway: Gateway, receiver: Receiver, body: bytes, pieces: int
) -> None:
    octets = request("/proven/1", body, said(body), kind=KIND)
    if pieces > 1:
        size = len(body) // pieces + 1
        cut = [body[at : at + size] for at in range(0, len(body), size)]
        octets = request("/proven/1", cut, said(body), kind=KIND)
    with gateway.connect() as client:
        answer = client.ask(octets)
    assert answer.status == 200
    came = receiver.received[-1]
    assert (came.body, came.value("content-digest")) == (body, digest(body))
    assert came.value("content-length") == str(len(body))
    content = receipt_of(gateway, answer)["content"]
    assert content["delivered"] == {"sha256": sha256(body), "bytes": str(len(body))}
    gateway.wait_for_metric(0, "lockgate_spilled_bytes")


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda body: body[:-1],
    "extended": lambda body: body + b"x",
    "flipped": lambda body: body[:500] + bytes([body[500] ^ 4]) + body[501:],
    "reordered": lambda body: body[10:] + body[:10],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("body", [SHORT, LONG], ids=["in-memory", "on-disk"])
def test_what_does_not_hold_reaches_nobody_and_is_receipted(
    watch: Watch, change: str, body: bytes
) -> None:
    with watch.gateway.connect() as client:
        octets = request("/proven/1", CHANGES[change](body), said(body), kind=KIND)
        watch.refused(client.ask(octets), "digest-mismatch")
    watch.gateway.wait_for_metric(0, "lockgate_spilled_bytes")


@pytest.mark.parametrize("change", CHANGES)
def test_what_streams_and_does_not_hold_is_broken_off(watch: Watch, change: str) -> None:
    watch.receiver.received.clear()
    with watch.gateway.connect() as client:
        octets = request("/streamed/1", CHANGES[change](LONG), said(LONG), kind=KIND)
        answer = client.ask(octets)
        watch.refused(answer, "digest-mismatch", reached=True)
    watch.receiver.wait_until_broken(answer.value("transfer-id"))
    assert watch.receiver.received == []


@contextmanager
def coming(gateway: Gateway, octets: int) -> Iterator[None]:
    """A transfer of which so much has come; its sender leaves at the end of the context."""
    with gateway.connect() as client:
        client.send(begun("/proven/1", "Trailer: Content-Digest", kind=KIND))
        client.send(chunk(b"x" * octets))
        wait_until(lambda: gateway.metric("lockgate_spilled_bytes") > octets - 2**19)
        yield


def test_the_disk_is_bounded_for_all_workers_together(gateway: Gateway, receiver: Receiver) -> None:
    gateway.wait_for_metric(0, "lockgate_spilled_bytes")
    body = b"y" * (SIZE // 2)
    with coming(gateway, SIZE * 3 // 4):
        for _ in range(6):  # the kernel gives them to one worker or the other
            with gateway.connect() as client:
                answer = client.ask(request("/proven/1", body, said(body), kind=KIND))
                assert (answer.status, answer.value("retry-after")) == (503, "1")
                assert b"overloaded" in answer.body
    gateway.wait_for_metric(0, "lockgate_spilled_bytes")
    with gateway.connect() as client:
        assert client.ask(request("/proven/1", body, said(body), kind=KIND)).status == 200
    assert receiver.received[-1].body == body


def test_who_fills_its_share_of_the_disk_keeps_nobody_else_waiting(
    gateway: Gateway, receiver: Receiver
) -> None:
    gateway.wait_for_metric(0, "lockgate_spilled_bytes")
    body = b"z" * (SIZE // 4)
    octets = request("/proven/1", body, said(body), kind=KIND)
    with coming(gateway, SIZE):
        for _ in range(6):  # with one worker or the other
            with gateway.connect() as client, gateway.connect("stranger") as stranger:
                assert client.ask(octets).status == 503
                assert stranger.ask(octets).status == 200
    assert receiver.received[-1].body == body


def test_killing_it_leaves_no_file_and_no_room_taken(
    start_gateway: StartGateway, receiver: Receiver, parties: Path, folder: Path, workers: int
) -> None:
    own = start_gateway(config(parties, receiver.endpoint, folder))
    with coming(own, SIZE * 3 // 4):
        assert os.listdir(folder) == []
        (victim,) = [pid for pid in own.carriers if _has_nameless(pid, folder)]
        if workers == 1:
            own.crash()
            own.start()
        else:
            since = own.mark()
            os.kill(victim, signal.SIGKILL)
            own.wait_for("worker_started", since)
    assert os.listdir(folder) == []
    own.wait_for_metric(0, "lockgate_spilled_bytes")
    body = b"y" * (SIZE // 2)
    wait_until(lambda: _taken(own, body))
    assert receiver.received[-1].body == body


def _taken(gateway: Gateway, body: bytes) -> bool:
    """True when it was delivered, and not refused since a successor has yet to be ready."""
    try:
        with gateway.connect() as client:
            octets = request("/proven/1", body, said(body), kind=KIND)
            return client.ask(octets).status == 200
    except (Broken, OSError):
        return False


def _has_nameless(pid: int, folder: Path) -> bool:
    """True while the process has a file open in `folder` that has no name there."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # another file, which has been closed meanwhile
            there = os.readlink(link)
            if there.startswith(str(folder)) and there.endswith("(deleted)"):
                return True
    return False


def test_a_folder_that_is_of_no_use_is_told_before_anything_is_sent(
    parties: Path, tmp_path: Path
) -> None:
    path = tmp_path / "gateway.yaml"
    for gone, code in ((tmp_path / "gone", 1), (tmp_path, 0)):
        text = config(parties, "https://localhost:1", gone)
        path.write_text(repr(text).replace("True", "true"))
        done = lockgate("check", path)
        assert done.returncode == code, done.stderr
        assert ("spill.folder" in done.stderr) == bool(code)
        assert ("No such file" in done.stderr) == bool(code)
