"""Values that are nobody's secret and look like much: ids, times, hashes, fractions, base64.

The same seed always makes the same values.
"""

import base64
import hashlib
import math
import struct
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

_EPOCH: Final = 946_684_800
_SPAN: Final = 1_199_145_600
"""Times are drawn from 2000 to 2037."""


def innocents(count: int, seed: int) -> Iterator[str | int | float]:
    """`count` values: a fifth each of UUIDs, timestamps, git hashes, floats and base64 blobs."""
    makers = (_uuid, _time, _hash, _float, _blob)
    for number in range(count):
        drawn = hashlib.shake_256(f"{seed}/{number}".encode()).digest(160)
        yield makers[number % 5](drawn)


def _uuid(drawn: bytes) -> str:
    made = uuid.UUID(bytes=drawn[:16], version=(1, 4, 5)[drawn[16] % 3])
    return (str(made), str(made).upper(), made.hex, made.urn)[drawn[17] % 4]


def _time(drawn: bytes) -> str | int | float:
    second = _EPOCH + int.from_bytes(drawn[:4], "big") % _SPAN
    fine = int.from_bytes(drawn[4:7], "big") % 10**6
    moment = datetime.fromtimestamp(second, UTC).replace(microsecond=fine)
    spellings: tuple[str | int | float, ...] = (
        second,
        second * 1000 + fine // 1000,
        second * 10**6 + fine,
        second * 10**9 + fine * 1000,
        second + fine / 10**6,
        moment.isoformat(),
        moment.strftime("%Y-%m-%d %H:%M:%S"),
        moment.strftime("%Y%m%d%H%M%S"),
        moment.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        str(second * 1000 + fine // 1000),
    )
    return spellings[drawn[7] % len(spellings)]


def _hash(drawn: bytes) -> str:
    text = drawn[:20].hex()
    return (text, text[:7], text[:12], f"{text[:7]}..{drawn[20:40].hex()[:7]}")[drawn[40] % 4]


def _float(drawn: bytes) -> float | str:
    (anything,) = struct.unpack(">d", drawn[:8])
    if not math.isfinite(anything) or 1e12 <= abs(anything) < 1e20:
        anything = 0.5  # an integer of so many digits is a card number as often as chance has it
    part = int.from_bytes(drawn[8:15], "big") / 2**56
    spellings = (anything, part, part * 10 ** (drawn[15] % 12), f"{part:.16f}", f"{anything:.16E}")
    return spellings[drawn[16] % len(spellings)]


def _blob(drawn: bytes) -> str:
    raw = drawn[8 : 8 + 6 + drawn[0] % 140]
    text = (base64.b64encode, base64.urlsafe_b64encode)[drawn[1] % 2](raw).decode()
    return text if drawn[2] % 2 else text.rstrip("=")
