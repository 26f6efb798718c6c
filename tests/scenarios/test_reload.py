"""What a reload changes, what it cannot change, and who is let go by it."""

import copy
import json
import os
import shutil
import signal
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proxy.tls.credentials import Credentials
from proxy.tls.pki import CLIENT, issue
from tests.patience import PATIENCE
from tests.pki import make_crl
from tests.scenarios.client import Client, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.forms import BOTH_FORMS
from tests.scenarios.gateway import Gateway, lockgate, wait_until
from tests.scenarios.message import Broken
from tests.scenarios.parties import authority_of, put
from tests.scenarios.policy import STRANGER, policy
from tests.scenarios.proof import receipt_of
from tests.scenarios.receiver import Held, Receiver
from tests.tls.makers import odd_authority

workers = BOTH_FORMS


@pytest.fixture
def gateway(own_gateway: Gateway) -> Gateway:
    return own_gateway


@pytest.fixture(scope="module")
def started(parties: Path, start_gateway: StartGateway, shared_receiver: Receiver) -> Gateway:
    return start_gateway(policy(parties, shared_receiver.endpoint))


@pytest.fixture
def steadfast(started: Gateway, receiver: Receiver) -> Iterator[Gateway]:
    """A gateway whose reloads are all refused: so it serves the next test as it served this."""
    config = started.config
    yield started
    started.write(config)


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
        assert held.asked.wait(PATIENCE)
        config = copy.deepcopy(gateway.config)
        config["routes"][0]["request"]["content"] = ["ndjson"]
        gateway.write(config)
        reload(gateway, "reloaded")
        held.go.set()
        answer = client.answer()
        assert answer.status == 200
        assert receipt_of(gateway, answer)["policy"]["sha256"] == gateway.ready["config_sha256"]
        assert client.ask(request()).status == 415


@pytest.mark.parametrize("by", ["signal", "admin"])
def test_a_mistake_keeps_the_last_good_and_is_told_with_its_place(
    steadfast: Gateway, by: str
) -> None:
    gateway, since = steadfast, steadfast.mark()
    failed = gateway.metric("lockgate_config_reloads_total", result="failed")
    config = copy.deepcopy(gateway.config)
    config["routes"][0]["upstream"] = "nowhere"
    config["zonnes"] = {}
    gateway.write(config)
    if by == "signal":
        lines = reload(gateway, "reload_refused")
    else:
        assert gateway.admin("/reload", method="POST")[0] == 409
        gateway.wait_for("reload_refused", since)
        lines = gateway.logged("reload_refused", since)
    places = [str(line["problem"]).split(": ")[0] for line in lines]
    assert places
    for place in places:
        name, line, column = place.rsplit(":", 2)
        assert name == str(gateway.path)
        assert int(line) > 1
        assert int(column) >= 1
    assert gateway.metric("lockgate_config_reloads_total", result="failed") == failed + 1
    with gateway.connect() as client:
        answer = client.ask(request())
    assert receipt_of(gateway, answer)["policy"]["sha256"] == gateway.ready["config_sha256"]


def test_a_file_that_is_not_yaml_keeps_the_last_good(steadfast: Gateway) -> None:
    gateway = steadfast
    gateway.path.write_text("version: [1\n")
    reload(gateway, "reload_refused")
    gateway.path.unlink()
    reload(gateway, "reload_refused")
    with gateway.connect() as client:
        assert client.ask(request()).status == 200


def test_a_bundle_that_cannot_be_read_keeps_the_last_good_and_is_said(steadfast: Gateway) -> None:
    gateway, since = steadfast, steadfast.mark()
    failed = gateway.metric("lockgate_config_reloads_total", result="failed")
    (gateway.folder / "odd.pem").write_bytes(odd_authority().pem)
    config = copy.deepcopy(gateway.config)
    config["identity"]["trust"] = "file:odd.pem"
    gateway.write(config)
    (line,) = reload(gateway, "reload_refused")
    assert "identity.trust: a part of a trusted certificate does not parse" in str(line["problem"])
    assert gateway.metric("lockgate_config_reloads_total", result="failed") == failed + 1
    assert json.loads(gateway.admin("/status")[1])["reload"]["result"] == "failed"
    checked = lockgate("check", gateway.path)
    assert (checked.returncode, checked.stderr.count("Traceback")) == (1, 0)
    assert "identity.trust" in checked.stderr
    with gateway.connect() as client:
        assert client.ask(request()).status == 200
    assert not gateway.logged("internal", since)


def test_a_pipe_in_the_place_of_the_configuration_is_not_waited_for(steadfast: Gateway) -> None:
    gateway, config = steadfast, steadfast.path.read_bytes()
    gateway.path.unlink()
    os.mkfifo(gateway.path)
    try:
        reload(gateway, "reload_refused")
        with gateway.connect() as client:
            assert client.ask(request()).status == 200
    finally:
        gateway.path.unlink()
        gateway.path.write_bytes(config)


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_a_key_in_whose_place_is_no_file_keeps_the_last_good_and_is_said(
    gateway: Gateway, receiver: Receiver, kind: str
) -> None:
    key = gateway.folder / "own.key"
    shutil.copy(gateway.pki / "gateway.key", key)
    gateway.config["identity"]["key"] = "file:own.key"
    gateway.write(gateway.config)
    reload(gateway, "reloaded")
    key.unlink()
    if kind == "device":
        key.symlink_to("/dev/null")
    elif kind == "pipe":
        os.mkfifo(key)
    else:
        key.mkdir()
    (line,) = reload(gateway, "reload_refused")
    assert "identity.key: file:own.key" in str(line["problem"])
    with gateway.connect() as client:
        assert client.ask(request()).status == 200


@pytest.mark.parametrize("part", ["bind", "added", "receipts", "admin"])
def test_what_holds_sockets_and_keys_cannot_be_reloaded(steadfast: Gateway, part: str) -> None:
    gateway = steadfast
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
        assert held.asked.wait(PATIENCE)
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


def issue_brief(parties: Path, seconds: int) -> datetime:
    """Make `brief`, which has the names of `client`, and expires in so many seconds at most."""
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
    brief = issue(
        authority_of(parties), "client", usages=CLIENT,
        not_before=soon - timedelta(days=1), lifetime=timedelta(days=1),
    )  # fmt: skip
    put(parties, "brief", brief)
    return soon


def served_as_brief(gateway: Gateway, parties: Path) -> tuple[Client, datetime]:
    """Who was served by a certificate that still held, and until when it does: where the machine is
    too busy for that, by one that holds longer."""
    for seconds in (3, 20, 60):
        soon = issue_brief(parties, seconds)
        try:
            client = gateway.connect("brief")
        except OSError:
            continue
        try:
            assert client.ask(request()).status == 200
            return client, soon
        except (OSError, Broken):
            client.sock.close()
    raise AssertionError("it was never served")


def test_a_certificate_that_expires_ends_its_connection(gateway: Gateway, parties: Path) -> None:
    served, soon = served_as_brief(gateway, parties)
    with served as client:
        gateway.wait_for("transfer")
        wait_until(lambda: datetime.now(UTC) > soon)
        client.send(request())
        assert client.ended()
    assert len(gateway.logged("transfer")) == 1
