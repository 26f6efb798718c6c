"""Everything has a bound: connections, waiting, an upstream's patience, and a disk that is full."""

import json
import resource
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.scenarios.client import Client, begun, chunk, client_context, request, secured
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway, wait_until
from tests.scenarios.policy import opaque, policy, route, with_routes
from tests.scenarios.proof import Watch, audit, events, receipt_of, receipts
from tests.scenarios.receiver import OK, Exchange, Receiver

PLENTY = b'["' + b"x" * 12_000_000 + b'"]'
"""More than the sockets between a gateway and an upstream keep."""


@pytest.fixture
def gateway(start_gateway: StartGateway, receiver: Receiver, parties: Path) -> Gateway:
    config = policy(parties, receiver.endpoint)
    narrow = {"limits": {"connections": 1, "connect_timeout": "2s"}}
    config["upstreams"]["narrow"] = config["upstreams"]["warehouse"] | narrow
    config["listeners"]["small"] = config["listeners"]["ingest"] | {"limits": {"connections": 2}}
    idle, late = {"limits": {"idle_timeout": "1s"}}, {"limits": {"head_timeout": "300ms"}}
    config["listeners"]["idle"] = config["listeners"]["ingest"] | idle
    config["listeners"]["late"] = config["listeners"]["ingest"] | late
    config["memory"] = {"held": "22MiB"}
    roomy = {"body": "1GiB", "document": "16MiB", "hold": "16MiB"}
    impatient = {"stall_timeout": "2s"}
    return start_gateway(
        with_routes(
            config,
            route("narrow", upstream="narrow"),
            route("roomy", limits=roomy),
            route("given-up", limits=roomy | impatient),
            route("streamed", request=opaque("internal"), limits=impatient),
            route("small", listener="small"),
            route("idle", listener="idle"),
            route("late", listener="late"),
        )
    )


@pytest.fixture
def one_process(workers: int) -> None:
    if workers > 1:
        pytest.skip("the bound is each worker's, and the kernel chooses the worker")


def deaf(exchange: Exchange) -> None:
    """Read no more, say nothing, and stay."""
    exchange.receiver.wait(lambda: exchange.receiver.behave is not deaf)


def test_an_upstream_that_does_not_read_is_given_up(watch: Watch, receiver: Receiver) -> None:
    receiver.behave = deaf
    with watch.gateway.connect() as client:
        answer = client.ask(request("/given-up/1", PLENTY))
    predicate = watch.refused(answer, "upstream-timeout", "failed", reached=True)
    assert 0 < int(predicate["content"]["delivered"]["bytes"]) < len(PLENTY)


def test_an_upstream_that_stops_reading_a_stream_is_given_up(
    watch: Watch, receiver: Receiver
) -> None:
    receiver.behave = deaf
    head = begun("/streamed/1", kind="a/b")
    with watch.gateway.connect() as client:
        client.send(head)
        for _ in range(400):
            client.send(chunk(b"x" * 65536))
        answer = client.answer()
    predicate = watch.refused(answer, "upstream-timeout", "failed", reached=True)
    assert int(predicate["content"]["delivered"]["bytes"]) > 65536


def test_a_held_document_goes_on_in_pieces_and_arrives_whole(
    gateway: Gateway, receiver: Receiver
) -> None:
    with gateway.connect() as client:
        answer = client.ask(request("/roomy/1", PLENTY))
    assert answer.status == 200
    assert receiver.received[-1].body == PLENTY


@pytest.mark.usefixtures("one_process")
def test_who_finds_every_upstream_connection_in_use_is_told_to_come_again(
    watch: Watch, receiver: Receiver
) -> None:
    receiver.behave = deaf
    with watch.gateway.connect() as first, watch.gateway.connect() as second:
        first.send(request("/narrow/1"))
        wait_until(lambda: receiver.octets > watch.octets)
        watch.octets = receiver.octets
        answer = second.ask(request("/narrow/1"))
        watch.refused(answer, "overloaded", "failed")
        assert answer.value("retry-after") == "1"


@pytest.mark.usefixtures("one_process")
def test_what_all_transfers_keep_back_together_is_bounded(gateway: Gateway) -> None:
    document = b'{"a":"' + b"x" * (10 * 2**20) + b'"}'
    with gateway.connect() as first, gateway.connect() as second:
        whole = request("/files/1", document)
        first.send(request("/orders/1", document)[: -len(document) // 4])
        wait_until(lambda: gateway.metric("lockgate_held_bytes") > 7 * 2**20)
        answer = second.ask(request("/roomy/1", document))
        assert answer.status == 503
        assert receipt_of(gateway, answer)["disposition"]["problem"] == "overloaded"
    with gateway.connect() as third:
        wait_until(lambda: gateway.metric("lockgate_held_bytes") == 0)
        assert third.ask(request("/roomy/1", document)).status == 200
        assert third.ask(whole).status == 200


@pytest.mark.usefixtures("one_process")
def test_a_listener_takes_no_more_connections_than_it_may(gateway: Gateway) -> None:
    with ExitStack() as clients:
        for _ in range(2):
            client = clients.enter_context(gateway.connect(listener="small"))
            assert client.ask(request("/small/1")).status == 200
        leaving = threading.Timer(0.4, client.sock.close)
        started = time.monotonic()
        leaving.start()
        with gateway.connect(listener="small") as third:  # waits until there is room
            assert third.ask(request("/small/1")).status == 200
        assert time.monotonic() - started > 0.3
        leaving.join()


def test_an_idle_connection_ends_and_so_does_a_head_that_does_not_arrive(watch: Watch) -> None:
    with watch.gateway.connect(listener="idle") as client:
        assert client.ask(request("/idle/1")).status == 200
        assert client.ended()
    watch.again()
    with watch.gateway.connect(listener="late") as client:
        client.send(b"POST /late/1 HTTP/1.1\r\nHost: x\r\nA: b")
        watch.refused(client.answer(), "request-timeout", "failed")
        assert client.ended()


def test_a_low_soft_limit_of_descriptors_is_raised_to_the_hard_one(
    start_gateway: StartGateway,
    parties: Path,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANOTHER", "environment")  # executed by us, it inherits the limit
    own = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = max(int(each.name) for each in Path("/proc/self/fd").iterdir()) + 100
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(low, own[1]), own[1]))
    try:
        gateway = start_gateway(policy(parties, receiver.endpoint))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, own)
    for pid in {gateway.process.pid, *gateway.carriers}:
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (own[1], own[1])
    assert gateway.stop() == 0


def test_a_process_without_descriptors_lives_on(gateway: Gateway) -> None:
    """Whoever comes meanwhile waits, or is told to come again; nothing is lost, nothing breaks."""
    pids = gateway.carriers
    limits = resource.prlimit(pids[0], resource.RLIMIT_NOFILE)
    with gateway.connect() as early, ExitStack() as late:
        assert early.ask(request()).status == 200
        for pid in pids:
            used = {int(each.name) for each in Path(f"/proc/{pid}/fd").iterdir()}
            free = min(set(range(len(used) + 1)) - used)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, limits[1]))
        waiting = [
            late.enter_context(socket.create_connection(gateway.address(), timeout=PATIENCE))
            for _ in range(3)
        ]
        assert gateway.wait_for("accept_failed")["listener"] == "ingest"
        assert early.ask(request()).status in (200, 503)
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        for sock in waiting:
            context = client_context(gateway.pki, "client")
            with Client(secured(context, sock, "localhost")) as client:
                assert client.ask(request()).status in (200, 503)
        wait_until(lambda: gateway.admin("/readyz")[0] == 200)
        assert early.ask(request()).status == 200
    assert gateway.stop() == 0
    audit(gateway)


def test_nothing_crosses_while_the_log_cannot_be_written(
    gateway: Gateway, receiver: Receiver
) -> None:
    """The file system takes no more octets from the process, and then takes them again."""
    with gateway.connect() as client:
        assert client.ask(request()).status == 200
        wait_until(lambda: (gateway.folder / "var/receipts/checkpoint").exists())
        gateway.wait_for("transfer")
        journal = max(each.stat().st_size for each in (gateway.folder / "var").rglob("journal*"))
        writer = gateway.log_writer
        limits = resource.prlimit(writer, resource.RLIMIT_FSIZE)
        resource.prlimit(writer, resource.RLIMIT_FSIZE, (journal, limits[1]))
        client.ask(request())  # in its own file the disk still takes an intent: this shows it
        wait_until(lambda: gateway.admin("/readyz")[0] == 503)
        octets, since = receiver.octets, gateway.mark()
        for _ in range(3):
            answer = client.ask(request())
            assert answer.status == 503
            assert b"log-unavailable" in answer.body
            assert answer.values("transfer-receipt") == []
            assert answer.value("retry-after") == "1"
        assert gateway.admin("/readyz") == (503, "not ready: disk-full\n")
        assert json.loads(gateway.admin("/status")[1])["trouble"]["code"] == "disk-full"
        assert gateway.wait_for("log_unavailable")["code"] == "disk-full"
        assert gateway.metric("lockgate_ready") == 0
        assert receiver.octets == octets
        gateway.wait_for_count("transfer", 3, since, problem="log-unavailable")
        resource.prlimit(writer, resource.RLIMIT_FSIZE, limits)
        wait_until(lambda: gateway.admin("/readyz")[0] == 200)
        answer = client.ask(request())
        assert (answer.status, answer.body) == (200, OK)
        assert receipt_of(gateway, answer)["kind"] == "delivered"
        assert gateway.wait_for("log_available")["seconds"] > 0
    assert gateway.stop() == 0
    assert len(gateway.logged("log_unavailable")) == 1, "once a change"
    kinds = [each["kind"] for each in receipts(gateway)]
    assert kinds.count("delivered") == 3
    (event,) = events(gateway, "refused-transfers")
    assert event["details"]["counts"] == {"disk-full": "3"}
    assert event["details"]["since"] < event["details"]["until"] < event["time"]["completed"]
    audit(gateway)
