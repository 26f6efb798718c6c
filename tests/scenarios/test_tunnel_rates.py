"""Tunnels have rates and volumes, too: how many a peer opens, and the octets of both ways."""

from pathlib import Path

import pytest

from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.policy import CLIENT
from tests.scenarios.tunnels import Backend, Broken, dial, line_of, receipt, tunnel, tunnels

KIB = 1024


@pytest.fixture(scope="module")
def gateway(parties: Path, start_gateway: StartGateway, backend: Backend) -> Gateway:
    routes = [
        tunnel("often", match={"sni": ["often.example"]}, limits={"rate": "2/day"}),
        tunnel("much", match={"sni": ["much.example"]}, limits={"volume": "100KiB/day"}),
        tunnel("granted", match={"sni": ["granted.example"]}, allow=[CLIENT | {"rate": "1/day"}]),
    ]
    return start_gateway(tunnels(parties, backend.endpoint, *routes))


def used(gateway: Gateway, sni: str, data: bytes) -> str:
    """Send it, have it back, end; the verdict, and the problem if there is one."""
    since = gateway.mark()
    with dial(gateway, sni=sni) as end:
        try:
            end.send(data)
            assert end.exactly(len(data)) == data
            end.end()
            end.rest()
        except Broken:
            pass
    line = line_of(gateway, since)
    assert receipt(gateway, line)["kind"] == line["verdict"]
    return f"{line['verdict']} {line.get('problem', '')}".strip()


def test_a_peer_opens_no_more_tunnels_than_its_rate_gives(gateway: Gateway) -> None:
    found = [used(gateway, "often.example", b"x") for _ in range(3)]
    assert found == ["delivered", "delivered", "rejected rate-limited"]
    found = [used(gateway, "granted.example", b"x") for _ in range(2)]
    assert found == ["delivered", "rejected rate-limited"]


def test_octets_of_both_ways_use_the_volume_up(gateway: Gateway) -> None:
    assert used(gateway, "much.example", b"x" * 40 * KIB) == "delivered"
    since = gateway.mark()
    with dial(gateway, sni="much.example") as end:
        end.send(b"x" * 21 * KIB)
        end.require_broken()
    line = line_of(gateway, since)
    assert (line["verdict"], line["problem"]) == ("rejected", "rate-limited")
    assert line["reason"] == "volume 100KiB/day of limits of route much is spent"
