"""What `lockgate send` is asked to send: every file, where it goes, where its receipt is kept.

    send URL FILE              FILE goes to URL as it is
    send URL -                 standard input goes to URL, by way of an unnamed file: its digest
                               stands before it, and an attempt can be repeated
    send URL DIR               every file in it goes to URL/RELATIVE/PATH, percent-encoded
    send URL FILE FILE DIR     a FILE goes to URL/NAME

Within a folder nothing is sent that leads elsewhere or is no file: symbolic links, sockets, pipes,
devices; nor the receipts and keys of earlier calls. What was named is followed wherever it leads.
"""

import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from proxy.cli.send_place import Place, UsageError
from proxy.settings.grammar import abnormality

STDIN = "-"
_OF_RECEIPTS = re.compile(r".*\.receipt\.(json|key|headers)(\.[0-9a-f]{16})?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Item:
    """One file that is to be sent."""

    name: str
    """What it is called in lists: as typed, or under the folder that was typed."""
    path: Path
    target: str
    keep: Path
    """What the name of its receipt begins with."""
    size: int = 0
    """As it was when it was found."""
    identity: bytes = b""
    """What tells it from other files of the same content: its path."""
    follow: bool = True
    """It may be a symbolic link."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it."""

    items: Sequence[Item]
    single: bool
    """One file was named: it goes to the URL as it is."""
    left_out: Sequence[str] = ()
    """What is not sent because nobody asks for it: a line each."""
    unread: Sequence[tuple[str, str]] = ()
    """What should be sent and cannot: (name, why)."""
    spooled: BinaryIO | None = None


@dataclass(slots=True)
class _Found:
    items: list[Item] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    receipts: int = 0


def plan(place: Place, names: Sequence[str], receipts: Path | None) -> Plan:
    """What these words of the command line mean. Raises UsageError."""
    if list(names) == [STDIN]:
        return _standard_input(place, receipts)
    if STDIN in names:
        raise UsageError("standard input (-) is sent alone: it has no name of its own")
    paths = [Path(name) for name in names]
    for path in paths:
        _require_there(path)
    if len(paths) == 1 and paths[0].is_file():
        return Plan([_file(paths[0], place.target, receipts)], single=True)
    if "?" in place.target:
        raise UsageError("several files go below a URL, and this one has a query")
    found = _Found()
    for path in paths:
        if path.is_dir():
            _walk(path, (), place.target, receipts, found)
        else:
            found.items.append(_file(path, _below(place.target, [path.name]), receipts))
    _require_distinct(found.items)
    if found.receipts:
        found.left_out.append(f"receipts and keys of earlier calls: {found.receipts:,}")
    return Plan(found.items, single=False, left_out=found.left_out, unread=found.unread)


def _standard_input(place: Place, receipts: Path | None) -> Plan:
    spooled = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the plan)
    try:
        shutil.copyfileobj(sys.stdin.buffer, spooled)
        spooled.flush()
    except OSError as error:
        spooled.close()
        raise UsageError(f"standard input: {error.strerror}") from None
    path = Path(f"/proc/self/fd/{spooled.fileno()}")
    keep = (receipts or Path()) / "stdin"
    item = Item(STDIN, path, place.target, keep, spooled.tell(), identity=b"-")
    return Plan([item], single=True, spooled=spooled)


def _require_there(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise UsageError(f"{path}: not a file, and no folder")


def _file(path: Path, target: str, receipts: Path | None) -> Item:
    keep = receipts / path.name if receipts else path
    return Item(str(path), path, target, keep, path.stat().st_size, _identity(path))


def _walk(
    folder: Path, inside: tuple[str, ...], target: str, receipts: Path | None, found: _Found
) -> None:
    """Add what is in a folder, in the order of the names."""
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        found.unread.append((str(folder), error.strerror or "cannot be read"))
        return
    for entry in listed:
        path, relative = folder / entry.name, (*inside, entry.name)
        if entry.is_symlink():
            found.left_out.append(f"{path}: a symbolic link, which is not followed")
        elif entry.is_dir(follow_symlinks=False):
            _walk(path, relative, target, receipts, found)
        elif not entry.is_file(follow_symlinks=False):
            found.left_out.append(f"{path}: no regular file")
        elif _OF_RECEIPTS.fullmatch(entry.name):
            found.receipts += 1
        else:
            _add(entry, path, _below(target, relative), receipts, relative, found)


def _add(
    entry: "os.DirEntry[str]",
    path: Path,
    target: str,
    receipts: Path | None,
    relative: Iterable[str],
    found: _Found,
) -> None:
    reason = abnormality(target)
    if reason is not None:
        found.unread.append((str(path), f"its name would make a path with {reason}"))
        return
    try:
        size = entry.stat(follow_symlinks=False).st_size
    except OSError as error:
        found.unread.append((str(path), error.strerror or "cannot be read"))
        return
    keep = receipts.joinpath(*relative) if receipts else path
    found.items.append(Item(str(path), path, target, keep, size, _identity(path), follow=False))


def _below(target: str, names: Iterable[str]) -> str:
    escaped = (quote(os.fsencode(name), safe="") for name in names)
    return target.rstrip("/") + "/" + "/".join(escaped)


def _identity(path: Path) -> bytes:
    return os.fsencode(os.path.realpath(path))


def _require_distinct(items: Iterable[Item]) -> None:
    for first, second in _pairs(items):
        raise UsageError(f"{first} and {second} would go to the same place; send them apart")


def _pairs(items: Iterable[Item]) -> Iterator[tuple[str, str]]:
    seen: dict[str, str] = {}
    for item in items:
        if item.target in seen:
            yield seen[item.target], item.name
        seen[item.target] = item.name
