"""The process: how it stops, what a reload changes, what is known after a restart or a crash."""

import copy
import json
import shutil
import signal
import ssl
import threading
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proxy.tls.credentials import Credentials
from proxy.tls.pki import CLIENT, issue, make_crl
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Client, Gateway, chunk, lockgate, request, wait_until
from tests.scenarios.message import Broken
from tests.scenarios.parties import authority_of, put
from tests.scenarios.policy import STRANGER, policy, route, with_routes
from tests.scenarios.proof import audit, receipt_of, receipts
from tests.scenarios.receiver import OK, Exchange, Receiver


@pytest.fixture
def gateway(start_gateway: StartGateway, receiver: Receiver, parties: Path) -> Gateway:
    """A gateway for this test alone."""
    once = route("once", replay={"require": "transfer-id", "window": "5m"})
    config = with_routes(policy(parties, receiver.endpoint), once)
    config["shutdown"] = {"drain": "10s"}
    return start_gateway(config)


class Held:
    """An upstream that answers when it is let go."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        exchange.read()
        self.asked.set()
        self.go.wait(30)
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        exchange.send(b"Content-Length: %d\r\n\r\n" % len(OK) + OK)


# --- stopping ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_what_is_idle_and_waits_for_what_is_not(
    gateway: Gateway, receiver: Receiver, number: int
) -> None:
    held = receiver.behave = Held()
    with gateway.connect() as idle, gateway.connect() as unused, gateway.connect() as busy:
        idle_answer = idle.ask(request("/nowhere"))
        assert idle_answer.status == 404
        busy.send(request())
        assert held.asked.wait(10)
        gateway.process.send_signal(number)
        assert idle.ended()
        assert unused.ended()
        gateway.wait_for("draining")
        assert gateway.admin("/readyz")[0] == 503
        assert gateway.admin("/healthz")[0] == 200
        held.go.set()
        answer = busy.answer()
        assert (answer.status, answer.body) == (200, OK)
        assert receipt_of(gateway, answer)["kind"] == "delivered"
        assert answer.values("connection") in ([], ["close"])
        assert busy.ended()
        assert gateway.process.wait(15) == 0
    assert gateway.wait_for("stopped")["in_time"] is True
    audit(gateway)


def test_no_new_connection_is_taken_while_draining(gateway: Gateway, receiver: Receiver) -> None:
    held = receiver.behave = Held()
    with gateway.connect() as busy:
        busy.send(request())
        assert held.asked.wait(10)
        gateway.process.send_signal(signal.SIGTERM)
        gateway.wait_for("draining")
        with pytest.raises(OSError, match=r"refused|reset|EOF|timed out"):
            gateway.connect().ask(request())
        held.go.set()
        assert busy.answer().status == 200
    assert gateway.process.wait(15) == 0


def test_a_transfer_that_outlasts_the_deadline_is_cut_off_with_its_verdict(
    gateway: Gateway, receiver: Receiver
) -> None:
    gateway.close()
    gateway.write(gateway.config | {"shutdown": {"drain": "500ms"}})
    gateway.start()
    held = receiver.behave = Held()
    head, _, _ = request("/files/1", [], kind="a/b").partition(b"0\r\n")
    with gateway.connect() as asking, gateway.connect() as sending:
        asking.send(request())
        assert held.asked.wait(10)
        sending.send(head + chunk(b"x" * 100000))
        gateway.wait_for_metric(2, "lockgate_transfers_in_flight")
        gateway.process.send_signal(signal.SIGTERM)
        for client in (asking, sending):
            with pytest.raises(Broken):
                client.answer()
        assert gateway.process.wait(15) == 1
    held.go.set()
    gateway.wait_for("drain_deadline")
    assert gateway.wait_for("stopped")["in_time"] is False
    ends = {
        line["route"]: (line["verdict"], line["problem"]) for line in gateway.logged("transfer")
    }
    assert ends == {"orders": ("indeterminate", "cut-off"), "files": ("failed", "cut-off")}
    kinds = {each["request"]["route"]: each["kind"] for each in receipts(gateway)}
    assert kinds == {"orders": "indeterminate", "files": "failed"}
    audit(gateway)


# --- reload --------------------------------------------------------------------------------------


def reload(gateway: Gateway, outcome: str) -> list[dict[str, object]]:
    """SIGHUP, and what the log says of it."""
    since = gateway.mark()
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_for(outcome, since)
    return gateway.logged(outcome, since)


def test_a_reload_is_in_force_for_the_next_transfer_of_the_same_connection(
    gateway: Gateway, receiver: Receiver
) -> None:
    with gateway.connect("stranger") as client:
        before = client.ask(request())
        assert before.status == 403
        config = copy.deepcopy(gateway.config)
        config["routes"][0]["allow"] = [STRANGER]
        gateway.write(config)
        (line,) = reload(gateway, "reloaded")
        after = client.ask(request())
    assert after.status == 200
    policies = [receipt_of(gateway, each)["policy"]["sha256"] for each in (before, after)]
    assert policies == [gateway.ready["config_sha256"], line["config_sha256"]]
    assert policies[0] != policies[1]
    assert gateway.metric("lockgate_config_reloads_total", result="ok") == 1
    assert gateway.metric("lockgate_config_info", sha256=policies[1]) == 1
    assert json.loads(gateway.admin("/status")[1])["revision"] == policies[1]


def test_a_transfer_keeps_the_policy_with_which_it_began(
    gateway: Gateway, receiver: Receiver
) -> None:
    held = receiver.behave = Held()
    with gateway.connect() as client:
        client.send(request())
        assert held.asked.wait(10)
        gateway.write(gateway.config | {"routes": []})
        reload(gateway, "reloaded")
        held.go.set()
        answer = client.answer()
        assert answer.status == 200
        assert receipt_of(gateway, answer)["policy"]["sha256"] == gateway.ready["config_sha256"]
        assert client.ask(request()).status == 404


@pytest.mark.parametrize("by", ["signal", "admin"])
def test_a_mistake_keeps_the_last_good_and_is_told_with_its_place(
    gateway: Gateway, by: str
) -> None:
    config = copy.deepcopy(gateway.config)
    config["routes"][0]["upstream"] = "nowhere"
    config["zonnes"] = {}
    gateway.write(config)
    if by == "signal":
        lines = reload(gateway, "reload_refused")
    else:
        assert gateway.admin("/reload", method="POST")[0] == 409
        gateway.wait_for("reload_refused")
        lines = gateway.logged("reload_refused")
    places = [str(line["problem"]).split(": ")[0] for line in lines]
    assert places
    for place in places:
        name, line, column = place.rsplit(":", 2)
        assert name == str(gateway.path)
        assert int(line) > 1
        assert int(column) >= 1
    assert gateway.metric("lockgate_config_reloads_total", result="failed") == 1
    with gateway.connect() as client:
        answer = client.ask(request())
    assert receipt_of(gateway, answer)["policy"]["sha256"] == gateway.ready["config_sha256"]


def test_a_file_that_is_not_yaml_keeps_the_last_good(gateway: Gateway) -> None:
    gateway.path.write_text("version: [1\n")
    reload(gateway, "reload_refused")
    gateway.path.unlink()
    reload(gateway, "reload_refused")
    with gateway.connect() as client:
        assert client.ask(request()).status == 200


@pytest.mark.parametrize("part", ["bind", "added", "receipts", "admin"])
def test_what_holds_sockets_and_keys_cannot_be_reloaded(gateway: Gateway, part: str) -> None:
    config = copy.deepcopy(gateway.config)
    if part == "bind":
        config["listeners"]["ingest"]["bind"] = "127.0.0.1:1"
    elif part == "added":
        config["listeners"]["other"] = config["listeners"]["ingest"]
    elif part == "receipts":
        config["receipts"]["store"] = "elsewhere"
    else:
        config["admin"]["bind"] = "127.0.0.1:1"
    gateway.write(config)
    (line,) = reload(gateway, "reload_refused")
    assert "restart" in str(line["problem"])
    with gateway.connect() as client:
        assert client.ask(request()).status == 200


def served_certificate(gateway: Gateway, client: Client) -> bytes:
    assert isinstance(client.sock, ssl.SSLSocket)
    return client.sock.getpeercert(binary_form=True) or b""


def test_a_new_certificate_is_served_to_new_connections(
    gateway: Gateway, receiver: Receiver, parties: Path
) -> None:
    for kind in ("pem", "key"):
        shutil.copy(parties / f"gateway.{kind}", gateway.folder / f"own.{kind}")
    identity = gateway.config["identity"]
    identity |= {"certificate": "file:own.pem", "key": "file:own.key"}
    gateway.write(gateway.config)
    reload(gateway, "reloaded")
    with gateway.connect() as old:
        before = served_certificate(gateway, old)
        for kind in ("pem", "key"):
            shutil.copy(parties / f"renewed-gateway.{kind}", gateway.folder / f"own.{kind}")
        reload(gateway, "reloaded")
        assert old.ask(request()).status == 200
        with gateway.connect() as new:
            assert served_certificate(gateway, new) != before
            assert new.ask(request()).status == 200
    (gateway.folder / "own.key").write_bytes((parties / "client.key").read_bytes())
    reload(gateway, "reload_refused")
    with gateway.connect() as client:
        assert client.ask(request()).status == 200


def test_a_peer_that_was_revoked_does_not_keep_its_connection(
    gateway: Gateway, receiver: Receiver, parties: Path
) -> None:
    authority = authority_of(parties)
    crl = gateway.folder / "ca.crl"
    crl.write_bytes(make_crl(authority))
    gateway.config["identity"]["crl"] = "file:ca.crl"
    gateway.write(gateway.config)
    reload(gateway, "reloaded")
    with gateway.connect("stranger") as idle, gateway.connect() as busy:
        assert idle.ask(request()).status == 403
        held = receiver.behave = Held()
        busy.send(request())
        assert held.asked.wait(10)
        stranger = Credentials((parties / "stranger.pem").read_bytes(), b"")
        crl.write_bytes(make_crl(authority, [stranger]))
        reload(gateway, "reloaded")
        assert idle.ended()
        held.go.set()
        assert busy.answer().status == 200, "a transfer under way goes on to its end"
        assert busy.ended()
    since = gateway.mark()
    with gateway.connect("stranger") as refused, pytest.raises((OSError, Broken)):
        refused.ask(request())
    assert gateway.wait_for("handshake_refused", since)["reason"] == "revoked"
    with gateway.connect() as client:
        assert client.ask(request()).status == 200


def test_a_certificate_that_expires_ends_its_connection(gateway: Gateway, parties: Path) -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
    brief = issue(
        authority_of(parties), "client", usages=CLIENT,
        not_before=soon - timedelta(days=1), lifetime=timedelta(days=1),
    )  # fmt: skip
    put(parties, "brief", brief)
    with gateway.connect("brief") as client:
        assert client.ask(request()).status == 200
        wait_until(lambda: datetime.now(UTC) > soon)
        client.send(request())
        assert client.ended()
    assert len(gateway.logged("transfer")) == 1


# --- restarts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_delivered_id_stays_used_up_over_a_restart(gateway: Gateway, number: int) -> None:
    sent = request("/once/1", b"{}", f"Transfer-Id: {uuid.uuid4()}")
    with gateway.connect() as client:
        assert client.ask(sent).status == 200
    gateway.stop(number)
    gateway.start()
    with gateway.connect() as client:
        answer = client.ask(sent)
        assert answer.status == 409
        assert b"replayed" in answer.body
        other = request("/once/1", b"{}", f"Transfer-Id: {uuid.uuid4()}")
        assert client.ask(other).status == 200
    gateway.stop()
    audit(gateway)


def test_a_crash_in_mid_transfer_leaves_one_undecided_verdict_for_each(
    gateway: Gateway, receiver: Receiver
) -> None:
    held = receiver.behave = Held()
    receiver.octets = 0
    ids = [str(uuid.uuid4()) for _ in range(3)]
    head, _, _ = request("/files/1", [], f"Transfer-Id: {ids[1]}", kind="a/b").partition(b"0\r\n")
    with gateway.connect() as first, gateway.connect() as second, gateway.connect() as third:
        first.send(request("/once/1", b"{}", f"Transfer-Id: {ids[0]}"))
        assert held.asked.wait(10)
        second.send(head + chunk(b"x" * 100000))
        third.send(request("/orders/1", [], f"Transfer-Id: {ids[2]}").removesuffix(b"0\r\n\r\n"))
        gateway.wait_for_metric(3, "lockgate_transfers_in_flight")
        wait_until(lambda: receiver.octets > 100000)
        gateway.stop(signal.SIGKILL)
        for client in (first, second, third):
            with pytest.raises(Broken):
                client.answer()
    held.go.set()
    receiver.behave = Exchange.answer
    for restarts in range(2):
        gateway.start()
        kinds = Counter((each["transferId"], each["kind"]) for each in receipts(gateway))
        assert kinds[ids[0], "indeterminate"] == 1
        assert kinds[ids[1], "indeterminate"] == 1
        assert sum(kinds.values()) == 2, "the third had sent nothing on"
        if not restarts:
            gateway.stop()
    with gateway.connect() as client:
        again = client.ask(request("/once/1", b"{}", f"Transfer-Id: {ids[0]}"))
    assert again.status == 200, "only a delivery uses an id up"
    predicate = receipt_of(gateway, again)
    assert (predicate["attempt"], predicate["kind"]) == ("2", "delivered")
    gateway.stop()
    audit(gateway)


# --- what keeps it from starting ------------------------------------------------------------------


def test_a_store_in_use_is_refused_in_one_line(gateway: Gateway) -> None:
    done = lockgate("run", gateway.path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("door", ["listener", "admin", "metrics"])
def test_an_address_in_use_is_refused_in_one_line(gateway: Gateway, door: str) -> None:
    config = copy.deepcopy(gateway.config)
    taken = {"bind": gateway.ready["admin"]}
    config["receipts"]["store"] = "another"
    if door == "listener":
        config["listeners"]["ingest"] |= taken
    else:
        config[door] = taken
    path = gateway.folder / "other.yaml"
    path.write_text(json.dumps(config))
    done = lockgate("run", path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert "in use" in line.lower()


def test_every_mistake_is_told_before_a_socket_is_opened(gateway: Gateway) -> None:
    path = gateway.folder / "bad.yaml"
    path.write_text(json.dumps(gateway.config | {"version": 2, "colour": "red"}, indent=1))
    for command in ("run", "check"):
        done = lockgate(command, path)
        assert done.returncode == 1
        assert len([line for line in done.stderr.splitlines() if f"{path}:" in line]) == 2
