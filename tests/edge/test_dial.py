"""How an upstream is told that it is not wanted: by the means of TLS, not by a connection cut."""

import socket
from pathlib import Path

import pytest
import trio

from proxy.edge.dial import Dialler
from proxy.errors import UpstreamFailure
from proxy.observe.metrics import Metrics
from proxy.settings.schema import Upstream
from proxy.tls.engine import Engine
from tests.patience import PATIENCE
from tests.tls.pump import client_side, server_side


def dialler(port: int, timeout: str = "60s") -> Dialler:
    """Of an upstream of whom nobody is who it should be."""
    settings = Upstream.model_validate(
        {
            "zone": "here",
            "endpoints": [f"https://localhost:{port}"],
            "limits": {"connect_timeout": timeout},
        }
    )
    return Dialler("up", settings, Path(), client_side(), lambda peer: False, Metrics())


async def refused(one: Dialler, code: str) -> None:
    with pytest.raises(UpstreamFailure) as caught:
        await one.connect()
    assert caught.value.code == code


async def test_an_upstream_that_is_not_the_expected_peer_gets_close_notify() -> None:
    engine = Engine(server_side())
    with socket.create_server(("127.0.0.1", 0)) as server, trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            one = dialler(server.getsockname()[1])
            nursery.start_soon(refused, one, "upstream-identity")
            listening = trio.socket.from_stdlib_socket(server.dup())
            sock, _ = await listening.accept()
            with listening, sock:
                while not engine.handshake():
                    await sock.send(engine.outgoing())
                    engine.receive(await sock.recv(65536))
                while (found := engine.read()) is None:
                    engine.receive(await sock.recv(65536))
    assert found == b"", "ended, and not broken off"


async def test_an_upstream_that_does_not_answer_in_time_gets_an_alert() -> None:
    said = b""
    with socket.create_server(("127.0.0.1", 0)) as server, trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            one = dialler(server.getsockname()[1], "500ms")
            nursery.start_soon(refused, one, "upstream-unreachable")
            listening = trio.socket.from_stdlib_socket(server.dup())
            sock, _ = await listening.accept()
            with listening, sock:
                while piece := await sock.recv(65536):
                    said += piece
    assert said[-7:-4] == b"\x15\x03\x01"
    assert said[-2:-1] == b"\2", "a fatal one"
