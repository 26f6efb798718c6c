"""Processes that verify signatures for an audit, one a core, and read the log by themselves.

Each imports this module before it begins: of the notary it takes nothing but a website's client,
and that only where there is one, for the notary takes longer to import than all the rest.
"""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from multiprocessing import get_context
from typing import TYPE_CHECKING

from proxy.receipt.audit import Crew
from proxy.receipt.tiles import Loader
from proxy.settings.files import load

if TYPE_CHECKING:
    from proxy.notary.folder import Folder
    from proxy.notary.website import Website


@contextmanager
def helpers(log: "Folder | Website", number: int | None = None) -> Iterator[Crew | None]:
    """Fresh interpreters that start with the first work; None where one core is all there is.

    They inherit nothing of ours and end with the block, whatever ends it.
    """
    cores = len(os.sched_getaffinity(0)) if number is None else number
    if cores < 2:
        yield None
        return
    # Ctrl-C goes to the whole group: the audit is to end by it, and then ends its helpers.
    ignore = (signal.SIGINT, signal.SIG_IGN)
    pool = ProcessPoolExecutor(
        cores, mp_context=get_context("spawn"), initializer=signal.signal, initargs=ignore
    )
    try:
        yield Crew(pool, _loader(log))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _loader(log: "Folder | Website") -> Loader:
    from proxy.notary.website import Website

    return partial(_read_site, log.url) if isinstance(log, Website) else partial(load, log.path)


@lru_cache(maxsize=1)
def _site(url: str) -> "Website":
    """A connection cannot cross to another process: each helper has one of its own."""
    from proxy.notary.website import Website

    return Website(url)


def _read_site(url: str, name: str) -> bytes | None:
    return _site(url).load(name)
