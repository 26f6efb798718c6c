"""The room on the disk where content waits that is held whole: tried, and shared by all workers."""

import mmap
import os
from pathlib import Path

from proxy.app.preparation import Preparation
from proxy.edge.spill import Room, nothing_taken, open_nameless
from proxy.settings.load import Loaded
from proxy.settings.secrets import resolve_path


def attempt_room(preparation: Preparation) -> None:
    """Note that the folder is of no use, where a route needs it."""
    loaded = preparation.loaded
    folder = resolve_path(loaded.settings.spill.folder, loaded.directory)
    if any(route.proves for route in loaded.settings.routes):
        preparation.attempt(("spill", "folder"), lambda: _require_nameless(folder))


def room(loaded: Loaded, shared: int | None = None, place: int = 0) -> Room:
    """The room; `shared` is what `shared_by` made, which is mapped and closed, and `place` is ours
    in it. Without, it is shared with nobody."""
    spill, taken = loaded.settings.spill, None
    if shared is not None:
        taken = memoryview(mmap.mmap(shared, 0)).cast("Q")
        os.close(shared)
    return Room(resolve_path(spill.folder, loaded.directory), spill.size, taken, place)


def shared_by(workers: int) -> int:
    """Memory, as a descriptor, in which so many workers say what they have taken of the room."""
    fd = os.memfd_create("lockgate-spill")
    os.write(fd, nothing_taken(workers))
    return fd


def _require_nameless(folder: Path) -> None:
    try:
        os.close(open_nameless(folder))
    except OSError as error:
        message = f"{folder} takes no files without a name (O_TMPFILE): {error.strerror}"
        raise ValueError(message) from None
