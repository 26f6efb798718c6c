"""Where `lockgate send` keeps a receipt. Evidence is never replaced by that of another transfer.

    FILE.receipt.json                   the envelope
    FILE.receipt.key                    its Transfer-Receipt-Key, for the sender's eyes (mode 0600)
    FILE.receipt.headers                where several gateways gave one: all of them and their
                                        keys, a header line each, for `verify --chain` (0600)
    FILE.<transfer id>.receipt.json     where the first name is taken; then FILE.<id>.2.receipt.json

A name is taken when a file of it, of its key or headers is there, unless the receipt in it is of an
earlier attempt of this same transfer that was surely not delivered: then all of them go, for a key
or headers of another attempt would be taken for those of the receipt that they stand beside. The
envelope is written last, so that a receipt that is there has everything beside it.
"""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.cli.certs import write_private, write_public
from proxy.cli.send_place import UsageError
from proxy.client.evidence import Evidence
from proxy.errors import EvidenceError
from proxy.model import Verdict
from proxy.receipt import dsse, reading
from proxy.receipt.header import item

_KEPT = (Verdict.DELIVERED, Verdict.INDETERMINATE)
"""Verdicts that a later attempt does not make worthless."""


class Keeping:
    """The place of one receipt. Raises UsageError when it could not be kept there."""

    def __init__(self, file: Path, wanted: Path | None, transfer_id: str) -> None:
        self._file, self._wanted, self._id = file, wanted, transfer_id
        folder = (wanted or file).parent
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(f"{folder}: the receipt cannot be written here; see --receipt-out")
        self._choose()

    def delivered(self, public_key: Ed25519PublicKey | None) -> Path | None:
        """A receipt, kept by an earlier call, which says that this transfer was delivered.

        One that is not signed by `public_key`, where there is one, says nothing.
        """
        for path in self._names() if self._wanted is None else iter([self._wanted]):
            if not os.path.lexists(path):
                return None
            predicate = _predicate(path, public_key)
            if predicate.get("transferId") == self._id and (
                predicate.get("kind") == Verdict.DELIVERED
            ):
                return path
        return None

    def save(self, evidence: Evidence) -> Path:
        """The envelope, and its key beside it. Raises EvidenceError when they are not kept.

        A receipt that comes for the second time is where it is, with the key that came first.
        """
        try:
            if (known := self._known(evidence.envelope)) is not None:
                return known
            while True:
                path = self._choose()
                try:
                    _write(path, evidence)
                except FileExistsError:  # another one was quicker
                    continue
                return path
        except OSError as error:
            where = error.filename or self._wanted or self._file
            raise EvidenceError(f"{where}: cannot be written: {error.strerror}") from None
        except UsageError as error:
            raise EvidenceError(str(error)) from None

    def _choose(self) -> Path:
        """A name that is not taken. Raises UsageError when the one that was asked for is."""
        if self._wanted is None:
            return next(path for path in self._names() if not self._is_taken(path))
        if self._is_taken(self._wanted):
            raise UsageError(f"{self._wanted}: is there already, or its key, and is not replaced")
        return self._wanted

    def _known(self, envelope: bytes) -> Path | None:
        """Where this very receipt is kept already."""
        names = self._names() if self._wanted is None else iter([self._wanted])
        for path in names:
            if not os.path.lexists(path):
                return None
            if path.is_file() and path.read_bytes() == envelope:
                return path
        return None

    def _names(self) -> Iterator[Path]:
        yield Path(f"{self._file}.receipt.json")
        yield Path(f"{self._file}.{self._id}.receipt.json")
        for number in count(2):
            yield Path(f"{self._file}.{self._id}.{number}.receipt.json")

    def _is_taken(self, path: Path) -> bool:
        if os.path.lexists(path):
            return not _is_replaceable(path, self._id)
        return any(map(os.path.lexists, (key_path(path), headers_path(path))))


def key_path(receipt: Path) -> Path:
    """Where the key of a receipt is kept."""
    return receipt.with_name(receipt.name.removesuffix(".json") + ".key")


def headers_path(receipt: Path) -> Path:
    """Where the receipts of all gateways are kept, when there are more than this one."""
    return receipt.with_name(receipt.name.removesuffix(".json") + ".headers")


def _is_replaceable(path: Path, transfer_id: str) -> bool:
    """A receipt of an attempt at this transfer that was not delivered."""
    predicate = _predicate(path, None)
    ours = predicate.get("transferId") == transfer_id
    return ours and "kind" in predicate and predicate["kind"] not in _KEPT


def _predicate(path: Path, public_key: Ed25519PublicKey | None) -> dict[str, Any]:
    """What the receipt in a file says; empty when there is none that can be believed."""
    try:
        envelope = path.read_bytes()
        payload = dsse.verify(envelope, public_key) if public_key else dsse.parse(envelope).payload
        found = reading.parse(payload).get("predicate")
    except (OSError, EvidenceError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, evidence: Evidence) -> None:
    """Raises OSError; FileExistsError when somebody was quicker. Then nothing new is left."""
    replace = os.path.lexists(path)
    key = None if evidence.key is None else item(evidence.key) + b"\n"
    written = []
    try:
        for beside, octets in ((key_path(path), key), (headers_path(path), evidence.headers)):
            if octets is not None:
                write_private(beside, octets, force=replace)
                written.append(beside)
            elif replace:
                beside.unlink(missing_ok=True)
        write_public(path, evidence.envelope, force=replace)
    except OSError:
        for beside in written:
            beside.unlink(missing_ok=True)
        raise
