"""What changes on the disk comes into force by itself, whole, or not at all; in both forms."""

import copy
import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.tls.credentials import Credentials, parse_chain
from proxy.tls.pki import SERVER, issue, make_authority
from tests.pki import make_crl
from tests.scenarios.client import request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Config, Gateway, wait_until
from tests.scenarios.message import Broken
from tests.scenarios.mounts import Mount
from tests.scenarios.parties import authority_of, pin, put
from tests.scenarios.policy import STRANGER, policy
from tests.scenarios.proof import events
from tests.scenarios.receiver import Exchange, Receiver
from tests.scenarios.test_reload import served_certificate

WATCHED = {"watch": True, "poll": "off", "settle": "0.05s"}
POLLED = {"watch": False, "poll": "0.1s", "settle": "0.05s"}


def pair(parties: Path, name: str) -> dict[str, bytes]:
    return {
        "tls.crt": (parties / f"{name}.pem").read_bytes(),
        "tls.key": (parties / f"{name}.key").read_bytes(),
    }


@pytest.fixture(scope="module")
def mount(parties: Path, tmp_path_factory: pytest.TempPathFactory) -> Mount:
    """Certificate, key, trust and CRL of the gateway."""
    files = pair(parties, "gateway")
    files["ca.crt"] = (parties / "ca.pem").read_bytes()
    files["ca.crl"] = make_crl(authority_of(parties))
    return Mount(tmp_path_factory.mktemp("mounted") / "secrets", files)


@pytest.fixture(scope="module")
def started(
    start_gateway: StartGateway, mount: Mount, parties: Path, shared_receiver: Receiver
) -> Gateway:
    def file(name: str) -> str:
        return f"file:{mount.folder / name}"

    names = {"certificate": "tls.crt", "key": "tls.key", "trust": "ca.crt", "crl": "ca.crl"}
    identity = {key: file(name) for key, name in names.items()}
    changes = {"identity": identity, "reload": WATCHED}
    return start_gateway(policy(parties, shared_receiver.endpoint, **changes))


@pytest.fixture(scope="module")
def config(started: Gateway) -> Config:
    """What the gateway was started with."""
    return copy.deepcopy(started.config)


@pytest.fixture
def gateway(started: Gateway, mount: Mount, parties: Path, receiver: Receiver) -> Gateway:
    """The module's gateway, with what it began with in force again."""
    files = pair(parties, "gateway")
    files["ca.crt"] = (parties / "ca.pem").read_bytes()
    files["ca.crl"] = make_crl(authority_of(parties))
    since = started.mark()
    mount.swap(files)
    started.wait_for("reloaded", since)  # the CRL is another one each time
    return started


def leaf(parties: Path, name: str) -> bytes:
    return parse_chain((parties / f"{name}.pem").read_bytes())[0].public_bytes(Encoding.DER)


def serves(gateway: Gateway, name: str) -> bool:
    with gateway.connect() as client:
        assert client.ask(request()).status == 200
        return served_certificate(gateway, client) == leaf(gateway.pki, name)


def test_a_folder_that_is_swapped_by_a_link_is_one_change(
    gateway: Gateway, mount: Mount, parties: Path
) -> None:
    assert serves(gateway, "gateway")
    since = gateway.mark()
    mount.swap(pair(parties, "renewed-gateway"))
    line = gateway.wait_for("reloaded", since)
    assert serves(gateway, "renewed-gateway")
    assert line["by"] == "disk"
    changed = sorted(str(name).rsplit("/", 1)[1] for name in line["changed"])
    assert changed == ["tls.crt", "tls.key"]
    assert not gateway.logged("reload_waits", since)
    assert not gateway.logged("reload_refused", since)


def test_the_next_transfer_goes_to_the_upstream_with_the_new_certificate(
    gateway: Gateway, mount: Mount, parties: Path, receiver: Receiver
) -> None:
    seen: list[bytes | None] = []

    def behave(exchange: Exchange) -> None:
        seen.append(exchange.sock.getpeercert(binary_form=True))  # type: ignore[attr-defined]
        exchange.answer()

    receiver.behave = behave
    with gateway.connect() as client:
        assert client.ask(request()).status == 200
        since = gateway.mark()
        mount.swap(pair(parties, "renewed-gateway"))
        gateway.wait_for("reloaded", since)
        assert client.ask(request()).status == 200, "the sender's connection stays"
    assert seen == [leaf(parties, "gateway"), leaf(parties, "renewed-gateway")]


@pytest.mark.parametrize("first", ["tls.crt", "tls.key"])
def test_half_of_a_pair_waits_for_the_other_and_the_last_good_stays(
    gateway: Gateway, mount: Mount, parties: Path, first: str
) -> None:
    new = pair(parties, "renewed-gateway")
    since = gateway.mark()
    mount.swap({first: new.pop(first)})
    gateway.wait_for("reload_waits", since)
    assert serves(gateway, "gateway")
    assert json.loads(gateway.admin("/status")[1])["reload"]["result"] == "waiting"
    mount.swap(new)
    gateway.wait_for("reloaded", since)
    assert serves(gateway, "renewed-gateway")
    assert not gateway.logged("reload_refused", since)


def test_half_of_a_pair_is_told_at_once_to_who_asks(
    gateway: Gateway, mount: Mount, parties: Path
) -> None:
    since = gateway.mark()
    mount.swap({"tls.crt": pair(parties, "renewed-gateway")["tls.crt"]})
    gateway.wait_for("reload_waits", since)
    assert gateway.admin("/reload", method="POST")[0] == 409
    assert "does not belong" in str(gateway.wait_for("reload_refused", since)["problem"])
    mount.swap(pair(parties, "gateway"))
    gateway.wait_for("reload_recovered", since)


def test_a_crl_that_is_replaced_is_in_force_for_the_next_handshake(
    gateway: Gateway, mount: Mount, parties: Path
) -> None:
    with gateway.connect("stranger") as client:
        assert client.ask(request()).status == 403
    stranger = Credentials((parties / "stranger.pem").read_bytes(), b"")
    since = gateway.mark()
    mount.swap({"ca.crl": make_crl(authority_of(parties), [stranger])})
    gateway.wait_for("reloaded", since)
    with gateway.connect("stranger") as client, pytest.raises((OSError, Broken)):
        client.ask(request())
    assert gateway.wait_for("handshake_refused", since)["reason"] == "revoked"


def test_trust_that_is_replaced_is_in_force_for_the_next_handshake(
    gateway: Gateway, mount: Mount, parties: Path
) -> None:
    since = gateway.mark()
    mount.swap({"ca.crt": make_authority("Another CA").pem})
    gateway.wait_for("reloaded", since)
    with gateway.connect() as client, pytest.raises((OSError, Broken)):
        client.ask(request())
    assert gateway.wait_for("handshake_refused", since)["reason"] == "untrusted"


def test_a_peer_that_had_just_shaken_hands_is_served_once_when_trust_changes(
    gateway: Gateway, mount: Mount, parties: Path
) -> None:
    """It cannot know why it should try again; one that was served before can, and is let go."""
    with gateway.connect() as served, gateway.connect() as new:
        assert served.ask(request()).status == 200
        gateway.wait_for_metric(2, "lockgate_connections", listener="ingest")
        since = gateway.mark()
        mount.swap({"ca.crl": make_crl(authority_of(parties))})
        gateway.wait_for("reloaded", since)
        assert served.ended()
        answer = new.ask(request())
        assert (answer.status, answer.value("connection")) == (200, "close")
        assert new.ended()


def test_a_broken_file_is_told_once_and_again_when_it_is_another_trouble_or_none(
    gateway: Gateway, mount: Mount, parties: Path
) -> None:
    failed = gateway.metric("lockgate_config_reloads_total", result="failed")
    since = gateway.mark()
    good = (mount.folder / "ca.crl").read_bytes()
    mount.swap({"ca.crl": good[: len(good) // 2]})
    line = gateway.wait_for("reload_refused", since)
    assert "identity.crl" in str(line["problem"])
    mount.swap({"ca.crl": good[: len(good) // 3]})
    mount.swap({"ca.crl": good[: len(good) // 3], "ca.crt": b"nothing"})
    gateway.wait_for_count("reload_refused", 2, since)
    first, second = gateway.logged("reload_refused", since)
    assert "identity.crl" in str(first["problem"])
    assert "identity.trust" in str(second["problem"])
    shown = json.loads(gateway.admin("/status")[1])["reload"]
    assert shown["result"] == "failed"
    assert sorted(shown["problems"]) == sorted([first["problem"], second["problem"]])
    assert gateway.metric("lockgate_config_problems") == 2
    assert gateway.metric("lockgate_config_reloads_total", result="failed") == failed + 2
    assert gateway.admin("/readyz")[0] == 200, "the last good is good"
    assert serves(gateway, "gateway")
    mount.swap({"ca.crl": good, "ca.crt": (parties / "ca.pem").read_bytes()})
    gateway.wait_for("reload_recovered", since)
    assert gateway.metric("lockgate_config_problems") == 0
    assert json.loads(gateway.admin("/status")[1])["reload"]["problems"] == []
    assert not gateway.logged("reloaded", since), "what was in force all the time is no change"


def test_a_broken_file_that_is_replaced_by_another_good_one_comes_into_force(
    gateway: Gateway, mount: Mount, parties: Path
) -> None:
    since = gateway.mark()
    mount.swap({"tls.crt": b"-----BEGIN CERTIFICATE-----\n"})
    gateway.wait_for("reload_refused", since)
    mount.swap(pair(parties, "renewed-gateway"))
    gateway.wait_for("reload_recovered", since)
    gateway.wait_for("reloaded", since)
    assert serves(gateway, "renewed-gateway")


def test_a_configuration_that_changes_is_in_force_without_a_signal(
    gateway: Gateway, config: Config
) -> None:
    with gateway.connect("stranger") as client:
        assert client.ask(request()).status == 403
        changed = copy.deepcopy(config)
        changed["routes"][0]["allow"] = [STRANGER]
        since = gateway.mark()
        gateway.write(changed)
        line = gateway.wait_for("reloaded", since)
        assert line["changed"] == ["configuration"]
        assert client.ask(request()).status == 200
        gateway.write(config)
        gateway.wait_for_count("reloaded", 2, since)


def test_a_file_that_only_a_broken_configuration_names_heals_it_when_it_comes(
    gateway: Gateway, config: Config, parties: Path
) -> None:
    """The configuration came first, and its new trust bundle after it."""
    changed = copy.deepcopy(config)
    changed["listeners"]["ingest"]["tls"] = {"trust": "file:later.pem"}
    since = gateway.mark()
    gateway.write(changed)
    assert "file:later.pem" in str(gateway.wait_for("reload_refused", since)["problem"])
    (gateway.folder / "later.pem").write_bytes((parties / "ca.pem").read_bytes())
    gateway.wait_for("reloaded", since)
    gateway.write(config)
    gateway.wait_for_count("reloaded", 2, since)


def all_noted(gateway: Gateway) -> int:
    """How many reloads there were, once all of them are in the log of receipts: a moment later."""
    made = len(gateway.logged("reloaded", gateway.first))
    wait_until(lambda: len(events(gateway, "reload")) == made)
    return made


def test_the_same_octets_written_anew_are_no_change(gateway: Gateway, mount: Mount) -> None:
    made, since = all_noted(gateway), gateway.mark()
    mount.swap({})
    gateway.path.write_bytes(gateway.path.read_bytes())
    os.utime(gateway.path)
    gateway.process.send_signal(signal.SIGHUP)
    assert gateway.wait_for("reload_unchanged", since)["by"] == "signal"
    assert gateway.admin("/reload", method="POST") == (200, "reloaded\n")
    assert not gateway.logged("reloaded", since)
    assert len(events(gateway, "reload")) == made


def test_the_log_of_receipts_says_which_credentials_came_into_force(
    gateway: Gateway, mount: Mount, parties: Path
) -> None:
    before = all_noted(gateway)
    mount.swap(pair(parties, "renewed-gateway"))
    wait_until(lambda: len(events(gateway, "reload")) > before)
    last = events(gateway, "reload")[-1]["details"]
    assert last["from"] == last["to"] == gateway.ready["config_sha256"]
    assert last["credentials"]["from"] != last["credentials"]["to"]


def test_what_the_kernel_does_not_tell_is_found_by_looking(
    start_gateway: StartGateway, parties: Path, receiver: Receiver
) -> None:
    config = policy(parties, receiver.endpoint, reload=POLLED)
    polled = start_gateway(config)
    since = polled.mark()
    changed = copy.deepcopy(config)
    changed["routes"] = []
    polled.write(changed)
    polled.wait_for("reloaded", since)
    with polled.connect() as client:
        assert client.ask(request()).status == 404


def test_with_watch_and_poll_off_only_a_signal_reloads(
    start_gateway: StartGateway, parties: Path, receiver: Receiver
) -> None:
    quiet = start_gateway(policy(parties, receiver.endpoint))
    config = quiet.config
    quiet.write(config | {"routes": []})
    quiet.write(config | {"routes": [], "reload": WATCHED})
    with quiet.connect() as client:
        assert client.ask(request()).status == 200
    since = quiet.mark()
    quiet.process.send_signal(signal.SIGHUP)
    assert quiet.wait_for("reloaded", since)["by"] == "signal"
    quiet.write(config)
    quiet.wait_for_count("reloaded", 2, since)
    assert len(quiet.logged("reloaded", by="disk")) == 1, "from then on it is watched"


def test_the_certificate_of_an_upstream_may_change_with_the_pins_that_name_it(
    gateway: Gateway, config: Config, parties: Path
) -> None:
    """An unknown pin refuses the upstream, and the right one beside it lets it in again."""
    put(parties, "unused-receiver", issue(authority_of(parties), "receiver", usages=SERVER))
    pinned = copy.deepcopy(config)
    for pins, status in (
        ([pin(parties, "unused-receiver")], 502),
        ([pin(parties, "unused-receiver"), pin(parties, "receiver")], 200),
    ):
        pinned["upstreams"]["warehouse"]["pins"] = pins
        since = gateway.mark()
        gateway.write(pinned)
        gateway.wait_for("reloaded", since)
        with gateway.connect() as client:
            assert client.ask(request()).status == status
    since = gateway.mark()
    gateway.write(config)
    gateway.wait_for("reloaded", since)


def test_who_still_presents_an_old_key_is_told_by_route(
    gateway: Gateway, config: Config, parties: Path
) -> None:
    pinned = copy.deepcopy(config)
    pins = [pin(parties, "renewed-client"), pin(parties, "client")]
    pinned["routes"][0]["allow"] = [{"pins": pins}]
    pinned["upstreams"]["warehouse"]["pins"] = [pin(parties, "receiver")]
    since = gateway.mark()
    gateway.write(pinned)
    gateway.wait_for("reloaded", since)
    old, new, theirs = (
        {"route": "orders", "side": side, "position": str(position)}
        for side, position in (("sender", 1), ("sender", 0), ("receiver", 0))
    )
    counted = "lockgate_pinned_transfers_total"
    before = [gateway.metric(counted, **labels) for labels in (old, new, theirs)]
    for name in ("client", "client", "renewed-client"):
        with gateway.connect(name) as client:
            assert client.ask(request()).status == 200
    after = [gateway.metric(counted, **labels) for labels in (old, new, theirs)]
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1, 3]
    rows = json.loads(gateway.admin("/status")[1])["pins"]
    shown = {(row["side"], row["pin"]): (row["position"], list(row["peers"])) for row in rows}
    assert shown == {
        ("sender", pins[0]): (0, ["spiffe://lockgate.example/client"]),
        ("sender", pins[1]): (1, ["spiffe://lockgate.example/client"]),
        ("receiver", pin(parties, "receiver")): (0, ["spiffe://lockgate.example/receiver"]),
    }
    since = gateway.mark()
    gateway.write(config)
    gateway.wait_for("reloaded", since)
    assert json.loads(gateway.admin("/status")[1])["pins"] == []


def test_each_certificate_in_use_is_shown_with_its_days_number_and_pin(
    gateway: Gateway, mount: Mount, parties: Path
) -> None:
    for name in ("gateway", "renewed-gateway"):
        if not serves(gateway, name):
            since = gateway.mark()
            mount.swap(pair(parties, name))
            gateway.wait_for("reloaded", since)
        (certificate, *_) = parse_chain((parties / f"{name}.pem").read_bytes())
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        (shown,) = [
            each
            for each in json.loads(gateway.admin("/status")[1])["certificates"]
            if each["role"] == "identity"
        ]
        assert shown["serial"] == f"{certificate.serial_number:x}"
        assert shown["pin"] == pin(parties, name)
        assert shown["not_before"] == f"{begin:%Y-%m-%dT%H:%M:%SZ}"
        assert shown["not_after"] == f"{end:%Y-%m-%dT%H:%M:%SZ}"
        for kind, moment in (("not_before", begin), ("expiry", end)):
            metric = f"lockgate_certificate_{kind}_timestamp_seconds"
            assert gateway.metric(metric, role="identity") == moment.timestamp()
        labels = {"serial": shown["serial"], "pin": shown["pin"]}
        assert gateway.metric("lockgate_certificate_info", **labels) == 1
    assert gateway.metric("lockgate_clock_timestamp_seconds") > 1.7e9
    before = datetime.now(UTC)
    status = json.loads(gateway.admin("/status")[1])
    assert before <= datetime.fromisoformat(status["clock"]) <= datetime.now(UTC)
    last = status["reload"]
    assert (last["result"], last["by"]) == ("ok", "disk")
    assert gateway.metric("lockgate_config_reload_timestamp_seconds", result="ok") > 1.7e9
