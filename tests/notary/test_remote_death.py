"""The worker's end outlives the notary, and forgets nothing that is owed."""

import pytest
import trio
import trio.testing

from proxy.errors import LogFailure
from proxy.model import Receipt, Verdict
from proxy.notary import messages, remote
from proxy.notary.frames import Decoder, Frame, Kind, encode
from tests.notary.houses import Asked, attached, house, reborn, settled, started
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
        after = await reborn(nursery, link, log)
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
        await reborn(nursery, link, notary.log)
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
        after = await reborn(nursery, link, log)
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
        after = await reborn(nursery, link, log)
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
        assert (await reborn(nursery, link, log)).counts == {}, "once"


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
        await reborn(nursery, link, MemoryLog())
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
