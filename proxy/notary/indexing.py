"""Brings the index level with the log, so that a lost one is made anew also while nothing comes."""

from typing import Final

import trio

from proxy.model.beat import next_beat
from proxy.notary.rest import News
from proxy.notary.store import Store

_PAUSE: Final = 1.0
_REST: Final = 10.0
"""Seconds between two looks while it is level: a search may find it damaged."""


async def keep_level(store: Store, published: News) -> None:
    """Until cancelled. A step at a time, in a thread, so that commits and publications go between.

    It looks when something was `published`, and now and then. Where a step gets no further, because
    the disk is full or the log does not read, it is tried again a little later.
    """
    while True:
        while _lags(store) and await trio.to_thread.run_sync(_further, store):
            pass
        every = _PAUSE if _lags(store) else _REST
        with trio.move_on_at(next_beat(trio.current_time(), every)):
            await published.wait()


def _lags(store: Store) -> bool:
    return store.index.size < (store.publisher.size or 0)


def _further(store: Store) -> bool:
    """Add some of the published entries that the index lacks; False where it took none."""
    with store.indexing:
        before = store.index.size
        store.index.advance((), store.load, store.publisher.size or 0)
        return store.index.size > before
