"""What workers ask of the log, and the rules of an attempt.

- `conclude` returns when the statement is durable: no answer completes before. It raises
  `LogFailure` when that cannot be.
- An attempt is known by its id and gets one statement, whoever asks how often: by its worker, or,
  where that is no more, by the intent that it left.
- `reserve` holds a claimed id until the attempt's statement is durable.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Self

import trio

from proxy.errors import EvidenceError, LogFailure
from proxy.model import Claim, Earlier, Event, Missed, Receipt, Submission, Trouble
from proxy.notary import opening
from proxy.notary.aggregates import Aggregates
from proxy.notary.bounds import Bounds
from proxy.notary.cosigning import Cosigning
from proxy.notary.disk import Disk
from proxy.notary.drafts import stream_of
from proxy.notary.folder import Folder
from proxy.notary.intents import FOLDER
from proxy.notary.keys import Keys
from proxy.notary.link import OnDone, Waiting
from proxy.notary.offer import sites
from proxy.notary.reception import STOPPED, Reception
from proxy.notary.reserve import SIZE
from proxy.notary.rows import answered_status
from proxy.notary.steady import Clock
from proxy.notary.store import Store
from proxy.notary.witness import Tell
from proxy.notary.writer import OnCommit, Writer
from proxy.receipt import keychain
from proxy.receipt.policy import Policy


class Notary:
    """`open` it, `run` it in a nursery, `close` it when nothing more will be concluded.

    Implements `proxy.notary.link.Link` and `proxy.notary.server.Served`.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._store = writer.store
        self._reception = Reception(writer)
        told = self._reception
        clock = writer.store.clock
        self._aggregates = Aggregates(writer.health, told.missing, clock, told.enter)
        self._started = False
        self._cosigning: Cosigning | None = None

    @classmethod
    def open(
        cls,
        store: Path,
        *,
        keys: Keys,
        durability: Literal["fsync", "write"],
        checkpoint_every: float,
        capacity: int,
        bounds: Bounds | None = None,
        clock: Clock,
        on_commit: OnCommit = lambda size, seconds: None,
        disk: Disk | None = None,
        live: Collection[str] = (),
        reserve: int = SIZE,
        previous_key: bytes | None = None,
        policy: Policy | None = None,
        on_offer: Tell = lambda witness, result, size, reason: None,
    ) -> Self:
        """Lock the store, recover it, close what a crash interrupted. Blocks on the disk.

        `checkpoint_every` is in seconds; `capacity` is the most ids that are remembered, within
        `bounds`; `clock` gives aware times; `live` names the workers whose intents are not to be
        closed; `reserve` is the disk space, in octets, that is kept for what is under way on a full
        disk;
        `previous_key` is the PEM of the receipt key before this one; `policy` has the witnesses to
        which checkpoints are offered. Raises `CredentialError` for a key, `EvidenceError` for a
        store that is damaged or of another log, `LogFailure` where it is in use or cannot be
        written.
        """
        if policy is not None:
            sites(policy)  # refused before anything is opened
        previous = None if previous_key is None else keys.before(previous_key)
        opened = Store(
            store, keys, disk or Disk(), clock,
            capacity=capacity, bounds=bounds, live=live, previous=previous, reserve=reserve,
        )  # fmt: skip
        sync = durability == "fsync"
        notary = cls(Writer(opened, checkpoint_every, on_commit, sync_batches=sync))
        if policy is not None:
            notary._cosigning = Cosigning(notary._writer, Folder(store).load, policy, on_offer)
        return notary

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Commit and publish until `close`; commits what is queued even when it is cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._reception.run)
            nursery.start_soon(self._aggregates.run)
            if self._cosigning is not None:
                nursery.start_soon(self._cosigning.run)
            try:
                await self._writer.run(task_status)
            finally:
                self._reception.give_up()
            nursery.cancel_scope.cancel()

    def resume(self) -> None:
        """The start was noted by a notary that has died since: the stop is this one's to note,
        unless that one died of nothing but its end.
        """
        self._started = self._store.book.started

    async def close(self, *, clean: bool = True) -> None:
        """Commit everything, write the last checkpoint, release the store.

        Where a start was noted, a stop is as well; `clean` says whether all had ended by itself.
        """
        writer = self._writer
        if not writer.stop.is_set():
            self._aggregates.close()
            if self._started:
                self._reception.enter(Event("stop", {"clean": clean}))
        await writer.close()
        self._reception.give_up()

    async def publish(self) -> None:
        """Write tiles and checkpoint now instead of at the next `checkpoint_every`."""
        await self._writer.publish()

    # --- what is known ---------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """True while intents may be taken: running, and the disk takes what it is given."""
        return self._writer.health.ready

    @property
    def trouble(self) -> Trouble | None:
        """Why they may not; None while they may."""
        return self._writer.health.trouble

    def watching(self, on_change: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `on_change` whenever `trouble` has changed."""
        return self._writer.health.watching(on_change)

    @property
    def size(self) -> int:
        """How many entries are durable."""
        return self._store.leaves.size

    @property
    def interrupted(self) -> int:
        """How many attempts were found interrupted at the start, and closed."""
        return self._store.interrupted

    @property
    def receipt_key(self) -> Mapping[str, str]:
        """The public key of the receipts, as events name it: `keyid`, `spki`."""
        return keychain.describe(self._store.keys.receipt.public_key())

    async def entry(self, index: int) -> bytes | None:
        """The exact octets of a durable leaf; None where there is none. Raises `LogFailure`."""
        found = self._store.leaves.entry(index)
        if found is not None or not 0 <= index < self._store.leaves.base:
            return found
        try:
            return await trio.to_thread.run_sync(self._store.entry, index)
        except (OSError, EvidenceError) as error:
            raise LogFailure(f"entry {index} cannot be read: {error}") from None

    async def latest(self, sender: str, route: str, transfer_id: str) -> bytes | None:
        """The latest leaf about a transfer; None where it is none of the latest 32,768.

        Raises `LogFailure`.
        """
        found = self._store.book.transfers.get((stream_of(sender, route), transfer_id))
        return None if found is None else await self.entry(found[1])

    # --- ids -------------------------------------------------------------------------------------

    async def reserve(self, claim: Claim, attempt_id: bytes, *, holder: str = "") -> Earlier | None:
        """See `Link.reserve`."""
        if self.trouble is not None:
            raise LogFailure(self.trouble.text)
        found = self._store.ids.reserve(claim, attempt_id, self._store.now(), holder=holder)
        if found is None:
            return None
        envelope = await self.entry(found.index)
        if envelope is None:
            raise LogFailure(f"entry {found.index} is not there, but an id was delivered by it")
        return Earlier(found.status or answered_status(envelope), found.index, envelope)

    def restore(self, claim: Claim, attempt_id: bytes, *, holder: str) -> None:
        """A worker says, to a notary that has just started, what it holds. Raises `LogFailure`."""
        self._store.ids.restore(claim, attempt_id, self._store.now(), holder=holder)

    def release(self, claim: Claim, attempt_id: bytes) -> None:
        """See `Link.release`."""
        self._store.ids.release(attempt_id)

    async def matches(self, claim: Claim, content_sha256: bytes) -> bool:
        """See `Link.matches`."""
        return self._store.ids.matches(claim, content_sha256)

    @property
    def bounds(self) -> Bounds:
        """What workers may ask of the table of ids."""
        return self._store.ids.bounds

    # --- statements ------------------------------------------------------------------------------

    async def conclude(self, submission: Submission, *, resent: bool = False) -> Receipt:
        """See `Link.conclude`. May be cancelled: the statement is written all the same."""
        waiting = Waiting()
        self.submit(submission, waiting, resent=resent)
        return await waiting.receipt()

    def submit(
        self, submission: Submission, on_done: OnDone, *, resent: bool = False, since: int = 0
    ) -> None:
        """See `Served.submit`. `on_done` may be told before this returns."""
        self._reception.submit(submission, on_done, resent=resent, since=since)

    # --- what is not a worker's ------------------------------------------------------------------

    async def note(self, event: Event) -> Receipt:
        """Put an event into the log. Raises `LogFailure`; it is then written later, if at all."""
        if self._writer.stop.is_set():
            raise LogFailure(STOPPED)
        self._started = self._started or event.kind == "start"
        return await self._reception.enter(event).receipt()

    async def worker_gone(self, name: str) -> int:
        """Close the intents that a dead worker left open, and let go what it held.

        Returns how many there were. To be called when its channel has been read to the end; waits
        for a failing disk. Raises `LogFailure` where the intents do not read or the notary stops.
        """
        path = self._store.folder / FOLDER / name
        try:
            found = await trio.to_thread.run_sync(opening.still_open, path, self._store.find)
            found = [each for each in found if self.bounds.has(each.route)]
            self._store.ids.keep_undecided(found, self._store.now(), holder=name)
            waiting = [self._reception.close(intent) for intent in found]
            for each in waiting:
                if each is not None:
                    await self._ended(each)
            if found:
                await self._reception.enter(opening.recovery(len(found), 0), patient=True).receipt()
            self._store.ids.drop(name)
            self._store.disk.unlink(path)
        except (OSError, EvidenceError) as error:
            raise LogFailure(f"the intents of {name} cannot be closed: {error}") from None
        return len(found)

    async def _ended(self, waiting: Waiting) -> None:
        """Wait for the end of an intent. One that cannot be said was never an attempt of ours: as
        at a start it gets no entry. Raises `LogFailure` where the notary stops.
        """
        try:
            await waiting.receipt()
        except LogFailure:
            if self._writer.stopped.is_set():
                raise

    def shed(self, counts: Mapping[str, int]) -> None:
        """See `Link.shed`. In the log they are one event a minute."""
        self._aggregates.shed(counts)

    async def missed(self, missed: Missed) -> None:
        """See `Link.missed`."""
        await self._aggregates.missed(missed)
