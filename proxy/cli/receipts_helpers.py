"""Processes that verify signatures for an audit, one a core, and read the log by themselves."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from multiprocessing import get_context

from proxy.notary.folder import Folder
from proxy.notary.website import Website
from proxy.receipt.audit import Crew


@contextmanager
def helpers(log: Folder | Website, number: int | None = None) -> Iterator[Crew | None]:
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
        yield Crew(pool, partial(_read_site, log.url) if isinstance(log, Website) else log.load)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@lru_cache(maxsize=1)
def _site(url: str) -> Website:
    return Website(url)


def _read_site(url: str, name: str) -> bytes | None:
    """A connection cannot cross to another process: each helper has one of its own."""
    return _site(url).load(name)
