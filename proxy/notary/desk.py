"""What stands in a worker for the log: `proxy.edge.gate.Evidence`, over any `Link`.

Rules
- An intent stands in the worker's file before anything is forwarded, and its slot is cleared when
  the receipt of its attempt is durable, not before. What stays in the file when the worker dies the
  notary closes.
- `conclude` hands the statement on at once. Who waits for the receipt may be cancelled: the
  statement is written, and its slot cleared, all the same.
- Nobody waits for ever, while `run` runs: a receipt is waited for no longer than `patience`, and
  `_CROSSED` times that where there is an intent. Then there is a `LogFailure`; the statement stays
  handed on, and is written when the log goes on. So it is not counted.
- After a `LogFailure` the sender learns that there is no receipt. Where there is an intent, the
  statement is owed none the less: it goes to the notary again, saying that the sender had no answer
  of ours. Where there is none, nothing crossed and nothing is owed.
- The log is behind when the oldest statement without a receipt has waited longer than `patience` or
  when more than `MOST` wait. Then, and while the link is not ready, nothing new begins: no id is
  reserved, no intent taken, and what needs no statement gets none. So what waits is bounded by
  `MOST` and the transfers under way.
- An attempt that gets no statement for that reason is counted, and the count handed on as soon as
  the log takes it: by `run`, and by `close`.
- One look at all that wait (`run`) ends those that have waited too long. A timer of its own would
  cost each receipt as much as its statement's digest does.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import trio

from proxy.errors import TROUBLES, EvidenceError, LogFailure, Refusal
from proxy.model import Claim, Earlier, Intent, Outcome, Receipt, Submission, Trouble, named_trouble
from proxy.notary.attempts import AttemptIds
from proxy.notary.intents import IntentFile
from proxy.notary.link import Link, Waiting
from proxy.notary.rest import News, beat
from proxy.notary.shedding import Missing
from proxy.receipt.statement import submission

MOST: Final = 4096
_CROSSED: Final = 5
"""So many times `patience` is the receipt of what may have crossed waited for: to its sender a
late answer is worth more than none, and a notary that has died is replaced by then."""
_SOON: Final = 1.0
"""Seconds, at most, between two looks at what waits, and at what was counted."""
_AGAIN: Final = 0.05
"""Seconds until a desk that closes asks again for somebody who takes what it counted."""


class Desk:
    def __init__(self, link: Link, intents: IntentFile, patience: float, *, name: str = "") -> None:
        """`patience` is in seconds; `name` is the worker's, whose attempts these are."""
        self.attempt_id: Final = AttemptIds(name)
        self._link = link
        self._intents = intents
        self._patience = patience
        self._open: set[bytes] = set()
        """Attempts with an intent in the file."""
        self._unacknowledged: dict[Waiting, tuple[float, float]] = {}
        """Who waits -> when the statement was handed on, and for how long; the oldest first."""
        self._missing = Missing()
        self._handing_on = trio.Lock()
        self._settled = trio.Event()
        self._stirred = News()
        self._closed = False

    # --- readiness -------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many statements have no receipt yet."""
        return len(self._unacknowledged)

    @property
    def behind(self) -> bool:
        """True while the log does not keep up."""
        oldest = next(iter(self._unacknowledged.values()), None)
        if oldest is None:
            return False
        return self.waiting > MOST or trio.current_time() - oldest[0] > self._patience

    @property
    def ready(self) -> bool:
        """True while intents are taken."""
        return self.trouble is None

    @property
    def trouble(self) -> Trouble | None:
        """Why no intents are taken; None while they are. Fails closed."""
        found = self._link.trouble
        if found is not None:
            return found
        if self.behind:
            return named_trouble("slow")
        return named_trouble("stopping") if self._closed else None

    def stir(self) -> None:
        """The link's `trouble` has changed."""
        self._stirred.tell()

    async def stirring(self) -> None:
        """Return when there is a `trouble`, or may soon be: something waits for its receipt."""
        while not self._unacknowledged and self.trouble is None:
            await self._stirred.wait()

    def _require_ready(self) -> None:
        """Raises `LogFailure` while nothing new may begin. Fails closed."""
        trouble = self.trouble
        if trouble is not None:
            raise LogFailure(trouble.text)

    # --- an attempt ------------------------------------------------------------------------------

    async def reserve(self, claim: Claim, attempt_id: bytes) -> Earlier | None:
        """None: the id is held until this attempt is concluded. Else who has delivered it.

        Raises `Refusal` (in-flight, undecided, overloaded) and `LogFailure`, also when the answer
        takes longer than `patience`.
        """
        self._require_ready()
        try:
            with trio.move_on_after(self._patience):
                return await self._link.reserve(claim, attempt_id)
        except Refusal:
            raise
        except BaseException:
            self._link.release(claim, attempt_id)
            raise
        self._link.release(claim, attempt_id)
        raise LogFailure("the table of ids is slow")

    async def matches(self, claim: Claim, content_sha256: bytes) -> bool:
        """True when this is what was delivered under the id. Raises `LogFailure`."""
        with trio.move_on_after(self._patience):
            return await self._link.matches(claim, content_sha256)
        raise LogFailure("the table of ids is slow")

    async def intend(self, intent: Intent) -> None:
        """Return when `intent` is in the file. Raises `LogFailure`: nothing may be forwarded."""
        self._require_ready()
        if self._intents.sync:
            await trio.to_thread.run_sync(self._intents.write, intent)
        else:
            self._intents.write(intent)
        self._open.add(intent.attempt_id)

    async def conclude(self, outcome: Outcome) -> Receipt:
        """Return when the attempt's statement is durable. May be cancelled.

        Raises `LogFailure`, also when that takes too long: it is then durable later.
        """
        waiting, owed = Waiting(), outcome.attempt_id in self._open
        try:
            if not owed:
                self._require_ready()
            found = submission(outcome, owed=owed)
        except (LogFailure, EvidenceError) as error:
            if not owed:
                trouble = self.trouble if isinstance(error, LogFailure) else None
                self._missing.count(trouble.code if trouble else "unsayable", outcome.received_at)
            self._drop(outcome.claim, outcome.attempt_id)
            raise error if isinstance(error, LogFailure) else LogFailure(str(error)) from None
        patience = self._patience * (_CROSSED if owed else 1)
        self._unacknowledged[waiting] = trio.current_time(), patience
        self._stirred.tell()
        self._submit(found, waiting, resent=False)
        return await waiting.receipt()

    def _submit(self, found: Submission, waiting: Waiting, *, resent: bool) -> None:
        on_done = partial(self._done, found, waiting, resent)
        self._link.submit(found, on_done, resent=resent)

    def _done(
        self, found: Submission, waiting: Waiting, resent: bool, result: Receipt | LogFailure
    ) -> None:
        waiting(result)
        attempt_id = found.attempt_id
        if isinstance(result, LogFailure) and attempt_id in self._open and not resent:
            owed = replace(found, status=None, problem=found.problem or result.code)
            self._submit(owed, waiting, resent=True)
            return
        if isinstance(result, Receipt):
            self._open.discard(attempt_id)
            self._intents.clear(attempt_id)
        else:
            self._drop(found.claim, attempt_id)
        self._unacknowledged.pop(waiting, None)
        if not self._unacknowledged:
            self._settled.set()

    def _drop(self, claim: Claim | None, attempt_id: bytes) -> None:
        """No statement is going to say how this ended. What may have crossed stays held."""
        if claim is not None and attempt_id not in self._open:
            self._link.release(claim, attempt_id)

    # --- what is known ---------------------------------------------------------------------------

    async def entry(self, index: int) -> bytes | None:
        """The exact octets of a durable leaf; None where there is none. Raises `LogFailure`."""
        with trio.move_on_after(self._patience):
            return await self._link.entry(index)
        raise LogFailure("the log is slow")

    async def latest(self, sender: str, route: str, transfer_id: str) -> bytes | None:
        """The latest leaf about a transfer; None where none is known. Raises `LogFailure`."""
        with trio.move_on_after(self._patience):
            return await self._link.latest(sender, route, transfer_id)
        raise LogFailure("the log is slow")

    def shed(self, counts: Mapping[str, int]) -> None:
        """So many were turned away before they were a transfer, by `<listener>:<reason>`."""
        self._link.shed(counts)

    # --- what got no statement -------------------------------------------------------------------

    async def run(self) -> None:
        """Let nobody wait for ever, and hand on what was counted whenever the log takes it, until
        cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end_waiting)
            while True:
                await self._missing.counted()
                await beat(_SOON)
                if self.ready:
                    await self._hand_on()

    async def _end_waiting(self) -> None:
        while True:
            while not self._unacknowledged:
                await self._stirred.wait()
            await beat(min(_SOON, self._patience / 4))
            now = trio.current_time()
            for waiting, (since, patience) in self._unacknowledged.items():
                if now - since < self._patience:
                    break
                if now - since >= patience:
                    waiting(LogFailure(TROUBLES["slow"]))

    async def _hand_on(self) -> bool:
        """True unless something is left that nobody took."""
        async with self._handing_on:
            missed = self._missing.take()
            if missed is not None:
                try:
                    await self._link.missed(missed)
                except LogFailure:
                    self._missing.add(missed)
                    return False
            return True

    # --- the end ---------------------------------------------------------------------------------

    async def close(self) -> None:
        """Take no more intents, wait for the receipts no longer than `patience`, say what got none,
        and let go the file.

        What has none by then is still the notary's to write, or to close. What was counted is not:
        so the next notary is waited for, where there is none, `_CROSSED` times as long.
        """
        self._closed = True
        with trio.move_on_after(self._patience):
            while self._unacknowledged:
                self._settled = trio.Event()
                await self._settled.wait()
        with trio.move_on_after(self._patience * _CROSSED):
            while not await self._hand_on():  # noqa: ASYNC110 - nothing tells of the next notary
                await trio.sleep(_AGAIN)
        self._intents.close()
