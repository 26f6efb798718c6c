"""The syncs of the journal: by the kernel alone where it can, else by a thread.

A thread for each batch costs more than the signatures in it, and who comes back from the disk has
to wait for the interpreter for as long as the event loop has it, which is milliseconds. Nothing
counts as durable before one of the two has returned.
"""

import trio

from proxy.notary.aio import Aio
from proxy.notary.disk import Disk
from proxy.notary.journal import Journal


class Syncs:
    """Of one writer, one after the other."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._aio: Aio | None = None
        self._asked = False

    async def sync(self, journal: Journal) -> None:
        """Return when what was appended is durable. Raises `OSError` as `Journal.sync`.

        Not to be cancelled.
        """
        aio, reach = self._context(), journal.length
        if aio is not None and self._disk.begin_sync(aio, journal.fd):
            await trio.lowlevel.wait_readable(aio.done)
            aio.end()
            journal.settle(reach)
        else:
            await trio.to_thread.run_sync(journal.sync)

    def _context(self) -> Aio | None:
        if not self._asked:
            self._asked = True
            try:
                self._aio = Aio()
            except OSError:
                pass  # a kernel or a sandbox without it
        return self._aio

    def close(self) -> None:
        if self._aio is not None:
            self._aio.close()
            self._aio = None
