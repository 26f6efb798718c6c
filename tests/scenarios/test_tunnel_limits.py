"""What bounds a tunnel: time, places, memory, the end of the program, the end of a process."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.scenarios.conftest import Serve, StartGateway
from tests.scenarios.family import wait_until_whole
from tests.scenarios.gateway import Gateway, wait_until
from tests.scenarios.proof import audit, receipts
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

ONE_PROCESS = pytest.mark.parametrize("workers", [1], indirect=True, ids=["one-process"])
"""Where something is counted by each process."""
IN_BOTH = pytest.mark.parametrize(
    "workers", [1, 2], indirect=True, ids=["one-process", "two-workers"]
)
TWO_WORKERS = pytest.mark.parametrize("workers", [2], indirect=True, ids=["two-workers"])


@pytest.fixture(scope="module")
def gateway(parties: Path, start_gateway: StartGateway, backend: Backend) -> Gateway:
    return start_gateway(
        tunnels(
            parties,
            backend.endpoint,
            tunnel("brief", match={"sni": "brief.example"}, limits={"lifetime": "700ms"}),
            tunnel("idle", match={"sni": "idle.example"}, limits={"idle_timeout": "700ms"}),
            tunnel("slow", match={"sni": "slow.example"}, limits={"idle_timeout": "2s"}),
            tunnel(),
        )
    )


@pytest.fixture
def opened(gateway: Gateway) -> Iterator[End]:
    """A tunnel through which something has gone, both ways."""
    with dial(gateway) as client:
        echoed(client)
        yield client


def echoed(client: End) -> None:
    client.send(b"well?")
    assert client.exactly(5) == b"well?"


# --- time ----------------------------------------------------------------------------------------


def test_a_tunnel_in_which_nothing_moves_is_reset_on_both_sides(
    gateway: Gateway, serve: Serve
) -> None:
    cut: list[bool] = []

    def notice(end: End) -> None:
        end.require_broken()
        cut.append(True)

    serve(notice)
    since = gateway.mark()
    with dial(gateway, sni="idle.example") as client:
        client.require_broken()
    line = line_of(gateway, since)
    assert (line["verdict"], line["problem"]) == ("failed", "tunnel-idle")
    wait_until(lambda: cut == [True])


def test_a_tunnel_whose_answer_is_awaited_too_long_is_undecided(
    gateway: Gateway, serve: Serve
) -> None:
    def say_nothing(end: End) -> None:
        end.rest()
        end.require_reset()

    serve(say_nothing)
    since = gateway.mark()
    with dial(gateway, sni="slow.example") as client:
        client.end()
        client.require_broken()
    line = line_of(gateway, since)
    assert (line["verdict"], line["problem"]) == ("indeterminate", "tunnel-idle")


def test_a_tunnel_that_is_busy_ends_with_its_lifetime(gateway: Gateway) -> None:
    since = gateway.mark()
    with dial(gateway, sni="brief.example") as client, suppress(Broken):
        while True:
            echoed(client)
    line = line_of(gateway, since)
    assert (line["verdict"], line["problem"]) == ("failed", "tunnel-lifetime")


# --- memory --------------------------------------------------------------------------------------


def test_a_reader_that_never_reads_stops_the_sender_and_costs_no_memory(
    gateway: Gateway, serve: Serve
) -> None:
    serve(End.require_reset)
    before, since = gateway.peak_memory(), gateway.mark()
    with dial(gateway, sni="idle.example") as client:
        pushed = 0
        with suppress(Broken):
            while pushed < 2**30:
                client.send(bytes(2**20))
                pushed += 2**20
    assert pushed < 64 * 2**20  # what the kernel's buffers hold, on both sides
    assert gateway.peak_memory() - before < 16 * 2**20
    line = line_of(gateway, since)
    assert (line["verdict"], line["problem"]) == ("failed", "tunnel-idle")
    said = receipt(gateway, line)["content"]
    assert said["received"]["bytes"] == said["delivered"]["bytes"]
    assert "sha256" not in said["delivered"]  # nobody knows how much of the last piece has gone


# --- places --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def narrow(parties: Path, start_gateway: StartGateway, backend: Backend) -> Gateway:
    """Four connections to the upstream, of which one sender has three; one worker, for they are
    counted by each."""
    config = tunnels(parties, backend.endpoint, workers=1)
    config["upstreams"]["warehouse"]["limits"] = {"connections": 4, "connect_timeout": "2s"}
    config["listeners"]["ingest"]["limits"] = {"connections": 5}
    return start_gateway(config)


@ONE_PROCESS
def test_one_tunnel_too_many_is_shed_and_the_others_go_on(narrow: Gateway) -> None:
    with ExitStack() as open_tunnels:
        clients = [open_tunnels.enter_context(dial(narrow)) for _ in range(3)]
        for client in clients:
            echoed(client)
        since = narrow.mark()
        with dial(narrow) as fourth:
            fourth.require_broken()
        line = line_of(narrow, since)
        assert (line["verdict"], line["problem"]) == ("failed", "overloaded")
        status = json.loads(narrow.admin("/status")[1])
        assert (status["tunnels"], status["connections"]) == (3, 3)
        assert narrow.metric("lockgate_tunnels", route="tunnel") == 3
        for client in clients:
            echoed(client)
            client.end()
            assert client.rest() == b""
    narrow.wait_for_metric(0, "lockgate_connections", listener="ingest")
    narrow.wait_for_metric(0, "lockgate_tunnels")
    with dial(narrow) as client:
        echoed(client)


@ONE_PROCESS
def test_a_listener_has_so_many_tunnels_and_no_more(
    parties: Path, start_gateway: StartGateway, backend: Backend
) -> None:
    config = tunnels(parties, backend.endpoint, workers=1)
    config["listeners"]["ingest"]["limits"] = {"connections": 2, "handshake_timeout": "3s"}
    full = start_gateway(config)
    with dial(full) as one, dial(full) as two:
        echoed(one)
        echoed(two)
        with dial(full) as three:
            three.require_broken()
        assert full.wait_for("connections_full")["listener"] == "ingest"
        echoed(one)


# --- the end of the program ----------------------------------------------------------------------


@pytest.fixture
def own(parties: Path, start_gateway: StartGateway, backend: Backend) -> Gateway:
    """A gateway for one test alone."""
    return start_gateway(tunnels(parties, backend.endpoint, shutdown={"drain": "60s"}))


@IN_BOTH
def test_a_drain_waits_for_a_tunnel_that_ends_in_time(own: Gateway) -> None:
    with dial(own) as client:
        echoed(client)
        own.process.send_signal(signal.SIGTERM)
        own.wait_for("draining")
        echoed(client)
        client.end()
        assert client.rest() == b""
        assert own.wait() == 0
    (said,) = receipts(own)
    assert said["kind"] == "delivered"


@IN_BOTH
def test_a_drain_resets_what_is_left_at_its_deadline_with_a_verdict(
    parties: Path, start_gateway: StartGateway, backend: Backend
) -> None:
    gateway = start_gateway(tunnels(parties, backend.endpoint, shutdown={"drain": "300ms"}))
    with dial(gateway) as client:
        echoed(client)
        assert gateway.stop() == 1
        client.require_broken()
    (said,) = receipts(gateway)
    assert (said["kind"], said["disposition"]["problem"]) == ("failed", "cut-off")
    assert said["content"]["delivered"]["bytes"] == "5"
    assert audit(gateway)


@IN_BOTH
def test_whatever_a_kill_cuts_short_is_undecided_once(own: Gateway) -> None:
    with dial(own) as one, dial(own) as two:
        echoed(one)
        echoed(two)
        own.crash()
        one.require_broken()
    own.start()
    said = receipts(own)
    assert [each["kind"] for each in said] == ["indeterminate"] * 2
    assert all(each["disposition"]["recovered"] for each in said)
    assert audit(own)


@TWO_WORKERS
def test_a_worker_that_is_killed_leaves_one_undecided_and_the_next_carries_on(
    own: Gateway,
) -> None:
    with dial(own) as client:
        echoed(client)
        for pid in own.carriers:
            os.kill(pid, signal.SIGKILL)
        client.require_broken()
    own.wait_for("interrupted")
    own.wait_for_count("worker_started", 4)
    wait_until_whole(own)
    with dial(own) as client:
        echoed(client)
        client.end()
        client.rest()
    assert sorted(each["kind"] for each in receipts(own)) == ["delivered", "indeterminate"]


def test_a_reload_leaves_tunnels_alone_and_their_receipts_name_the_policy_they_began_under(
    own: Gateway,
) -> None:
    since = own.mark()
    with dial(own) as client:
        echoed(client)
        own.write(own.config | {"name": "renamed"})
        assert own.admin("/reload", method="POST")[0] == 200
        echoed(client)
        client.end()
        assert client.rest() == b""
    said = receipt(own, line_of(own, since))
    assert said["policy"]["sha256"] == own.ready["config_sha256"]
    assert own.wait_for("reloaded")["config_sha256"] != own.ready["config_sha256"]


def test_a_tunnel_that_has_ended_leaves_nothing_behind(gateway: Gateway, opened: End) -> None:
    opened.end()
    assert opened.rest() == b""
    gateway.wait_for_metric(0, "lockgate_tunnels")
    gateway.wait_for_metric(0, "lockgate_transfers_in_flight")
    gateway.wait_for_metric(0, "lockgate_connections", listener="ingest")
