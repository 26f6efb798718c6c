"""Who is refused in the handshake, what the log says of it, and who is not kept out by it."""

import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.scenarios.client import Client, client_context, request, secured
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway, lockgate, wait_until
from tests.scenarios.message import Broken
from tests.scenarios.parties import pin
from tests.scenarios.policy import policy
from tests.scenarios.proof import Watch, audit
from tests.scenarios.receiver import Receiver

CHANCE = 1.0
"""Seconds for which a handshake under way is safe from those that come after it."""


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    config = policy(parties, shared_receiver.endpoint)
    usual = config["listeners"]["ingest"]
    pins = {"pins": [pin(parties, "stranger")]}
    config["listeners"]["pinned"] = usual | {"tls": pins}
    config["listeners"]["busy"] = usual | {"limits": {"handshakes": 32, "handshake_timeout": "2m"}}
    config["listeners"]["older"] = usual | {"tls": {"minimum": "1.2"}}
    return start_gateway(config)


@pytest.fixture
def sent_nothing(watch: Watch) -> Iterator[None]:
    """Nobody who is refused in the handshake gets as far as a transfer."""
    yield
    assert watch.receiver.octets == watch.octets
    assert not watch.gateway.logged("transfer", watch.since)


def greet(gateway: Gateway, context: ssl.SSLContext, listener: str = "ingest") -> None:
    """Shake hands and ask, as TLS 1.3 clients learn of a refusal only with the first answer."""
    with (
        socket.create_connection(gateway.address(listener), timeout=PATIENCE) as plain,
        secured(context, plain, "localhost") as sock,
    ):
        sock.sendall(request())
        while sock.recv(65536):
            pass


@pytest.mark.usefixtures("sent_nothing")
@pytest.mark.parametrize(
    ("name", "reason", "listener"),
    [
        (None, "no_certificate", "ingest"),
        ("impostor", "untrusted", "ingest"),
        ("expired-client", "expired", "ingest"),
        ("server-only-client", "usage", "ingest"),
        ("client", "pin", "pinned"),
    ],
)
def test_a_peer_that_is_not_admitted(
    gateway: Gateway, name: str | None, reason: str, listener: str
) -> None:
    labels = {"side": "listener", "name": listener, "result": reason}
    before, since = gateway.metric("lockgate_handshakes_total", **labels), gateway.mark()
    with pytest.raises((ssl.SSLError, ConnectionError)) as caught:
        greet(gateway, client_context(gateway.pki, name), listener)
    line = gateway.wait_for("handshake_refused", since, listener=listener)
    assert (line["reason"], line["address"]) == (reason, "127.0.0.1")
    assert line["detail"]
    assert "lockgate" not in str(caught.value).lower()
    gateway.wait_for_metric(before + 1, "lockgate_handshakes_total", **labels)
    assert len(gateway.logged("handshake_refused", since)) == 1


@pytest.mark.usefixtures("sent_nothing")
def test_tls_1_2(gateway: Gateway) -> None:
    since = gateway.mark()
    context = client_context(gateway.pki, "client")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        greet(gateway, context)
    assert gateway.wait_for("handshake_refused", since)["reason"] == "protocol"


def test_tls_1_2_where_the_policy_admits_it(gateway: Gateway) -> None:
    context = client_context(gateway.pki, "client")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    plain = socket.create_connection(gateway.address("older"), timeout=PATIENCE)
    with Client(secured(context, plain, "localhost")) as client:
        assert client.ask(request()).status == 404  # no route of that listener, but admitted


def test_the_pinned_peer_is_admitted(gateway: Gateway) -> None:
    with gateway.connect("stranger", "pinned") as client:
        assert client.ask(request()).status == 404


@pytest.mark.usefixtures("sent_nothing")
@pytest.mark.parametrize(
    ("octets", "reason"),
    [(b"GET / HTTP/1.1\r\n\r\n", "plain_http"), (b"\x00" * 64, "garbage"), (b"", "closed")],
)
def test_a_peer_that_does_not_speak_tls(gateway: Gateway, octets: bytes, reason: str) -> None:
    since = gateway.mark()
    with socket.create_connection(gateway.address(), timeout=PATIENCE) as sock:
        sock.sendall(octets)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass
    assert gateway.wait_for("handshake_refused", since)["reason"] == reason


@pytest.mark.usefixtures("sent_nothing")
def test_a_peer_that_leaves_in_the_middle(gateway: Gateway) -> None:
    since = gateway.mark()
    with socket.create_connection(gateway.address(), timeout=PATIENCE) as sock:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")
    assert gateway.wait_for("handshake_refused", since)["reason"] == "closed"


def served(gateway: Gateway) -> bool:
    """Whether a real client got its answer; who takes longer than its chance may be kept out."""
    began = time.monotonic()
    try:
        with gateway.connect(listener="busy") as client:
            assert client.ask(request("/nowhere")).status == 404
    except (OSError, Broken):
        if time.monotonic() - began < CHANCE:
            raise
        return False
    return True


def test_half_handshakes_that_keep_coming_hold_up_no_real_client(gateway: Gateway) -> None:
    """Twice as many as the listener shakes hands with at once, and twenty more each second."""
    address = gateway.address("busy")
    done = threading.Event()

    def flood(peers: ExitStack) -> None:
        for number in range(200):
            if done.wait(0 if number < 64 else 0.05):
                return
            sock = peers.enter_context(socket.create_connection(address, timeout=PATIENCE))
            sock.sendall(b"\x16\x03\x01\x02\x00\x01")

    with ExitStack() as peers:
        flooding = threading.Thread(target=flood, args=(peers,))
        flooding.start()
        began = time.monotonic()
        try:
            for _ in range(3):
                wait_until(lambda: served(gateway))
        finally:
            took = time.monotonic() - began
            done.set()
            flooding.join()
    assert took < 90, "they did not wait until the others' time was over"


def test_all_who_were_refused_are_one_entry_of_the_log(own_gateway: Gateway, parties: Path) -> None:
    for name in (None, "impostor", None):
        with pytest.raises(OSError):  # noqa: PT011 - a reset, or an alert
            greet(own_gateway, client_context(parties, name))
    own_gateway.wait_for_count("handshake_refused", 3)
    own_gateway.stop()
    done = lockgate("receipts", "list", own_gateway.folder / "var/receipts", "--json")
    said = [json.loads(line)["statement"]["predicate"] for line in done.stdout.splitlines()]
    found = [each["details"]["counts"] for each in said if each["kind"] == "refused-handshakes"]
    assert len(found) < 3, "one a minute: two, where it ends meanwhile"
    counted = Counter({"ingest:no_certificate": 0, "ingest:untrusted": 0})
    for each in found:
        counted.update({name: int(count) for name, count in each.items()})
    assert counted == {"ingest:no_certificate": 2, "ingest:untrusted": 1}
    assert not [each for each in said if "transferId" in each]
    audit(own_gateway)
