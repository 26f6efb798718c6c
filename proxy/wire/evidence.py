"""Receipts on the wire, a gateway's own and those of the gateways behind it (RFC 9651 lists).

    Transfer-Receipt: :eyJwYXls...=:                    that of the gateway behind us
    Transfer-Receipt: :eyJhYmMi...=:                    ours: always the last of the list
    Transfer-Receipt-Key: :X48E9q...=:, :YAMAam...=:    the last key belongs to the last receipt,
                                                        the one before it to the one before

Rules
- One receipt a field line; the lines are one list all the same (RFC 9651, section 3.1). Two in one
  line would be longer than the lines that common clients take (aiohttp: 8,190 octets).
- A line is at most `MAX_LINE` octets, else there is no receipt here but a Link to it; all lines
  together are at most what the listener says, since clients bound a whole head too (Node: 16 KiB).
  What does not fit is left out from the front: what is left is without a gap, and each receipt
  names those that came behind it.
- What an upstream sends that is no such list, or is too long to be one, proves nothing, ends here.
"""

from dataclasses import dataclass

from proxy.model import Headers
from proxy.wire.lines import Fields
from proxy.wire.structured import NotStructured, format_bytes, format_list, parse_list

MAX_LINE = 8 * 1024
"""Octets of a receipt's field line, its name and all."""
MAX_HOPS = 16
"""Receipts of gateways further on; a longer list is not taken for one."""
_RECEIPT = b"transfer-receipt"
_KEY = b"transfer-receipt-key"
_AROUND = len("Transfer-Receipt: \r\n")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the gateways behind us gave: envelopes in their order, and the keys of the last ones."""

    envelopes: tuple[bytes, ...] = ()
    keys: tuple[bytes, ...] = ()


NOTHING = Evidence()


def upstream_evidence(fields: Headers) -> Evidence:
    """The evidence in an upstream's answer, head and trailers; nothing where it is malformed."""
    receipts = [value for name, value in fields if name == _RECEIPT]
    if not receipts:
        return NOTHING
    try:
        envelopes = parse_list(receipts)
        keys = parse_list(value for name, value in fields if name == _KEY)
    except NotStructured:
        return NOTHING
    if not len(keys) <= len(envelopes) <= MAX_HOPS:
        return NOTHING
    return Evidence(envelopes, keys)


def receipt_field(envelope: bytes) -> tuple[bytes, bytes]:
    """One line of Transfer-Receipt."""
    return _RECEIPT, format_bytes(envelope)


def fits(field: tuple[bytes, bytes]) -> bool:
    """True where a receipt may stand in a line of its own."""
    return _size(field) <= MAX_LINE


def key_field(keys: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """Transfer-Receipt-Key: 32 octets each, which key the digests of what was sent."""
    return _KEY, format_list(keys)


def evidence_fields(behind: Evidence, envelope: bytes, key: bytes, limit: int) -> Fields:
    """Transfer-Receipt in as many lines as it has receipts, ours last, and the keys to them.

    Ours comes along whenever its line may; of those behind us, as many of the nearest as leave the
    lines within `limit` octets. Without any receipt there is our key alone.
    """
    field = receipt_field(envelope)
    if not fits(field):
        return [key_field((key,))]
    lines, room = [field], limit - _size(field)
    for further in reversed(behind.envelopes):
        field = receipt_field(further)
        room -= _size(field)
        if room < 0 or not fits(field):
            break
        lines.insert(0, field)
    keyless = max(0, len(behind.keys) - (len(lines) - 1))
    return [*lines, key_field((*behind.keys[keyless:], key))]


def _size(field: tuple[bytes, bytes]) -> int:
    return _AROUND + len(field[1])
