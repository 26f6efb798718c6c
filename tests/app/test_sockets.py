"""The listeners' sockets, as they are lent to a worker that is being started."""

import json
import os
import socket
from pathlib import Path

import pytest

from proxy.app.control import EndedError
from proxy.app.sockets import Sockets
from proxy.settings.load import load
from tests.scenarios.parties import make_parties
from tests.scenarios.policy import policy


@pytest.fixture
def sockets(tmp_path: Path) -> Sockets:
    path = tmp_path / "lockgate.yaml"
    path.write_text(json.dumps(policy(make_parties(tmp_path), "https://localhost:1")))
    return Sockets(load(path).settings, tmp_path, 2)


def test_what_is_lent_is_good_to_the_end_even_when_a_drain_closes_the_rest(
    sockets: Sockets,
) -> None:
    with sockets.lent(1) as lent:
        sockets.close()
        with socket.socket(fileno=os.dup(lent["ingest"])) as sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


def test_after_a_drain_has_closed_them_none_is_lent(sockets: Sockets) -> None:
    sockets.close()
    with pytest.raises(EndedError, match="no socket"), sockets.lent(0):
        pass
