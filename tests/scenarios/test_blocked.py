"""A notary that stands still holds up neither the successors of the dead nor the end of a drain."""

import os
import signal
import time

import pytest

from tests.scenarios.client import request
from tests.scenarios.gateway import Gateway, wait_until
from tests.scenarios.message import Broken
from tests.scenarios.proof import audit


@pytest.fixture(scope="module", params=[2])
def workers(request: pytest.FixtureRequest) -> int:
    """Here there are always many."""
    count: int = request.param
    return count


@pytest.mark.large
def test_a_successor_gets_its_channel_when_the_notary_goes_on(own_gateway: Gateway) -> None:
    (notary,) = own_gateway.processes("notary")
    since = own_gateway.mark()
    os.kill(notary, signal.SIGSTOP)
    try:
        os.kill(own_gateway.processes("worker")[0], signal.SIGKILL)
        own_gateway.wait_for("worker_started", since, timeout=60)
    finally:
        os.kill(notary, signal.SIGCONT)
    row = 0

    def answered() -> bool:
        """Often enough that both workers were asked."""
        nonlocal row
        try:
            with own_gateway.connect() as client:
                row = row + 1 if client.ask(request()).status == 200 else 0
        except (OSError, Broken):
            row = 0
        return row >= 24

    wait_until(answered, timeout=30)
    assert len(own_gateway.processes("worker")) == 2
    audit(own_gateway)


@pytest.mark.large
def test_a_drain_ends_at_its_deadline_although_the_notary_does_not(own_gateway: Gateway) -> None:
    with own_gateway.connect() as client:
        assert client.ask(request()).status == 200
    (notary,) = own_gateway.processes("notary")
    os.kill(notary, signal.SIGSTOP)
    began = time.monotonic()
    assert own_gateway.stop(timeout=60) == 1
    assert time.monotonic() - began < 10 + 8 + 4, "the drain, the last rites, and being killed"
    own_gateway.start()
    with own_gateway.connect() as client:
        assert client.ask(request()).status == 200
    audit(own_gateway)
