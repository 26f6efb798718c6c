"""The operator's doors, senders on this machine, and upstreams without TLS."""

import copy
import json
import os
import socket
import ssl
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.patience import PATIENCE
from tests.scenarios.client import Client, request, secured
from tests.scenarios.conftest import StartGateway, StartReceiver
from tests.scenarios.gateway import Gateway, lockgate
from tests.scenarios.policy import policy, route, with_routes
from tests.scenarios.proof import receipt_of
from tests.scenarios.receiver import OK, Receiver


@pytest.fixture(scope="module")
def gateway(start_gateway: StartGateway, shared_receiver: Receiver, parties: Path) -> Gateway:
    config = policy(parties, shared_receiver.endpoint, metrics={"bind": "127.0.0.1:0"})
    return start_gateway(config)


# --- admin and metrics ---------------------------------------------------------------------------


def test_the_admin_door_shows_everything(gateway: Gateway) -> None:
    assert gateway.admin("/healthz") == (200, "alive\n")
    assert gateway.admin("/readyz") == (200, "ready\n")
    status = json.loads(gateway.admin("/status")[1])
    assert (status["ok"], status["name"], status["draining"]) == (True, "gateway-a", False)
    assert status["revision"] == gateway.ready["config_sha256"]
    assert {each["role"] for each in status["certificates"]} == {"identity", "trust"}
    assert gateway.admin("/reload", method="POST") == (200, "reloaded\n")
    assert gateway.admin("/reload")[0] == 404
    assert gateway.admin("/elsewhere")[0] == 404


def test_the_metrics_door_shows_three_pages_and_changes_nothing(gateway: Gateway) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert gateway.admin(path, on="metrics")[0] == 200
    assert gateway.admin("/status", on="metrics")[0] == 404
    since = gateway.mark()
    assert gateway.admin("/reload", method="POST", on="metrics")[0] == 404
    assert not gateway.logged("reloaded", since)


def test_the_metrics_are_well_formed_and_name_no_peer(gateway: Gateway) -> None:
    with gateway.connect() as client:
        client.ask(request("/orders/1?tok3n=s3cret", b'{"email":"who@example.com"}'))
    text = gateway.admin("/metrics", on="metrics")[1]
    names = {family.name for family in text_string_to_metric_families(text)}
    for name in (
        "transfers", "transfer_bytes", "transfer_duration_seconds", "handshakes", "masked_fields",
        "journal_commit_seconds", "certificate_expiry_timestamp_seconds", "ready", "connections",
    ):  # fmt: skip
        assert f"lockgate_{name}" in names
    assert gateway.metric("lockgate_masked_fields_total", direction="request") >= 1
    for private in ("spiffe", "who@example", "s3cret", "127.0.0.1"):
        assert private not in text


def test_a_door_answers_only_http(gateway: Gateway) -> None:
    host, _, port = gateway.ready["admin"].rpartition(":")
    for octets in (
        b"GET /status HTTP/1.1\nHost: x\n\n",
        b"\x17\x03\x01\x00\x00",
        b"GET /x\r\n\r\n",
    ):
        with Client(socket.create_connection((host, int(port)), timeout=PATIENCE)) as client:
            assert client.ask(octets).status == 400
            assert client.ended()


def test_a_door_tells_who_speaks_tls_in_tls_that_it_does_not(gateway: Gateway) -> None:
    host, _, port = gateway.ready["admin"].rpartition(":")
    address, context = (host, int(port)), ssl.create_default_context()
    with (
        socket.create_connection(address, timeout=PATIENCE) as sock,
        pytest.raises(ssl.SSLError, match="ALERT"),
    ):
        secured(context, sock, "localhost")


@pytest.mark.parametrize("bind", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"])
def test_an_admin_door_to_the_outside_is_refused(gateway: Gateway, bind: str) -> None:
    path = gateway.folder / "outside.yaml"
    path.write_text(json.dumps(gateway.config | {"admin": {"bind": bind}}, indent=1))
    done = lockgate("check", path)
    assert done.returncode == 1
    assert "admin.bind" in done.stderr


def test_health_asks_a_running_proxy_and_says_no_of_a_stopped_one(
    start_gateway: StartGateway, receiver: Receiver, parties: Path
) -> None:
    config = policy(parties, receiver.endpoint, admin={"bind": "unix:admin.sock"})
    gateway = start_gateway(config)
    assert gateway.ready["admin"] == f"unix:{gateway.folder / 'admin.sock'}"
    done = lockgate("health", gateway.path)
    assert (done.returncode, done.stdout) == (0, "ready\n")
    assert gateway.stop() == 0
    done = lockgate("health", gateway.path)
    assert done.returncode == 1
    assert "not running" in done.stderr
    assert lockgate("health", gateway.folder / "nowhere.yaml").returncode == 1


# --- senders on this machine, upstreams without TLS ----------------------------------------------


@pytest.fixture(scope="module")
def sidecar(
    start_gateway: StartGateway,
    start_receiver: StartReceiver,
    parties: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Gateway, Receiver, Receiver]:
    """Senders come by a unix socket; upstreams are plain, on loopback and on a unix socket."""
    path = tmp_path_factory.mktemp("run") / "up.sock"
    http, unix = start_receiver(None), start_receiver(None, path)
    config = policy(parties, http.endpoint)
    plain = {"zone": "warehouse"}
    config["upstreams"] = {
        "http": plain | {"endpoints": [http.endpoint]},
        "unix": plain | {"endpoints": [unix.endpoint]},
    }
    local = {"bind": "unix:in.sock", "zone": "partner", "tls": {"mode": "none"}}
    config["listeners"] |= {"local": local, "plain": local | {"bind": "127.0.0.1:0"}}
    config["routes"] = []
    me, other = {"local": {"uid": [os.getuid()]}}, {"local": {"uid": [os.getuid() + 1]}}
    network = {"networks": ["127.0.0.1/32"]}
    config = with_routes(
        config,
        route("http", listener="local", upstream="http", allow=[me]),
        route("unix", listener="local", upstream="unix", allow=[me]),
        route("other", listener="local", upstream="http", allow=[other]),
        route("net", listener="plain", upstream="http", allow=[network]),
        route("uid", listener="plain", upstream="http", allow=[me]),
    )
    return start_gateway(config), http, unix


def by_unix(gateway: Gateway) -> Client:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(PATIENCE)
    sock.connect(str(gateway.folder / "in.sock"))
    return Client(sock)


def test_a_local_sender_is_known_by_its_user(
    sidecar: tuple[Gateway, Receiver, Receiver],
) -> None:
    gateway, http, unix = sidecar
    with by_unix(gateway) as client:
        for path, receiver in (("/http/1", http), ("/unix/1", unix)):
            answer = client.ask(request(path, b'{"n":1}'))
            assert (answer.status, answer.body) == (200, OK)
            predicate = receipt_of(gateway, answer)
            assert predicate["sender"] == {"name": f"uid:{os.getuid()}"}
            assert predicate["receiver"] is None
            came = receiver.received[-1]
            assert came.body == b'{"n":1}'
            assert came.values("client-cert") == []
        assert unix.received[-1].value("host") == "localhost"
        mine = answer.value("link").removeprefix("<").partition(">")[0]
        fetched = client.ask(request(mine, None, method="GET"))
        assert (fetched.status, fetched.body) == (200, answer.receipt()[0])
        refused = client.ask(request("/other/1"))
    assert refused.status == 403
    assert receipt_of(gateway, refused)["disposition"]["problem"] == "not-allowed"


def test_a_sender_over_loopback_is_known_by_its_network_and_has_no_user(
    sidecar: tuple[Gateway, Receiver, Receiver],
) -> None:
    gateway, *_ = sidecar
    with Client(socket.create_connection(gateway.address("plain"), timeout=PATIENCE)) as client:
        answer = client.ask(request("/net/1"))
        assert receipt_of(gateway, answer)["sender"] == {"name": "ip:127.0.0.1"}
        assert client.ask(request("/uid/1")).status == 403
        assert answer.values("link") == [], "anybody may be there"
        index = "/.well-known/lockgate/receipts/0"
        assert client.ask(request(index, None, method="GET")).status == 404


def test_the_unix_socket_is_closed_to_others_and_taken_over_by_the_next_run(
    sidecar: tuple[Gateway, Receiver, Receiver],
) -> None:
    gateway, *_ = sidecar
    path = gateway.folder / "in.sock"
    assert path.stat().st_mode & 0o007 == 0
    assert gateway.stop(9) == -9
    gateway.start()
    with by_unix(gateway) as client:
        assert client.ask(request("/http/1")).status == 200
    assert gateway.stop() == 0
    assert not path.exists()


@pytest.mark.parametrize(
    "change",
    [
        ("listeners", "ingest", {"bind": "0.0.0.0:0", "zone": "partner", "tls": {"mode": "none"}}),
        ("upstreams", "warehouse", {"zone": "warehouse", "endpoints": ["http://192.0.2.1:80"]}),
    ],
)
def test_plain_octets_never_leave_the_machine(
    gateway: Gateway, change: tuple[str, str, object]
) -> None:
    kind, name, value = change
    config = copy.deepcopy(gateway.config)
    config[kind][name] = value
    path = gateway.folder / "plain.yaml"
    path.write_text(json.dumps(config, indent=1))
    assert lockgate("check", path).returncode == 1
