"""The chain of the example configurations: application, sidecar, gateway, sidecar, receiver."""

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.project.tree import ROOT
from tests.scenarios.client import request
from tests.scenarios.conftest import StartGateway, StartReceiver
from tests.scenarios.gateway import Config, Gateway, lockgate
from tests.scenarios.hops import by_unix, example, own_receipt_key
from tests.scenarios.message import Message
from tests.scenarios.policy import SSN
from tests.scenarios.receiver import Receiver

ORDER = b'{"order":7,"customer":{"ssn":"' + SSN.encode() + b'"}}'
MASKED = ORDER.replace(SSN.encode(), b"[REDACTED]")


ENTRIES = (None, "ingest", "ingress")
"""The listener of each hop by which the one before reaches it; the first has a socket."""


Done = subprocess.CompletedProcess[str]


def verify(*words: str | Path) -> Done:
    """`lockgate receipts verify --chain`."""
    return lockgate("receipts", "verify", *words, "--chain")


def flags(name: str, values: Sequence[Path]) -> list[str | Path]:
    return [word for value in values for word in (name, value)]


@dataclass(frozen=True)
class Chain:
    """Three processes, each with a log and a receipt key of its own, and who is at the end."""

    hops: list[Gateway]
    keys: list[Path]
    certificates: list[Path]
    receiver: Receiver
    folder: Path

    def ask(self, octets: bytes) -> Message:
        """What the application sends to its sidecar."""
        with by_unix(self.hops[0]) as application:
            return application.ask(octets)

    def send(self, file: Path, *words: str | Path) -> Done:
        """`lockgate send` to the sidecar's socket, as its page has it."""
        page = (ROOT / "docs" / "sending.md").read_text()
        (line,) = [line for line in page.splitlines() if "--unix-socket var" in line]
        places = {"order.json": file, "var/egress.sock": self.hops[0].folder / "egress.sock"}
        return lockgate(*(places.get(word, word) for word in line.split()[1:]), *words)

    def verify(self, answer: Message, *words: str | Path) -> Done:
        """`receipts verify --chain` of the answer's head, with the key of every hop."""
        saved = self.folder / "answer.headers"
        saved.write_bytes(answer.raw_head)
        words += (*flags("--key", self.keys), *flags("--certificate", self.certificates))
        return verify(saved, *words)


def start_chain(
    start_gateway: StartGateway,
    start_receiver: StartReceiver,
    parties: Path,
    make: Callable[[str], Path],
    hops: int = 3,
) -> Chain:
    """A sidecar and a gateway; of three hops, a sidecar of the receiver as well, with its
    certificate, and a name and a log of its own."""
    names = ("gateway", "gateway", "receiver")[:hops]
    receiver = start_receiver(None if hops == 3 else "receiver")
    configs = [example("sidecar", parties), example("gateway", parties)]
    if hops == 3:
        configs.append(_of_the_receiver(parties))
    keys = [own_receipt_key(config, make("keys")) for config in configs]
    started: list[Gateway] = []
    further, endpoint = ("receiver", "application")[hops == 3], receiver.endpoint
    for config, entry in reversed(list(zip(configs, ENTRIES, strict=False))):
        config["upstreams"][further]["endpoints"] = [endpoint]
        started.insert(0, start_gateway(config))
        if entry is not None:
            endpoint = "https://{}:{}".format(*started[0].address(entry))
        further = "gateway" if entry == "ingest" else "receiver"
    certificates = [parties / f"{name}.pem" for name in names]
    return Chain(started, keys, certificates, receiver, make("chain"))


@pytest.fixture(scope="module")
def EXAMPLES(
    start_gateway: StartGateway,
    start_receiver: StartReceiver,
    parties: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Chain:
    """All three, for a module that says `chain = EXAMPLES`."""
    return start_chain(start_gateway, start_receiver, parties, tmp_path_factory.mktemp)


def _of_the_receiver(parties: Path) -> Config:
    theirs = example("sidecar", parties)
    theirs |= {"name": "sidecar-b"}
    theirs["identity"] |= {
        "certificate": f"file:{parties / 'receiver.pem'}",
        "key": f"file:{parties / 'receiver.key'}",
    }
    theirs["receipts"]["origin"] += "-b"
    return theirs


def order(*fields: str, body: bytes = ORDER) -> bytes:
    transfer_id = f"Transfer-Id: {os.urandom(4).hex()}-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
    return request("/orders/7", body, transfer_id, *fields)
