"""A statement as it travels to the notary, packed, all big-endian. Bytes in, bytes out.

    16 attempt id | u8 verdict | u16 flags | u16 status | i64 received (µs since 1970)
    | i64 duplicate_of | f64 window | 32 delivered SHA-256 | 32 content SHA-256
    | 4 × u32 length | transfer id | sender | problem | route | 32 nonce, where there is one
    | details, to the end

The flags say, from the lowest bit, whether it has a status, problem, route, duplicate_of, delivered
SHA-256, content SHA-256 and claim (of its own sender, route and id, so that the window is all there
is to say), whether that claim has forward_undecided, whether it is owed, and whether that claim has
a nonce; what it has not is zeros. One of attempt `abcdefghabcdefgh` from `uid:7`, transfer `a`,
that `failed` on the route `orders` without a status:

    61626364656667686162636465666768 02 0004 0000 000650c05200f000 0000000000000000
    0000000000000000 (32 × 00) (32 × 00) 00000001 00000005 00000000 00000006 61 7569643a37
    6f7264657273 7b7d

Whatever is too short or out of range is an `EvidenceError`.
"""

import struct
from datetime import UTC, datetime, timedelta
from typing import Final

from proxy.errors import EvidenceError
from proxy.model import Claim, Submission, Verdict
from proxy.notary.ids_memo import MAX_WINDOW
from proxy.notary.messages import NONCE, malformed

_SUBMISSION: Final = struct.Struct(">16sBHHqqd32s32s4I")
_VERDICTS: Final = tuple(Verdict)
_NUMBER: Final = {verdict: number for number, verdict in enumerate(_VERDICTS)}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NONE: Final = bytes(32)
_STATUS, _PROBLEM, _ROUTE, _DUPLICATE, _DELIVERED, _CONTENT, _CLAIMED, _FORWARD, _OWED, _NONCED = (
    1 << n for n in range(10)
)


def pack_submission(found: Submission) -> bytes:
    """Raises `EvidenceError` for what the channel cannot say, another transfer's claim included."""
    claim = found.claim
    of = None if claim is None else (claim.sender, claim.route, claim.transfer_id)
    if of not in (None, (found.sender, found.route, found.transfer_id)):
        raise EvidenceError("a submission holds the claim of another transfer")
    flags = (
        _STATUS * (found.status is not None)
        | _PROBLEM * (found.problem is not None)
        | _ROUTE * (found.route is not None)
        | _DUPLICATE * (found.duplicate_of is not None)
        | _DELIVERED * (found.delivered_sha256 is not None)
        | _CONTENT * (found.content_sha256 is not None)
        | _CLAIMED * (claim is not None)
        | _FORWARD * (claim is not None and claim.forward_undecided)
        | _OWED * found.owed
        | _NONCED * (claim is not None and claim.nonce is not None)
    )
    nonce = claim.nonce or b"" if claim is not None else b""
    try:
        transfer_id, sender = found.transfer_id.encode(), found.sender.encode()
        problem, route = (found.problem or "").encode(), (found.route or "").encode()
        head = _SUBMISSION.pack(
            found.attempt_id,
            _NUMBER[found.verdict],
            flags,
            found.status or 0,
            (found.received_at - _EPOCH) // _MICROSECOND,
            found.duplicate_of or 0,
            0.0 if claim is None else claim.window,
            found.delivered_sha256 or _NONE,
            found.content_sha256 or _NONE,
            len(transfer_id),
            len(sender),
            len(problem),
            len(route),
        )
    except (struct.error, UnicodeEncodeError):
        raise EvidenceError("a submission holds what the channel cannot say") from None
    return b"".join((head, transfer_id, sender, problem, route, nonce, found.details))


def unpack_submission(data: bytes) -> Submission:
    """Raises `EvidenceError`."""
    try:
        (
            attempt_id, verdict, flags, status, received, duplicate_of, window, delivered, content,
            to_sender, to_problem, to_route, to_details,
        ) = _SUBMISSION.unpack_from(data)  # fmt: skip
        to_sender += _SUBMISSION.size
        to_problem += to_sender
        to_route += to_problem
        to_nonce = to_route + to_details
        to_details = to_nonce + (NONCE if flags & _NONCED else 0)
        if to_details > len(data):
            raise malformed("submission")
        transfer_id = data[_SUBMISSION.size : to_sender].decode()
        sender = data[to_sender:to_problem].decode()
        route = data[to_route:to_nonce].decode() if flags & _ROUTE else None
        nonce = data[to_nonce:to_details] or None
        return Submission(
            attempt_id,
            transfer_id,
            _VERDICTS[verdict],
            status if flags & _STATUS else None,
            data[to_problem:to_route].decode() if flags & _PROBLEM else None,
            sender,
            route,
            _EPOCH + timedelta(microseconds=received),
            data[to_details:],
            delivered if flags & _DELIVERED else None,
            _own_claim(sender, route, transfer_id, window, flags, nonce)
            if flags & _CLAIMED
            else None,
            content if flags & _CONTENT else None,
            duplicate_of if flags & _DUPLICATE else None,
            flags & _OWED != 0,
        )
    except (struct.error, UnicodeDecodeError, IndexError, OverflowError):
        raise malformed("submission") from None


def _own_claim(
    sender: str,
    route: str | None,
    transfer_id: str,
    window: float,
    flags: int,
    nonce: bytes | None,
) -> Claim:
    if route is None or not 0 <= window <= MAX_WINDOW:
        raise malformed("claim")
    return Claim(sender, route, transfer_id, window, flags & _FORWARD != 0, nonce)
