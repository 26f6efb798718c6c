"""A gateway with load on it: what the tests kill, fill and starve.

The gateway listens on a port below the ephemeral ones, so that it gets the same one after every
restart and no connection to nobody ever meets itself.
"""

import random
import socket
import threading
from pathlib import Path
from typing import Any

from tests.crash.load import ROUTES, Receiving, Sender, connector
from tests.crash.records import Ledger, Route
from tests.patience import PATIENCE
from tests.scenarios.gateway import Config, Gateway
from tests.scenarios.policy import opaque, policy, route
from tests.scenarios.receiver import Receiver, server_context


def free_port() -> int:
    """A port of this machine that nobody listens on, and no outgoing connection will take."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


def configuration(pki: Path, endpoint: str, port: int, workers: int, **receipts: Any) -> Config:
    """Routes that refuse an undecided id, that forward it, on which content streams, and that ask
    for no id."""
    once = {"require": "transfer-id", "window": "1h"}
    again = {**once, "after_indeterminate": "forward"}
    masked = {
        "content": ["ndjson"],
        "label": "internal",
        "mask": [{"path": "$.secret", "action": "redact"}],
    }
    config = policy(pki, endpoint)
    config["workers"] = workers
    config["listeners"]["ingest"]["bind"] = f"127.0.0.1:{port}"
    config["routes"] = [
        route("once", replay=once, request=masked | {"content": ["json"]}),
        route("again", replay=again, request=opaque("internal"), response=opaque("internal")),
        route("stream", replay=once, request=masked, limits={"hold": 4096, "record": 65536}),
        route("free", request=opaque("internal"), response=opaque("internal")),
    ]
    config["receipts"] |= {"checkpoint_every": "100ms", "patience": "2s"} | receipts
    return config


class Checkpoints(threading.Thread):
    """Keeps every checkpoint that is published: what an auditor may hold us to."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._path = path
        self.halt = threading.Event()
        self.kept: list[bytes] = []

    def look(self) -> None:
        try:
            found = self._path.read_bytes()
        except FileNotFoundError:
            return
        if not self.kept or self.kept[-1] != found:
            self.kept.append(found)

    def run(self) -> None:
        while not self.halt.wait(0.01):
            self.look()


def _children_of(task: Path) -> list[int]:
    """Those that this thread has started; a thread may end while we look."""
    try:
        return list(map(int, (task / "children").read_text().split()))
    except (FileNotFoundError, ProcessLookupError):
        return []


class Site:
    """Receiver, gateway and senders. `close` it; `finish` ends it in peace first."""

    def __init__(
        self,
        folder: Path,
        pki: Path,
        *,
        workers: int,
        seed: int,
        drain: str = "10s",
        **receipts: Any,
    ) -> None:
        self.pki = pki
        self.ledger = Ledger()
        self.chance = random.Random(seed)
        self.receiver = Receiver(server_context(pki))
        self.receiving = Receiving(self.ledger, seed)
        self.receiver.behave = self.receiving
        self.port = free_port()
        config = configuration(pki, self.receiver.endpoint, self.port, workers, **receipts)
        config["shutdown"] = {"drain": drain}
        self.store = folder / config["receipts"]["store"]
        folder.mkdir(parents=True, exist_ok=True)
        self.gateway = Gateway(folder, pki, config)
        self.checkpoints = Checkpoints(self.store / "checkpoint")
        self.checkpoints.start()
        self.senders: list[Sender] = []

    def processes(self) -> dict[int, str]:
        """The gateway's processes by number: `all`, or `supervisor`, `worker` and `notary`."""
        parent, children = self.gateway.process.pid, self.children()
        if not children:
            return {parent: "all"}
        kinds = {"lockgate-worker": "worker", "lockgate-notary": "notary"}
        found = {child: kinds[name] for child, name in children.items() if name in kinds}
        return {parent: "supervisor", **found}

    def children(self) -> dict[int, str]:
        """The supervisor's, whoever they are, by what they are called."""
        found = {}
        for task in Path(f"/proc/{self.gateway.process.pid}/task").glob("*"):
            for child in _children_of(task):
                try:
                    found[child] = Path(f"/proc/{child}/comm").read_text().strip()
                except (FileNotFoundError, ProcessLookupError):
                    pass  # it has just been killed
        return found

    @property
    def ready(self) -> bool:
        return self.gateway.admin("/readyz")[0] == 200

    def process(self, kind: str) -> int:
        """The number of the one process that does this."""
        (found,) = [pid for pid, each in self.processes().items() if each in (kind, "all")]
        return found

    def load(self, senders: int = 6, routes: tuple[Route, ...] = ROUTES) -> None:
        """Begin to send, on so many connections at once."""
        connect = connector(self.pki, self.port)
        for _ in range(senders):
            sender = Sender(self.ledger, connect, self.chance.randrange(2**32), routes)
            self.senders.append(sender)
            sender.start()

    def unload(self) -> None:
        """Let every sender come to the end of what it has begun."""
        self.receiving.failing = False
        for sender in self.senders:
            sender.halt.set()
        for sender in self.senders:
            sender.join(PATIENCE)
            assert not sender.is_alive(), "a sender got stuck"
            if sender.failure is not None:
                raise sender.failure
        self.senders.clear()

    def finish(self) -> None:
        """End the load, then the gateway, both in peace."""
        self.unload()
        assert self.gateway.stop() == 0
        self.checkpoints.look()

    def close(self) -> None:
        for sender in self.senders:
            sender.halt.set()
        self.checkpoints.halt.set()
        self.gateway.close()
        self.receiver.close()
