"""The kernel tells of every change on the way to a file, and only content counts as one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from proxy.app.inotify import Inotify, steps
from proxy.app.watch import look, pipes, settled
from tests.patience import PATIENCE


def write(path: Path, text: str) -> None:
    path.write_text(text)


def replaced(path: Path) -> None:
    path.with_name("temporary").write_text("new")
    path.with_name("temporary").rename(path)


def swapped(path: Path) -> None:
    """The link to the folder leads to another folder from now on."""
    (path.parents[1] / "second").mkdir()
    (path.parents[1] / "second" / "file").write_text("new")
    (path.parents[1] / "link2").symlink_to("second")
    os.rename(path.parents[1] / "link2", path.parents[1] / "link")


CHANGES: dict[str, Callable[[Path], object]] = {
    "written": lambda path: path.write_text("new"),
    "replaced": replaced,
    "removed": lambda path: path.unlink(),
    "forbidden": lambda path: path.chmod(0),
    "swapped": swapped,
    "folder removed": lambda path: (
        path.parents[1].joinpath("first").rename(path.parents[1] / "gone")
    ),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """`link/file`, where the link leads to `first`."""
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "file").write_text("old")
    (tmp_path / "link").symlink_to("first")
    return tmp_path / "link" / "file"


@pytest.mark.parametrize("change", CHANGES)
async def test_each_change_on_the_way_to_a_file_is_told(path: Path, change: str) -> None:
    inotify = Inotify()
    try:
        inotify.arm([path])
        CHANGES[change](path)
        with trio.fail_after(PATIENCE):
            await inotify.changed()
    finally:
        inotify.close()


async def test_a_file_that_comes_to_be_is_told_though_its_folder_was_not_there(
    tmp_path: Path,
) -> None:
    inotify = Inotify()
    try:
        path = tmp_path / "one" / "two" / "file"
        for made in (path.parents[1], path.parent):
            inotify.arm([path])
            made.mkdir()
            with trio.fail_after(PATIENCE):
                await inotify.changed()
        inotify.arm([path])
        write(path, "there")
        with trio.fail_after(PATIENCE):
            await inotify.changed()
    finally:
        inotify.close()


async def test_other_files_of_the_folder_are_none_of_our_business(path: Path) -> None:
    inotify = Inotify()
    try:
        inotify.arm([path])
        (path.parent / "other").write_text("new")
        assert not inotify._read()
        inotify.arm([])
        write(path, "new")
        assert not inotify._read()
    finally:
        inotify.close()


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    found = set(steps(tmp_path / "a" / "file"))
    assert {(str(tmp_path), "a"), (str(tmp_path), "b")} <= found


async def test_only_another_content_is_another_digest(path: Path) -> None:
    before = await look([path], {})
    os.utime(path, (1, 1))
    replaced(path)
    assert await look([path], {}) != before
    write(path, "old")
    assert await look([path], {}) == before
    CHANGES["removed"](path)
    assert await look([path], {}) == {path: b""}


async def test_a_pipe_is_not_read_a_second_time(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert await look([pipe], {pipe: b"as it was"}) == {pipe: b"as it was"}


async def test_what_takes_the_place_of_a_file_and_is_none_holds_nothing(tmp_path: Path) -> None:
    pipe, device, folder = (tmp_path / name for name in ("pipe", "device", "folder"))
    os.mkfifo(pipe)
    device.symlink_to("/dev/null")
    folder.mkdir()
    found = dict.fromkeys((pipe, device, folder), b"as it was")
    assert pipes(found) == {pipe: b"as it was"}
    opened = len(os.listdir("/proc/self/fd"))
    assert await look(found, {}) == dict.fromkeys(found, b"")
    assert len(os.listdir("/proc/self/fd")) == opened, "and nothing stays open"
    assert await look(found, found) == {pipe: b"as it was", device: b"", folder: b""}


async def test_files_are_taken_when_they_are_left_alone(path: Path) -> None:
    """Somebody writes piece after piece, each within the time that is waited."""
    done = trio.Event()

    async def keep_writing() -> None:
        for number in range(5):
            write(path, f"piece {number}")
            await trio.sleep(0.02)
        done.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_writing)
        found = await settled([path], {}, 1)
    assert done.is_set()
    assert found == await look([path], {})
