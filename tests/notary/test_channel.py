"""Workers with desks, channels and the notary itself: either end dies at any point."""

import secrets
from functools import partial
from pathlib import Path

import pytest
import trio

from proxy.errors import LogFailure, Refusal
from proxy.model import Claim, Outcome, Peer, Verdict
from proxy.notary import Desk, Hall, Notary, RemoteLink, serve_link
from proxy.notary.intents import FOLDER, IntentFile, read_intents
from tests.notary.disks import DyingDisk, LooseDisk
from tests.notary.links import channel, claim_of
from tests.notary.samples import audited, intent_of, open_notary, outcome, statements
from tests.patience import PATIENCE

NAMES = ("a", "b")


class Worker:
    """A link, a desk, and what its transfers saw."""

    def __init__(self, store: Path, name: str) -> None:
        self.name = name
        self.path = store / FOLDER / name
        self.link = RemoteLink()
        intents = IntentFile.open(self.path, sync=False, disk=LooseDisk())
        self.desk = Desk(self.link, intents, patience=5.0)
        self.forwarded: dict[bytes, Claim] = {}
        """What a receiver saw."""
        self.receipts: dict[bytes, bytes] = {}
        self.scope = trio.CancelScope()
        self.done = trio.Event()

    async def run(self, transfers: int) -> None:
        """Until it dies; `done` when its four senders have each made so many."""
        with self.scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.link.run)
                async with trio.open_nursery() as senders:
                    for _ in range(4):
                        senders.start_soon(self._sender, transfers)
                await self.desk.close()
                self.done.set()

    async def _sender(self, transfers: int) -> None:
        for _ in range(transfers):
            while not self.desk.ready:
                await trio.lowlevel.checkpoint()
            try:
                await self._transfer(claim_of(f"id-{secrets.randbelow(8)}"))
            except Refusal:
                await trio.lowlevel.checkpoint()

    async def _transfer(self, claim: Claim) -> None:
        verdict = Verdict.DELIVERED if secrets.randbelow(3) == 0 else Verdict.FAILED
        found: Outcome = outcome(
            verdict,
            sender=Peer(uid=7),
            claim=claim,
            transfer_id=claim.transfer_id,
            content_sha256=b"c" * 32,
        )
        if await self.desk.reserve(claim, found.attempt_id) is not None:
            return
        try:
            await self.desk.intend(intent_of(found))
        except LogFailure:
            self.link.release(claim, found.attempt_id)
            raise
        self.forwarded[found.attempt_id] = claim
        await trio.lowlevel.checkpoint()
        receipt = await self.desk.conclude(found)
        self.receipts[found.attempt_id] = receipt.envelope


class House:
    def __init__(self, store: Path) -> None:
        self.store = store
        self.workers: dict[str, Worker] = {}
        self.hall = Hall()
        """Of the latest notary."""

    async def life(self, ticks: int, *, calm: trio.Event | None = None) -> None:
        """One notary, until it is killed; with `calm`, until that is set, and it ends cleanly."""
        live = [name for name, worker in self.workers.items() if not worker.scope.cancel_called]
        disk = LooseDisk() if calm is not None else DyingDisk(10**9, secrets.randbelow(100) / 100)
        notary, hall = open_notary(self.store, disk=disk, live=live), Hall(live)
        self.hall = hall
        async with trio.open_nursery() as served, trio.open_nursery() as nursery:
            await served.start(notary.run)
            ends = []
            for name in live:
                ours, theirs = channel()
                ends.append(theirs)
                nursery.start_soon(serve_link, notary, name, theirs, hall)
                await self.workers[name].link.attach(ours)
            if calm is not None:
                await calm.wait()
                nursery.cancel_scope.cancel()
                await notary.close()
                return
            for _ in range(ticks):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
            for end in ends:
                end.socket.close()
            assert isinstance(disk, DyingDisk)
            disk.lives = secrets.randbelow(2)
            served.cancel_scope.cancel()


def check(house: House) -> None:
    """From outside: every attempt that the receiver saw has one verdict, and nothing is lost."""
    audited(house.store)
    said = statements(house.store)
    attempts = [each.attempt_id for each in said if each.attempt_id is not None]
    assert len(attempts) == len(set(attempts)), "none has two"
    delivered = [each.transfer_id for each in said if each.verdict is Verdict.DELIVERED]
    assert len(delivered) == len(set(delivered)), "no id is delivered twice"
    for worker in house.workers.values():
        assert set(worker.forwarded) <= set(attempts), "none has none"


@pytest.mark.parametrize("round_", range(4))
async def test_the_notary_dies_again_and_again(tmp_path: Path, round_: int) -> None:
    house, calm = await _house(tmp_path), trio.Event()
    house.workers = {name: Worker(tmp_path, name) for name in NAMES}
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            for worker in house.workers.values():
                nursery.start_soon(worker.run, 15)
            for _ in range(5):
                await house.life(secrets.randbelow(400))
            nursery.start_soon(partial(house.life, 0, calm=calm))
            for worker in house.workers.values():
                await worker.done.wait()
                worker.scope.cancel()
                house.hall.gone(worker.name)  # else the other waits for what it has not said yet
            calm.set()
    check(house)
    for worker in house.workers.values():
        assert read_intents(worker.path) == []
        assert set(worker.receipts) <= set(worker.forwarded)


async def _house(store: Path) -> House:
    notary = open_notary(store)
    async with trio.open_nursery() as nursery:
        await nursery.start(notary.run)
        await notary.close()
    return House(store)


@pytest.mark.parametrize("round_", range(4))
async def test_a_worker_dies_and_the_other_goes_on(tmp_path: Path, round_: int) -> None:
    house = await _house(tmp_path)
    house.workers = {name: Worker(tmp_path, name) for name in NAMES}
    dead, other = house.workers.values()
    notary, hall = open_notary(tmp_path, live=NAMES), Hall(NAMES)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            await nursery.start(notary.run)
            async with trio.open_nursery() as nursery_of_workers:
                served = {name: trio.Event() for name in NAMES}

                async def serve(name: str, end: trio.SocketStream) -> None:
                    assert await serve_link(notary, name, end, hall) is None
                    served[name].set()

                for name, worker in house.workers.items():
                    ours, theirs = channel()
                    nursery.start_soon(serve, name, theirs)
                    await worker.link.attach(ours)
                    nursery_of_workers.start_soon(worker.run, 25)
                for _ in range(20 + secrets.randbelow(300)):
                    await trio.lowlevel.checkpoint()
                dead.scope.cancel()
                await served[dead.name].wait()
                closed = await _gone(notary, hall, dead)
                await other.done.wait()
                other.scope.cancel()
            await notary.close()
    check(house)
    assert not dead.path.exists()
    assert read_intents(other.path) == []
    ended = {each.attempt_id: each.verdict for each in statements(tmp_path)}
    cut_short = [each for each in dead.forwarded if ended[each] is Verdict.INDETERMINATE]
    assert closed >= len(cut_short)
    for attempt_id in dead.receipts:
        assert ended[attempt_id] is not Verdict.INDETERMINATE


async def _gone(notary: Notary, hall: Hall, worker: Worker) -> int:
    closed = await notary.worker_gone(worker.name)
    hall.gone(worker.name)
    return closed
