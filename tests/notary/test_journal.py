"""The journal's records: what reads, what is a torn tail and what is damage."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import EvidenceError
from proxy.notary import journal
from proxy.notary.book import Book, Snapshot, decode_snapshot, encode_snapshot
from proxy.notary.disk import Disk
from proxy.notary.streams import Streams
from tests.notary import samples

ITEMS = [(journal.SNAPSHOT, b"{}"), journal.memo(0, b"memo"), (journal.ENTRY, b"entry" * 9)]
START = journal.encode(ITEMS)
LATER = journal.encode([(journal.ENTRY, b"later")], len(START))


def test_records_read_back_as_they_were_written() -> None:
    found = journal.scan(START + LATER)
    assert found.items == (*ITEMS, (journal.ENTRY, b"later"))
    assert (found.length, found.fault, found.damaged) == (len(START + LATER), None, False)


def test_a_record_cut_off_anywhere_is_a_torn_tail() -> None:
    for cut in range(1, len(LATER)):
        found = journal.scan(START + LATER[:cut])
        assert found.items == tuple(ITEMS)
        assert (found.length, found.fault, found.damaged) == (len(START), "short", False)


def test_octets_after_the_last_record_are_a_torn_tail() -> None:
    for tail in (b"\x00", b"\x00" * 500, b"LGJE", LATER[:-1] + b"\x00"):
        found = journal.scan(START + LATER + tail)
        assert len(found.items) == 4
        assert not found.damaged


def test_a_flipped_bit_in_what_was_durable_is_damage_wherever_it_is() -> None:
    whole = START + LATER
    for at in range(len(START)):
        for bit in (0x01, 0x80):
            flipped = whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :]
            found = journal.scan(flipped)
            assert found.damaged
            with pytest.raises(EvidenceError, match="damaged at octet"):
                journal.require_intact(found, Path("journal"))


def test_a_new_journal_that_was_cut_is_damage_even_with_nothing_after_it() -> None:
    first = len(journal.encode(ITEMS[:1]))
    for cut in range(first, len(START)):
        assert journal.scan(START[:cut]).damaged


def test_a_batch_of_which_only_a_later_page_arrived_is_a_torn_tail() -> None:
    batch = journal.encode([(journal.ENTRY, bytes([n]) * 40) for n in range(3)], len(START))
    found = journal.scan(START + bytes(64) + batch[64:])
    assert (found.items, found.damaged) == (tuple(ITEMS), False)


@given(st.binary(max_size=400))
def test_any_octets_are_read_without_a_crash(data: bytes) -> None:
    found = journal.scan(data)
    assert found.length <= len(data)
    assert (found.fault is None) == (found.length == len(data))
    journal.scan(START + data)


@given(at=st.integers(0, len(START + LATER)), data=st.binary(max_size=30))
def test_what_reads_from_a_disturbed_journal_was_written_there(at: int, data: bytes) -> None:
    whole = START + LATER
    found = journal.scan(whole[:at] + data + whole[at + len(data) :])
    written = (*ITEMS, (journal.ENTRY, b"later"))
    assert found.items == written[: len(found.items)]


@given(st.one_of(st.binary(max_size=80), st.sampled_from([b"[]", b"{}", b"[1,2,3,4]", b"null"])))
def test_bodies_that_are_not_ours_are_refused(body: bytes) -> None:
    with pytest.raises(EvidenceError):
        decode_snapshot(body)


def test_a_snapshot_reads_back_as_it_was_written() -> None:
    book = Book(
        streams=Streams({"spiffe://a/b/orders": (41, b"\x01" * 32)}),
        transfers={("spiffe://a/b/orders", "an id"): (2, 40)},
        completed=samples.START,
        receipt_key=b"\x02" * 32,
    )
    snapshot = Snapshot(512, [[b"\x03" * 32]], 700, 690, book)
    assert decode_snapshot(encode_snapshot(snapshot)) == snapshot


def test_a_memo_keeps_the_index_of_its_entry() -> None:
    kind, body = journal.memo(700, b"what ids.py says")
    assert (kind, journal.memo_of(body)) == (journal.MEMO, (700, b"what ids.py says"))


def test_a_journal_begins_with_its_only_snapshot() -> None:
    snapshot = (journal.SNAPSHOT, encode_snapshot(Snapshot(0, [], 0, 0, Book())))
    for items in ([], [(journal.ENTRY, b"x")], [snapshot, snapshot]):
        with pytest.raises(EvidenceError):
            journal.require_intact(journal.scan(journal.encode(items)), Path("journal"))


def test_a_new_journal_takes_the_place_of_the_old_one_in_one_step(tmp_path: Path) -> None:
    path, scratch = tmp_path / "journal", tmp_path / ".journal"
    old = journal.Journal(Disk(), path, scratch, ITEMS)
    old.append([(journal.ENTRY, b"more")])
    old.sync()
    new = journal.Journal(Disk(), path, scratch, ITEMS[:1])
    old.close()
    new.append([(journal.ENTRY, b"after")])
    assert journal.read_file(path).items == (ITEMS[0], (journal.ENTRY, b"after"))
    assert [file.name for file in tmp_path.iterdir()] == ["journal"]
    assert path.stat().st_mode & 0o777 == 0o640
    new.close()
