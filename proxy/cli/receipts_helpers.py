"""Processes that verify signatures for an audit, one a core."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context


@contextmanager
def helpers(number: int | None = None) -> Iterator[Executor | None]:
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
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
