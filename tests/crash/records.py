"""What sender and receiver remember of a run: everything that the log is held against.

One `Sent` is a transfer: one id, one content, as many tries as a good client needs. Each try
carries its own `Try` field to the receiver, so that what arrived there is known by try, not only by
transfer. Times are those of the one clock that everybody on this machine has.
"""

import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

Route = Literal["once", "again", "stream"]


@dataclass(slots=True)
class Try:
    """One attempt as its sender saw it."""

    name: str
    began: datetime
    ended: datetime | None = None
    status: int | None = None
    """None: the connection ended without a whole answer."""
    problem: str | None = None
    duplicate: bool = False
    receipt: bytes | None = None
    index: int | None = None


@dataclass(slots=True)
class Sent:
    """One transfer as its sender saw it."""

    route: Route
    body: bytes
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    tries: list[Try] = field(default_factory=list)

    def begin(self) -> Try:
        self.tries.append(Try(f"{self.id}.{len(self.tries)}", datetime.now(UTC)))
        return self.tries[-1]


@dataclass(slots=True)
class Arrival:
    """One attempt as the receiver saw it, from the end of its head on."""

    transfer_id: str
    sha256: str | None = None
    """Of the whole content; None while it is not whole."""
    status: int | None = None
    """What it is answered with; None when it is not."""


class Ledger:
    """Both sides' records; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.sent: list[Sent] = []
        self.arrived: dict[str, list[Arrival]] = {}

    def open(self, sent: Sent) -> Sent:
        with self._lock:
            self.sent.append(sent)
        return sent

    def arrive(self, name: str, transfer_id: str) -> Arrival:
        arrival = Arrival(transfer_id)
        with self._lock:
            self.arrived.setdefault(name, []).append(arrival)
        return arrival

    @property
    def acknowledged(self) -> int:
        """How many transfers have had their delivery receipted."""
        with self._lock:
            return sum(
                any(each.status is not None and each.status < 300 for each in sent.tries)
                for sent in self.sent
            )
