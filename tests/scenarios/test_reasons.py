"""Every failed handshake ends with one reason of a closed list, in log and metric; the peer gets a
TLS alert and no detail. Here with a real TLS client and a real TLS server for each of them."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy.errors import TLS_FAILURES
from tests.patience import PATIENCE
from tests.scenarios.client import client_context, parse, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.doomed import alert_of, make_doomed, of_whom, presented, reset
from tests.scenarios.gateway import Gateway, Line
from tests.scenarios.parties import pin
from tests.scenarios.policy import policy, route
from tests.scenarios.receiver import Receiver
from tests.tls.hello import X25519, client_hello

CERTIFICATES = [
    ("foreign-peer", "untrusted", "ingest"),
    ("expired-peer", "expired", "ingest"),
    ("below-expired-peer", "expired", "ingest"),
    ("below-foreign-peer", "untrusted", "ingest"),
    ("young-peer", "not_yet_valid", "ingest"),
    ("revoked-peer", "revoked", "fresh"),
    ("good-peer", "revocation_unknown", "stale"),
    ("useless-peer", "usage", "ingest"),
    ("weak-peer", "weak_key", "ingest"),
    ("two-ids-peer", "identity", "ingest"),
    ("good-peer", "pin", "pinned"),
]
"""Whose certificate, the reason, and the listener or upstream that has it."""
SERVERS = [
    *CERTIFICATES,
    ("misnamed-peer", "name", "ingest"),
    ("unexpected-peer", "identity", "ingest"),
]


@pytest.fixture(scope="module")
def doomed(parties: Path) -> Path:
    return make_doomed(parties)


class Doorstep:
    """A server that speaks no TLS: what it does with each connection is `behave`."""

    def __init__(self, behave: Callable[[socket.socket], None]) -> None:
        self._behave = behave
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"https://localhost:{self._sock.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                sock, _ = self._sock.accept()
            except OSError:
                return
            with sock:
                self._behave(sock)

    def close(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


def says(data: bytes) -> Callable[[socket.socket], None]:
    """Answers a ClientHello with this, and waits for the end."""

    def behave(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(data)
        until_the_end(sock)

    return behave


def until_the_end(sock: socket.socket) -> None:
    try:
        while sock.recv(65536):
            pass
    except OSError:
        pass  # it may be reset as well


def closes(sock: socket.socket) -> None:
    sock.recv(65536)


def resets(sock: socket.socket) -> None:
    """Once the other end has said something."""
    sock.recv(65536)
    reset(sock)


DOORSTEPS = {
    "closed": closes,
    "reset": resets,
    "timeout": until_the_end,
    "garbage": says(b"\x80 no TLS" * 20),
    "plain_http": says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
}


def lenient(context: ssl.SSLContext, parties: Path, name: str, trust: str) -> ssl.SSLContext:
    """The same, with a key that this machine's own OpenSSL may find too weak."""
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(parties / f"{name}.pem", parties / f"{name}.key")
    context.load_verify_locations(parties / trust)
    return context


def server(parties: Path, name: str, trust: str = "ca.pem") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    return lenient(context, parties, name, trust)


def client(parties: Path, name: str, trust: str = "ca.pem") -> ssl.SSLContext:
    return lenient(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), parties, name, trust)


@pytest.fixture(scope="module")
def doorsteps() -> Iterator[dict[str, Doorstep]]:
    running = {reason: Doorstep(behave) for reason, behave in DOORSTEPS.items()}
    yield running
    for each in running.values():
        each.close()


@pytest.fixture(scope="module")
def receivers() -> Iterator[list[Receiver]]:
    running: list[Receiver] = []
    yield running
    for each in running:
        each.close()


@pytest.fixture(scope="module")
def gateway(
    start_gateway: StartGateway,
    shared_receiver: Receiver,
    receivers: list[Receiver],
    doorsteps: dict[str, Doorstep],
    doomed: Path,
) -> Gateway:
    config = policy(doomed, shared_receiver.endpoint)
    limits = {"handshake_timeout": "400ms"}
    usual = config["listeners"]["ingest"] | {"limits": {"handshake_timeout": "60s"}}
    special: dict[str, dict[str, object]] = {
        "fresh": {"crl": f"file:{doomed / 'fresh.crl'}"},
        "stale": {"crl": f"file:{doomed / 'stale.crl'}"},
        "pinned": {"pins": [pin(doomed, "stranger")]},
        "older": {"minimum": "1.2"},
        "ingest": {},
    }
    config["listeners"] |= {name: usual | {"tls": tls} for name, tls in special.items()}
    config["listeners"]["hasty"] = usual | {"limits": limits}
    config["listeners"]["plain"] = usual | {"tls": {"mode": "none"}}

    def start(context: ssl.SSLContext) -> str:
        receivers.append(Receiver(context))
        return receivers[-1].endpoint

    def add(name: str, endpoint: str, **changes: object) -> None:
        config["upstreams"][name] = config["upstreams"]["warehouse"] | {
            "endpoints": [endpoint],
            "limits": {"connect_timeout": "500ms" if name == "timeout" else "60s"},
            **changes,
        }
        config["routes"].append(route(name, upstream=name))

    for name, reason, kind in SERVERS:
        pins = {"pins": special["pinned"]["pins"]} if kind == "pinned" else {}
        tls = special[kind] if kind in ("fresh", "stale") else {}
        add(f"{name}-{reason}", start(server(doomed, name)), tls=tls, **pins)
    picky = server(doomed, "good-peer")
    picky.set_ecdh_curve("secp521r1")
    add("group", start(picky))
    add("refused_by_peer", start(server(doomed, "good-peer", "another-ca.pem")))
    for name, doorstep in doorsteps.items():
        add(name, doorstep.endpoint)
    return start_gateway(config)


# --- who knocks at a listener ---


class Counted:
    """Looks before and after one handshake that must fail."""

    def __init__(self, gateway: Gateway, side: str, name: str) -> None:
        self._gateway, self._since = gateway, gateway.mark()
        self._where = {"side": side, "name": name}
        self._before = self._refusals()

    def _refusals(self) -> dict[str, float]:
        found = {
            sample.labels["result"]: sample.value
            for sample in self._gateway.samples("lockgate_handshakes_total")
            if self._where.items() <= sample.labels.items()
        }
        return {reason: found.get(reason, 0) for reason in TLS_FAILURES}

    def once(self, reason: str) -> Line:
        """It was counted and logged, with this reason and no other."""
        side, name = self._where.values()
        line = self._gateway.wait_for("handshake_refused", self._since)
        assert line[side] == name
        assert (line["reason"], line["address"]) == (reason, "127.0.0.1"), line
        assert line["detail"].isprintable()
        assert self._gateway.logged("handshake_refused", self._since) == [line]
        labels = {**self._where, "result": reason}
        self._gateway.wait_for_metric(
            self._before[reason] + 1, "lockgate_handshakes_total", **labels
        )
        assert self._refusals() == self._before | {reason: self._before[reason] + 1}
        return line


@pytest.mark.parametrize(("name", "reason", "listener"), CERTIFICATES)
def test_a_client_whose_certificate_is_refused_gets_an_alert_and_the_log_says_whose_it_was(
    gateway: Gateway, name: str, reason: str, listener: str
) -> None:
    counted = Counted(gateway, "listener", listener)
    alert = alert_of(gateway.address(listener), client(gateway.pki, name))
    assert "ALERT" in alert
    line = counted.once(reason)
    assert presented(line) == of_whom(gateway.pki, name)


def test_a_client_without_a_certificate(gateway: Gateway) -> None:
    counted = Counted(gateway, "listener", "ingest")
    context = client_context(gateway.pki, None)
    assert "CERTIFICATE_REQUIRED" in alert_of(gateway.address(), context)
    assert presented(counted.once("no_certificate")) == {}


def of_tls_1_2(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def of_http_2(context: ssl.SSLContext) -> None:
    context.set_alpn_protocols(["h2"])


def of_another_suite(context: ssl.SSLContext) -> None:
    of_tls_1_2(context)
    context.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")


def of_another_group(context: ssl.SSLContext) -> None:
    context.set_ecdh_curve("secp521r1")


@pytest.mark.parametrize(
    ("alter", "reason", "listener", "alert"),
    [
        (of_tls_1_2, "protocol", "ingest", "TLSV1_ALERT_PROTOCOL_VERSION"),
        (of_http_2, "protocol", "ingest", "alert no application protocol"),
        (of_another_suite, "cipher", "older", "SSLV3_ALERT_HANDSHAKE_FAILURE"),
        (of_another_group, "group", "ingest", ""),
    ],
)
def test_a_client_with_whom_there_is_nothing_in_common(
    gateway: Gateway,
    alter: Callable[[ssl.SSLContext], None],
    reason: str,
    listener: str,
    alert: str,
) -> None:
    counted = Counted(gateway, "listener", listener)
    context = client_context(gateway.pki, "client")
    alter(context)
    said = alert_of(gateway.address(listener), context)
    assert alert in said if alert else not said
    counted.once(reason)


def test_a_client_that_does_not_trust_us(gateway: Gateway) -> None:
    counted = Counted(gateway, "listener", "ingest")
    context = client(gateway.pki, "client", trust="another-ca.pem")
    assert alert_of(gateway.address(), context) == "CERTIFICATE_VERIFY_FAILED"
    counted.once("refused_by_peer")


@pytest.mark.parametrize(
    ("octets", "end", "reason", "listener"),
    [
        (b"", until_the_end, "timeout", "hasty"),
        (b"\x16\x03\x01\x02\x00\x01", until_the_end, "timeout", "hasty"),
        (b"\x80 no TLS" * 20, until_the_end, "garbage", "ingest"),
        (b"\x16\x03\x01\x02\x00\x01", socket.socket.close, "closed", "ingest"),
        (client_hello([X25519]), resets, "reset", "ingest"),
    ],
)
def test_a_client_that_does_not_shake_hands(
    gateway: Gateway,
    octets: bytes,
    end: Callable[[socket.socket], None],
    reason: str,
    listener: str,
) -> None:
    counted = Counted(gateway, "listener", listener)
    with socket.create_connection(gateway.address(listener), timeout=PATIENCE) as sock:
        sock.sendall(octets)
        end(sock)
        assert presented(counted.once(reason)) == {}


# --- HTTP and TLS at the wrong door ---


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_plain_http_on_a_tls_port_is_answered_with_400_in_plain_text(
    gateway: Gateway, method: str
) -> None:
    counted = Counted(gateway, "listener", "ingest")
    with socket.create_connection(gateway.address(), timeout=PATIENCE) as sock:
        sock.sendall(request("/orders/1", method=method))
        said = b"".join(iter(lambda: sock.recv(65536), b""))
    answer = parse(said)
    assert (answer.status, answer.value("content-type")) == (400, "text/plain; charset=utf-8")
    assert b"https" in answer.body
    assert b"lockgate" not in said.lower()
    counted.once("plain_http")


def test_tls_on_a_port_that_speaks_plain_http_gets_an_alert(gateway: Gateway) -> None:
    counted = Counted(gateway, "listener", "plain")
    transfers = gateway.metric("lockgate_transfers_total")
    context = client_context(gateway.pki, "client")
    assert alert_of(gateway.address("plain"), context) == "SSLV3_ALERT_UNEXPECTED_MESSAGE"
    counted.once("unexpected_tls")
    assert gateway.metric("lockgate_transfers_total") == transfers, "it was no transfer"
    gateway.wait_for_metric(0, "lockgate_connections", listener="plain")


# --- whom an upstream turns out to be ---


@pytest.mark.parametrize(("name", "reason", "_kind"), SERVERS)
def test_a_server_whose_certificate_is_refused(
    gateway: Gateway, name: str, reason: str, _kind: str
) -> None:
    upstream = f"{name}-{reason}"
    counted = Counted(gateway, "upstream", upstream)
    with gateway.connect() as sender:
        answer = sender.ask(request(f"/{upstream}/1"))
    assert (answer.status, b"upstream-identity" in answer.body) == (502, True)
    assert b"certificate" not in answer.body
    line = counted.once(reason)
    assert presented(line) == of_whom(gateway.pki, name)


@pytest.mark.parametrize("reason", ["group", *DOORSTEPS])
def test_a_server_that_does_not_shake_hands(gateway: Gateway, reason: str) -> None:
    counted = Counted(gateway, "upstream", reason)
    with gateway.connect() as sender:
        answer = sender.ask(request(f"/{reason}/1"))
    assert (answer.status, b"upstream-unreachable" in answer.body) == (502, True)
    counted.once(reason)


def test_a_server_that_refuses_us_says_so_after_our_side_was_complete(gateway: Gateway) -> None:
    counted = Counted(gateway, "upstream", "refused_by_peer")
    with gateway.connect() as sender:
        answer = sender.ask(request("/refused_by_peer/1"))
    assert answer.status == 502
    counted.once("refused_by_peer")
