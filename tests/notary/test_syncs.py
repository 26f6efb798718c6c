"""A sync by the kernel alone, and by a thread where the kernel does not take it."""

import errno
import os
import resource
import sys
from pathlib import Path

import pytest
import trio

from proxy.notary import journal
from proxy.notary.aio import Aio
from proxy.notary.disk import Disk
from proxy.notary.syncs import Syncs

SNAPSHOT = [(journal.SNAPSHOT, b"{}")]
MORE = [(journal.ENTRY, b"more")]


class Watched(Disk):
    """Knows who synced."""

    def __init__(self) -> None:
        self.by_thread = 0
        self.by_kernel = 0

    def sync(self, fd: int) -> None:
        self.by_thread += 1
        super().sync(fd)

    def begin_sync(self, aio: Aio, fd: int) -> bool:
        begun = super().begin_sync(aio, fd)
        self.by_kernel += begun
        return begun


class Refused(Watched):
    """On a kernel that does not take it."""

    def begin_sync(self, aio: Aio, fd: int) -> bool:
        return False


async def synced(disk: Watched, folder: Path) -> bool:
    """Sync an append, and say whether the next append tells that all before it is durable."""
    kept = journal.Journal(disk, folder / "journal", folder / ".journal", SNAPSHOT)
    disk.by_thread = 0
    syncs = Syncs(disk)
    for _ in range(3):
        kept.append(MORE)
        await syncs.sync(kept)
    length = kept.length
    kept.append(MORE)
    syncs.close()
    kept.close()
    return length.to_bytes(8) in (folder / "journal").read_bytes()


async def test_the_kernel_syncs_without_a_thread(tmp_path: Path) -> None:
    disk = Watched()
    assert await synced(disk, tmp_path)
    assert (disk.by_kernel, disk.by_thread) == (3, 0)


async def test_a_thread_syncs_where_the_kernel_takes_nothing(tmp_path: Path) -> None:
    disk = Refused()
    assert await synced(disk, tmp_path)
    assert disk.by_thread == 3


async def test_a_thread_syncs_on_a_machine_whose_calls_are_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = os.uname_result(("Linux", "here", "6", "1", "pdp11"))
    monkeypatch.setattr(os, "uname", lambda: unknown)
    disk = Watched()
    assert await synced(disk, tmp_path)
    assert (disk.by_kernel, disk.by_thread) == (0, 3)


async def test_a_thread_syncs_in_a_process_whose_calls_have_other_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    disk = Watched()
    assert await synced(disk, tmp_path)
    assert (disk.by_kernel, disk.by_thread) == (0, 3)


def test_where_there_is_no_descriptor_left_nothing_is_kept_of_the_kernel() -> None:
    def contexts() -> int:
        return Path("/proc/self/maps").read_text().count("[aio]")

    before, limits = contexts(), resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            Aio()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert contexts() == before


async def test_what_the_kernel_does_not_sync_is_an_error_and_not_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failed(Aio):
        def end(self) -> None:
            super().end()
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("proxy.notary.syncs.Aio", Failed)
    kept = journal.Journal(Disk(), tmp_path / "journal", tmp_path / ".journal", SNAPSHOT)
    syncs = Syncs(Disk())
    kept.append(MORE)
    length = kept.length
    with pytest.raises(OSError, match="Input/output"):
        await syncs.sync(kept)
    kept.append(MORE)
    assert length.to_bytes(8) not in (tmp_path / "journal").read_bytes()
    syncs.close()
    kept.close()


async def test_who_asks_too_early_waits_for_the_end_of_what_was_begun_last(
    tmp_path: Path,
) -> None:
    aio = Aio()
    reader, writer = os.pipe()
    try:
        with (tmp_path / "a").open("wb", buffering=0) as file:
            aio.fdatasync(file.fileno())
            await trio.lowlevel.wait_readable(aio.done)
            file.write(b"x")
            aio.fdatasync(file.fileno())  # nobody has asked how the first one ended
            aio.end()
            aio.fdatasync(file.fileno())
            aio.end()  # before anything tells that it has ended
        with pytest.raises(OSError, match="Invalid argument"):
            aio.fdatasync(reader)
    finally:
        os.close(reader)
        os.close(writer)
        aio.close()


async def test_the_kernel_tells_of_one_operation_after_the_other(tmp_path: Path) -> None:
    aio = Aio()
    try:
        for name in ("a", "b"):
            with (tmp_path / name).open("wb", buffering=0) as file:
                file.write(b"x")
                aio.fdatasync(file.fileno())
                await trio.lowlevel.wait_readable(aio.done)
                aio.end()
        with pytest.raises(OSError, match="Bad file descriptor"):
            aio.fdatasync(-1)
        reader, writer = os.pipe()
        with pytest.raises(OSError, match="Invalid argument"):
            aio.fdatasync(writer)
        os.close(reader)
        os.close(writer)
    finally:
        aio.close()


async def test_the_kernel_syncs_files_side_by_side_and_says_when_the_last_has_ended(
    tmp_path: Path,
) -> None:
    aio = Aio(3)
    try:
        fds = [os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT) for name in "abc"]
        for begin in (aio.fdatasync, aio.fsync, aio.fdatasync):
            begin(*fds)
            aio.end()
        folder = os.open(tmp_path, os.O_RDONLY)
        aio.fsync(folder)
        aio.end()
        for fd in (*fds, folder):
            os.close(fd)
    finally:
        aio.close()


@pytest.mark.parametrize("place", range(3))
def test_of_a_group_the_kernel_takes_those_before_one_that_cannot_be_synced(
    tmp_path: Path, place: int
) -> None:
    aio = Aio(3)
    reader, writer = os.pipe()
    with (tmp_path / "a").open("wb", buffering=0) as file:
        fds = [file.fileno()] * 3
        fds[place] = reader
        if place:
            assert aio.fdatasync(*fds) == place
            aio.end()
        else:
            with pytest.raises(OSError, match="Invalid argument"):
                aio.fdatasync(*fds)
        assert aio.fdatasync(*[file.fileno()] * 3) == 3
        aio.end()
    os.close(reader)
    os.close(writer)
    aio.close()


class Half(Aio):
    """On a kernel that takes one of two."""

    def fdatasync(self, *fds: int) -> int:
        return super().fdatasync(*fds[:1])


def test_what_the_kernel_does_not_take_of_a_group_is_synced_all_the_same(tmp_path: Path) -> None:
    disk, group = Watched(), Half(2)
    disk.write_all(group, [(tmp_path / name, [b"x"]) for name in "ab"])
    assert disk.by_thread == 1
    group.close()


def test_an_error_of_a_part_of_a_group_is_not_asked_for_again_until_it_is_none(
    tmp_path: Path,
) -> None:
    class Failed(Half):
        def end(self) -> None:
            super().end()
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    disk, group = Watched(), Failed(2)
    with pytest.raises(OSError, match="Input/output"):
        disk.write_all(group, [(tmp_path / name, [b"x"]) for name in "ab"])
    assert disk.by_thread == 0
    group.close()


@pytest.mark.parametrize("many", [1, 40])
def test_many_files_are_written_and_synced_without_a_call_for_each(
    tmp_path: Path, many: int
) -> None:
    class Called(Watched):
        def __init__(self) -> None:
            super().__init__()
            self.folders = 0

        def sync_folder(self, folder: Path) -> None:
            self.folders += 1

    disk, group = Called(), Disk().group()
    folders = [tmp_path / str(each) for each in range(many)]
    for folder in folders:
        folder.mkdir()
    files = [(folder / "file", [b"a", bytes([number])]) for number, folder in enumerate(folders)]
    disk.write_all(group, files)
    disk.sync_folders(group, folders)
    assert (disk.by_thread, disk.folders) == (0, 0)
    assert [path.read_bytes() for path, _ in files] == [b"".join(pieces) for _, pieces in files]
    disk.write_all(None, files)
    disk.sync_folders(None, folders)
    assert (disk.by_thread, disk.folders) == (many, many)
    assert group is not None
    group.close()


def test_files_of_a_group_are_synced_one_by_one_where_the_kernel_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(aio: Aio, *fds: int) -> int:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    disk, group = Watched(), Disk().group()
    assert group is not None
    monkeypatch.setattr(Aio, "fdatasync", refused)
    disk.write_all(group, [(tmp_path / name, [b"x"]) for name in "ab"])
    assert disk.by_thread == 2
    group.close()
