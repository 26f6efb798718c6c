"""Takes what is to be written, once for each attempt, and tells who comes again.

While the disk fails, what owes nothing is refused: a rejection of which no intent is left open says
nothing that has to be known. It is counted, for it is never written. All else is kept, and so is
whatever comes again for its receipt.
"""

from typing import Final

from proxy.errors import LogFailure
from proxy.model import Intent, Submission, Verdict
from proxy.notary.drafts import Item, Pending
from proxy.notary.link import OnDone, Waiting
from proxy.notary.resent import Resent
from proxy.notary.shedding import Missing
from proxy.notary.writer import Writer

STOPPED: Final = "the notary has stopped"
_MOST: Final = 65_536
"""What may pile up while the disk fails."""


class Reception:
    def __init__(self, writer: Writer) -> None:
        self.missing = Missing()
        """Refused while the disk failed."""
        self._writer = writer
        self._store = writer.store
        self._resent = Resent(writer.store, writer.health, self._submit_again)

    async def run(self) -> None:
        """Look up what came again, until cancelled."""
        await self._resent.run()

    def give_up(self) -> None:
        """The writer has stopped: who waits for a look into the log is told."""
        self._resent.give_up()

    def submit(self, submission: Submission, on_done: OnDone, *, resent: bool, since: int) -> None:
        """See `Served.submit`. `on_done` may be told before this returns."""
        attempt_id, writer = submission.attempt_id, self._writer
        pending = writer.waiting.get(attempt_id)
        if writer.stopped.is_set():
            on_done(LogFailure(STOPPED))
        elif pending is not None:
            self._join(pending, on_done, patient=resent)
        elif resent or attempt_id in self._store.book.attempts:
            self._resent.put(submission, on_done, since)
        elif writer.health.failing is None:
            writer.submit(Pending(submission, False, [on_done]))
        else:
            self._submit_to_failing(submission, on_done, writer.health.failing)

    def enter(self, item: Item, *, patient: bool = False) -> Waiting:
        """Queue what is not a worker's."""
        waiting = Waiting()
        if self._writer.stopped.is_set():
            waiting(LogFailure(STOPPED))
        else:
            self._writer.submit(Pending(item, patient, [waiting]))
        return waiting

    def close(self, intent: Intent) -> Waiting | None:
        """Queue the end of an attempt that was cut short, unless its own is queued.

        None where it has its statement by now.
        """
        pending = self._writer.waiting.get(intent.attempt_id)
        if pending is not None:
            waiting = Waiting()
            self._join(pending, waiting, patient=True)
            return waiting
        if intent.attempt_id in self._store.book.attempts:
            return None
        return self.enter(intent, patient=True)

    def _submit_to_failing(self, submission: Submission, on_done: OnDone, reason: str) -> None:
        failure, owed = LogFailure(reason), submission.owed
        idle = submission.verdict is Verdict.REJECTED and not owed
        if idle or self._writer.queued >= _MOST:
            # What peers can pile up stays bounded. What is owed comes again: its id stays held.
            trouble = self._writer.health.trouble
            if not owed:
                self._store.ids.release(submission.attempt_id)
            if not owed and trouble is not None:
                self.missing.count(trouble.code, submission.received_at)
            on_done(failure)
            return
        pending = Pending(submission, False, [on_done])
        self._writer.submit(pending)
        if self._writer.health.journal is not None:
            pending.unanswered(failure)

    def _submit_again(self, submission: Submission, on_done: OnDone, since: int) -> None:
        """One that was not in the log when it was looked up, which may have changed meanwhile."""
        pending = self._writer.waiting.get(submission.attempt_id)
        if self._writer.stopped.is_set():
            on_done(LogFailure(STOPPED))
        elif pending is not None:
            self._join(pending, on_done, patient=True)
        elif submission.attempt_id in self._store.book.attempts:
            self._resent.put(submission, on_done, since)
        else:
            self._writer.submit(Pending(submission, True, [on_done]))

    def _join(self, pending: Pending, on_done: OnDone, *, patient: bool) -> None:
        failing = self._writer.health.journal
        if failing is not None and not patient:
            on_done(LogFailure(failing))
            return
        pending.patient = pending.patient or patient
        pending.waiters.append(on_done)
