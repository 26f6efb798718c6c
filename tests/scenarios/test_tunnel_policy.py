"""Who may open a tunnel, to where, under which label: all of it is decided before anything goes."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.conftest import Serve, StartGateway, StartReceiver
from tests.scenarios.gateway import Config, Gateway, wait_until
from tests.scenarios.policy import CLIENT, STRANGER, opaque
from tests.scenarios.tunnels import (
    Backend,
    Broken,
    End,
    dial,
    line_of,
    receipt,
    tunnel,
    tunnels,
)

SHADOW = {"shadow": True}
pytestmark = pytest.mark.parametrize("workers", [1], indirect=True, ids=["one-process"])


def policies() -> list[Config]:
    """The first that takes the server name decides."""

    def named(name: str, *sni: str, **changes: object) -> Config:
        return tunnel(name, match={"sni": list(sni)}, **changes)

    return [
        named("strangers", "only.example", allow=[STRANGER]),
        named("not-the-client", "not.example", allow=[CLIENT, STRANGER], deny=[CLIENT]),
        named("nobody", "nobody.example", allow=[]),
        named("shaded", "shaded.example", deny=[CLIENT | SHADOW]),
        named("to-come", "to-come.example", allow=[STRANGER, CLIENT | SHADOW]),
        named("secret", "secret.example", request=opaque("restricted")),
        named("secret-back", "back.example", response=opaque("confidential")),
        named("unlabelled", "unlabelled.example", request={"content": ["opaque"]}),
        named("no-way-in", "in.example", request={}),
        named("no-way-back", "out.example", response={}),
        named("wild", "*.wild.example", "Localhost"),
        named("elsewhere", "elsewhere.example", upstream="elsewhere"),
        named("somebody-else", "misnamed.example", upstream="misnamed"),
    ]


@pytest.fixture(scope="module")
def misnamed(start_receiver: StartReceiver) -> str:
    """An upstream with a certificate of our authority, of somebody else."""
    return start_receiver("misnamed-receiver").endpoint.replace("https://", "tls://")


@pytest.fixture(scope="module")
def nobody() -> Iterator[str]:
    """An address that is taken, so that nobody else comes there, and at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{sock.getsockname()[1]}"


@pytest.fixture(scope="module")
def gateway(
    parties: Path, start_gateway: StartGateway, backend: Backend, misnamed: str, nobody: str
) -> Gateway:
    config = tunnels(parties, backend.endpoint, *policies())
    config["upstreams"]["elsewhere"] = {"zone": "warehouse", "endpoints": [nobody]}
    config["upstreams"]["misnamed"] = {
        "zone": "warehouse",
        "endpoints": [misnamed],
        "server_name": "receiver.lockgate.example",
    }
    return start_gateway(config)


@pytest.fixture
def untouched(backend: Backend) -> Iterator[None]:
    """The upstream does not see so much as a connection."""
    before = backend.count
    yield
    assert backend.count == before


def refused(gateway: Gateway, sni: str, name: str = "client") -> tuple[str, str, str | None]:
    """Verdict, problem and route of a tunnel whose sender is reset."""
    since = gateway.mark()
    with dial(gateway, name, sni=sni) as client:
        client.require_broken()
    line = line_of(gateway, since)
    found = receipt(gateway, line)
    assert found["content"]["delivered"] is None
    assert found["answer"] is None
    assert found["disposition"]["problem"] == line["problem"]
    return line["verdict"], line["problem"], line.get("route")


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("sni", "problem", "route"),
    [
        ("unknown.example", "no-route", None),
        ("wild.example", "no-route", None),
        ("a.b.wild.example", "no-route", None),
        ("only.example", "not-allowed", "strangers"),
        ("not.example", "not-allowed", "not-the-client"),
        ("nobody.example", "not-allowed", "nobody"),
        ("to-come.example", "not-allowed", "to-come"),
        ("secret.example", "above-clearance", "secret"),
        ("back.example", "above-clearance", "secret-back"),
        ("unlabelled.example", "above-clearance", "unlabelled"),
    ],
)
def test_a_tunnel_that_is_not_allowed_reaches_nobody_and_is_rejected(
    gateway: Gateway, sni: str, problem: str, route: str | None
) -> None:
    assert refused(gateway, sni) == ("rejected", problem, route)


def test_entries_in_shadow_decide_nothing_and_are_told(gateway: Gateway) -> None:
    since = gateway.mark()
    with dial(gateway, sni="shaded.example") as client:
        client.send(b"octets")
        assert client.exactly(6) == b"octets"
        client.end()
        assert client.rest() == b""
    line = line_of(gateway, since)
    assert line["shadow"] == {"deny[0]": 1}
    assert receipt(gateway, line)["content"]["shadow"] == {"deny[0]": "1"}
    since = gateway.mark()
    assert refused(gateway, "to-come.example") == ("rejected", "not-allowed", "to-come")
    assert line_of(gateway, since)["shadow"] == {"allow[1]": 1}


@pytest.mark.usefixtures("untouched")
def test_a_client_that_asks_for_no_name_gets_no_route_that_has_names(gateway: Gateway) -> None:
    assert refused(gateway, "") == ("rejected", "no-route", None)


@pytest.mark.parametrize(
    ("sni", "name", "route"),
    [
        ("a.wild.example", "client", "wild"),
        ("A.WILD.Example", "client", "wild"),
        ("localhost", "client", "wild"),
        ("only.example", "stranger", "strangers"),
        ("not.example", "stranger", "not-the-client"),
    ],
)
def test_a_server_name_leads_to_its_route(
    gateway: Gateway, sni: str, name: str, route: str
) -> None:
    since = gateway.mark()
    with dial(gateway, name, sni=sni) as client:
        client.send(b"x")
        assert client.exactly(1) == b"x"
        client.end()
        client.rest()
    line = line_of(gateway, since)
    assert (line["verdict"], line["route"], line["rule"][:5]) == ("delivered", route, "allow")


def test_the_first_octet_in_a_direction_that_is_closed_ends_the_tunnel(
    gateway: Gateway, backend: Backend, serve: Serve
) -> None:
    heard: list[bytes] = []

    def listen(end: End) -> None:
        end.require_broken()
        heard.append(b"")

    serve(listen)
    since = gateway.mark()
    with dial(gateway, sni="in.example") as client:
        client.send(b"secret")
        client.require_broken()
    line = line_of(gateway, since)
    assert (line["verdict"], line["problem"]) == ("rejected", "content-not-allowed")
    found = receipt(gateway, line)
    assert found["content"]["received"] == {"bytes": "6"}
    assert found["content"]["delivered"] is None
    wait_until(lambda: heard == [b""])


def test_a_one_way_street_lets_all_go_one_way_and_nothing_back(gateway: Gateway) -> None:
    since = gateway.mark()
    with dial(gateway, sni="out.example") as client:  # the upstream echoes
        client.send(b"a line of a log")
        client.require_broken()
    line = line_of(gateway, since)
    assert (line["verdict"], line["problem"]) == ("rejected", "answer-refused")
    assert line["answer_bytes"] == 0


def test_a_one_way_street_whose_upstream_is_silent_is_delivered(
    gateway: Gateway, serve: Serve
) -> None:
    def listen(end: End) -> None:
        end.rest()
        end.end()

    serve(listen)
    since = gateway.mark()
    with dial(gateway, sni="out.example") as client:
        client.send(b"a line of a log")
        client.end()
        assert client.rest() == b""
    assert line_of(gateway, since)["verdict"] == "delivered"


@pytest.mark.parametrize(
    ("sni", "problem"),
    [("elsewhere.example", "upstream-unreachable"), ("misnamed.example", "upstream-identity")],
)
def test_an_upstream_that_is_not_there_or_somebody_else_gets_nothing(
    gateway: Gateway, sni: str, problem: str
) -> None:
    assert refused(gateway, sni)[:2] == ("failed", problem)


def test_a_stranger_without_a_certificate_has_no_tunnel_and_no_receipt(gateway: Gateway) -> None:
    since = gateway.mark()
    with pytest.raises((Broken, OSError)), dial(gateway, "impostor") as client:
        client.rest()
    assert gateway.wait_for("handshake_refused", since)["reason"] == "untrusted"
    assert not gateway.logged("transfer", since)
