"""A worker's intents: what reads after it has died, and what a disk may do to them."""

import errno
import os
import struct
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import LogFailure
from proxy.model import Claim, Intent
from proxy.notary.disk import Disk
from proxy.notary.intents import SLOT, IntentFile, decode, encode, read_intents
from tests.notary.disks import FailingDisk
from tests.notary.samples import START, intent_of, outcome
from tests.patience import PATIENCE

INTENT = replace(
    intent_of(outcome()), claim=Claim("spiffe://example/etl/orders", "orders", "an id", 300.0)
)
CLAIMED = replace(INTENT, transfer_id="an id", sender="spiffe://example/etl/orders")


def some() -> Intent:
    return intent_of(outcome())


def found(path: Path) -> set[bytes]:
    return {intent.attempt_id for intent in read_intents(path)}


def opened(path: Path, *, sync: bool = False, disk: Disk | None = None) -> IntentFile:
    return IntentFile.open(path / "intents" / "worker", sync=sync, disk=disk)


@pytest.mark.parametrize("forward", [False, True])
@pytest.mark.parametrize("nonce", [None, bytes(range(32))])
def test_an_intent_reads_back_as_it_was_written(
    tmp_path: Path, forward: bool, nonce: bytes | None
) -> None:
    claim = Claim(CLAIMED.sender, CLAIMED.route, CLAIMED.transfer_id, 300.5, forward, nonce)
    intents, written = opened(tmp_path), [some(), replace(CLAIMED, claim=claim)]
    for intent in written:
        intents.write(intent)
    assert read_intents(tmp_path / "intents" / "worker") == written


def test_what_was_cleared_is_gone_and_its_slot_is_used_again(tmp_path: Path) -> None:
    path, intents = tmp_path / "intents" / "worker", opened(tmp_path)
    size = path.stat().st_size
    kept = some()
    intents.write(kept)
    for _ in range(200):
        passing = some()
        intents.write(passing)
        assert found(path) == {kept.attempt_id, passing.attempt_id}
        intents.clear(passing.attempt_id)
        intents.clear(passing.attempt_id)
    assert found(path) == {kept.attempt_id}
    assert path.stat().st_size == size


def test_the_file_grows_before_it_is_written_and_holds_all(tmp_path: Path) -> None:
    path, intents = tmp_path / "intents" / "worker", opened(tmp_path)
    written = [some() for _ in range(300)]
    for intent in written:
        intents.write(intent)
        assert path.stat().st_blocks * 512 >= path.stat().st_size
    assert found(path) == {intent.attempt_id for intent in written}


def test_an_attempt_has_one_open_intent(tmp_path: Path) -> None:
    intents, intent = opened(tmp_path), some()
    intents.write(intent)
    with pytest.raises(LogFailure, match="open intent already"):
        intents.write(intent)
    intents.clear(intent.attempt_id)
    intents.write(intent)


def test_a_file_that_was_left_behind_is_not_written_over(tmp_path: Path) -> None:
    opened(tmp_path).write(some())
    with pytest.raises(LogFailure):
        opened(tmp_path)
    assert len(read_intents(tmp_path / "intents" / "worker")) == 1


def test_nobody_else_reads_it_and_where_there_is_no_file_there_are_no_intents(
    tmp_path: Path,
) -> None:
    opened(tmp_path).close()
    assert (tmp_path / "intents" / "worker").stat().st_mode & 0o777 == 0o640
    assert read_intents(tmp_path / "intents" / "another") == []


def test_an_inherited_descriptor_does_as_well(tmp_path: Path) -> None:
    path, intent = tmp_path / "worker", some()
    intents = IntentFile.inherit(os.open(path, os.O_RDWR | os.O_CREAT), sync=True)
    intents.write(intent)
    intents.close()
    assert read_intents(path) == [intent]


@pytest.mark.parametrize("operation", ["allocate", "write_at", "sync"])
def test_a_failing_disk_refuses_and_leaves_nothing_that_reads(
    tmp_path: Path, operation: str
) -> None:
    disk, path = FailingDisk(), tmp_path / "intents" / "worker"
    intents = opened(tmp_path, sync=True, disk=disk)
    kept = [some() for _ in range(64)]
    for intent in kept[: 64 if operation == "allocate" else 10]:
        intents.write(intent)
    before = found(path)
    disk.fail(operation, code=errno.ENOSPC)
    refused = some()
    with pytest.raises(LogFailure, match="on purpose"):
        intents.write(refused)
    assert found(path) == before
    disk.heal()
    intents.write(refused)
    assert found(path) == before | {refused.attempt_id}


@pytest.mark.parametrize("operation", ["create_slots", "allocate", "sync", "sync_folder"])
def test_a_file_that_cannot_be_made_is_a_clear_failure(tmp_path: Path, operation: str) -> None:
    disk = FailingDisk()
    disk.fail(operation)
    with pytest.raises(LogFailure):
        opened(tmp_path, disk=disk)
    disk.heal()
    opened(tmp_path, disk=disk).write(some())


class StuckDisk(FailingDisk):
    """Its first sync after `hold` fails, but not before it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.hold = False
        self.begun, self.go = threading.Event(), threading.Event()

    def sync(self, fd: int) -> None:
        if self.hold:
            self.hold = False
            self.begun.set()
            self.go.wait(PATIENCE)
            raise OSError(errno.EIO, "the disk fails on purpose")


def test_what_was_written_before_a_sync_that_failed_is_lost_with_it(tmp_path: Path) -> None:
    """The kernel drops what it could not write, and the next sync says that all is well."""
    disk = StuckDisk()
    intents = opened(tmp_path, sync=True, disk=disk)
    disk.hold, refused = True, []

    def write() -> None:
        try:
            intents.write(some())
        except LogFailure:
            refused.append(1)

    first = threading.Thread(target=write)
    first.start()
    assert disk.begun.wait(PATIENCE)
    second = threading.Thread(target=write)
    second.start()
    disk.go.set()
    for thread in (first, second):
        thread.join()
    assert 1 <= len(refused) <= 2
    intents.write(some())
    assert len(found(tmp_path / "intents" / "worker")) == 3 - len(refused)


def test_who_waits_for_the_disk_together_shares_a_sync(tmp_path: Path) -> None:
    class Slow(FailingDisk):
        syncs = 0
        gate = threading.Semaphore(0)

        def sync(self, fd: int) -> None:
            Slow.syncs += 1
            Slow.gate.acquire(timeout=PATIENCE)

    Slow.gate.release()
    intents = opened(tmp_path, sync=True, disk=Slow())
    writers = [threading.Thread(target=intents.write, args=(some(),)) for _ in range(20)]
    for writer in writers:
        writer.start()
    Slow.gate.release(40)
    for writer in writers:
        writer.join()
    assert len(found(tmp_path / "intents" / "worker")) == 20
    assert Slow.syncs <= 21


def test_names_that_no_slot_holds_are_refused() -> None:
    assert len(encode(replace(INTENT, sender="s" * 3900))) <= SLOT
    with pytest.raises(LogFailure):
        encode(replace(INTENT, sender="s" * SLOT))


def test_a_slot_cut_off_or_with_a_flipped_bit_does_not_read() -> None:
    slot = encode(CLAIMED).ljust(SLOT, b"\0")
    assert decode(slot) == CLAIMED
    length = len(encode(CLAIMED))
    for cut in range(length):
        assert decode(slot[:cut].ljust(SLOT, b"\0")) is None or cut >= length - 1
    for at in range(length):
        assert decode(slot[:at] + bytes([slot[at] ^ 0x40]) + slot[at + 1 :]) is None


def test_what_is_left_of_an_earlier_intent_in_a_slot_is_not_read() -> None:
    long = encode(replace(INTENT, sender="s" * 1000))
    short = encode(CLAIMED)
    assert decode((short + long[len(short) :]).ljust(SLOT, b"\0")) == CLAIMED


@given(st.binary(max_size=300))
def test_any_octets_are_read_without_a_crash(data: bytes) -> None:
    assert decode(data) is None
    body = b"LGI1" + struct.pack(">I", len(data)) + bytes(4) + data
    assert decode(body) is None


@given(sender=st.text(max_size=300), route=st.text(max_size=80), window=st.floats(0, 1e9))
def test_any_names_are_kept(sender: str, route: str, window: float) -> None:
    claim = Claim(sender, route, "an id", window)
    intent = Intent(b"a" * 16, "an id", sender, route, START, claim)
    assert decode(encode(intent)) == intent


def test_a_name_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(LogFailure):
        encode(replace(INTENT, sender="\ud800"))
