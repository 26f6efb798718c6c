"""Whom a route trusts within its listener, and how lists that are not fresh are reported."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from proxy.tls.pki import CLIENT, issue, make_authority
from tests.scenarios.client import request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway, lockgate
from tests.scenarios.leaving import reload
from tests.scenarios.parties import authority_of, put
from tests.scenarios.policy import policy, route, with_routes
from tests.scenarios.receiver import Receiver
from tests.tls.crls import HOUR, NOW, crl

STALE: dict[str, Any] = {"issued": NOW - 3 * HOUR, "until": NOW - HOUR}


@pytest.fixture(scope="module")
def folder(parties: Path) -> Path:
    """A second authority: its `near` has the names of `client`; and lists of both."""
    ours, near = authority_of(parties), make_authority("Near CA")
    put(parties, "near", issue(near, "client", usages=CLIENT))
    put(parties, "near-revoked", issue(near, "client", usages=CLIENT))
    ahead = crl(near, issued=NOW + HOUR / 2, until=NOW + 3 * HOUR)
    (parties / "near.crl").write_bytes(crl(near, issue(near, "nobody")) + ahead)
    (parties / "near-ca.pem").write_bytes(near.pem)
    (parties / "both.pem").write_bytes(ours.pem + near.pem)
    (parties / "stale.crl").write_bytes(crl(ours, **STALE) + crl(near))
    return parties


@pytest.fixture(scope="module")
def gateway(folder: Path, start_gateway: StartGateway, shared_receiver: Receiver) -> Gateway:
    narrow = route(
        "narrow", trust=f"file:{folder / 'near-ca.pem'}", crl=f"file:{folder / 'near.crl'}"
    )
    config = with_routes(
        policy(folder, shared_receiver.endpoint),
        narrow,
        route("wide"),
        route("cn", allow=[{"cn": "cli*"}]),
        route("ip", allow=[{"ip": "127.0.0.0/8", "dns": "client.lockgate.example"}]),
        route("ou", allow=[{"ou": "*e*"}, {"cn": "stranger"}]),
        route("denied", allow=[{"cn": "*t*"}], deny=[{"ip": "::1", "cn": "client"}]),
    )
    config["listeners"]["ingest"]["tls"] = {
        "trust": f"file:{folder / 'both.pem'}",
        "crl": f"file:{folder / 'stale.crl'}",
    }
    config["revocation"] = {"mode": "soft"}
    return start_gateway(config)


def test_a_route_narrows_the_trust_of_its_listener(gateway: Gateway) -> None:
    for name, expected in (("client", 403), ("near", 200)):
        with gateway.connect(name) as client:
            assert client.ask(request("/wide/1")).status == 200
            answer = client.ask(request("/narrow/1"))
            assert answer.status == expected, "the chain has to end at an authority of the route"
    with gateway.connect("client") as client:
        refused = client.ask(request("/narrow/1"))
        line = gateway.wait_for("transfer", transfer_id=refused.value("transfer-id"))
    assert json.loads(refused.body)["type"] == "urn:lockgate:problem:not-allowed"
    assert "trust of route narrow refuses the peer: untrusted" in line["reason"]
    assert "trust" not in refused.body.decode(), "the peer learns nothing of that"


@pytest.mark.parametrize(
    ("path", "client", "stranger"),
    [("cn", 200, 403), ("ip", 200, 403), ("ou", 403, 200), ("denied", 403, 200)],
)
def test_grants_name_addresses_and_subjects_every_key_must_hold_and_deny_beats_allow(
    gateway: Gateway, path: str, client: int, stranger: int
) -> None:
    for name, expected in (("client", client), ("stranger", stranger)):
        with gateway.connect(name) as sender:
            assert sender.ask(request(f"/{path}/1")).status == expected


def test_a_list_that_is_not_fresh_is_reported_by_name(gateway: Gateway, folder: Path) -> None:
    file = f"file:{folder / 'stale.crl'}"
    issuer = str(gateway.wait_for("crl_not_fresh")["issuer"])
    (line,) = gateway.logged("crl_not_fresh")
    assert (line["file"], line["state"]) == (file, "expired")
    assert issuer.startswith("CN=Lockgate throwaway CA")
    assert gateway.metric("lockgate_crl_fresh", file=file, issuer=issuer) == 0
    assert gateway.metric("lockgate_crl_fresh", file=file) == 1, "the other authority's is"
    moment = (NOW - HOUR).timestamp()
    expiry = "lockgate_crl_next_update_timestamp_seconds"
    assert gateway.metric(expiry, file=file, issuer=issuer) == moment
    status, said = gateway.admin("/readyz")
    assert status == 200, "what mode soft lets pass stops no transfer"
    assert said == f"ready\nwarning: crl-expired: {file}, {issuer}\n"
    lists = json.loads(gateway.admin("/status")[1])["crls"]
    assert sorted(each["state"] for each in lists) == ["expired", "fresh", "fresh"]


def test_soft_admits_a_peer_of_whom_nothing_is_known_and_says_so(gateway: Gateway) -> None:
    labels = {"side": "listener", "name": "ingest"}
    before = gateway.metric("lockgate_revocation_unknown_total", **labels)
    for _ in range(2):
        with gateway.connect("client") as client:
            assert client.ask(request("/wide/1")).status == 200
    gateway.wait_for_metric(before + 2, "lockgate_revocation_unknown_total", **labels)
    first = gateway.wait_for("revocation_unknown")
    assert "the list of its issuer is not fresh: CN=Lockgate" in first["reason"]
    lines = gateway.logged("revocation_unknown")
    assert len(lines) <= len(gateway.carriers), "once in each process, and not again and again"
    with gateway.connect("near") as client:
        assert client.ask(request("/wide/1")).status == 200
    assert gateway.metric("lockgate_revocation_unknown_total", **labels) == before + 2


def test_check_warns_of_a_list_that_has_expired(gateway: Gateway) -> None:
    done = lockgate("check", gateway.path)
    assert done.returncode == 0
    (line,) = [line for line in done.stderr.splitlines() if "crl-" in line]
    assert "crl-expired: file:" in line
    assert line.endswith("(warning crl-expired)")


def test_soft_goes_on_to_an_upstream_of_which_nothing_is_known_and_says_so(
    gateway: Gateway, folder: Path
) -> None:
    labels = {"side": "upstream", "name": "warehouse"}
    config, since = copy.deepcopy(gateway.config), gateway.mark()
    config["upstreams"]["warehouse"]["tls"] = {"crl": f"file:{folder / 'stale.crl'}"}
    reload(gateway, config)
    with gateway.connect("client") as client:
        assert client.ask(request("/wide/1")).status == 200
    line = gateway.wait_for("revocation_unknown", since, upstream="warehouse")
    assert "the list of its issuer is not fresh: CN=Lockgate" in line["reason"]
    gateway.wait_for_metric(1, "lockgate_revocation_unknown_total", **labels)
