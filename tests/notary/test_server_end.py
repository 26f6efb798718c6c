"""How a worker's channel ends, and what waits on it before it does."""

import pytest
import trio
import trio.testing

from proxy.errors import EvidenceError
from proxy.notary import messages, server
from proxy.notary.frames import Kind, encode
from proxy.notary.server import Hall
from tests.notary.links import Durable, MemoryLog, attempt, claim_of, statement
from tests.notary.wires import HELLO, concluding, held, reserving, served


async def test_at_its_end_everything_that_was_read_is_in_the_log() -> None:
    log = MemoryLog(at_once=False)
    found = [statement() for _ in range(30)]
    async with served(log) as wire:
        await wire.say(HELLO, *(concluding(n, each) for n, each in enumerate(found)))
        await wire.sock.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert not wire.ended.is_set(), "they are not concluded"
        log.commit()
        assert await wire.outcome() is None
    assert log.durable.log == found


async def test_what_a_worker_wrote_is_read_though_it_died_without_reading() -> None:
    log, first = MemoryLog(), statement()
    rest = [statement() for _ in range(200)]
    async with served(log) as wire:
        await wire.say(HELLO, concluding(1, first))
        await trio.testing.wait_all_tasks_blocked(0.01)  # its receipt waits to be read: ECONNRESET
        await wire.say(*(concluding(n, each) for n, each in enumerate(rest)))
        assert await wire.end() is None
    assert log.durable.log == [first, *rest]


async def test_a_frame_that_the_end_cuts_off_was_never_said() -> None:
    log, found = MemoryLog(), statement()
    async with served(log) as wire:
        await wire.say(HELLO, concluding(1, found), concluding(2, statement())[:-1])
        assert await wire.end() is None
    assert log.durable.log == [found]


async def test_questions_die_with_their_worker_but_what_it_lets_go_is_let_go() -> None:
    log, hall, claim, ours = MemoryLog(), Hall(["2"]), claim_of(), attempt()
    async with served(log, "1", hall) as wire:
        await wire.say(HELLO, reserving(1, claim_of(), attempt()), reserving(2, claim, ours))
        await wire.say(encode(Kind.RELEASE, 0, ours + messages.pack_claim(claim)))
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert await wire.end() is None
    assert log.held == {}
    assert log.released == [ours]


@pytest.mark.parametrize(
    "malformed",
    [
        b"\xff" * 13,
        encode(Kind.RECEIPT, 1, bytes(8)),
        encode(Kind.CONCLUDE, 1, b"short"),
        encode(Kind.HELLO, 0, b"more"),
        held(claim_of(), attempt()),
        encode(Kind.ENTRY, 1, b"short"),
        encode(Kind.SHED, 0, b"[]"),
        b"\0\0\0\x09\x7f" + bytes(8),
    ],
    ids=["octets", "answer", "short", "more", "late-hold", "entry", "counts", "kind"],
)
async def test_what_does_not_read_ends_the_channel_but_not_what_was_said_before(
    malformed: bytes,
) -> None:
    log, before = MemoryLog(at_once=False), statement()
    async with served(log) as wire:
        await wire.say(HELLO, concluding(1, before), malformed, concluding(2, statement()))
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert not wire.ended.is_set()
        log.commit()
        assert isinstance(await wire.outcome(), EvidenceError)
        assert await wire.sock.receive_some(10) == b""
    assert log.durable.log == [before]


async def test_a_question_before_hello_ends_the_channel() -> None:
    async with served(MemoryLog()) as wire:
        await wire.say(reserving(1, claim_of(), attempt()), HELLO)
        assert isinstance(await wire.outcome(), EvidenceError)


async def test_no_more_is_read_than_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST", 50)
    log = MemoryLog(at_once=False)
    async with served(log) as wire, trio.open_nursery() as nursery:
        many = [concluding(n, statement(details=b"x" * 40_000)) for n in range(200)]
        nursery.start_soon(wire.say, HELLO, *many)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert 50 <= len(log.queue) < 53
        log.at_once = True
        log.commit()
        for n in range(200):
            assert (await wire.hear())[:2] == (Kind.RECEIPT, n)


async def test_a_worker_that_reads_nothing_is_not_answered_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "MOST_OCTETS", 100_000)
    durable = Durable()
    log = MemoryLog(durable)
    await log.conclude(statement())
    monkeypatch.setattr(durable, "envelope", lambda index: b"x" * 60_000)
    asked = encode(Kind.ENTRY, 1, messages.pack_index(0))
    async with served(log) as wire:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.say, HELLO, asked * 100_000)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert log.asked < 20, "it is not answered any more"
            nursery.cancel_scope.cancel()
        assert await wire.end() is None, "its death is seen all the same"
