"""One gateway for all clients, in the form of a sidecar: one process."""

from pathlib import Path

import pytest

from tests.scenarios.clients.senders import Place
from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import policy
from tests.scenarios.receiver import Receiver


@pytest.fixture(scope="module")
def workers() -> int:
    return 1


@pytest.fixture(scope="module")
def gateway(parties: Path, start_gateway: StartGateway, shared_receiver: Receiver) -> Gateway:
    return start_gateway(policy(parties, shared_receiver.endpoint))


@pytest.fixture
def place(gateway: Gateway, tmp_path: Path) -> Place:
    return Place(gateway.pki, gateway.url(""), tmp_path)
