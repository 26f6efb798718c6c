"""Keys that are kept carelessly, through the running program: told once, or refused."""

import copy
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from proxy.tls.credentials import Credentials
from tests.patience import PATIENCE
from tests.scenarios.client import request
from tests.scenarios.conftest import StartGateway, StartReceiver
from tests.scenarios.gateway import Config, Gateway, lockgate
from tests.scenarios.message import Broken
from tests.scenarios.parties import authority_of, put
from tests.scenarios.policy import policy
from tests.scenarios.proof import receipt_of
from tests.scenarios.receiver import Receiver
from tests.tls.rekeyed import rekeyed

DAY = timedelta(days=1)
YEARS = 1000 * DAY


def party(folder: Path, name: str) -> Credentials:
    pem, key = (folder / f"{name}.{kind}" for kind in ("pem", "key"))
    return Credentials(pem.read_bytes(), key.read_bytes())


@pytest.fixture(scope="module")
def folder(parties: Path) -> Path:
    """`lasting` lives for long, `thief` has our own key."""
    ours, client = authority_of(parties), party(parties, "client")
    gateway, stranger = party(parties, "gateway"), party(parties, "stranger")
    put(parties, "lasting", rekeyed(ours, client, stranger, longer=YEARS))
    put(parties, "thief", rekeyed(ours, client, gateway))
    put(
        parties,
        "lasting-receiver",
        rekeyed(ours, party(parties, "receiver"), stranger, longer=YEARS),
    )
    return parties


@pytest.fixture(scope="module")
def started(folder: Path, start_gateway: StartGateway, shared_receiver: Receiver) -> Gateway:
    config = policy(folder, shared_receiver.endpoint)
    gateway = start_gateway(config)
    for kind in ("pem", "key"):
        own = gateway.folder / f"own.{kind}"
        own.write_bytes((folder / f"gateway.{kind}").read_bytes())
    config["identity"] |= {"certificate": "file:own.pem", "key": "file:own.key"}
    reload(gateway, config)
    return gateway


@pytest.fixture
def gateway(started: Gateway) -> Iterator[Gateway]:
    config = copy.deepcopy(started.config)
    own = (started.folder / "own.pem").read_bytes()
    yield started
    (started.folder / "own.pem").write_bytes(own)
    reload(started, config)


def reload(gateway: Gateway, config: Config, status: int = 200) -> None:
    gateway.write(config)
    assert gateway.admin("/reload", method="POST")[0] == status


def refusing(gateway: Gateway, kind: str) -> Config:
    return gateway.config | {"hygiene": {kind: "refuse"}}


@pytest.mark.parametrize(("name", "kind"), [("lasting", "lifetime"), ("thief", "two_identities")])
def test_a_careless_peer_is_reported_once_and_refused_where_that_is_configured(
    gateway: Gateway, name: str, kind: str
) -> None:
    labels = {"side": "listener", "name": "ingest", "kind": kind}
    before = gateway.metric("lockgate_careless_keys_total", **labels)
    for _ in range(3):
        with gateway.connect(name) as client:
            assert client.ask(request()).status == 200
    gateway.wait_for_metric(before + 3, "lockgate_careless_keys_total", **labels)
    gateway.wait_for("careless_key", 0, PATIENCE, **labels)
    lines = gateway.logged("careless_key", 0, **labels)
    assert 1 <= len(lines) <= len(gateway.carriers)
    reload(gateway, refusing(gateway, kind))
    since = gateway.mark()
    with gateway.connect(name) as refused, pytest.raises((OSError, Broken)):
        refused.ask(request())
    line = gateway.wait_for("handshake_refused", since)
    assert line["reason"] == "hygiene"
    assert line["detail"].startswith(f"{kind}: ")
    with gateway.connect() as client:
        assert client.ask(request()).status == 200, "a careful one is not concerned"
    reload(gateway, gateway.config | {"hygiene": {kind: "off"}})
    before = gateway.metric("lockgate_careless_keys_total", **labels)
    with gateway.connect(name) as client:
        assert client.ask(request()).status == 200
    assert gateway.metric("lockgate_careless_keys_total", **labels) == before


def test_a_careless_upstream_is_refused_where_that_is_configured(
    gateway: Gateway, start_receiver: StartReceiver
) -> None:
    config = refusing(gateway, "lifetime")
    config["upstreams"] = copy.deepcopy(config["upstreams"])
    config["upstreams"]["warehouse"]["endpoints"] = [start_receiver("lasting-receiver").endpoint]
    reload(gateway, config)
    since = gateway.mark()
    with gateway.connect() as client:
        answer = client.ask(request())
    assert receipt_of(gateway, answer)["disposition"]["problem"] == "upstream-identity"
    assert gateway.wait_for("handshake_refused", since)["reason"] == "hygiene"


# --- our own -------------------------------------------------------------------------------------


def own(
    gateway: Gateway, later: timedelta = timedelta(0), longer: timedelta = timedelta(0)
) -> None:
    ours = party(gateway.folder, "own")
    again = rekeyed(authority_of(gateway.pki), ours, ours, later=later, longer=longer)
    (gateway.folder / "own.pem").write_bytes(again.certificate)


def test_a_renewal_of_ours_with_the_old_key_is_reported_or_refused(gateway: Gateway) -> None:
    own(gateway)
    since = gateway.mark()
    reload(gateway, gateway.config)
    line = gateway.wait_for("careless_key", since, side="identity")
    assert line["kind"] == "old_key"
    reload(gateway, refusing(gateway, "old_key"))
    own(gateway)
    since = gateway.mark()
    reload(gateway, gateway.config, 409)
    line = gateway.wait_for("reload_refused", since)
    assert "identity.certificate: old_key: another certificate with the key" in line["problem"]
    for kind in ("pem", "key"):
        renewed = gateway.pki / f"renewed-gateway.{kind}"
        (gateway.folder / f"renewed.{kind}").write_bytes(renewed.read_bytes())
    files = {"certificate": "file:renewed.pem", "key": "file:renewed.key"}
    reload(gateway, gateway.config | {"identity": gateway.config["identity"] | files})


def test_a_certificate_of_ours_that_lives_too_long_is_reported_or_refused(
    gateway: Gateway,
) -> None:
    own(gateway, longer=YEARS)
    since = gateway.mark()
    reload(gateway, gateway.config)
    line = gateway.wait_for("careless_key", since, side="identity", kind="lifetime")
    assert "is valid for 1398 days, more than 398" in line["detail"]
    checked = lockgate("check", gateway.path)
    assert "hygiene.lifetime: " in checked.stderr
    assert checked.returncode == 0
    reload(gateway, refusing(gateway, "lifetime"), 409)
    assert lockgate("check", gateway.path).returncode == 1
    identity = gateway.config["identity"] | {"max_lifetime": "1398d"}
    reload(gateway, refusing(gateway, "lifetime") | {"identity": identity})
