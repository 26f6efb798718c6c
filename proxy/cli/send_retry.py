"""Which attempts of `lockgate send` are made again, and when. Nothing here waits.

Made again is what may pass and is safe under the same id: no connection, a connection that broke,
no answer; 409 `in-flight`, 408, 429 and 503; and 502 and 504 where the receipt says that it
surely did not arrive. Never where a receipt says `indeterminate` or `delivered`, nor what will be
said again: another refusal, a server that is somebody else, a handshake that was refused.

The pauses are 0.5, 1, 2, 4 … seconds, 30 at most, of which between half and all is waited, so that
many senders do not come back at the same instant; `Retry-After` is waited for at least.
"""

import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from proxy.cli.send_exchange import Answer
from proxy.cli.send_result import Result
from proxy.errors import Refusal
from proxy.model import Verdict

_FIRST = 0.5
_LONGEST = 30.0
_PATIENCE = 3600
"""Seconds of a Retry-After beyond which it is left to the caller to come again."""
_PASSES = {408, 429, 503}
_PASSES_IF_NOT_ARRIVED = {502, 504}
_BROKEN = {"upstream-unreachable", "upstream-closed", "upstream-timeout", "overloaded"}


def is_of_server(failure: BaseException | None) -> bool:
    """The failure is not about one file: every other one would meet it, too."""
    code = getattr(failure, "code", None)
    return code in ("upstream-unreachable", "upstream-identity") or _is_refused(failure)


def pause(
    result: Result,
    now: datetime,
    draw: Callable[[int], int] = secrets.randbelow,
) -> float | None:
    """Seconds until the next attempt, or None when there shall be none."""
    if not _may_pass(result):
        return None
    whole = min(_FIRST * 2 ** (result.attempts - 1), _LONGEST)
    ours = whole * (1 + draw(1001) / 1000) / 2
    asked = retry_after(result.answer, now) if result.answer else 0.0
    return None if asked > _PATIENCE else max(ours, asked)


def retry_after(answer: Answer, now: datetime) -> float:
    """Seconds that a Retry-After asks for (RFC 9110, section 10.2.3); 0 without a proper one."""
    values = answer.values(b"retry-after")
    text = values[0].decode("latin-1").strip() if len(values) == 1 else ""
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - now).total_seconds())


def _may_pass(result: Result) -> bool:
    if result.failure is not None:
        broken = isinstance(result.failure, Refusal) and result.failure.code in _BROKEN
        return broken and not _is_refused(result.failure)
    answer, evidence = result.answer, result.evidence
    if answer is None:
        return False
    if answer.status == 409:
        return result.problem_code == "in-flight"
    verdict = evidence.verdict if evidence else None
    if verdict in (Verdict.INDETERMINATE, Verdict.DELIVERED):
        return False
    surely_not = verdict in (Verdict.FAILED, Verdict.REJECTED)
    return answer.status in _PASSES or (answer.status in _PASSES_IF_NOT_ARRIVED and surely_not)


def _is_refused(failure: BaseException | None) -> bool:
    return failure is not None and "refused_by_peer" in str(failure)
