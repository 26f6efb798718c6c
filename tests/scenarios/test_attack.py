"""Under attack: floods, slow peers, too few descriptors. Honest peers go on, and nothing stays."""

import os
import resource
import select
import socket
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.scenarios.client import Client, begun, chunk, client_context, request, secured
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway, wait_until
from tests.scenarios.message import Broken
from tests.scenarios.policy import opaque, policy, route, with_routes
from tests.scenarios.proof import audit
from tests.scenarios.receiver import Exchange, Receiver
from tests.tls.hello import X25519, client_hello

SILENT, GARBAGE = 40, 20
FLOOD = 40
HERD = 150
DESCRIPTORS, ARRIVING = 64, 100
CHURN, AT_ONCE = 600, 20
MEMORY = 12 * 2**20
"""More than the allocator keeps, and less than a third of what 600 lost connections would cost."""


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    config = policy(parties, shared_receiver.endpoint)
    config["upstreams"]["warehouse"]["limits"] = {"idle_timeout": "300ms"}
    usual = config["listeners"]["ingest"]
    long = {"handshake_timeout": "5m"}
    for name, limits in {
        "ingest": long,
        "narrow": {"handshakes": 4, "handshake_timeout": "4s"},
        "few": long | {"handshakes_per_source": 4, "connections": 8},
        "roomy": long | {"handshakes_per_source": 4},
        "crowded": long | {"handshakes_per_source": 1000},
        "hurried": long | {"head_timeout": "500ms"},
        "impatient": long | {"idle_timeout": "2s"},
    }.items():
        config["listeners"][name] = usual | {"limits": limits}
    brief = {"lifetime": "700ms", "stall_timeout": "30s"}
    octets = opaque("internal")
    return start_gateway(
        with_routes(
            config,
            route("hurried", listener="hurried"),
            route("brief", limits=brief, request=octets, response=octets),
            route("unread", listener="impatient", request=octets, response=octets),
        )
    )


class Baseline:
    """What the program holds when nobody is there, and that it comes back to it."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.require_idle()
        self._tasks = min(gateway.metric("lockgate_tasks") for _ in range(5))  # who asks is one
        self._descriptors = self._open()

    def require_idle(self) -> None:
        for name in ("unadmitted", "transfers_in_flight", "held_bytes"):
            self._gateway.wait_for_metric(0, f"lockgate_{name}")
        for listener in self._gateway.ready["listeners"]:
            self._gateway.wait_for_metric(0, "lockgate_connections", listener=listener)

    def require_reached(self) -> None:
        """All counters, tasks and descriptors are where they were."""
        self.require_idle()
        wait_until(lambda: self._gateway.metric("lockgate_tasks") <= self._tasks)
        wait_until(lambda: self._open() <= self._descriptors)

    def _open(self) -> int:
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self._gateway.carriers)

    def memory(self) -> int:
        """Octets that are resident now, in all that carry transfers."""
        pages = (
            Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in self._gateway.carriers
        )
        return sum(map(int, pages)) * resource.getpagesize()


@pytest.fixture
def baseline(gateway: Gateway, receiver: Receiver) -> Baseline:
    """After a transfer, so that what is made once and kept has been made."""
    for _ in range(8):  # some for each worker
        with gateway.connect() as client:
            assert client.ask(request()).status == 200
    wait_until(lambda: not receiver.open)  # idle connections end by their deadline, unasked
    return Baseline(gateway)


def test_40_silent_and_20_garbage_peers_harm_no_honest_one_and_leave_nothing(
    gateway: Gateway, baseline: Baseline
) -> None:
    since, address = gateway.mark(), gateway.address("narrow")
    with ExitStack() as peers:
        for number in range(SILENT + GARBAGE):
            sock = peers.enter_context(socket.create_connection(address, timeout=PATIENCE))
            if number >= SILENT:
                sock.sendall(b"\x80garbage" * 20)
        answers: list[int] = []

        def honest() -> None:
            with gateway.connect(listener="narrow") as client:
                for _ in range(3):
                    answers.append(client.ask(request("/nowhere")).status)

        clients = [threading.Thread(target=honest) for _ in range(8)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(PATIENCE)
        assert answers == [404] * 24
        gateway.wait_for_count("handshake_refused", SILENT + GARBAGE, since)
    reasons = [line["reason"] for line in gateway.logged("handshake_refused", since)]
    assert (reasons.count("timeout"), reasons.count("garbage")) == (SILENT, GARBAGE)
    baseline.require_reached()


def from_source(source: str, address: tuple[str, int]) -> socket.socket:
    return socket.create_connection(address, timeout=PATIENCE, source_address=(source, 0))


def test_silent_peers_of_one_address_push_out_each_other_and_nobody_else(
    gateway: Gateway, baseline: Baseline, workers: int
) -> None:
    """The honest one came first, and says nothing until they have all come."""
    since, address = gateway.mark(), gateway.address("few")
    with from_source("127.0.0.1", address) as plain, ExitStack() as flood:
        for _ in range(FLOOD):
            flood.enter_context(from_source("127.0.0.2", address))
        gateway.wait_for_count("handshake_refused", FLOOD + 1 - 8 * workers, since)
        context = client_context(gateway.pki, "client")
        with Client(secured(context, plain, "localhost")) as honest:
            assert honest.ask(request("/nowhere")).status == 404
        lines = gateway.logged("handshake_refused", since)
    assert {(line["address"], line["reason"]) for line in lines} == {("127.0.0.2", "timeout")}
    assert all("newer" in line["detail"] for line in lines)
    baseline.require_reached()


def test_half_handshakes_of_one_address_take_no_more_than_its_places(
    gateway: Gateway, baseline: Baseline, workers: int
) -> None:
    address, unadmitted = gateway.address("roomy"), partial(gateway.metric, "lockgate_unadmitted")
    with ExitStack() as flood:
        for _ in range(FLOOD):
            sock = flood.enter_context(from_source("127.0.0.2", address))
            sock.sendall(b"\x16\x03\x01\x02\x00\x01")
        wait_until(lambda: unadmitted(listener="roomy", state="shaking") >= 4)
        assert unadmitted(listener="roomy", state="shaking") <= 4 * workers
        with gateway.connect(listener="roomy") as honest:
            assert honest.ask(request("/nowhere")).status == 404
    baseline.require_reached()


def test_a_herd_of_honest_peers_from_one_address_is_served_to_the_last(
    gateway: Gateway, baseline: Baseline
) -> None:
    """Many more than its places: they wait for their turn, and nobody gives way."""
    since, context = gateway.mark(), client_context(gateway.pki, "client")
    answers: list[int] = []

    def come(plain: socket.socket) -> None:
        with Client(secured(context, plain, "localhost")) as client:
            answers.append(client.ask(request("/nowhere")).status)

    address = gateway.address("roomy")
    herd = [socket.create_connection(address, timeout=PATIENCE) for _ in range(HERD)]
    threads = [threading.Thread(target=come, args=(each,)) for each in herd]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert answers == [404] * HERD
    assert not gateway.logged("handshake_refused", since)
    baseline.require_reached()


# --- slow peers end by their deadlines ---


def trickle(client: Client, piece: bytes) -> None:
    """Send a piece again and again, slowly, until there is an answer."""
    while not select.select([client.sock], [], [], 0.02)[0]:
        client.send(piece)


def test_a_head_that_comes_octet_by_octet_ends_by_its_deadline(
    gateway: Gateway, baseline: Baseline
) -> None:
    with gateway.connect(listener="hurried") as client:
        client.send(b"POST /hurried/1 HTTP/1.1\r\nHost: x\r\nA: ")
        trickle(client, b"b")
        answer = client.answer()
        assert (answer.status, b"request-timeout" in answer.body) == (408, True)
        assert client.ended()
    baseline.require_reached()


def test_a_body_that_comes_octet_by_octet_ends_by_its_deadline_and_never_arrives_whole(
    gateway: Gateway, baseline: Baseline, receiver: Receiver
) -> None:
    since, whole = gateway.mark(), len(receiver.received)
    with gateway.connect() as client:
        client.send(begun("/brief/1", kind="a/b"))
        trickle(client, chunk(b"b"))
        answer = client.answer()
        assert (answer.status, b"request-timeout" in answer.body) == (408, True)
    assert "lifetime" in str(gateway.wait_for("transfer", since)["reason"])
    assert len(receiver.received) == whole
    baseline.require_reached()


def test_a_reader_that_never_reads_ends_by_its_deadline(
    gateway: Gateway, baseline: Baseline, receiver: Receiver
) -> None:
    given_up = threading.Event()

    def behave(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = chunk(b"x" * 65536)
        try:
            while True:
                exchange.send(piece)
        finally:
            given_up.set()

    receiver.behave = behave
    with gateway.connect(listener="impatient") as client:
        client.send(request("/unread/1", b"", kind=""))
        assert given_up.wait(PATIENCE), "an upstream that sends to nobody is let go"
        baseline.require_reached()
    receiver.behave = Exchange.answer


# --- descriptors ---


def test_64_descriptors_and_100_connections_are_survived_without_a_restart(
    gateway: Gateway, baseline: Baseline
) -> None:
    """Silent ones give way, others wait; when there is room again everything is as before."""
    pids, since = gateway.carriers, gateway.mark()
    limits = resource.prlimit(pids[0], resource.RLIMIT_NOFILE)
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, limits[1]))
    with ExitStack() as arriving:
        for _ in range(ARRIVING * len(pids)):
            address = gateway.address("crowded")
            arriving.enter_context(socket.create_connection(address, timeout=PATIENCE))
        gateway.wait_for("accept_failed", since)
        with gateway.connect(listener="crowded") as honest:
            assert honest.ask(request("/nowhere")).status in (404, 503)
    wait_until(lambda: gateway.admin("/readyz")[0] == 200)
    wait_until(lambda: _served(gateway))  # by each in its time: who waited has left one by one
    assert gateway.carriers == pids, "no process was replaced"
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    baseline.require_reached()


def _served(gateway: Gateway) -> bool:
    try:
        with gateway.connect() as client:
            return client.ask(request()).status == 200
    except (Broken, OSError):
        return False


def test_600_connections_of_churn_leave_no_descriptor_no_task_and_no_memory(
    gateway: Gateway, baseline: Baseline
) -> None:
    """Honest ones, such as leave in the middle of a handshake or a transfer, and garbage."""

    def come_and_go(rounds: int) -> None:
        for number in range(rounds):
            kind = number % 4
            if kind == 3:
                with socket.create_connection(gateway.address(), timeout=PATIENCE) as sock:
                    sock.sendall(client_hello([X25519]))
                    sock.recv(65536)
                continue
            with gateway.connect() as client:
                if kind == 0:
                    assert client.ask(request()).status == 200
                elif kind == 1:
                    client.send(begun("/files/1", kind="a/b") + chunk(b"x" * 5000))
                    client.vanish()

    def all_at_once(connections: int) -> None:
        threads = [
            threading.Thread(target=come_and_go, args=(connections // AT_ONCE,))
            for _ in range(AT_ONCE)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)

    all_at_once(CHURN // 2)  # so that what the allocator keeps is there before it is looked at
    baseline.require_reached()
    before = baseline.memory()
    all_at_once(CHURN)
    baseline.require_reached()
    assert baseline.memory() - before < MEMORY


def test_what_was_attacked_drains_cleanly_and_its_log_holds(gateway: Gateway) -> None:
    assert gateway.stop() == 0
    audit(gateway)
