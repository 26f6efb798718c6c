"""Every attempt has its receipt, or is counted in the log as one that could have none."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def without_notary(gateway: Gateway) -> Iterator[None]:
    """Kill the notary, whom nobody replaces meanwhile."""
    (notary,) = gateway.processes("notary")
    gateway.process.send_signal(signal.SIGSTOP)
    try:
        os.kill(notary, signal.SIGKILL)
        wait_until(lambda: has_ended(notary))
        yield
    finally:
        gateway.process.send_signal(signal.SIGCONT)


def has_ended(pid: int) -> bool:
    """With all its threads, and so with its channels."""
    tasks = list(Path(f"/proc/{pid}/task").iterdir())
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return (len(tasks), state) == (1, "Z")


def unreceipted(gateway: Gateway) -> int:
    """How many attempts have a line in the log and no receipt."""
    ids = {each["transfer_id"] for each in gateway.logged("transfer")}
    return len(ids - {each["transferId"] for each in receipts(gateway)})


def counted(gateway: Gateway) -> int:
    """How many attempts the log of receipts counts; what kept all of them from it is the same."""
    counts = [each["details"]["counts"] for each in events(gateway, "refused-transfers")]
    assert {code for each in counts for code in each} <= {"notary-away"}
    return sum(int(count) for each in counts for count in each.values())


def test_what_is_refused_while_the_notary_is_dead_is_counted_when_it_is_back(
    start_gateway: StartGateway, receiver: Receiver, parties: Path
) -> None:
    gateway = start_gateway(policy(parties, receiver.endpoint))
    ask(gateway)
    for _ in range(2):
        since = gateway.mark()
        with without_notary(gateway):
            ask(gateway)
        gateway.wait_for("notary_started", since)
        # A count that is told as the notary dies may be told once more to the next.
        wait_until(lambda: 0 < counted(gateway) == unreceipted(gateway))
    assert gateway.stop() == 0
    assert 0 < counted(gateway) == unreceipted(gateway)
    audit(gateway)


def test_what_was_refused_is_counted_even_if_the_gateway_is_stopped_before_the_notary_is_back(
    start_gateway: StartGateway, receiver: Receiver, parties: Path
) -> None:
    gateway = start_gateway(policy(parties, receiver.endpoint))
    with without_notary(gateway):
        ask(gateway)
    assert gateway.stop() == 0
    assert 0 < counted(gateway) == unreceipted(gateway)
    audit(gateway)
