"""What stands in the frames of the channel: packed values, all big-endian. Bytes in, bytes out.

    text        u32 length, then so many octets of UTF-8
    claim       f64 window | u8 flags | text sender | text route | text transfer id
                | 32 nonce, where there is one; flags: 1 forward_undecided, 2 a nonce
    submission  see `proxy.notary.submissions`
    refusal     i32 retry_after (-1: none) | u8 length of the code | code | reason

A claim for 300 s, `uid:7` on route `orders` for the id `a`:

    4072c00000000000 00 00000005 7569643a37 00000006 6f7264657273 00000001 61

Whatever is too short, too long or out of range is an `EvidenceError`.
"""

import re
import struct
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from proxy.errors import PROBLEMS, TROUBLES, EvidenceError, LogFailure, Refusal
from proxy.model import Claim, Earlier, Missed, Receipt, Trouble
from proxy.notary.frames import Kind, encode
from proxy.notary.ids_memo import MAX_WINDOW

_LENGTH: Final = struct.Struct(">I")
_CLAIM: Final = struct.Struct(">dB")
_REFUSAL: Final = struct.Struct(">iB")
_INDEX: Final = struct.Struct(">Q")
_EARLIER: Final = struct.Struct(">HQ")
ID: Final = 16
NONCE: Final = 32
_SHA256: Final = 32
_NAMES: Final = 2048 + 64 + 64
"""Octets of a claim's names: a SPIFFE ID, a route's name, a transfer id. Ids are held in memory."""
_REASON: Final = 1000
_COUNTED: Final = re.compile(r"[\w.:-]{1,100}", re.ASCII)
_SPAN: Final = struct.Struct(">QQ")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


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
    nonce = claim.nonce or b""
    head = _CLAIM.pack(claim.window, claim.forward_undecided | 2 * bool(nonce))
    return head + pack_texts(claim.sender, claim.route, claim.transfer_id) + nonce


def unpack_claim(data: bytes, offset: int = 0) -> Claim:
    """The claim from `offset` to the end. Raises `EvidenceError`."""
    try:
        window, flags = _CLAIM.unpack_from(data, offset)
    except struct.error:
        raise malformed("claim") from None
    end = len(data) - (NONCE if flags & 2 else 0)
    if end - offset > _CLAIM.size + 3 * _LENGTH.size + _NAMES:
        raise malformed("claim")
    sender, route, transfer_id = unpack_texts(data[:end], 3, offset + _CLAIM.size)
    if flags > 3 or not 0 <= window <= MAX_WINDOW:
        raise malformed("claim")
    return Claim(sender, route, transfer_id, window, flags & 1 == 1, data[end:] or None)


def unpack_held(data: bytes) -> tuple[bytes, Claim]:
    """(attempt id, claim). Raises `EvidenceError`."""
    return data[:ID], unpack_claim(data, ID)


def unpack_compared(data: bytes) -> tuple[bytes, Claim]:
    """(SHA-256, claim). Raises `EvidenceError`."""
    return data[:_SHA256], unpack_claim(data, _SHA256)


# --- answers -------------------------------------------------------------------------------------


def receipt_frame(number: int, receipt: Receipt) -> bytes:
    """A whole frame, for it is the one of which there are many."""
    return encode(Kind.RECEIPT, number, _INDEX.pack(receipt.index), receipt.envelope)


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


def pack_trouble(trouble: Trouble | None) -> bytes:
    """Whether intents may be taken, and if not why."""
    return b"\1" if trouble is None else b"\0" + pack_texts(trouble.code, trouble.text[:_REASON])


def unpack_trouble(data: bytes) -> Trouble | None:
    """Raises `EvidenceError`."""
    if data == b"\1":
        return None
    code, text = unpack_texts(data, 2, 1)
    if data[:1] != b"\0" or code not in TROUBLES:
        raise malformed("trouble")
    return Trouble(code, text)


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
    """Name -> how many, all at least 1. Raises `EvidenceError`.

    A name is a listener's, or a code: whatever all workers count must fit into one event.
    """
    try:
        counts = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise malformed("count") from None
    if not isinstance(counts, dict):
        raise malformed("count")
    if not all(type(count) is int and count > 0 for count in counts.values()):
        raise malformed("count")
    if not all(_COUNTED.fullmatch(name) for name in counts):
        raise malformed("count")
    return counts


def pack_missed(missed: Missed) -> bytes:
    since, until = (_microseconds(when) for when in (missed.since, missed.until))
    return _SPAN.pack(since, until) + orjson.dumps(dict(missed.counts))


def unpack_missed(data: bytes) -> Missed:
    """Raises `EvidenceError`; no name is a worker's own."""
    counts = unpack_counts(data[_SPAN.size :])
    if not counts or not counts.keys() <= TROUBLES.keys():
        raise malformed("count")
    try:
        since, until = (_EPOCH + each * _MICROSECOND for each in _SPAN.unpack_from(data))
    except (struct.error, OverflowError):
        raise malformed("time") from None
    if since > until:
        raise malformed("time")
    return Missed(counts, since, until)


def _microseconds(when: datetime) -> int:
    return max(0, (when - _EPOCH) // _MICROSECOND)
