"""Where a tunnel comes from and goes to: loopback, unix sockets, TLS; and who says who it is."""

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509

from proxy.tls.credentials import Credentials
from tests.patience import PATIENCE
from tests.scenarios import proxyheader
from tests.scenarios.client import client_context
from tests.scenarios.conftest import Serve, StartGateway
from tests.scenarios.gateway import Config, Gateway, wait_until
from tests.scenarios.parties import authority_of, put
from tests.scenarios.policy import RECEIVER
from tests.scenarios.proof import receipts, sha256
from tests.scenarios.receiver import server_context
from tests.scenarios.servers import nginx
from tests.scenarios.tunnels import (
    Backend,
    Broken,
    End,
    TlsEnd,
    dial,
    echo,
    line_of,
    receipt,
    tunnel,
    tunnels,
)
from tests.tls.rekeyed import rekeyed

pytestmark = pytest.mark.parametrize("workers", [2], indirect=True, ids=["two-workers"])
ESTABLISHED, KEEPALIVE = "01", "02"
HERE = [{"local": {"uid": [os.getuid()]}}]


@pytest.fixture(scope="module")
def by_unix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    running = Backend(echo, tmp_path_factory.mktemp("upstream") / "upstream.sock")
    yield running
    running.close()


@pytest.fixture(scope="module")
def gateway(
    parties: Path, start_gateway: StartGateway, backend: Backend, by_unix: Backend
) -> Gateway:
    """Comes from TLS, loopback and a unix socket; goes to loopback and a unix socket."""

    def listener(bind: str) -> Config:
        return {"bind": bind, "zone": "partner", "protocol": "tcp", "tls": {"mode": "none"}}

    config = tunnels(
        parties,
        backend.endpoint,
        tunnel(),
        tunnel("loopback", listener="loopback", allow=[{"networks": "127.0.0.0/8"}]),
        tunnel("sidecar", listener="sidecar", allow=HERE, upstream="unix"),
        tunnel("others", listener="others", allow=[{"local": {"uid": [os.getuid() + 1]}}]),
        tunnel("six", listener="six", allow=[{"networks": "::1/128"}]),
        tunnel("both", listener="both", allow=[{"networks": "127.0.0.1/32"}]),
    )
    config["listeners"] |= {
        "loopback": listener("127.0.0.1:0"),
        "sidecar": listener("unix:sidecar.sock"),
        "others": listener("unix:others.sock"),
        "six": listener("[::1]:0"),
        "both": {"bind": "[::ffff:127.0.0.1]:0", "zone": "partner", "protocol": "tcp"},
    }
    config["upstreams"]["warehouse"]["proxy_protocol"] = "v2"
    config["upstreams"]["unix"] = {
        "zone": "warehouse",
        "endpoints": ["unix:/nowhere.sock", by_unix.endpoint],
        "proxy_protocol": "v2",
    }
    return start_gateway(config)


@pytest.fixture
def told(backend: Backend, serve: Serve) -> list[proxyheader.Told]:
    """What upstreams are told of their senders; after that they echo."""
    found: list[proxyheader.Told] = []
    serve(partial(note_and_echo, found))
    return found


def note_and_echo(found: list[proxyheader.Told], end: End) -> None:
    found.append(proxyheader.read(end))
    echo(end)


def plain(gateway: Gateway, listener: str) -> End:
    address = gateway.ready["listeners"][listener]
    if address.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(address.removeprefix("unix:"))
        return End(sock)
    host, _, port = address.rpartition(":")
    return End(socket.create_connection((host.strip("[]"), int(port))))


def converse(client: End, data: bytes) -> None:
    client.send(data)
    assert client.exactly(len(data)) == data
    client.end()
    assert client.rest() == b""


def test_the_upstream_is_told_who_came_over_tls(
    gateway: Gateway, told: list[proxyheader.Told]
) -> None:
    since = gateway.mark()
    with dial(gateway) as client:
        source, destination = client.sock.getsockname(), client.sock.getpeername()
        converse(client, b"x" * 100_000)
    line = line_of(gateway, since)
    (said,) = told
    assert (said.source, said.destination) == (source, destination)
    assert said.tlvs.keys() == {0x02, 0x05, 0x20}
    assert said.tlvs[0x02] == b"localhost"
    assert said.tlvs[0x05].decode() == line["transfer_id"]
    assert (said.client, said.verify) == (0x07, 0)
    channel = receipt(gateway, line)["channel"]
    assert said.ssl == {0x21: b"TLSv1.3", 0x22: b"client", 0x23: channel["cipher"].encode()}


def test_the_header_is_neither_counted_nor_digested(
    gateway: Gateway, told: list[proxyheader.Told]
) -> None:
    since = gateway.mark()
    with dial(gateway) as client:
        converse(client, b"content")
    said = receipt(gateway, line_of(gateway, since))["content"]
    assert said["delivered"] == {"sha256": sha256(b"content"), "bytes": "7"}
    assert told


@pytest.mark.parametrize("listener", ["loopback", "six"])
def test_the_upstream_is_told_who_came_by_loopback(
    gateway: Gateway, told: list[proxyheader.Told], listener: str
) -> None:
    since = gateway.mark()
    host = "::1" if listener == "six" else "127.0.0.1"
    with plain(gateway, listener) as client:
        source, destination = client.sock.getsockname(), client.sock.getpeername()
        converse(client, b"plain")
    line = line_of(gateway, since)
    (said,) = told
    assert (said.source, said.destination) == (source[:2], destination[:2])
    assert said.tlvs.keys() == {0x05}
    assert (line["verdict"], line["peer"]) == ("delivered", f"ip:{host}")


def test_who_comes_over_ipv4_to_a_socket_of_ipv6_is_the_ipv4_address_that_he_is(
    gateway: Gateway, told: list[proxyheader.Told]
) -> None:
    since, port = gateway.mark(), gateway.address("both")[1]
    plain_socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    with TlsEnd(plain_socket, client_context(gateway.pki, "client")) as client:
        source = client.sock.getsockname()
        converse(client, b"content")
    line = line_of(gateway, since)
    assert (line["verdict"], line["address"]) == ("delivered", "127.0.0.1")
    (said,) = told
    assert (said.source, said.destination) == (source, ("127.0.0.1", port))


def test_a_certificate_with_two_common_names_has_none_for_the_upstream(
    gateway: Gateway, told: list[proxyheader.Told]
) -> None:
    client = Credentials(
        (gateway.pki / "client.pem").read_bytes(), (gateway.pki / "client.key").read_bytes()
    )
    names = [x509.NameAttribute(x509.NameOID.COMMON_NAME, name) for name in ("client", "admin")]
    twice = rekeyed(authority_of(gateway.pki), client, client, subject=x509.Name(names))
    put(gateway.pki, "two-names", twice)
    since = gateway.mark()
    with dial(gateway, "two-names") as opened:
        converse(opened, b"content")
    line_of(gateway, since)
    (said,) = told
    assert said.ssl.keys() == {0x21, 0x23}


def test_the_kernel_is_to_find_out_whether_silent_peers_are_there_on_both_sides(
    gateway: Gateway, backend: Backend, told: list[proxyheader.Told]
) -> None:
    since = gateway.mark()
    with dial(gateway) as client:
        client.send(b"x")
        assert client.exactly(1) == b"x"
        sender, upstream = client.sock.getsockname()[1], int(backend.endpoint.rpartition(":")[2])
        wait_until(lambda: timers(sender) == timers(upstream) == {KEEPALIVE})
        converse(client, b"y")
    assert told
    line_of(gateway, since)


def timers(peer: int) -> set[str]:
    """What the kernel waits for on the connections to that port of this machine (proc(5))."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    those = [row for row in rows if row[2].endswith(f":{peer:04X}") and row[3] == ESTABLISHED]
    return {row[5].partition(":")[0] for row in those}


def test_unix_sockets_carry_on_both_sides_and_the_kernel_says_who(
    gateway: Gateway, by_unix: Backend
) -> None:
    found: list[proxyheader.Told] = []
    by_unix.serve = partial(note_and_echo, found)
    since = gateway.mark()
    with plain(gateway, "sidecar") as client:
        converse(client, os.urandom(50_000))
    line = line_of(gateway, since)
    assert (line["verdict"], line["peer"]) == ("delivered", f"uid:{os.getuid()}")
    (said,) = found
    assert (said.source, said.destination) == ("", str(gateway.folder / "sidecar.sock"))


def test_another_user_is_not_let_in(gateway: Gateway) -> None:
    since = gateway.mark()
    with plain(gateway, "others") as client:
        assert client.receive() == b""  # a unix socket knows no reset
    line = line_of(gateway, since)
    assert (line["verdict"], line["problem"]) == ("rejected", "not-allowed")


def test_both_sides_of_a_broken_tunnel_get_a_reset(
    gateway: Gateway, backend: Backend, serve: Serve
) -> None:
    def break_off(end: End) -> None:
        proxyheader.read(end)
        end.exactly(1)
        end.reset()

    serve(break_off)
    with plain(gateway, "loopback") as client:
        client.send(b".")
        with pytest.raises(Broken, match="ConnectionResetError"):
            client.rest()


def test_nginx_reads_the_header_as_we_mean_it(
    parties: Path, start_gateway: StartGateway, tmp_path: Path
) -> None:
    with nginx(tmp_path) as port:
        config = tunnels(parties, f"tcp://127.0.0.1:{port}")
        config["upstreams"]["warehouse"]["proxy_protocol"] = "v2"
        gateway = start_gateway(config)
        with dial(gateway) as client:
            host, source = client.sock.getsockname()[:2]
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            said = client.rest()
        assert said.endswith(f"\r\n\r\n{host} {source} {gateway.address()[1]}".encode())


# --- TLS out -------------------------------------------------------------------------------------


class Secure(Backend):
    """An upstream with mutual TLS, of stdlib ssl: it hears, and says what it heard."""

    def __init__(self, pki: Path) -> None:
        self.context = server_context(pki, "receiver")
        self.heard: list[bytes] = []
        super().__init__(self._serve)
        self.endpoint = self.endpoint.replace("tcp://", "tls://")

    def _serve(self, end: End) -> None:
        with SecureEnd(end.sock, self.context) as secure:
            data = secure.rest()
            self.heard.append(data)
            secure.send(sha256(data).encode())
            secure.end()


class SecureEnd(TlsEnd):
    """The server's side."""

    def wrap(self, context: ssl.SSLContext, name: str) -> ssl.SSLObject:
        return context.wrap_bio(self._in, self._out, server_side=True)


@pytest.fixture(scope="module")
def secure(parties: Path) -> Iterator[Secure]:
    running = Secure(parties)
    yield running
    running.close()


def test_the_end_of_a_stream_is_close_notify_over_tls_and_back(
    parties: Path, start_gateway: StartGateway, secure: Secure
) -> None:
    config = tunnels(parties, secure.endpoint, tunnel(allow=[{"networks": "127.0.0.1/32"}]))
    config["listeners"]["ingest"]["tls"] = {"mode": "none"}
    config["upstreams"]["warehouse"] |= {
        "server_name": "receiver.lockgate.example",
        "peer": RECEIVER,
    }
    sidecar = start_gateway(config)
    data = os.urandom(1_500_000)
    since = sidecar.mark()
    with plain(sidecar, "ingest") as client:

        def say() -> None:
            client.send(data)
            client.end()

        sending = threading.Thread(target=say)
        sending.start()
        assert client.rest() == sha256(data).encode()
        sending.join(PATIENCE)
    assert secure.heard[-1] == data
    line = line_of(sidecar, since)
    (said,) = receipts(sidecar)
    assert (line["verdict"], said["kind"]) == ("delivered", "delivered")
    assert said["receiver"]["sans"][0] == RECEIVER["spiffe"]
    assert said["content"]["delivered"]["sha256"] == sha256(data)
