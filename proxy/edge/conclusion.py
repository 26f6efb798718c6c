"""The one verdict of an attempt: receipt, log line, metrics."""

import time

from proxy.edge.gate import Keeper
from proxy.errors import LogFailure, Refusal
from proxy.model import Outcome, Receipt


async def record(
    keeper: Keeper,
    outcome: Outcome,
    refusal: Refusal | None,
    *,
    started: float,
    trace_id: str | None = None,
) -> Receipt:
    """Give the verdict: returns when its receipt is durable. `started` is of `time.monotonic`.

    Raises LogFailure, also when that takes too long; the verdict stands then, and is in the log
    when that goes on.
    """
    receipt, reason = None, refusal.reason if refusal else None
    try:
        receipt = await keeper.notary.conclude(outcome)
    except LogFailure as failure:
        reason = failure.reason
        raise
    finally:
        seconds = time.monotonic() - started
        keeper.metrics.transfer(outcome, seconds)
        keeper.log.transfer(
            outcome,
            reason=reason,
            index=receipt.index if receipt is not None else None,
            trace_id=trace_id,
            seconds=seconds,
        )
    return receipt
