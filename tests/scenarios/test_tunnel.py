"""A tunnel through the running program: its ends, its breaks, its limits, its receipt."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scenarios.conftest import StartGateway
from tests.scenarios.gateway import Gateway
from tests.scenarios.proof import sha256
from tests.scenarios.tunnels import (
    Backend,
    End,
    dial,
    echo,
    line_of,
    receipt,
    tunnel,
    tunnels,
)


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    running = Backend(echo)
    yield running
    running.close()


@pytest.fixture
def serve(backend: Backend) -> Iterator[Callable[[Callable[[End], None]], None]]:
    """Have the backend do something else, for one test."""

    def do(behaviour: Callable[[End], None]) -> None:
        backend.serve = behaviour

    while not backend.ends.empty():
        backend.ends.get()
    yield do
    backend.serve = echo


@pytest.fixture(scope="module")
def gateway(parties: Path, start_gateway: StartGateway, backend: Backend) -> Gateway:
    return start_gateway(tunnels(parties, backend.endpoint))


def test_what_goes_in_comes_out_and_the_receipt_says_so(gateway: Gateway) -> None:
    since, data = gateway.mark(), os.urandom(3_000_000)
    with dial(gateway) as client:
        back = bytearray()
        for start in range(0, len(data), 100_000):
            piece = data[start : start + 100_000]
            client.send(piece)
            back += client.exactly(len(piece))
        client.end()
        assert client.rest() == b""
    assert bytes(back) == data
    line = line_of(gateway, since)
    assert (line["verdict"], line["method"], line["route"]) == ("delivered", "tunnel", "tunnel")
    said = receipt(gateway, line)
    digest = {"sha256": sha256(data), "bytes": str(len(data))}
    assert said["content"]["received"] == said["content"]["delivered"] == digest
    assert said["answer"]["received"] == said["answer"]["delivered"] == digest
    assert said["content"]["opaque"] and said["answer"]["opaque"]
    assert said["sender"]["name"] == "spiffe://lockgate.example/client"


def test_sender_ends_first_and_hears_all_that_is_said_after(
    gateway: Gateway, serve: Callable[[Callable[[End], None]], None]
) -> None:
    def answer_after_the_end(end: End) -> None:
        heard = end.rest()
        end.send(hashlib.sha256(heard).hexdigest().encode())
        end.end()

    serve(answer_after_the_end)
    since = gateway.mark()
    with dial(gateway) as client:
        client.send(b"all of it")
        client.end()
        assert client.rest() == sha256(b"all of it").encode()
    assert line_of(gateway, since)["verdict"] == "delivered"


def test_upstream_ends_first_and_hears_all_that_is_said_after(
    gateway: Gateway, backend: Backend, serve: Callable[[Callable[[End], None]], None]
) -> None:
    heard: list[bytes] = []

    def end_first(end: End) -> None:
        end.send(b"that is all")
        end.end()
        heard.append(end.rest())

    serve(end_first)
    since = gateway.mark()
    with dial(gateway) as client:
        assert client.rest() == b"that is all"
        client.send(b"well then")
        client.end()
        assert line_of(gateway, since)["verdict"] == "delivered"
    assert heard == [b"well then"]


def test_a_sender_that_resets_is_a_reset_for_the_upstream(
    gateway: Gateway, backend: Backend, serve: Callable[[Callable[[End], None]], None]
) -> None:
    serve(End.require_broken)
    since = gateway.mark()
    client = dial(gateway)
    client.send(b"half of it")
    backend.ends.get(timeout=15)
    client.reset()
    line = line_of(gateway, since)
    assert (line["verdict"], line["problem"]) == ("failed", "request-incomplete")
