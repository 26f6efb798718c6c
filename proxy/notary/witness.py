"""Offers each checkpoint to the witnesses of a policy and keeps what they cosign (tlog-witness).

- One round at a time: a checkpoint goes to all witnesses together, because a quorum is of one
  checkpoint. The next round begins with the latest one, whatever was missed. Who answers late or
  badly is left alone for a while, twice as long each time, and then asked beside the rounds, which
  wait for it no more until it has cosigned.
- Everything waits here and nowhere else: `published` only takes note. No receipt and no publication
  waits for a witness, and each has one thread at most.
- A cosignature belongs to one checkpoint. Each is verified; then the note with all that came so far
  is given to `keep`: once the quorum is met, and at the end of the round.
- A witness that cosigned more than there is (`ahead`) or another tree of this size (`conflict`)
  says that this log was set back or forked: that is for people, and is told as what it is.
"""

from collections.abc import Awaitable, Callable

import trio

from proxy.notary.offer import PAUSE, TIMEOUT, Failure, Site, Target, exchange, sites, verified
from proxy.receipt import note
from proxy.receipt.policy import Policy
from proxy.receipt.tiles import Loader

Keep = Callable[[bytes, bool], Awaitable[None]]
"""(the checkpoint with its cosignatures, whether they meet the quorum)."""
Tell = Callable[[str, str, int, str | None], None]
"""(witness, one of `offer.RESULTS`, size of the checkpoint, reason of a failure)."""


class Witnesses:
    """The task that offers. `load` reads a file of the published log."""

    def __init__(
        self,
        policy: Policy,
        load: Loader,
        keep: Keep,
        tell: Tell,
        *,
        timeout: float = TIMEOUT,
        pause: float = PAUSE,
    ) -> None:
        """`timeout`: seconds for a whole offer; `pause`: before the first time that one who failed
        is asked again. Raises `EvidenceError` for a URL that cannot be posted to."""
        self._policy, self._load, self._keep, self._tell = policy, load, keep, tell
        self._timeout, self._pause = timeout, pause
        self._sites = sites(policy, timeout)
        self._target: Target | None = None
        self._news = trio.Event()

    @property
    def names(self) -> list[str]:
        """Whom offers go to, as `tell` calls them."""
        return [site.name for site in self._sites]

    def published(self, checkpoint: bytes) -> None:
        """This one is out: offer it next. Never blocks.

        Cosignatures that it bears already count. Raises `EvidenceError` where it is no checkpoint.
        """
        parsed = note.parse(checkpoint)
        theirs = {(w.vkey.name, w.vkey.key_id) for w in self._policy.witnesses}
        own = [s for s in parsed.signatures if (s.name, s.key_id) not in theirs]
        target = Target(checkpoint, parsed, note.parse_checkpoint(parsed.text), own, {})
        for site in self._sites:
            found = verified(site, target, parsed.signatures)
            if found:
                self._cosigned(site, target, found)
        target.kept = len(target.gathered)
        self._target = target
        self._news.set()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Offer until cancelled."""
        task_status.started()
        try:
            async with trio.open_nursery() as background:
                while True:
                    await self._step(background)
        finally:
            for site in self._sites:
                site.client.close()

    async def _step(self, background: trio.Nursery) -> None:
        """One round, or a wait until there is something to offer."""
        self._news = trio.Event()
        target, now = self._target, trio.current_time()
        waiting = [] if target is None else self._unsigned(target)
        due = [site for site in waiting if site.again <= now]
        if target is not None and due:
            await self._round(target, due, background)
            return
        with trio.CancelScope() as scope:
            scope.deadline = min((site.again for site in waiting), default=float("inf"))
            await self._news.wait()

    def _unsigned(self, target: Target) -> list[Site]:
        return [s for s in self._sites if s.signed != target.parsed.text and not s.late]

    async def _round(self, target: Target, due: list[Site], background: trio.Nursery) -> None:
        async with trio.open_nursery() as nursery:
            for site in due:
                site.late = site.failures > 0
                if site.late:
                    background.start_soon(self._offer_late, site, target)
                else:
                    nursery.start_soon(self._offer, site, target)
        await self._give_rest(target)

    async def _offer_late(self, site: Site, target: Target) -> None:
        """To one that failed before: no round waits for it."""
        await self._offer(site, target)
        await self._give_rest(target)
        site.late = False
        self._news.set()

    async def _offer(self, site: Site, target: Target) -> None:
        size, met = target.checkpoint.size, self._met(target)
        try:
            with trio.fail_after(self._timeout):
                found = await trio.to_thread.run_sync(
                    exchange, site, target, self._load, abandon_on_cancel=True, limiter=site.thread
                )
        except Failure as failure:
            site.failed(trio.current_time(), self._pause)
            self._tell(site.name, failure.result, size, str(failure))
            return
        except trio.TooSlowError:
            site.failed(trio.current_time(), self._pause)
            self._tell(site.name, "unreachable", size, "it did not answer in time")
            return
        self._cosigned(site, target, found)
        self._tell(site.name, "cosigned", size, None)
        if self._met(target) and not met:
            await self._give_rest(target)

    def _cosigned(self, site: Site, target: Target, found: list[note.Signature]) -> None:
        site.signed, site.old = target.parsed.text, target.checkpoint.size
        site.failures, site.again = 0, 0.0
        target.gathered |= {(s.name, s.key_id): s for s in found}

    def _met(self, target: Target) -> bool:
        known = self._policy.witnesses
        names = [w.name for w in known if (w.vkey.name, w.vkey.key_id) in target.gathered]
        return self._policy.met_by(names)

    async def _give_rest(self, target: Target) -> None:
        if len(target.gathered) > target.kept:
            target.kept = len(target.gathered)
            await self._keep(target.render(), self._met(target))
