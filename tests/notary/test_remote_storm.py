"""The notary and the worker die at any point: every attempt has one statement all the same."""

import secrets

import pytest
import trio
import trio.testing

from proxy.errors import LogFailure, Refusal
from proxy.model import Claim, Receipt, Submission, Verdict
from proxy.notary.remote import RemoteLink
from proxy.notary.server import Hall, serve_link
from tests.notary.houses import settled
from tests.notary.links import (
    Durable,
    MemoryLog,
    attempt,
    channel,
    claim_of,
    claimed,
    key_of,
    statement,
)
from tests.patience import PATIENCE


class Storm:
    """Attempts at few ids through two links, while the notary dies again and again.

    The wire between them carries a random number of octets in each direction, in pieces of any
    size, before it breaks; then there is another notary, with what the last had made durable.
    """

    def __init__(self) -> None:
        self.durable = Durable()
        self.links = [RemoteLink(), RemoteLink()]
        self.under_way: dict[object, bytes] = {}
        """Id -> the attempt that was told that it is its own."""
        self.told: dict[bytes, Receipt] = {}
        self.concluded: list[bytes] = []
        self.calm = False

    async def attempt(self, link: RemoteLink, claim: Claim) -> None:
        ours = attempt()
        try:
            earlier = await link.reserve(claim, ours)
        except Refusal:
            await trio.lowlevel.checkpoint()
            return
        if earlier is not None:
            assert self.durable.envelope(earlier.index) == earlier.envelope
            return
        key = key_of(claim)
        assert key not in self.under_way, "one id, two attempts"
        self.under_way[key] = ours
        for _ in range(secrets.randbelow(150)):
            await trio.lowlevel.checkpoint()
        verdict = Verdict.DELIVERED if secrets.randbelow(9) == 0 else Verdict.FAILED
        found = claimed(claim, verdict, attempt_id=ours)
        del self.under_way[key]
        self.concluded.append(ours)
        self.told[ours] = await link.conclude(found)

    async def sender(self, link: RemoteLink, number: int) -> None:
        for _ in range(12):
            await self.attempt(link, claim_of(f"id-{secrets.randbelow(3)}-{number // 4}"))

    async def relay(self, a: trio.SocketStream, b: trio.SocketStream, budget: int) -> None:
        """Octets from a to b until the budget is spent or a is at its end."""
        try:
            while budget > 0 and (data := await a.receive_some(1 + secrets.randbelow(3000))):
                await b.send_all(data[:budget])
                budget -= len(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def life(self) -> None:
        """One notary, from hello to its death; in calm it lives until it is cancelled."""
        log = MemoryLog(self.durable, at_once=False)
        hall = Hall(["0", "1"])
        async with trio.open_nursery() as nursery:
            try:
                for name, link in enumerate(self.links):
                    ours, near = channel()
                    far, theirs = channel()
                    nursery.start_soon(serve_link, log, str(name), theirs, hall, 0)
                    for a, b in ((near, far), (far, near)):
                        budget = 10**9 if self.calm else secrets.randbelow(20_000)
                        nursery.start_soon(self.wire, nursery, a, b, budget)
                    await link.attach(ours)
                ticks = secrets.randbelow(300)
                while self.calm or ticks > 0:
                    ticks -= 1
                    await trio.lowlevel.checkpoint()
                    if secrets.randbelow(3) == 0:
                        log.commit()
                nursery.cancel_scope.cancel()
            finally:
                log.dead = True

    async def wire(
        self, nursery: trio.Nursery, a: trio.SocketStream, b: trio.SocketStream, budget: int
    ) -> None:
        """The first that breaks is the death of the notary."""
        async with a, b:
            await self.relay(a, b, budget)
            nursery.cancel_scope.cancel()

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for link in self.links:
                await nursery.start(link.run)
            async with trio.open_nursery() as senders:
                for number in range(8):
                    senders.start_soon(self.sender, self.links[number % 2], number)
                for _ in range(12):
                    await self.life()
                self.calm = True
                nursery.start_soon(self.life)
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("round_", range(6))
async def test_whenever_the_notary_dies_every_attempt_has_one_statement(round_: int) -> None:
    storm = Storm()
    with trio.fail_after(PATIENCE):
        await storm.run()
    written = [entry.attempt_id for entry in storm.durable.log]
    assert len(written) == len(set(written)), "none has two"
    assert set(written) == set(storm.concluded), "none has none"
    for attempt_id, receipt in storm.told.items():
        assert receipt == storm.durable.find(attempt_id)
    delivered = [
        key_of(entry.claim)
        for entry in storm.durable.log
        if entry.claim and entry.verdict is Verdict.DELIVERED
    ]
    assert len(delivered) == len(set(delivered)), "no id is delivered twice"


async def test_whenever_the_worker_dies_what_it_had_said_is_dealt_with() -> None:
    for _ in range(40):
        log = MemoryLog(at_once=False)
        ours, theirs = channel()
        link = RemoteLink()
        found: list[Submission] = []
        results: list[Receipt | LogFailure] = []
        async with trio.open_nursery() as notary:
            notary.start_soon(serve_link, log, "1", theirs, Hall(), 0)
            async with trio.open_nursery() as worker:
                await worker.start(link.run)
                await link.attach(ours)
                for _ in range(secrets.randbelow(40)):
                    found.append(statement())
                    link.submit(found[-1], results.append)
                    if secrets.randbelow(2):
                        await trio.lowlevel.checkpoint()
                    if secrets.randbelow(4) == 0:
                        log.commit()
                worker.cancel_scope.cancel()
            await settled()
            log.commit()
        said = len(log.durable.log)
        assert log.durable.log == found[:said]
        assert [each for each in results if isinstance(each, LogFailure)] == []
        assert len(results) <= said
