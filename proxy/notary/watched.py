"""What a witness remembers of the logs that it watches, and the cosignatures that it gives.

    <folder>/<origin, percent-encoded>.checkpoint

Each file is the checkpoint that was cosigned last, with the log's signatures and ours: a note like
any other, so that `lockgate receipts audit --checkpoint` takes it. It is on disk, synced, before a
cosignature leaves: also one that repeats the last. The folder is locked, because two witnesses that
remember different things could be shown two different logs.
"""

import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from proxy.errors import CredentialError, EvidenceError, LogFailure
from proxy.notary.disk import Disk
from proxy.notary.keys import load_ed25519, load_mldsa44
from proxy.receipt import note
from proxy.receipt.vkey import Vkey, ed25519_cosignature_vkey, mldsa44_vkey
from proxy.receipt.witnessing import never, parse_offer, require_continued, require_known

Key = Ed25519PrivateKey | MLDSA44PrivateKey
_SCRATCH: Final = ".cosigning"
_MAX_NAME: Final = 240


def load_key(pem: bytes) -> Key:
    """A witness's private key, either kind. Raises `CredentialError`."""
    try:
        return load_ed25519(pem, "the witness's key")
    except CredentialError:
        pass
    try:
        return load_mldsa44(pem)
    except CredentialError:
        raise CredentialError("this is not an Ed25519 or ML-DSA-44 private key in PEM") from None


def vkey_of(name: str, key: Key) -> Vkey:
    """The vkey under which `Watched` cosigns: 0x04, or 0x06 for ML-DSA-44."""
    if isinstance(key, Ed25519PrivateKey):
        return ed25519_cosignature_vkey(name, key)
    return mldsa44_vkey(name, key)


class Watched:
    """The logs of one witness. Not for two tasks at once: `add` is to be serialised."""

    def __init__(
        self,
        folder: Path,
        name: str,
        keys: Sequence[Key],
        logs: Sequence[Vkey],
        *,
        clock: Callable[[], float],
        disk: Disk | None = None,
    ) -> None:
        """`clock` gives seconds since 1970. Raises `EvidenceError` where what is remembered does
        not verify any more, `LogFailure` where the folder is in use or cannot be written."""
        self._folder, self._name, self._keys, self._clock = folder, name, keys, clock
        self._disk = disk or Disk()
        self.vkeys = [vkey_of(name, key) for key in keys]
        origins = dict.fromkeys(vkey.name for vkey in logs)
        self._logs = {origin: [v for v in logs if v.name == origin] for origin in origins}
        try:
            self._disk.make_folders(folder)
            self._lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise LogFailure(f"{folder}: {error.strerror}") from None
        try:
            _require_alone(self._lock, folder)
            self._latest = {origin: self._read(origin) for origin in self._logs}
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let another process have the folder."""
        os.close(self._lock)

    @property
    def latest(self) -> Mapping[str, note.Checkpoint]:
        """By origin: what was cosigned last; size 0 where nothing was."""
        return self._latest

    def add(self, data: bytes) -> bytes:
        """Signature lines for an offer. Raises `Declined`, and `OSError` where it cannot be
        remembered: then nothing was cosigned. Blocks on the disk."""
        offer = parse_offer(data)
        checkpoint, signatures = require_known(offer, self._logs)
        require_continued(offer, checkpoint, self._latest[checkpoint.origin])
        time = max(1, int(self._clock()))
        ours = [self._cosign(checkpoint, key, time) for key in self._keys]
        path = self._path(checkpoint.origin)
        kept = note.render(checkpoint.text, [*signatures, *ours])
        self._disk.replace(path, self._folder / _SCRATCH, kept)
        self._disk.sync_folder(self._folder)
        self._latest[checkpoint.origin] = checkpoint
        return "".join(f"{signature}\n" for signature in ours).encode()

    def _cosign(self, checkpoint: note.Checkpoint, key: Key, time: int) -> note.Signature:
        if isinstance(key, Ed25519PrivateKey):
            return note.witness(checkpoint, self._name, key, time)
        return note.cosign(checkpoint, self._name, key, time)

    def _path(self, origin: str) -> Path:
        name = quote(origin, safe="")
        if len(name) > _MAX_NAME:
            raise EvidenceError(f"the name {origin} is too long for a file")
        return self._folder / f"{name}.checkpoint"

    def _read(self, origin: str) -> note.Checkpoint:
        path = self._path(origin)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return never(origin)
        except OSError as error:
            raise LogFailure(f"{path}: {error.strerror}") from None
        try:
            parsed = note.parse(data)
            checkpoint = note.parse_checkpoint(parsed.text)
            if not note.verify(parsed, [*self.vkeys, *self._logs[origin]]):
                raise EvidenceError("neither we nor the log signed it")
            if checkpoint.origin != origin:
                raise EvidenceError("it is of another log")
        except EvidenceError as error:
            raise EvidenceError(f"{path}: {error}") from None
        return checkpoint


def _require_alone(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise LogFailure(f"{folder} is in use by another process") from None
