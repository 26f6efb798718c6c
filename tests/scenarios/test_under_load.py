"""Signals amid transfers, reloads of what is broken, and a backend that comes and goes."""

import base64
import hashlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from proxy.tls.credentials import Credentials
from tests.pki import make_crl
from tests.scenarios.client import request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.forms import BOTH_FORMS
from tests.scenarios.gateway import Gateway, wait_until
from tests.scenarios.message import Broken
from tests.scenarios.parties import authority_of
from tests.scenarios.policy import policy
from tests.scenarios.proof import audit, receipt_of, receipts
from tests.scenarios.receiver import Exchange, Receiver, server_context

workers = BOTH_FORMS

PUMPS, RELOADS = 10, 5
UPLOADS, SIZE = 5, 8 * 2**20
PIECE = 64 * 1024


@pytest.fixture
def gateway(own_gateway: Gateway) -> Gateway:
    return own_gateway


def content_of(number: int, size: int) -> bytes:
    """Content that differs from upload to upload, and from octet to octet."""
    return hashlib.shake_256(b"%d" % number).digest(size)


def digest_field(content: bytes) -> str:
    encoded = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return f"Content-Digest: sha-256=:{encoded}:"


def has_grown(sent: list[list[bytes]], to: int) -> bool:
    return sum(map(len, sent)) >= to


def test_five_reloads_while_ten_peers_upload_cost_not_one_error(
    gateway: Gateway, receiver: Receiver
) -> None:
    """Each reload changes something, so that each builds everything anew."""
    enough, failures = threading.Event(), list[str]()
    sent: list[list[bytes]] = [[] for _ in range(PUMPS)]
    before = len(receiver.received)

    def pump(number: int) -> None:
        with gateway.connect() as client:
            client.sock.settimeout(60)
            while not enough.is_set():
                content = content_of(1000 * number + len(sent[number]), 300_000)
                fields = ("X-Pump: yes", digest_field(content))
                answer = client.ask(request("/files/1", content, *fields, kind="a/b"))
                if answer.status != 200:
                    failures.append(f"{answer.status} {answer.body!r}")
                sent[number].append(hashlib.sha256(content).digest())

    pumps = [threading.Thread(target=pump, args=(number,)) for number in range(PUMPS)]
    for each in pumps:
        each.start()
    for number in range(RELOADS):
        wait_until(partial(has_grown, sent, sum(map(len, sent)) + PUMPS), 60)
        since = gateway.mark()
        gateway.config["routes"][0]["limits"] = {"depth": 100 + number}
        gateway.write(gateway.config)
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_for("reloaded", since, timeout=60)
    enough.set()
    for each in pumps:
        each.join(60)
    assert failures == []
    arrived = [hashlib.sha256(each.body).digest() for each in receiver.received[before:]]
    assert sorted(arrived) == sorted(digest for each in sent for digest in each)
    assert gateway.metric("lockgate_config_reloads_total", result="ok") == RELOADS
    total = sum(map(len, sent))
    delivered = gateway.metric("lockgate_transfers_total", route="files", verdict="delivered")
    assert delivered == total
    assert len({each["policy"]["sha256"] for each in receipts(gateway)}) > 1
    assert gateway.stop() == 0
    audit(gateway)


class Uploads:
    """Uploads of which each has sent half and waits for a word to go on."""

    def __init__(self, gateway: Gateway) -> None:
        self.contents = [content_of(number, SIZE) for number in range(UPLOADS)]
        self.statuses: list[int] = []
        self._go = threading.Event()
        self._half = threading.Barrier(UPLOADS + 1)
        self._threads = [
            threading.Thread(target=self._upload, args=(gateway, content))
            for content in self.contents
        ]
        for each in self._threads:
            each.start()
        self._half.wait(60)

    def _upload(self, gateway: Gateway, content: bytes) -> None:
        with gateway.connect() as client:
            client.sock.settimeout(60)
            whole = request("/files/1", content, digest_field(content), kind="a/b")
            client.send(whole[: len(whole) // 2])
            self._half.wait(60)
            self._go.wait(60)
            client.send(whole[len(whole) // 2 :])
            answer = client.answer()
            receipt_of(gateway, answer)
            self.statuses.append(answer.status)

    def finish(self) -> None:
        self._go.set()
        for each in self._threads:
            each.join(60)

    def require_intact(self, receiver: Receiver, before: int) -> None:
        assert self.statuses == [200] * UPLOADS
        arrived = sorted(each.body for each in receiver.received[before:])
        assert arrived == sorted(self.contents)


def half_way_at_the_drain(gateway: Gateway) -> Uploads:
    uploads = Uploads(gateway)
    gateway.wait_for_metric(UPLOADS, "lockgate_transfers_in_flight")
    gateway.process.send_signal(signal.SIGTERM)
    gateway.wait_for("draining")
    return uploads


def test_sigterm_in_mid_transfer_lets_five_uploads_of_8_mib_arrive_whole(
    gateway: Gateway, receiver: Receiver
) -> None:
    before = len(receiver.received)
    uploads = half_way_at_the_drain(gateway)
    uploads.finish()
    assert gateway.wait() == 0
    uploads.require_intact(receiver, before)
    assert gateway.wait_for("stopped")["in_time"] is True
    audit(gateway)


def test_sighup_while_draining_neither_ends_nor_disturbs_what_is_under_way(
    gateway: Gateway, receiver: Receiver
) -> None:
    before = len(receiver.received)
    uploads = half_way_at_the_drain(gateway)
    for _ in range(RELOADS):
        gateway.process.send_signal(signal.SIGHUP)
    assert gateway.admin("/healthz")[0] == 200
    assert gateway.admin("/readyz")[0] == 503
    uploads.finish()
    assert gateway.wait() == 0
    uploads.require_intact(receiver, before)
    audit(gateway)


# --- what is broken on reload ---


@pytest.fixture(scope="module")
def steady(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    """A gateway with files of its own, whose reloads are all refused."""
    gateway_config = policy(
        parties, shared_receiver.endpoint, reload={"watch": False, "poll": "off"}
    )
    started = start_gateway(gateway_config)
    identity = started.config["identity"]
    files = {
        "certificate": (parties / "gateway.pem").read_bytes(),
        "key": (parties / "gateway.key").read_bytes(),
        "trust": (parties / "ca.pem").read_bytes(),
        "crl": make_crl(authority_of(parties), [_stranger(parties)]),
    }
    for name, content in files.items():
        (started.folder / name).write_bytes(content)
        identity[name] = f"file:{name}"
    started.write(started.config)
    since = started.mark()
    started.process.send_signal(signal.SIGHUP)
    started.wait_for("reloaded", since)
    return started


def _stranger(parties: Path) -> Credentials:
    return Credentials((parties / "stranger.pem").read_bytes(), b"")


def cut_in_half(content: bytes, parties: Path) -> bytes:
    return content[: len(content) // 2]


def emptied(content: bytes, parties: Path) -> bytes:
    return b""


def of_another(content: bytes, parties: Path) -> bytes:
    """A key that does not belong to the certificate, or the other way round."""
    kind = "key" if b"PRIVATE KEY" in content else "pem"
    return (parties / f"client.{kind}").read_bytes()


def with_a_leaf(content: bytes, parties: Path) -> bytes:
    return content + (parties / "client.pem").read_bytes()


Break = Callable[[bytes, Path], bytes]


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        *((name, cut_in_half) for name in ("certificate", "key", "trust", "crl", "gateway.yaml")),
        *((name, emptied) for name in ("certificate", "key", "trust", "crl", "gateway.yaml")),
        ("certificate", of_another),
        ("key", of_another),
        ("trust", with_a_leaf),
    ],
)
def test_what_is_broken_on_reload_keeps_the_last_good(
    steady: Gateway, parties: Path, name: str, broken: Break
) -> None:
    path = steady.folder / name
    good, since = path.read_bytes(), steady.mark()
    revision = steady.metric("lockgate_config_loaded_timestamp_seconds")
    path.write_bytes(broken(good, parties))
    try:
        steady.process.send_signal(signal.SIGHUP)
        steady.wait_for("reload_refused", since)
    finally:
        path.write_bytes(good)
    assert not steady.logged("reloaded", since)
    assert steady.metric("lockgate_config_loaded_timestamp_seconds") == revision
    with steady.connect() as client:
        assert client.ask(request()).status == 200
    with pytest.raises((OSError, Broken)), steady.connect("stranger") as revoked:
        revoked.ask(request())
    assert steady.wait_for("handshake_refused", since)["reason"] == "revoked"


# --- a backend that comes and goes ---


class Backend:
    """One address, at which there is a receiver or nobody, and never somebody else."""

    def __init__(self, parties: Path) -> None:
        self._parties = parties
        self._kept = socket.socket()
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._kept.bind(("127.0.0.1", 0))
        self._port = self._kept.getsockname()[1]
        self.back()
        self.endpoint = self._running.endpoint

    def close(self) -> None:
        self.down()
        self._kept.close()

    def down(self) -> None:
        self._running.close()

    def back(self) -> None:
        self._running = Receiver(server_context(self._parties), port=self._port)

    def behave(self, how: Callable[[Exchange], None]) -> None:
        self._running.behave = how


@pytest.fixture
def backend(parties: Path) -> Iterator[Backend]:
    made = Backend(parties)
    yield made
    made.close()


def test_a_backend_that_is_down_resets_and_is_back_costs_what_came_meanwhile_and_nothing_else(
    start_gateway: StartGateway, backend: Backend, parties: Path
) -> None:
    gateway = start_gateway(policy(parties, backend.endpoint))
    with gateway.connect() as client:
        assert client.ask(request()).status == 200
        backend.down()
        answers = [client.ask(request()) for _ in range(3)]
        assert [each.status for each in answers] == [502] * 3
        assert b"upstream-unreachable" in answers[-1].body
        backend.back()
        backend.behave(Exchange.reset)
        reset = client.ask(request())
        assert (reset.status, b"upstream-closed" in reset.body) == (502, True)
        backend.behave(Exchange.answer)
        assert [client.ask(request()).status for _ in range(3)] == [200] * 3
    gateway.wait_for_metric(0, "lockgate_transfers_in_flight")
    kinds = [each["kind"] for each in receipts(gateway)]
    assert kinds.count("delivered") == 4
    assert len(kinds) == 8, "each attempt has its one verdict"
    assert gateway.stop() == 0
    audit(gateway)
