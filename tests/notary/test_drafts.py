"""Batches: what the index is told of a statement is what the statement says."""

from collections.abc import Iterator
from hashlib import sha256

import pytest

from proxy.errors import LogFailure
from proxy.model import Event, Peer, Verdict
from proxy.notary.book import Book, Draft
from proxy.notary.drafts import Batch, Item, Pending, Scribe, pendings
from proxy.notary.keys import Keys
from proxy.notary.rows import row_of
from proxy.receipt import dsse
from proxy.receipt.reading import summarise
from proxy.receipt.statement import submission
from tests.notary.samples import (
    LOG_KEY,
    ORIGIN,
    RECEIPT_KEY,
    START,
    intent_of,
    outcome,
    refusal,
)

SCRIBE = Scribe(Keys(ORIGIN, RECEIPT_KEY, LOG_KEY, None))


def items() -> Iterator[Item]:
    for verdict in Verdict:
        yield submission(outcome(verdict))
    yield submission(refusal("overloaded", sender=Peer(uid=7), route=None))
    yield submission(outcome(transfer_id="not a uuid", content_sha256=b"c" * 32))
    yield intent_of(outcome())
    yield Event("stop", {"clean": True})


def drafted(*items: Item) -> Batch:
    batch = Batch(Draft(Book(), START))
    SCRIBE.draft(batch, pendings(list(items)), 700)
    return batch


@pytest.mark.parametrize("item", list(items()))
def test_the_row_of_a_statement_is_the_one_that_reading_it_gives(item: Item) -> None:
    batch = drafted(item)
    [(_, receipt)] = batch.written
    summary = summarise(dsse.verify(receipt.envelope, RECEIPT_KEY.public_key()))
    assert batch.rows == [row_of(700, summary)]


def test_a_batch_is_folded_into_the_book_as_reading_it_back_does() -> None:
    batch, read, written = drafted(*items()), Book(), Book()
    written.take(batch.draft)
    for _, receipt in batch.written:
        summary = summarise(dsse.parse(receipt.envelope).payload)
        read.replay(summary, receipt.index, sha256(receipt.envelope).digest())
    assert read == written


def test_no_attempt_is_written_twice_whatever_is_asked() -> None:
    found = submission(outcome())
    batch = drafted(found, found)
    assert len(batch.written) == len(batch.failed) == 1
    book = Book()
    book.take(batch.draft)
    again = Batch(Draft(book, START))
    SCRIBE.draft(again, pendings([found]), 701)
    [(_, failure)] = again.failed
    assert isinstance(failure, LogFailure)
    assert "already" in failure.reason


def test_who_waits_is_told_once() -> None:
    told: list[object] = []
    pending = Pending(submission(outcome()), False, [told.append])
    for _ in range(2):
        pending.unanswered(LogFailure("no disk"))
    assert len(told) == 1
