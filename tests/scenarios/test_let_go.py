"""Who ceases to be acceptable while connected is cut off, in time, and the receipt says why."""

import contextlib
import copy
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.scenarios.client import Client, begun, chunk, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.forms import BOTH_FORMS
from tests.scenarios.gateway import Config, Gateway, wait_until
from tests.scenarios.leaving import (
    Withdraw,
    a_while,
    by_denial,
    by_list,
    by_nothing,
    by_pin,
    by_route,
    by_trust,
    reload,
    revoke,
    victim,
    with_lists,
)
from tests.scenarios.message import Broken
from tests.scenarios.parties import authority_of
from tests.scenarios.policy import policy
from tests.scenarios.proof import audit, receipt_of, receipts
from tests.scenarios.receiver import Exchange, Held, Receiver
from tests.scenarios.tunnels import Backend, dial, line_of, receipt, tunnels
from tests.tls.crls import crl

workers = BOTH_FORMS

WITHIN = 5.0
PIECE = chunk(b"x" * 65536)
OCTETS = "application/octet-stream"


@pytest.fixture(scope="module")
def started(parties: Path, start_gateway: StartGateway, shared_receiver: Receiver) -> Gateway:
    return start_gateway(with_lists(policy(parties, shared_receiver.endpoint), parties))


@pytest.fixture
def gateway(started: Gateway, receiver: Receiver) -> Iterator[Gateway]:
    """The module's, as it was, for each test."""
    config = started.config
    yield started
    revoke(started.pki)
    reload(started, config)


def uploading(gateway: Gateway, receiver: Receiver, name: str) -> Client:
    """A sender in the midst of an upload of which a part has crossed."""
    client, before = gateway.connect(name), receiver.octets
    client.send(begun("/files/1", kind=OCTETS))
    client.send(PIECE * 4)
    wait_until(lambda: receiver.octets - before > 65536)
    return client


def let_go(gateway: Gateway, side: str, reason: str) -> float:
    name = "lockgate_enforcement_seconds_count"
    return gateway.metric(name, side=side, reason=reason)


def in_time(gateway: Gateway, side: str, reason: str) -> float:
    """How many of them within the five seconds that are promised."""
    name = "lockgate_enforcement_seconds_bucket"
    return gateway.metric(name, side=side, reason=reason, le="5.0")


@pytest.mark.parametrize(
    ("withdraw", "code", "reason"),
    [
        (by_list, "certificate-revoked", "revoked"),
        (by_trust, "certificate-withdrawn", "untrusted"),
        (by_pin, "certificate-withdrawn", "pin"),
        (by_denial, "not-allowed", "grant"),
        (by_route, "not-allowed", "grant"),
        (by_nothing, "certificate-expired", "expired"),
    ],
)
def test_a_sender_that_ceases_to_be_acceptable_is_cut_off_in_the_midst_of_its_upload(
    gateway: Gateway, receiver: Receiver, withdraw: Withdraw, code: str, reason: str
) -> None:
    end = victim(gateway.pki, a_while(gateway) if withdraw is by_nothing else None)
    before, delivered = in_time(gateway, "listener", reason), len(receiver.received)
    with uploading(gateway, receiver, "victim") as client:
        withdraw(gateway)
        answer = client.answer()
        assert client.ended()
    if withdraw is by_nothing:
        assert end <= datetime.now(UTC) < end + timedelta(seconds=WITHIN)
    assert answer.status == 403
    predicate = receipt_of(gateway, answer)
    assert predicate["kind"] == "rejected"
    assert predicate["disposition"]["problem"] == code
    assert int(predicate["content"]["delivered"]["bytes"]) > 65536
    receiver.wait_until_broken(answer.value("transfer-id"))
    assert len(receiver.received) == delivered, "the upstream never sees a complete message"
    wait_until(lambda: in_time(gateway, "listener", reason) == before + 1)


def test_the_others_go_on(gateway: Gateway, receiver: Receiver) -> None:
    victim(gateway.pki)
    with (
        uploading(gateway, receiver, "victim") as client,
        uploading(gateway, receiver, "client") as other,
    ):
        by_list(gateway)
        assert client.answer().status == 403
        other.send(PIECE + b"0\r\n\r\n")
        assert other.answer().status == 200
    receiver.wait(lambda: bool(receiver.received))
    assert receiver.received[-1].size == 5 * 65536


@pytest.mark.parametrize("withdraw", [by_list, by_trust, by_pin, by_denial, by_route])
def test_an_idle_connection_of_one_who_is_not_acceptable_ends(
    gateway: Gateway, withdraw: Withdraw
) -> None:
    """At once, and not by the reset that comes when the time to enforce it is nearly over."""
    victim(gateway.pki)
    reload(gateway, gateway.config | {"revocation": {"enforce_within": "1h"}})
    with gateway.connect("victim") as client:
        assert client.ask(request()).status == 200
        withdraw(gateway)
        assert client.ended()


def test_one_who_was_granted_nothing_keeps_a_connection_that_a_reload_does_not_concern(
    gateway: Gateway,
) -> None:
    with gateway.connect("stranger") as client:
        assert client.ask(request()).status == 403
        config = copy.deepcopy(gateway.config)
        config["routes"][0]["deny"] = [{"dns": "nobody.example"}]
        reload(gateway, config)
        assert client.ask(request()).status == 403


def test_a_peer_whose_list_expires_is_let_go_by_the_clock(
    gateway: Gateway, receiver: Receiver
) -> None:
    victim(gateway.pki)
    now = datetime.now(UTC).replace(microsecond=0)
    until = now + timedelta(seconds=a_while(gateway))
    brief = crl(authority_of(gateway.pki), issued=now - timedelta(hours=1), until=until)
    (gateway.folder / "brief.crl").write_bytes(brief)
    config = copy.deepcopy(gateway.config)
    config["listeners"]["ingest"]["tls"] = {"crl": "file:brief.crl"}
    reload(gateway, config)
    with uploading(gateway, receiver, "victim") as client:
        since = gateway.mark()
        answer = client.answer()
        assert until <= datetime.now(UTC) < until + timedelta(seconds=WITHIN)
        line = gateway.wait_for("transfer", since, problem="certificate-withdrawn")
    assert receipt_of(gateway, answer)["disposition"]["problem"] == "certificate-withdrawn"
    assert "revocation_unknown: the list of its issuer is not fresh" in line["reason"]


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_transfer_is_cut_off_by_the_clock_of_the_trust_that_its_route_has_or_gets(
    gateway: Gateway, receiver: Receiver, when: str
) -> None:
    victim(gateway.pki)
    now = datetime.now(UTC).replace(microsecond=0)
    until = now + timedelta(seconds=1 + a_while(gateway))
    brief = crl(authority_of(gateway.pki), issued=now - timedelta(hours=1), until=until)
    (gateway.folder / "brief.crl").write_bytes(brief)
    config = copy.deepcopy(gateway.config)
    for route in config["routes"]:
        route |= {"trust": f"file:{gateway.pki / 'ca.pem'}", "crl": "file:brief.crl"}
    if when == "before":
        reload(gateway, config)
    before = let_go(gateway, "listener", "grant")
    with uploading(gateway, receiver, "victim") as client:
        if when == "meanwhile":
            reload(gateway, config)
        since = gateway.mark()
        assert client.answer().status == 403
        assert until <= datetime.now(UTC) < until + timedelta(seconds=WITHIN)
        line = gateway.wait_for("transfer", since, problem="not-allowed")
    assert "refuses the peer: revocation_unknown: the list of its issuer is not" in line["reason"]
    gateway.wait_for_metric(before + 1, "lockgate_enforcement_seconds_count",
                            side="listener", reason="grant")  # fmt: skip


def test_who_does_not_read_is_reset_in_time(gateway: Gateway, receiver: Receiver) -> None:
    """The answer is large, and nobody takes it: nothing but a reset ends that."""
    victim(gateway.pki)

    def pour(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n")
        exchange.send(b"Content-Type: application/octet-stream\r\n\r\n")
        while True:
            exchange.send(PIECE)

    receiver.behave = pour
    with gateway.connect("victim") as client:
        client.send(request("/files/1", kind=OCTETS))
        since, head = gateway.mark(), client.reader.head()
        before = in_time(gateway, "listener", "revoked")
        by_list(gateway)
        line = gateway.wait_for("transfer", since)
        gateway.wait_for_metric(0, "lockgate_connections", listener="ingest")
        assert in_time(gateway, "listener", "revoked") == before + 1
        with pytest.raises(Broken):
            client.reader.body(head, keep=False)
    assert (line["verdict"], line["problem"]) == ("delivered", "certificate-revoked")


def test_a_transfer_that_has_gone_whole_is_undecided_and_not_called_rejected(
    gateway: Gateway, receiver: Receiver
) -> None:
    victim(gateway.pki)
    held = receiver.behave = Held()
    with gateway.connect("victim") as client:
        client.send(request())
        assert held.asked.wait(PATIENCE)
        by_list(gateway)
        answer = client.answer()
        assert client.ended()
    held.go.set()
    predicate = receipt_of(gateway, answer)
    assert predicate["kind"] == "indeterminate"
    assert predicate["disposition"]["problem"] == "certificate-revoked"


# --- upstreams -----------------------------------------------------------------------------------


def test_an_upstream_that_is_revoked_in_the_midst_of_a_transfer_is_cut_off(
    gateway: Gateway, receiver: Receiver
) -> None:
    delivered, before = len(receiver.received), let_go(gateway, "upstream", "revoked")
    with uploading(gateway, receiver, "client") as client:
        revoke(gateway.pki, "receiver")
        reload(gateway)
        answer = client.answer()
    assert answer.status == 502
    predicate = receipt_of(gateway, answer)
    assert predicate["kind"] == "rejected"
    assert predicate["disposition"]["problem"] == "upstream-withdrawn"
    receiver.wait_until_broken(answer.value("transfer-id"))
    assert len(receiver.received) == delivered
    gateway.wait_for_metric(before + 1, "lockgate_enforcement_seconds_count",
                            side="upstream", reason="revoked")  # fmt: skip
    with gateway.connect() as client:
        again = client.ask(request())
    assert receipt_of(gateway, again)["disposition"]["problem"] == "upstream-identity"


@pytest.mark.parametrize(
    "change",
    [{"peer": {"spiffe": "spiffe://lockgate.example/other"}}, {"server_name": "other.example"}],
)
def test_an_upstream_that_is_no_longer_the_peer_is_cut_off(
    gateway: Gateway, receiver: Receiver, change: Config
) -> None:
    with uploading(gateway, receiver, "client") as client:
        config = copy.deepcopy(gateway.config)
        config["upstreams"]["warehouse"] |= change
        reload(gateway, config)
        answer = client.answer()
    assert receipt_of(gateway, answer)["disposition"]["problem"] == "upstream-withdrawn"


def test_an_upstream_that_is_called_otherwise_now_is_judged_as_that_and_cut_off_when_revoked(
    gateway: Gateway, receiver: Receiver
) -> None:
    with uploading(gateway, receiver, "client") as client:
        config = copy.deepcopy(gateway.config)
        config["upstreams"]["depot"] = config["upstreams"].pop("warehouse")
        for route in config["routes"]:
            route["upstream"] = "depot"
        reload(gateway, config)
        before = receiver.octets
        client.send(PIECE * 4)
        wait_until(lambda: receiver.octets - before > 65536)
        revoke(gateway.pki, "receiver")
        reload(gateway)
        answer = client.answer()
    assert receipt_of(gateway, answer)["disposition"]["problem"] == "upstream-withdrawn"


def test_an_idle_connection_to_an_upstream_is_not_used_when_its_list_has_expired(
    gateway: Gateway, receiver: Receiver
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    until = now + timedelta(seconds=a_while(gateway))
    brief = crl(authority_of(gateway.pki), issued=now - timedelta(hours=1), until=until)
    (gateway.folder / "brief.crl").write_bytes(brief)
    config = copy.deepcopy(gateway.config)
    config["upstreams"]["warehouse"]["tls"] = {"crl": "file:brief.crl"}
    config["upstreams"]["warehouse"]["limits"] = {"idle_timeout": "60s"}
    reload(gateway, config)
    before = let_go(gateway, "upstream", "expired")
    with gateway.connect() as client:
        assert client.ask(request()).status == 200
        wait_until(lambda: let_go(gateway, "upstream", "expired") == before + 1)
        assert until <= datetime.now(UTC) < until + timedelta(seconds=WITHIN)
        answer = client.ask(request())
    assert receipt_of(gateway, answer)["disposition"]["problem"] == "upstream-identity"


@pytest.mark.large
def test_a_client_that_is_revoked_in_an_upload_of_a_gigabyte_is_cut_off(
    gateway: Gateway, receiver: Receiver
) -> None:
    begun_there, since = threading.Event(), gateway.mark()
    delivered = len(receiver.received)

    def swallow(exchange: Exchange) -> None:
        begun_there.set()
        exchange.read(keep=False)

    receiver.behave = swallow
    victim(gateway.pki)
    with gateway.connect("victim") as client:
        client.send(begun("/files/1", kind=OCTETS).replace(
            b"Transfer-Encoding: chunked", b"Content-Length: %d" % 2**30
        ))  # fmt: skip
        piece = b"x" * 2**20
        for _ in range(512):
            client.send(piece)
        assert begun_there.wait(PATIENCE)
        before = in_time(gateway, "listener", "revoked")
        by_list(gateway)
        with contextlib.suppress(OSError):
            for _ in range(512):
                client.send(piece)
        with contextlib.suppress(Broken):  # a reset may overtake the answer
            assert client.answer().status == 403
        assert client.ended()
    wait_until(lambda: in_time(gateway, "listener", "revoked") == before + 1)
    line = gateway.wait_for("transfer", since)
    receiver.wait_until_broken(line["transfer_id"])
    assert len(receiver.received) == delivered
    (last,) = [each for each in receipts(gateway) if each["transferId"] == line["transfer_id"]]
    assert (last["kind"], last["disposition"]["problem"]) == ("rejected", "certificate-revoked")


# --- tunnels -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tunnelling(parties: Path, start_gateway: StartGateway, backend: Backend) -> Gateway:
    config = with_lists(tunnels(parties, backend.endpoint), parties)
    return start_gateway(config)


@pytest.mark.parametrize(
    ("withdraw", "code"),
    [
        (by_list, "certificate-revoked"),
        (by_denial, "not-allowed"),
        (by_nothing, "certificate-expired"),
    ],
)
def test_a_tunnel_ends_by_reset_when_its_sender_ceases_to_be_acceptable(
    tunnelling: Gateway, backend: Backend, withdraw: Withdraw, code: str
) -> None:
    gateway, config = tunnelling, tunnelling.config
    end = victim(gateway.pki, a_while(gateway) if withdraw is by_nothing else None)
    since = gateway.mark()
    with dial(gateway, "victim") as client:
        client.send(b"x" * 1000)
        assert client.exactly(1000)
        withdraw(gateway)
        client.require_broken()
    if withdraw is by_nothing:
        assert end <= datetime.now(UTC) < end + timedelta(seconds=WITHIN)
    line = line_of(gateway, since)
    assert (line["verdict"], line["problem"]) == ("rejected", code)
    found = receipt(gateway, line)
    assert (found["kind"], found["disposition"]["problem"]) == ("rejected", code)
    backend.settle()
    revoke(gateway.pki)
    reload(gateway, config)


def test_all_of_it_leaves_a_log_that_holds(gateway: Gateway) -> None:
    audit(gateway)
