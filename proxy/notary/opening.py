"""What a notary does before it takes anything: reads the store, and says what is owed.

A journal that lost its table of ids, or the other way round, is refused: what was delivered would
be admitted again.
"""

import fcntl
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.errors import CredentialError, LogFailure
from proxy.model import Event, Intent
from proxy.notary.attempts import own
from proxy.notary.book import Book
from proxy.notary.disk import Disk
from proxy.notary.drafts import Pending, Scribe, pendings
from proxy.notary.ids import Ids
from proxy.notary.intents import FOLDER, read_intents
from proxy.notary.keys import Keys
from proxy.notary.publisher import JOURNAL
from proxy.notary.recovery import Recovered, read_checkpoint, recover
from proxy.notary.streams import Find as Cold
from proxy.receipt import dsse, keychain, note

Find = Callable[[Collection[bytes], int], Mapping[bytes, int]]
"""Which of these attempts, none of which was completed before, have a statement."""


def make_folder(folder: Path, disk: Disk) -> None:
    """Make a new store's folder durably, also where a start that was killed has made it already.

    Raises `OSError`.
    """
    gained = disk.make_folders(folder)
    disk.require_writable(folder)
    if not (folder / JOURNAL).exists():
        for each in {*gained, folder.parent}:
            disk.sync_folder(each)


def lock(folder: Path) -> int:
    """An exclusive lock on the folder itself, held for as long as it is open.

    Raises `LogFailure` where another process has it, and `OSError`.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise LogFailure(f"{folder} is in use by another process") from None
    return fd


def read(folder: Path, keys: Keys, cold: Cold) -> tuple[note.Checkpoint | None, Recovered]:
    """Checkpoint and journal, which must not contradict each other."""
    checkpoint = read_checkpoint(folder, keys)
    return checkpoint, recover(folder, checkpoint, cold)


def catch_up(ids: Ids, recovered: Recovered, now: datetime) -> None:
    """Give the table of ids what it may have missed. Raises `EvidenceError`, `LogFailure`."""
    ids.require_reach(recovered.since, recovered.leaves.size)
    for index, memo in recovered.memos:
        ids.redo(index, memo, now.timestamp())


def left_behind(store: Path, live: Collection[str], find: Find) -> dict[Path, list[Intent]]:
    """The open intents of each worker that is not among the living. Raises `OSError`."""
    folder = store / FOLDER
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path: still_open(path, find) for path in files if path.name not in live}


def still_open(path: Path, find: Find) -> list[Intent]:
    """The intents in a worker's file that have no statement. Raises `OSError`.

    Only its own count: no worker says that the attempt of another was undecided.
    """
    named = own(path.name)
    octets, since = (b"", 0) if named is None else named
    found = [each for each in read_intents(path) if each.attempt_id.startswith(octets)]
    if not found:
        return []
    concluded = find([intent.attempt_id for intent in found], since)
    return [intent for intent in found if intent.attempt_id not in concluded]


def owed(
    book: Book,
    keys: Keys,
    previous: Keys | None,
    recovered: Recovered,
    left: Mapping[Path, list[Intent]],
) -> Iterator[tuple[Scribe, list[Pending]]]:
    """What is to be written first, and by whom. Raises `CredentialError` for a strange key."""
    if _changed(book, keys):
        if previous is None or _changed(book, previous):
            advice = _NAME_IT if previous is None else _ANOTHER
            raise CredentialError(_STRANGE.format(_keyid(book), advice))
        details = keychain.handover(previous.receipt.public_key(), keys.receipt.public_key())
        yield Scribe(previous), pendings([Event(keychain.EVENT, details)])
    intents = [intent for found in left.values() for intent in found]
    if intents or recovered.truncated:
        yield Scribe(keys), pendings([recovery(len(intents), recovered.truncated), *intents])


def recovery(interrupted: int, truncated: int) -> Event:
    """What is said about attempts that were cut short, and octets of a torn tail."""
    details = {"interrupted": str(interrupted), "truncatedOctets": str(truncated)}
    return Event("recovery", details)


_STRANGE = "the log's receipts are signed by {}, not by receipts.key: to hand on to the new key, {}"
_NAME_IT = "name the old one as receipts.previous_key"
_ANOTHER = "receipts.previous_key must be that one, and it is another"


def _changed(book: Book, keys: Keys) -> bool:
    known = book.receipt_key
    return known is not None and known != keys.receipt.public_key().public_bytes_raw()


def _keyid(book: Book) -> str:
    return dsse.key_id(Ed25519PublicKey.from_public_bytes(book.receipt_key or b""))
