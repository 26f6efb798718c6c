"""The whole path of the evidence under load, in one process and in two.

    python -m loadtest.evidence FOLDER PKI SOCKET     is the notary of two; ends with the channel

An attempt reserves its id where it has a claim, keeps its intent, and concludes: what a worker does
for a transfer, without the transfer. The log is fsynced and published as a gateway's is.
"""

import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import trio

from loadtest.outcomes import intent_of
from loadtest.proxies import cpu_of
from proxy.app import memory
from proxy.model import Outcome
from proxy.notary import Notary
from proxy.notary.desk import Desk
from proxy.notary.disk import Disk
from proxy.notary.intents import IntentFile
from proxy.notary.keys import Keys, load
from proxy.notary.link import Link
from proxy.notary.remote import RemoteLink
from proxy.notary.server import Hall, serve_link
from proxy.notary.store import ROTATE, Store

ORIGIN = "receipts.lockgate.example/loadtest"
WORKER = "worker-0"
_CAPACITY = 10_000_000
_EVERY = 1.0


def now() -> datetime:
    return datetime.now(UTC)


def keys_in(pki: Path) -> Keys:
    """The keys that `lockgate certs` has made there."""
    files = (pki / name for name in ("receipts.key", "log.key", "log-pq.key"))
    return load(ORIGIN, *(file.read_bytes() for file in files))


def open_store(folder: Path, pki: Path, *, rotate: int = ROTATE) -> Store:
    return Store(folder, keys_in(pki), Disk(), now, capacity=_CAPACITY, rotate=rotate)


@asynccontextmanager
async def running(folder: Path, pki: Path) -> AsyncIterator[Notary]:
    """A notary at work; its log is whole and published at the end."""
    notary = Notary.open(
        folder,
        keys=keys_in(pki),
        durability="fsync",
        checkpoint_every=_EVERY,
        capacity=_CAPACITY,
        clock=now,
        live=[WORKER],
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(notary.run)
        yield notary
        await notary.close()


# --- attempts ------------------------------------------------------------------------------------


async def conclude_all(desk: Desk, found: list[Outcome], width: int) -> None:
    """So many attempts at once, until all have their receipt."""
    left = iter(found)
    async with trio.open_nursery() as house:
        house.start_soon(desk.run)
        async with trio.open_nursery() as nursery:
            for _ in range(width):
                nursery.start_soon(_attempts, desk, left)
        house.cancel_scope.cancel()


async def _attempts(desk: Desk, left: Iterator[Outcome]) -> None:
    for found in left:
        if found.claim is not None:
            earlier = await desk.reserve(found.claim, found.attempt_id)
            assert earlier is None
        await desk.intend(intent_of(found))
        await desk.conclude(found)


def _desk(link: Link, folder: Path) -> Desk:
    intents = IntentFile.open(folder / "intents" / WORKER, sync=False)
    return Desk(link, intents, patience=60.0)


# --- one process ---------------------------------------------------------------------------------


def alone(folder: Path, pki: Path, warm: list[Outcome], found: list[Outcome], width: int) -> float:
    """Seconds of CPU a receipt, with the notary as a task of the worker."""
    return trio.run(_alone, folder, pki, warm, found, width)


async def _alone(
    folder: Path, pki: Path, warm: list[Outcome], found: list[Outcome], width: int
) -> float:
    async with running(folder, pki) as notary:
        desk = _desk(notary, folder)
        await conclude_all(desk, warm, width)
        memory.settle()
        before = time.process_time()
        await conclude_all(desk, found, width)
        await notary.publish()
        cost = time.process_time() - before
        await desk.close()
    return cost / len(found)


# --- two -----------------------------------------------------------------------------------------


def apart(
    folder: Path, pki: Path, warm: list[Outcome], found: list[Outcome], width: int
) -> tuple[float, float, float]:
    """Seconds a receipt: CPU of the worker, CPU of the notary, and on the clock."""
    ours, theirs = socket.socketpair()
    number = theirs.fileno()
    command = [sys.executable, "-m", "loadtest.evidence", str(folder), str(pki), str(number)]
    notary = subprocess.Popen(command, pass_fds=[number])
    theirs.close()
    try:
        return trio.run(_beside, notary.pid, ours, folder, warm, found, width)
    finally:
        notary.wait()


async def _beside(
    pid: int,
    sock: socket.socket,
    folder: Path,
    warm: list[Outcome],
    found: list[Outcome],
    width: int,
) -> tuple[float, float, float]:
    async with trio.open_nursery() as nursery:
        link = RemoteLink()
        await nursery.start(link.run)
        await link.attach(trio.SocketStream(trio.socket.from_stdlib_socket(sock)))
        while not link.ready:  # noqa: ASYNC110 - nobody tells when the other process is up
            await trio.sleep(0.01)
        desk = _desk(link, folder)
        await conclude_all(desk, warm, width)
        memory.settle()
        before = time.process_time(), cpu_of(pid), time.perf_counter()
        await conclude_all(desk, found, width)
        ours, clock = time.process_time(), time.perf_counter()
        await trio.sleep(1.5 * _EVERY)  # it publishes the last of them
        after = ours, cpu_of(pid), clock
        await desk.close()
        nursery.cancel_scope.cancel()
    worker, notary, clock = (b - a for a, b in zip(before, after, strict=True))
    return worker / len(found), notary / len(found), clock / len(found)


async def _serve(folder: Path, pki: Path, sock: socket.socket) -> None:
    async with running(folder, pki) as notary:
        memory.settle()
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        await serve_link(notary, WORKER, stream, Hall([WORKER]))


def main() -> None:
    """Be the notary of two."""
    folder, pki, number = sys.argv[1:]
    trio.run(_serve, Path(folder), Path(pki), socket.socket(fileno=int(number)))


if __name__ == "__main__":
    main()
