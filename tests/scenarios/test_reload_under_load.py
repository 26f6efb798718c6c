"""Ten peers upload with digests while everything is replaced five times, and not one fails."""

import base64
import copy
import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy.tls.credentials import Credentials
from tests.pki import make_crl
from tests.scenarios.client import Client, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.forms import BOTH_FORMS
from tests.scenarios.gateway import Config, Gateway
from tests.scenarios.mounts import Mount
from tests.scenarios.parties import authority_of
from tests.scenarios.policy import opaque, policy, route, with_routes
from tests.scenarios.proof import audit
from tests.scenarios.receiver import Exchange, Receiver
from tests.scenarios.test_rotation import WATCHED, pair

workers = BOTH_FORMS

PEERS, RELOADS = 10, 5
SIZE = 300_000
PIECE = 50_000


class Uploads:
    """Peers that upload until they are told to stop; every answer is looked at."""

    def __init__(self, gateway: Gateway, *, keep: bool) -> None:
        self._gateway = gateway
        self._keep = keep
        self._stop = threading.Event()
        self.done: Counter[str] = Counter()
        """SHA-256 of what was delivered -> how often."""
        self.failures: list[BaseException] = []
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(PEERS)]

    def __enter__(self) -> "Uploads":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def wait(self, more: int) -> None:
        """Until so many more uploads have ended."""
        with self._changed:
            wanted = self.done.total() + more
            assert self._changed.wait_for(
                lambda: self.done.total() >= wanted or bool(self.failures), 60
            )
        assert not self.failures, self.failures

    def _run(self, number: int) -> None:
        try:
            while not self._stop.is_set():
                with self._gateway.connect() as client:
                    self._upload(client, number)
                    while self._keep and not self._stop.is_set():
                        self._upload(client, number)
        except BaseException as error:
            with self._changed:
                self.failures.append(error)
                self._changed.notify_all()

    def _upload(self, client: Client, number: int) -> None:
        body = os.urandom(SIZE)
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        head = request(
            f"/up/{number}", b"", f"Content-Digest: sha-256=:{digest}:",
            kind="application/octet-stream",
        )  # fmt: skip
        client.send(head.replace(b"Content-Length: 0", b"Content-Length: %d" % SIZE))
        for start in range(0, SIZE, PIECE):
            client.send(body[start : start + PIECE])
        answer = client.answer(bodiless=True)
        assert answer.status == 204, answer
        with self._changed:
            self.done[hashlib.sha256(body).hexdigest()] += 1
            self._changed.notify_all()


@pytest.fixture(scope="module")
def mount(parties: Path, tmp_path_factory: pytest.TempPathFactory) -> Mount:
    files = pair(parties, "gateway")
    files["ca.crl"] = make_crl(authority_of(parties))
    return Mount(tmp_path_factory.mktemp("mounted") / "secrets", files)


@pytest.fixture(scope="module")
def gateway(
    start_gateway: StartGateway, mount: Mount, parties: Path, shared_receiver: Receiver
) -> Gateway:
    config = with_routes(
        policy(parties, shared_receiver.endpoint, reload=WATCHED),
        route("up", request=opaque("internal"), integrity={"require": "content-digest"}),
    )
    names = {"certificate": "tls.crt", "key": "tls.key", "crl": "ca.crl"}
    config["identity"] |= {key: f"file:{mount.folder / name}" for key, name in names.items()}
    return start_gateway(config)


@pytest.fixture
def arrived(receiver: Receiver) -> Iterator[Counter[str]]:
    """SHA-256 of what the receiver got -> how often."""
    found: Counter[str] = Counter()
    counting = threading.Lock()

    def behave(exchange: Exchange) -> None:
        message = exchange.read()
        digest = hashlib.sha256(message.body).hexdigest()
        with counting:
            found[digest] += 1
        exchange.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    receiver.behave = behave
    yield found
    receiver.received.clear()


def changes(
    gateway: Gateway, mount: Mount, parties: Path, config: Config, *, trust: bool
) -> Iterator[Callable[[], None]]:
    """One after the other: pair, configuration, both at once, and where `trust` the CRL."""
    stranger = Credentials((parties / "stranger.pem").read_bytes(), b"")
    other = copy.deepcopy(config)
    other["routes"][-1]["limits"] = {"hold": 4096}
    yield lambda: mount.swap(pair(parties, "renewed-gateway"))
    yield lambda: gateway.write(other)
    if trust:
        yield lambda: mount.swap({"ca.crl": make_crl(authority_of(parties), [stranger])})
        yield lambda: mount.swap({"ca.crl": make_crl(authority_of(parties))})
    else:
        yield lambda: gateway.write(config)
        yield lambda: gateway.write(other)
    yield lambda: mount.swap(pair(parties, "gateway"))


@pytest.mark.parametrize("keep", [True, False], ids=["kept-connections", "new-connections"])
def test_ten_uploading_peers_and_five_reloads_and_not_one_error(
    gateway: Gateway, mount: Mount, parties: Path, arrived: Counter[str], keep: bool
) -> None:
    """Where trust changes, connections are let go after their transfer: then each is a new one."""
    config, begun = copy.deepcopy(gateway.config), gateway.mark()
    count = 0
    with Uploads(gateway, keep=keep) as uploads:
        uploads.wait(PEERS)
        for change in changes(gateway, mount, parties, config, trust=not keep):
            since = gateway.mark()
            change()
            gateway.wait_for("reloaded", since)
            count += 1
            uploads.wait(2 * PEERS)
    assert not uploads.failures, uploads.failures
    assert count == RELOADS
    assert arrived == uploads.done, "each arrived once, with the octets that were sent"
    assert set(arrived.values()) == {1}
    lines = gateway.logged("transfer", begun)
    assert {line["verdict"] for line in lines} == {"delivered"}
    assert not gateway.logged("handshake_refused", begun)
    assert not gateway.logged("reload_refused", begun)
    gateway.write(config)
    audit(gateway)
