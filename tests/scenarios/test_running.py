"""How the process stops, and what keeps it from starting."""

import copy
import json
import signal
import socket
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.scenarios.client import begun, chunk, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.forms import BOTH_FORMS
from tests.scenarios.gateway import Gateway, lockgate, wait_until
from tests.scenarios.message import Broken
from tests.scenarios.policy import policy
from tests.scenarios.proof import audit, receipt_of, receipts
from tests.scenarios.receiver import OK, Held, Receiver

workers = BOTH_FORMS


@pytest.fixture
def gateway(own_gateway: Gateway) -> Gateway:
    return own_gateway


@pytest.fixture(scope="module")
def first(parties: Path, start_gateway: StartGateway, shared_receiver: Receiver) -> Gateway:
    """The gateway that is there already, and whom the second does not disturb."""
    return start_gateway(policy(parties, shared_receiver.endpoint))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_what_is_idle_and_waits_for_what_is_not(
    gateway: Gateway, receiver: Receiver, number: int
) -> None:
    held = receiver.behave = Held()
    with gateway.connect() as idle, gateway.connect() as unused, gateway.connect() as busy:
        idle_answer = idle.ask(request("/nowhere"))
        assert idle_answer.status == 404
        busy.send(request())
        assert held.asked.wait(PATIENCE)
        gateway.process.send_signal(number)
        assert idle.ended()
        assert unused.ended()
        gateway.wait_for("draining")
        wait_until(lambda: gateway.admin("/readyz")[0] == 503)
        assert gateway.admin("/healthz")[0] == 200
        held.go.set()
        answer = busy.answer()
        assert (answer.status, answer.body) == (200, OK)
        assert receipt_of(gateway, answer)["kind"] == "delivered"
        assert answer.values("connection") in ([], ["close"])
        assert busy.ended()
        assert gateway.wait() == 0
    assert gateway.wait_for("stopped")["in_time"] is True
    audit(gateway)


def nobody_listens(gateway: Gateway) -> bool:
    try:
        socket.create_connection(gateway.address(), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass  # who listened has gone before it took this one
    return False


def test_no_new_connection_is_taken_while_draining(gateway: Gateway, receiver: Receiver) -> None:
    held = receiver.behave = Held()
    with gateway.connect() as busy:
        busy.send(request())
        assert held.asked.wait(PATIENCE)
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: nobody_listens(gateway))  # as each worker hears of it in its time
        assert gateway.admin("/healthz")[0] == 200
        with pytest.raises(ConnectionRefusedError):
            gateway.connect()
        held.go.set()
        assert busy.answer().status == 200
    assert gateway.wait() == 0


def test_a_transfer_that_outlasts_the_deadline_is_cut_off_with_its_verdict(
    start_gateway: StartGateway, receiver: Receiver, parties: Path
) -> None:
    gateway = start_gateway(policy(parties, receiver.endpoint, shutdown={"drain": "500ms"}))
    held = receiver.behave = Held()
    head = begun("/files/1", kind="a/b")
    with gateway.connect() as asking, gateway.connect() as sending:
        asking.send(request())
        assert held.asked.wait(PATIENCE)
        sending.send(head + chunk(b"x" * 100000))
        gateway.wait_for_metric(2, "lockgate_transfers_in_flight")
        gateway.process.send_signal(signal.SIGTERM)
        for client in (asking, sending):
            with pytest.raises(Broken):
                client.answer()
        assert gateway.wait() == 1
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


# --- what keeps it from starting -----------------------------------------------------------------


def test_a_store_in_use_is_refused_in_one_line(first: Gateway) -> None:
    done = lockgate("run", first.path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("door", ["listener", "admin", "metrics"])
def test_an_address_in_use_is_refused_in_one_line(first: Gateway, door: str) -> None:
    config = copy.deepcopy(first.config)
    taken = {"bind": first.ready["admin"]}
    config["receipts"]["store"] = "another"
    if door == "listener":
        config["listeners"]["ingest"] |= taken
    else:
        config[door] = taken
    path = first.folder / "other.yaml"
    path.write_text(json.dumps(config))
    done = lockgate("run", path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert "in use" in line.lower()


def test_every_mistake_is_told_before_a_socket_is_opened(first: Gateway) -> None:
    path = first.folder / "bad.yaml"
    path.write_text(json.dumps(first.config | {"version": 2, "colour": "red"}, indent=1))
    for command in ("run", "check"):
        done = lockgate(command, path)
        assert done.returncode == 1
        assert len([line for line in done.stderr.splitlines() if f"{path}:" in line]) == 2
