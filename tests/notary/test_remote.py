"""The worker's end of the channel while there is a notary: it answers as the notary would."""

import pytest

from proxy.errors import LogFailure, Refusal
from proxy.model import Earlier, Missed, Receipt, named_trouble
from proxy.notary.remote import RemoteLink
from tests.notary.houses import Asked, attached, house, reborn, settled, started
from tests.notary.links import (
    START,
    MemoryLog,
    attempt,
    claim_of,
    claimed,
    statement,
)


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


async def test_a_link_knows_why_there_is_nobody_to_take_an_intent() -> None:
    async with house() as nursery:
        link, log = await started(nursery), MemoryLog()
        assert link.trouble == named_trouble("notary-away")
        notary = await attached(nursery, link, log)
        log.set_ready(False)
        await settled()
        assert link.trouble == log.trouble
        await notary.die()
        await settled()
        assert link.trouble == named_trouble("notary-away")


async def test_what_a_notary_that_dies_has_not_said_the_next_one_says() -> None:
    async with house() as nursery:
        link, log, found = await started(nursery), MemoryLog(), Missed({"slow": 3}, START, START)
        with pytest.raises(LogFailure, match="away"):
            await link.missed(found)
        notary = await attached(nursery, link, log)
        log.hesitate()
        asked = Asked(nursery, lambda: link.missed(found))
        await settled()
        await notary.die()
        await settled()
        assert not asked.answered.is_set()
        after = await reborn(nursery, link, MemoryLog())
        assert asked.answered.is_set()
        assert after.missing == [found]


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
        assert ours not in [held for held, _ in (await reborn(nursery, link, log)).held.values()]
