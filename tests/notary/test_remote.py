"""The worker's end of the channel: it outlives the notary, and forgets nothing that is owed."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from proxy.errors import LogFailure, Refusal
from proxy.model import Claim, Earlier, Receipt, Submission, Verdict
from proxy.notary import messages, remote
from proxy.notary.frames import Decoder, Frame, Kind, encode
from proxy.notary.remote import RemoteLink
from proxy.notary.server import Hall, serve_link
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


@asynccontextmanager
async def house() -> AsyncIterator[trio.Nursery]:
    async with trio.open_nursery() as nursery:
        yield nursery
        nursery.cancel_scope.cancel()


async def settled() -> None:
    """Everybody waits for somebody else."""
    await trio.testing.wait_all_tasks_blocked(0.005)


class Notary:
    """One life of a notary that serves a link."""

    def __init__(self, log: MemoryLog, end: trio.SocketStream) -> None:
        self.log = log
        self.end = end
        self.scope = trio.CancelScope()

    async def serve(self, name: str, hall: Hall) -> None:
        with self.scope:
            await serve_link(self.log, name, self.end, hall)

    async def die(self) -> None:
        """As by SIGKILL: what it had not written is gone."""
        self.log.dead = True
        self.scope.cancel()
        await trio.aclose_forcefully(self.end)


async def attached(
    nursery: trio.Nursery, link: RemoteLink, log: MemoryLog, hall: Hall | None = None
) -> Notary:
    """A notary for `link`."""
    ours, theirs = channel()
    notary = Notary(log, theirs)
    nursery.start_soon(notary.serve, "1", hall or Hall())
    await link.attach(ours)
    await settled()
    return notary


async def started(nursery: trio.Nursery) -> RemoteLink:
    link = RemoteLink()
    await nursery.start(link.run)
    return link


class Asked:
    """Somebody who waits for an answer."""

    def __init__(self, nursery: trio.Nursery, ask: Callable[[], Awaitable[object]]) -> None:
        self.answer: object = None
        self.answered = trio.Event()
        self.scope = trio.CancelScope()
        nursery.start_soon(self._wait, ask)

    async def _wait(self, ask: Callable[[], Awaitable[object]]) -> None:
        with self.scope:
            try:
                self.answer = await ask()
            except Refusal as refusal:
                self.answer = refusal
            self.answered.set()


# --- while the notary lives ----------------------------------------------------------------------


async def test_a_link_is_ready_while_there_is_a_notary_that_is() -> None:
    async with house() as nursery:
        link, log = await started(nursery), MemoryLog()
        seen = [link.ready]
        notary = await attached(nursery, link, log)
        seen.append(link.ready)
        for ready in (False, True):
            log.set_ready(ready)
            await settled()
            seen.append(link.ready)
        await notary.die()
        await settled()
        seen.append(link.ready)
        assert seen == [False, True, False, True, False]


async def test_the_notary_answers_through_the_link_as_it_would_itself() -> None:
    async with house() as nursery:
        link, log = await started(nursery), MemoryLog()
        await attached(nursery, link, log)
        claim, ours = claim_of(), attempt()
        assert await link.reserve(claim, ours) is None
        with pytest.raises(Refusal, match="in-flight") as refused:
            await link.reserve(claim, attempt())
        assert refused.value.retry_after == 1
        found = claimed(claim, attempt_id=ours, content_sha256=b"c" * 32)
        leaf = b"envelope of " + ours
        assert await link.conclude(found) == Receipt(0, leaf)
        assert await link.conclude(found, resent=True) == Receipt(0, leaf)
        assert await link.reserve(claim, attempt()) == Earlier(201, 0, leaf)
        assert await link.matches(claim, b"c" * 32)
        assert not await link.matches(claim, b"d" * 32)
        assert await link.entry(0) == leaf
        assert await link.entry(1) is None
        assert await link.latest(claim.sender, claim.route, claim.transfer_id) == leaf
        assert await link.latest("uid:8", claim.route, claim.transfer_id) is None
        link.shed({"ingest:full": 2})
        link.shed({"ingest:full": 1, "ingest:timeout": 4})
        await settled()
        assert log.counts == {"ingest:full": 3, "ingest:timeout": 4}
    assert log.durable.log == [found]


async def test_statements_that_are_submitted_together_share_a_batch() -> None:
    async with house() as nursery:
        link, log = await started(nursery), MemoryLog(at_once=False)
        await attached(nursery, link, log)
        results: list[Receipt | LogFailure] = []
        for _ in range(30):
            link.submit(statement(), results.append)
        await settled()
        log.commit()
        await settled()
        assert [each.index for each in results if isinstance(each, Receipt)] == list(range(30))
    assert log.batches == [30]


async def test_a_statement_that_the_notary_cannot_write_fails_and_may_be_sent_again() -> None:
    async with house() as nursery:
        link, log, found = await started(nursery), MemoryLog(), statement()
        await attached(nursery, link, log)
        log.failing = True
        with pytest.raises(LogFailure, match="the disk is full"):
            await link.conclude(found)
        again = Asked(nursery, lambda: link.conclude(found, resent=True))
        await settled()
        assert not again.answered.is_set()
        log.mend()
        await settled()
        assert again.answer == Receipt(0, b"envelope of " + found.attempt_id)


async def test_a_statement_that_cannot_be_said_fails_at_once() -> None:
    link = RemoteLink()
    results: list[Receipt | LogFailure] = []
    link.submit(statement(status=70_000), results.append)
    link.submit(statement(details=b"x" * 2**20), results.append)
    assert [type(each) for each in results] == [LogFailure, LogFailure]


async def test_an_answer_that_nobody_waits_for_any_more_disturbs_nobody() -> None:
    async with house() as nursery:
        link, log = await started(nursery), MemoryLog()
        await attached(nursery, link, log)
        log.hesitate()
        gone = Asked(nursery, lambda: link.entry(0))
        await settled()
        gone.scope.cancel()
        log.hesitant.set()
        assert await link.entry(0) is None
        assert link.ready


async def test_an_id_that_is_let_go_is_free() -> None:
    async with house() as nursery:
        link, log = await started(nursery), MemoryLog()
        notary = await attached(nursery, link, log)
        claim, ours = claim_of(), attempt()
        await link.reserve(claim, ours)
        link.release(claim, ours)
        assert await link.reserve(claim, attempt()) is None
        await notary.die()
        assert ours not in [held for held, _ in (await _reborn(nursery, link, log)).held.values()]


async def _reborn(nursery: trio.Nursery, link: RemoteLink, log: MemoryLog) -> MemoryLog:
    """The log that the next notary keeps."""
    after = MemoryLog(log.durable)
    await attached(nursery, link, after)
    return after


# --- when it dies --------------------------------------------------------------------------------


async def test_statements_without_a_receipt_are_said_again_in_their_order() -> None:
    async with house() as nursery:
        link, log = await started(nursery), MemoryLog(at_once=False)
        notary = await attached(nursery, link, log)
        found = [statement() for _ in range(20)]
        results: list[Receipt | LogFailure] = []
        for each in found[:10]:
            link.submit(each, results.append)
        await settled()
        await notary.die()
        await settled()
        for each in found[10:]:
            link.submit(each, results.append)
        assert results == []
        after = await _reborn(nursery, link, log)
        assert after.durable.log == found
        assert [each.index for each in results if isinstance(each, Receipt)] == list(range(20))


async def test_a_statement_that_was_durable_before_its_receipt_was_lost_is_not_doubled() -> None:
    durable, found = Durable(), statement()
    async with house() as nursery:
        link = await started(nursery)
        notary = await attached(nursery, link, MemoryLog(durable, at_once=False))
        waiting = Asked(nursery, lambda: link.conclude(found))
        await settled()
        await notary.die()
        durable.log.append(found)
        await _reborn(nursery, link, notary.log)
        assert waiting.answer == Receipt(0, b"envelope of " + found.attempt_id)
    assert durable.log == [found]


async def test_what_was_answered_before_the_death_is_still_read() -> None:
    async with house() as nursery:
        link = await started(nursery)
        ours, theirs = channel()
        await link.attach(ours)
        await settled()
        assert list(Decoder().feed(await theirs.receive_some(65_536))) == [(Kind.HELLO, 0, b"")]
        waiting = Asked(nursery, lambda: link.conclude(statement()))
        await settled()
        ((kind, number, _),) = Decoder().feed(await theirs.receive_some(65_536))
        assert kind == Kind.CONCLUDE
        receipt = Receipt(3, b"leaf")
        await theirs.send_all(messages.receipt_frame(number, receipt))
        await theirs.aclose()
        await settled()
        assert waiting.answer == receipt


async def test_what_is_held_is_said_before_anybody_gets_an_id() -> None:
    async with house() as nursery:
        link, log = await started(nursery), MemoryLog()
        notary = await attached(nursery, link, log)
        claim, ours = claim_of(), attempt()
        await link.reserve(claim, ours)
        await notary.die()
        after = await _reborn(nursery, link, log)
        assert after.held == {key_of(claim): (ours, "1")}
        await link.conclude(claimed(claim, Verdict.FAILED, attempt_id=ours))
        assert after.held == {}
        await (await attached(nursery, link, last := MemoryLog(log.durable))).die()
        assert last.held == {}, "what has its statement is not said any more"


async def test_questions_that_are_open_are_asked_again_after_hello() -> None:
    async with house() as nursery:
        link, log, claim = await started(nursery), MemoryLog(), claim_of()
        log.hesitate()
        notary = await attached(nursery, link, log)
        waiting = Asked(nursery, lambda: link.reserve(claim, attempt()))
        await settled()
        await notary.die()
        await settled()
        assert not waiting.answered.is_set()
        after = await _reborn(nursery, link, log)
        assert waiting.answered.is_set()
        assert list(after.held) == [key_of(claim)]


async def test_hello_says_holds_then_statements_then_that_it_is_all_then_questions() -> None:
    async with house() as nursery:
        link, log, claim = await started(nursery), MemoryLog(at_once=False), claim_of()
        notary = await attached(nursery, link, log)
        await link.reserve(claim, attempt())
        log.hesitate()
        link.submit(statement(), lambda result: None)
        Asked(nursery, lambda: link.entry(0))
        await settled()
        await notary.die()
        await settled()
        ours, theirs = channel()
        await link.attach(ours)
        await settled()
        heard: list[Frame] = list(Decoder().feed(await theirs.receive_some(65_536)))
        assert [kind for kind, _, _ in heard] == [Kind.HOLD, Kind.RESENT, Kind.HELLO, Kind.ENTRY]
        await theirs.aclose()


async def test_while_it_is_away_new_questions_fail_at_once() -> None:
    async with house() as nursery:
        link, claim = await started(nursery), claim_of()
        for ask in (
            lambda: link.reserve(claim, attempt()),
            lambda: link.matches(claim, bytes(32)),
            lambda: link.entry(0),
            lambda: link.latest("uid:7", "orders", "id"),
        ):
            with pytest.raises(LogFailure, match="away"):
                await ask()


async def test_what_is_shed_while_it_is_away_is_said_with_the_next_hello() -> None:
    async with house() as nursery:
        link, log = await started(nursery), MemoryLog()
        link.shed({"ingest:full": 2})
        link.shed({"ingest:full": 1, "ingest:timeout": 4})
        notary = await attached(nursery, link, log)
        assert log.counts == {"ingest:full": 3, "ingest:timeout": 4}
        await notary.die()
        assert (await _reborn(nursery, link, log)).counts == {}, "once"


async def test_more_questions_than_may_wait_fail_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "QUESTIONS", 5)
    async with house() as nursery:
        link, log = await started(nursery), MemoryLog()
        log.hesitate()
        await attached(nursery, link, log)
        waiting = [Asked(nursery, lambda: link.entry(0)) for _ in range(5)]
        await settled()
        with pytest.raises(LogFailure, match="too many"):
            await link.entry(0)
        log.hesitant.set()
        await settled()
        assert all(each.answered.is_set() for each in waiting)


@pytest.mark.parametrize(
    "malformed",
    [
        b"\0" * 13,
        encode(Kind.HELLO),
        encode(Kind.READY, 0, b"\2"),
        encode(Kind.RECEIPT, 1, b"short"),
        encode(Kind.REFUSED, 1, b"short"),
        encode(Kind.FLAG, 1, b"\1"),
    ],
)
async def test_a_notary_that_says_what_does_not_read_is_not_listened_to(malformed: bytes) -> None:
    async with house() as nursery:
        link = await started(nursery)
        ours, theirs = channel()
        await link.attach(ours)
        await settled()
        waiting = Asked(nursery, lambda: link.entry(0))  # the first number is 1
        await settled()
        await theirs.send_all(encode(Kind.READY, 0, b"\1") + malformed)
        await settled()
        assert not link.ready
        assert not waiting.answered.is_set(), "the next notary is asked"
        await _reborn(nursery, link, MemoryLog())
        assert waiting.answered.is_set()
        await theirs.aclose()


async def test_a_channel_that_is_replaced_before_its_end_is_let_go() -> None:
    async with house() as nursery:
        link = await started(nursery)
        old = await attached(nursery, link, MemoryLog())
        log = MemoryLog()
        await attached(nursery, link, log)
        assert (await link.conclude(statement())).index == 0
        assert old.log.durable.log == []
        assert len(log.durable.log) == 1
        first, theirs = channel()
        second, other = channel()
        await link.attach(first)
        await link.attach(second)
        await settled()
        with pytest.raises((trio.BrokenResourceError, trio.ClosedResourceError)):
            await theirs.send_all(b"x")
        for end in (theirs, other):
            await trio.aclose_forcefully(end)


async def test_a_channel_for_a_link_that_has_ended_is_let_go() -> None:
    async with house() as nursery:
        link = await started(nursery)
    ours, theirs = channel()
    await link.attach(ours)
    assert await theirs.receive_some(1) == b""
    await theirs.aclose()


# --- death at any point --------------------------------------------------------------------------


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
                    nursery.start_soon(serve_link, log, str(name), theirs, hall)
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
    with trio.fail_after(10):
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
            notary.start_soon(serve_link, log, "1", theirs, Hall())
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
