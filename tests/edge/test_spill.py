"""What waits on the disk comes back as it was or not at all, has no name, and has a bound."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from proxy.edge.budget import Budget, Share
from proxy.edge.spill import BLOCK, Room, Spill, nothing_taken
from proxy.errors import Refusal

ONE = "spiffe://a/one"
SECRET = b"what a partner sent " * 100


async def kept(spill: Spill) -> list[bytes]:
    return [await spill.read(number) for number in range(spill.blocks)]


def file_of(spill: Spill) -> int:
    """The descriptor of its file: what an intruder in the kernel would have."""
    return spill._fd  # the file has no name by which a test could find it


@given(st.lists(st.sampled_from([1, 5, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK]), max_size=4))
def test_content_comes_back_in_order_however_it_was_written(sizes: list[int]) -> None:
    pieces = [os.urandom(size) for size in sizes]

    async def run() -> None:
        room = Room(Path("/var/tmp"), 2**30)  # noqa: S108 (its files have no names)
        spill = Spill(room, ONE)
        for piece in pieces:
            await spill.write(piece)
        assert room.taken == sum(sizes)
        blocks = await kept(spill)
        assert b"".join(blocks) == b"".join(pieces)
        assert all(0 < len(block) <= BLOCK for block in blocks)
        spill.close()
        assert room.taken == 0

    trio.run(run)


async def test_nothing_of_it_can_be_read_on_the_disk_nor_found_there(tmp_path: Path) -> None:
    spill = Spill(Room(tmp_path, 2**20), ONE)
    await spill.write(SECRET)
    raw = os.pread(file_of(spill), 2**20, 0)
    assert len(raw) > len(SECRET)
    assert SECRET[:20] not in raw
    assert os.fstat(file_of(spill)).st_nlink == 0
    assert os.fstat(file_of(spill)).st_mode & 0o077 == 0
    folder = os.open(tmp_path, os.O_PATH)  # with one, the link is followed
    with pytest.raises(OSError, match="No such file"):
        os.link(f"/proc/self/fd/{file_of(spill)}", tmp_path / "name", src_dir_fd=folder)
    os.close(folder)
    assert os.listdir(tmp_path) == []
    spill.close()


async def test_the_same_content_of_two_transfers_looks_different(tmp_path: Path) -> None:
    room = Room(tmp_path, 2**20)
    one, other = Spill(room, ONE), Spill(room, ONE)
    for each in (one, other):
        await each.write(SECRET)
    assert os.pread(file_of(one), 2**20, 0) != os.pread(file_of(other), 2**20, 0)
    for each in (one, other):
        each.close()


def flip(fd: int, sealed: bytes, size: int) -> None:
    os.pwrite(fd, bytes([sealed[size // 2] ^ 1]), size // 2)


def swap(fd: int, sealed: bytes, size: int) -> None:
    os.pwrite(fd, sealed[size:] + sealed[:size], 0)


def cut(fd: int, sealed: bytes, size: int) -> None:
    os.ftruncate(fd, size - 1)


def repeat(fd: int, sealed: bytes, size: int) -> None:
    os.pwrite(fd, sealed[size:], 0)


@pytest.mark.parametrize("change", [flip, swap, cut, repeat])
async def test_what_was_changed_on_the_disk_is_refused(
    tmp_path: Path, change: Callable[[int, bytes, int], None]
) -> None:
    spill = Spill(Room(tmp_path, 2**20), ONE)
    await spill.write(b"one block of it")
    await spill.write(b"and the others.")
    fd = file_of(spill)
    sealed = os.pread(fd, 2**20, 0)
    change(fd, sealed, len(sealed) // 2)
    with pytest.raises(Refusal, match="internal"):
        await spill.read(0)
    spill.close()


def workers(folder: Path) -> tuple[memoryview, Room, Room]:
    shared = memoryview(bytearray(nothing_taken(2))).cast("Q")
    return shared, Room(folder, 100, shared, 0), Room(folder, 100, shared, 1)


def senders(room: Room, number: int) -> list[int]:
    """The counts of so many senders, no two of which have the same."""
    counts = dict.fromkeys(room.count_of(f"spiffe://a/{each}") for each in range(2 * number))
    return list(counts)[:number]


def test_workers_share_the_room_and_a_successor_begins_with_nothing(tmp_path: Path) -> None:
    shared, one, other = workers(tmp_path)
    mine, theirs = senders(one, 2)
    one.take(mine, 60)
    with pytest.raises(Refusal, match=r"overloaded.*by other transfers") as refused:
        other.take(theirs, 41)
    assert refused.value.retry_after == 1
    other.take(theirs, 40)
    assert (one.taken, other.taken) == (60, 40)
    assert Room(tmp_path, 100, shared, 0).taken == 0
    other.take(mine, 60)


def test_a_sender_leaves_a_quarter_to_others_whichever_workers_it_has(tmp_path: Path) -> None:
    shared, one, other = workers(tmp_path)
    greedy, *patient = senders(one, 3)
    one.take(greedy, 40)
    with pytest.raises(Refusal, match=r"overloaded.*the sender's share") as refused:
        other.take(greedy, 36)
    assert refused.value.retry_after == 1
    other.take(greedy, 35)
    for count in patient:
        other.take(count, 12)
    one.give(greedy, 10)
    other.take(greedy, 10)
    Room(tmp_path, 100, shared, 0).take(greedy, 30)


def test_nobody_can_choose_with_whom_a_share_is_shared(tmp_path: Path) -> None:
    _, one, other = workers(tmp_path)
    alone = Room(tmp_path, 100)
    names = [f"spiffe://a/{each}" for each in range(50)]
    counts = [[room.count_of(name) for name in names] for room in (one, other, alone)]
    assert counts[0] == counts[1] != counts[2]
    assert len(set(counts[0])) > 40


async def test_what_does_not_fit_is_refused_and_takes_nothing(tmp_path: Path) -> None:
    room = Room(tmp_path, 100)
    spill = Spill(room, ONE)
    await spill.write(b"x" * 60)
    with pytest.raises(Refusal, match="overloaded"):
        await spill.write(b"x" * 41)
    assert room.taken == 60
    spill.close()
    spill.close()
    assert room.taken == 0


async def test_a_disk_that_takes_no_more_refuses_the_transfer_as_overloaded(tmp_path: Path) -> None:
    room = Room(tmp_path, 2**30)
    spill = Spill(room, ONE)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BLOCK, hard))
    try:
        with pytest.raises(Refusal, match=r"overloaded.*File too large"):
            await spill.write(b"x" * 2 * BLOCK)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    spill.close()
    assert room.taken == 0


async def test_a_folder_that_is_gone_refuses_the_transfer_as_overloaded(tmp_path: Path) -> None:
    spill = Spill(Room(tmp_path / "gone", 2**20), ONE)
    with pytest.raises(Refusal, match=r"overloaded.*No such file"):
        await spill.write(b"x")
    spill.close()


async def test_a_share_gives_back_memory_for_what_goes_to_the_disk(tmp_path: Path) -> None:
    budget, room = Budget(100), Room(tmp_path, 100)
    share = Share(ONE, budget, room)
    share.take(75)
    await share.spilling().write(b"x" * 70)
    share.keep(10)
    assert (budget.taken, room.taken) == (10, 70)
    share.keep(50)
    assert budget.taken == 10
    share.release()
    assert (budget.taken, room.taken) == (0, 0)


def test_without_a_room_nothing_is_kept_on_the_disk() -> None:
    with pytest.raises(Refusal, match="overloaded"):
        Share(ONE, Budget(100)).spilling()
