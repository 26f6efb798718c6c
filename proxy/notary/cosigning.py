"""Between the notary's publications and its witnesses: what is out is offered, what comes is kept.

Beside the log and never before it: a publication only wakes this task, and a cosignature that
cannot be written is lost, not a transfer.
"""

import trio

from proxy.errors import EvidenceError
from proxy.notary.publisher import CHECKPOINT
from proxy.notary.witness import Tell, Witnesses
from proxy.notary.writer import Writer
from proxy.receipt.policy import Policy
from proxy.receipt.tiles import Loader


class Cosigning:
    """The witnesses of one log. `load` reads a file of the store."""

    def __init__(self, writer: Writer, load: Loader, policy: Policy, tell: Tell) -> None:
        """Raises `EvidenceError` for a witness that cannot be reached by its URL."""
        self._writer, self._load = writer, load
        self._witnesses = Witnesses(policy, load, self._keep, tell)
        writer.on_published = self._published

    async def run(self) -> None:
        """Offer until cancelled, beginning with what was published before."""
        before = await trio.to_thread.run_sync(self._load, CHECKPOINT)
        if before is not None:
            self._witnesses.published(before)
        await self._witnesses.run()

    def _published(self, checkpoint: bytes) -> None:
        self._witnesses.published(checkpoint)

    async def _keep(self, checkpoint: bytes, met: bool) -> None:
        try:
            await self._writer.cosign(checkpoint, met=met)
        except (OSError, EvidenceError):
            pass  # the next publication fails as well, and says so
