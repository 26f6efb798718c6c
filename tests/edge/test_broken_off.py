"""An answer whose end was withheld never looks complete, whenever its transfer is ended."""

import socket
import threading
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from proxy.errors import Refusal
from proxy.model import Outcome, Receipt
from tests.edge.stage import HOLD, LOCAL, blocking, route, stage
from tests.edge.steps import Before
from tests.edge.table import Table
from tests.patience import PATIENCE
from tests.scenarios.receiver import Exchange


class Waits(Table):
    """Evidence that is durable a turn later, as on a disk."""

    async def conclude(self, outcome: Outcome) -> Receipt:
        await trio.lowlevel.checkpoint()
        return await super().conclude(outcome)


async def test_a_refusal_in_the_turn_of_the_last_octets_resets_a_sender_of_http_1_0(
    tmp_path: Path,
) -> None:
    end = threading.Event()

    def behave(exchange: Exchange) -> None:
        exchange.read()
        content = b"x" * 3 * HOLD
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        exchange.send(b"%b%x\r\n%b\r\n" % (head, len(content), content))
        assert end.wait(PATIENCE)
        exchange.send(b"0\r\n\r\n")

    async with stage(tmp_path, Waits(), route("any", replay={"require": "off"})) as on:
        on.receiver.behave = behave
        with socket.create_server(("127.0.0.1", 0)) as door:
            sender = socket.create_connection(door.getsockname(), PATIENCE)
            served = trio.socket.from_stdlib_socket(door.accept()[0])
        with sender:
            on.connections.start_soon(on._serve, served, LOCAL)
            sender.sendall(b"GET /any/1 HTTP/1.0\r\nHost: x\r\n\r\n")
            await blocking(lambda: sender.recv(1))
            await wait_all_tasks_blocked()
            (task,) = on.connections.child_tasks
            (attempt,) = [link.attempt for link in on.keeper.live._links if link.side == "listener"]
            assert attempt is not None
            gone = Refusal("certificate-revoked", "while the last octets came")
            trio.lowlevel.add_instrument(Before(task, lambda: attempt.refuse(gone)))
            end.set()

            def rest() -> None:
                while sender.recv(65536):
                    pass

            with pytest.raises(ConnectionResetError):
                await blocking(rest)
