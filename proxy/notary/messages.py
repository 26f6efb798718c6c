"""What stands in the frames of the channel: packed values, all big-endian. Bytes in, bytes out.

    text        u32 length, then so many octets of UTF-8
    claim       f64 window | u8 forward_undecided | text sender | text route | text transfer id
    submission  16 attempt id | u8 verdict | u8 flags | u16 status | i64 received (µs since 1970)
                | i64 duplicate_of | f64 window | 32 delivered SHA-256 | 32 content SHA-256
                | 4 × u32 length | transfer id | sender | problem | route | details, to the end
    refusal     i32 retry_after (-1: none) | u8 length of the code | code | reason

A claim for 300 s, `uid:7` on route `orders` for the id `a`:

    4072c00000000000 00 00000005 7569643a37 00000006 6f7264657273 00000001 61

The flags of a submission say, from the lowest bit, whether it has a status, problem, route,
duplicate_of, delivered SHA-256, content SHA-256 and claim (of its own sender, route and id, so that
the window is all there is to say), and whether that claim has forward_undecided; what it has not is
zeros. Whatever is too short, too long or out of range is an `EvidenceError`.
"""

import math
import struct
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from proxy.errors import PROBLEMS, EvidenceError, LogFailure, Refusal
from proxy.model import Claim, Earlier, Receipt, Submission, Verdict

_LENGTH: Final = struct.Struct(">I")
_CLAIM: Final = struct.Struct(">dB")
_SUBMISSION: Final = struct.Struct(">16sBBHqqd32s32s4I")
_REFUSAL: Final = struct.Struct(">iB")
_INDEX: Final = struct.Struct(">Q")
_EARLIER: Final = struct.Struct(">HQ")
_VERDICTS: Final = tuple(Verdict)
_NUMBER: Final = {verdict: number for number, verdict in enumerate(_VERDICTS)}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
ID: Final = 16
_SHA256: Final = 32
_NONE: Final = bytes(_SHA256)
_REASON: Final = 1000
_STATUS, _PROBLEM, _ROUTE, _DUPLICATE, _DELIVERED, _CONTENT, _CLAIMED, _FORWARD = (
    1 << n for n in range(8)
)


def malformed(what: str) -> EvidenceError:
    return EvidenceError(f"the channel holds a {what} that does not read")


# --- texts ---------------------------------------------------------------------------------------


def pack_texts(*texts: str) -> bytes:
    """Raises `EvidenceError` for a text that is not Unicode."""
    parts: list[bytes] = []
    for text in texts:
        try:
            data = text.encode()
        except UnicodeEncodeError:
            raise EvidenceError("a text for the channel is not Unicode") from None
        parts += (_LENGTH.pack(len(data)), data)
    return b"".join(parts)


def unpack_texts(data: bytes, count: int, offset: int = 0) -> list[str]:
    """Exactly `count` texts, and nothing after them. Raises `EvidenceError`."""
    texts = []
    try:
        for _ in range(count):
            (length,) = _LENGTH.unpack_from(data, offset)
            offset += _LENGTH.size + length
            texts.append(data[offset - length : offset].decode())
    except (struct.error, UnicodeDecodeError):
        raise malformed("text") from None
    if offset != len(data):
        raise malformed("text")
    return texts


# --- claims --------------------------------------------------------------------------------------


def pack_claim(claim: Claim) -> bytes:
    head = _CLAIM.pack(claim.window, claim.forward_undecided)
    return head + pack_texts(claim.sender, claim.route, claim.transfer_id)


def unpack_claim(data: bytes, offset: int = 0) -> Claim:
    """The claim from `offset` to the end. Raises `EvidenceError`."""
    try:
        window, forward = _CLAIM.unpack_from(data, offset)
    except struct.error:
        raise malformed("claim") from None
    sender, route, transfer_id = unpack_texts(data, 3, offset + _CLAIM.size)
    if forward > 1 or not 0 <= window < math.inf:
        raise malformed("claim")
    return Claim(sender, route, transfer_id, window, forward == 1)


def unpack_held(data: bytes) -> tuple[bytes, Claim]:
    """(attempt id, claim). Raises `EvidenceError`."""
    return data[:ID], unpack_claim(data, ID)


def unpack_compared(data: bytes) -> tuple[bytes, Claim]:
    """(SHA-256, claim). Raises `EvidenceError`."""
    return data[:_SHA256], unpack_claim(data, _SHA256)


# --- submissions ---------------------------------------------------------------------------------


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
    )
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
    return b"".join((head, transfer_id, sender, problem, route, found.details))


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
        to_details += to_route
        if to_details > len(data):
            raise malformed("submission")
        transfer_id = data[_SUBMISSION.size : to_sender].decode()
        sender = data[to_sender:to_problem].decode()
        route = data[to_route:to_details].decode() if flags & _ROUTE else None
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
            _own_claim(sender, route, transfer_id, window, flags) if flags & _CLAIMED else None,
            content if flags & _CONTENT else None,
            duplicate_of if flags & _DUPLICATE else None,
        )
    except (struct.error, UnicodeDecodeError, IndexError, OverflowError):
        raise malformed("submission") from None


def _own_claim(
    sender: str, route: str | None, transfer_id: str, window: float, flags: int
) -> Claim:
    if route is None or not 0 <= window < math.inf:
        raise malformed("claim")
    return Claim(sender, route, transfer_id, window, flags & _FORWARD != 0)


# --- answers -------------------------------------------------------------------------------------


def pack_receipt(receipt: Receipt) -> bytes:
    return _INDEX.pack(receipt.index) + receipt.envelope


def unpack_receipt(data: bytes) -> Receipt:
    """Raises `EvidenceError`."""
    return Receipt(unpack_index(data[: _INDEX.size]), data[_INDEX.size :])


def pack_index(index: int) -> bytes:
    return _INDEX.pack(index)


def unpack_index(data: bytes) -> int:
    """Raises `EvidenceError`."""
    if len(data) != _INDEX.size:
        raise malformed("index")
    return int.from_bytes(data)


def pack_earlier(earlier: Earlier) -> bytes:
    return _EARLIER.pack(earlier.status, earlier.index) + earlier.envelope


def unpack_earlier(data: bytes) -> Earlier:
    """Raises `EvidenceError`."""
    if len(data) < _EARLIER.size:
        raise malformed("earlier attempt")
    status, index = _EARLIER.unpack_from(data)
    return Earlier(status, index, data[_EARLIER.size :])


def unpack_flag(data: bytes) -> bool:
    """Raises `EvidenceError`."""
    if data not in (b"\0", b"\1"):
        raise malformed("flag")
    return data == b"\1"


def pack_refusal(refusal: Refusal) -> bytes:
    code = refusal.code.encode()
    after = -1 if refusal.retry_after is None else refusal.retry_after
    reason = refusal.reason[:_REASON].encode(errors="replace")
    return _REFUSAL.pack(after, len(code)) + code + reason


def unpack_refusal(data: bytes) -> Refusal:
    """The refusal, a `LogFailure` where it is one. Raises `EvidenceError`."""
    try:
        after, length = _REFUSAL.unpack_from(data)
        code = data[_REFUSAL.size : _REFUSAL.size + length].decode()
        reason = data[_REFUSAL.size + length :].decode()
    except (struct.error, UnicodeDecodeError):
        raise malformed("refusal") from None
    if code not in PROBLEMS or after < -1:
        raise malformed("refusal")
    if code == "log-unavailable":
        return LogFailure(reason)
    return Refusal(code, reason, retry_after=None if after < 0 else after)


# --- counts --------------------------------------------------------------------------------------


def unpack_counts(data: bytes) -> dict[str, int]:
    """Name -> how many, all at least 1. Raises `EvidenceError`."""
    try:
        counts = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise malformed("count") from None
    if not isinstance(counts, dict):
        raise malformed("count")
    if not all(type(count) is int and count > 0 for count in counts.values()):
        raise malformed("count")
    return counts
