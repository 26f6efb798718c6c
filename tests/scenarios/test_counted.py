"""Every attempt has its receipt, or is counted in the log as one that could have none."""

import os
import signal
from pathlib import Path

import pytest

from tests.scenarios.client import request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway, wait_until
from tests.scenarios.policy import policy
from tests.scenarios.proof import audit, events, receipts
from tests.scenarios.receiver import Receiver


@pytest.fixture(scope="module")
def workers() -> int:
    """A notary of its own is what can be away."""
    return 2


def ask(gateway: Gateway) -> None:
    """Twelve requests over fresh connections, so that both workers have some."""
    for _ in range(12):
        with gateway.connect() as client:
            client.ask(request("/orders/1", b"{}"))


def test_what_is_refused_while_the_notary_is_dead_is_counted_when_it_is_back(
    start_gateway: StartGateway, receiver: Receiver, parties: Path
) -> None:
    gateway = start_gateway(policy(parties, receiver.endpoint))
    ask(gateway)
    for _ in range(3):  # each time it takes longer to be replaced
        (notary,) = gateway.processes("notary")
        since = gateway.mark()
        os.kill(notary, signal.SIGKILL)
        gateway.wait_for("notary_died", since)
        ask(gateway)
        gateway.wait_for("notary_started", since)
        wait_until(lambda: gateway.admin("/readyz")[0] == 200)
    assert gateway.stop() == 0
    ids = {each["transfer_id"] for each in gateway.logged("transfer")}
    without = ids - {each["transferId"] for each in receipts(gateway)}
    counted = [each["details"]["counts"] for each in events(gateway, "refused-transfers")]
    assert without
    assert {code for counts in counted for code in counts} == {"notary-away"}
    assert sum(int(count) for counts in counted for count in counts.values()) == len(without)
    audit(gateway)


def test_what_was_refused_is_counted_even_if_the_gateway_is_stopped_before_the_notary_is_back(
    start_gateway: StartGateway, receiver: Receiver, parties: Path
) -> None:
    gateway = start_gateway(policy(parties, receiver.endpoint))
    (notary,) = gateway.processes("notary")
    since = gateway.mark()
    os.kill(notary, signal.SIGKILL)
    gateway.wait_for("notary_died", since)
    ask(gateway)
    assert gateway.stop() == 0
    without = {each["transfer_id"] for each in gateway.logged("transfer")}
    without -= {each["transferId"] for each in receipts(gateway)}
    assert without
    counted = [each["details"]["counts"] for each in events(gateway, "refused-transfers")]
    assert sum(int(each["notary-away"]) for each in counted) == len(without)
    audit(gateway)
