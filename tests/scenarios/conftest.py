"""What scenarios share: one PKI a session, receivers, gateways, and who watches them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scenarios.gateway import Config, Gateway
from tests.scenarios.parties import make_parties
from tests.scenarios.policy import policy, route, with_routes
from tests.scenarios.proof import Watch
from tests.scenarios.receiver import Exchange, Receiver, server_context
from tests.scenarios.tunnels import Backend, End, echo

StartReceiver = Callable[..., Receiver]
StartGateway = Callable[[Config], Gateway]
Serve = Callable[[Callable[[End], None]], None]


@pytest.fixture(scope="session")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificates and keys of everybody, good and bad."""
    return make_parties(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def start_receiver(parties: Path) -> Iterator[StartReceiver]:
    """Start a receiver with the certificate of `name`; None is plain HTTP."""
    running: list[Receiver] = []

    def start(name: str | None = "receiver", path: Path | None = None) -> Receiver:
        running.append(Receiver(server_context(parties, name) if name else None, path))
        return running[-1]

    yield start
    for each in running:
        each.close()


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(1, id="one-process"),
        pytest.param(2, id="two-workers", marks=pytest.mark.large),
    ],
)
def workers(request: pytest.FixtureRequest) -> int:
    """Every scenario holds in both forms: all in one process, and workers beside a notary.

    What is about the processes themselves has `tests.scenarios.forms.BOTH_FORMS` instead.
    """
    count: int = request.param
    return count


@pytest.fixture(scope="module")
def start_gateway(
    parties: Path, tmp_path_factory: pytest.TempPathFactory, workers: int
) -> Iterator[StartGateway]:
    """Start a gateway with a configuration, which may say how many workers it has."""
    running: list[Gateway] = []

    def start(config: Config) -> Gateway:
        config.setdefault("workers", workers)
        running.append(Gateway(tmp_path_factory.mktemp("gateway"), parties, config))
        return running[-1]

    yield start
    for each in running:
        each.close()
        assert not each.other, f"not log lines: {each.other}"
        assert not each.logged("internal"), each.logged("internal")


@pytest.fixture(scope="module")
def shared_receiver(start_receiver: StartReceiver) -> Receiver:
    return start_receiver()


@pytest.fixture
def receiver(shared_receiver: Receiver) -> Iterator[Receiver]:
    """The module's receiver, well-behaved again for each test."""
    shared_receiver.behave = Exchange.answer
    yield shared_receiver
    shared_receiver.behave = Exchange.answer


@pytest.fixture(scope="module")
def gateway(parties: Path, start_gateway: StartGateway, shared_receiver: Receiver) -> Gateway:
    """The module's gateway, with the usual policy."""
    return start_gateway(policy(parties, shared_receiver.endpoint))


@pytest.fixture
def own_gateway(
    start_gateway: StartGateway, receiver: Receiver, parties: Path
) -> Iterator[Gateway]:
    """A gateway for one test alone, which may stop it."""
    once = route("once", replay={"require": "transfer-id", "window": "5m"})
    config = with_routes(policy(parties, receiver.endpoint), once)
    config["shutdown"] = {"drain": "60s"}
    started = start_gateway(config)
    yield started
    started.close()


@pytest.fixture
def watch(gateway: Gateway, receiver: Receiver) -> Watch:
    """Sees what one refusal leaves behind."""
    return Watch(gateway, receiver)


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    """The module's upstream of tunnels."""
    running = Backend(echo)
    yield running
    running.close()


@pytest.fixture
def serve(backend: Backend) -> Iterator[Serve]:
    """Have the backend do something else than echo, for one test."""
    while not backend.ends.empty():
        backend.ends.get()

    def do(behaviour: Callable[[End], None]) -> None:
        backend.serve = behaviour

    yield do
    backend.serve = echo
