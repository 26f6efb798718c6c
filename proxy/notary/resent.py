"""Statements that come again: each is looked up in the whole log, many at a time, in a thread.

What crossed is owed its verdict: while the log does not read they wait, and nothing new begins.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

import trio

from proxy.errors import EvidenceError, LogFailure
from proxy.model import Receipt, Submission
from proxy.notary.health import Health, trouble_with
from proxy.notary.link import OnDone
from proxy.notary.store import Store

Submit = Callable[[Submission, OnDone, int], None]
"""What is done with one that has no statement yet."""
_PAUSE: Final = 1.0
"""Seconds between two looks into a log that does not read."""


class Resent:
    def __init__(self, store: Store, health: Health, submit: Submit) -> None:
        self._store = store
        self._health = health
        self._submit = submit
        self._queue: deque[tuple[Submission, OnDone, int]] = deque()
        """The last: no entry before this one is about the attempt."""
        self._work = trio.Event()

    def put(self, submission: Submission, on_done: OnDone, since: int) -> None:
        """Tell `on_done` the receipt that the attempt has, or else submit it."""
        self._queue.append((submission, on_done, since))
        self._work.set()

    def give_up(self) -> None:
        """Nobody looks any more."""
        while self._queue:
            self._queue.popleft()[1](LogFailure("the notary has stopped"))

    async def run(self) -> None:
        while True:
            await self._work.wait()
            self._work = trio.Event()
            some = list(self._queue)
            with trio.CancelScope(shield=True):
                wanted = [submission.attempt_id for submission, _, _ in some]
                found = await self._find(wanted, min(since for _, _, since in some))
            if found is None:
                self._work.set()
                await trio.sleep(_PAUSE)
                continue
            for one in some:
                if not self._queue or self._queue[0] is not one:
                    break  # given up meanwhile: they have been told
                submission, on_done, since = self._queue.popleft()
                result = found.get(submission.attempt_id)
                if result is None:
                    self._submit(submission, on_done, since)
                else:
                    on_done(result)

    async def _find(self, wanted: list[bytes], since: int) -> dict[bytes, Receipt] | None:
        """The receipts that there are; None where the log does not read, and the health says so."""
        try:
            known = await trio.to_thread.run_sync(self._store.find, wanted, since)
            found = {
                attempt_id: Receipt(index, await self._entry(index))
                for attempt_id, index in known.items()
            }
        except (OSError, EvidenceError, LogFailure) as error:
            self._health.past_is(trouble_with("the log cannot be read", error))
            return None
        self._health.past_is(None)
        return found

    async def _entry(self, index: int) -> bytes:
        found = self._store.leaves.entry(index)
        if found is None:
            found = await trio.to_thread.run_sync(self._store.entry, index)
        if found is None:
            raise EvidenceError(f"there is no entry {index}")
        return found
