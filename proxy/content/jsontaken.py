"""What the scanner found, taken out of a block: see jsonscan for what a hit is.

Run as it is, or compiled by Cython with jsonsplice.
"""

from array import array

import orjson

from proxy.content.macs import Macs

_PLAIN, _ESCAPED, _NUMBER, _OTHER, _WIDTH = 0, 1, 2, 3, 5  # as in jsonscan
_DIGEST = 16  # octets of what is made of a text, as in macs


def texts(block: bytes, hits: "array[int]", count: int, rule: int, odd: list[int]) -> list[bytes]:
    """What a rule found, decoded: UTF-8 of strings, numbers as sent, b"" for all else.

    `odd` gets the places in the list of all else, and of texts that begin like what masking has put
    in place before: with `[`, `t` or an escape.
    """
    view, octets = hits, block
    found: list[bytes] = []
    for n in range(count):
        place = n * _WIDTH
        if view[place] != rule:
            continue
        start, end, kind = view[place + 2], view[place + 3], view[place + 4]
        if kind == _OTHER:
            odd.append(len(found))
            found.append(b"")
            continue
        if kind != _NUMBER and _is_odd(octets, start):
            odd.append(len(found))
        if kind == _ESCAPED:
            found.append(orjson.loads(block[start:end]).encode())
        elif kind == _PLAIN:
            found.append(block[start + 1 : end - 1])
        else:
            found.append(block[start:end])
    return found


def _is_odd(octets: bytes, start: int) -> bool:
    """Whether a string begins like `[REDACTED]`, a token or an escape; it ends with a quote."""
    first = octets[start + 1]
    if first == 0x74:
        return octets[start + 2] == 0x6F or octets[start + 2] == 0x5C
    return first == 0x5B or first == 0x5C


def values(
    block: bytes, hits: "array[int]", count: int, rule: int, odd: list[int], macs: Macs
) -> bytes:
    """As `texts`, but what `macs` makes of each: 16 octets, zeros of all else."""
    view, octets, size = hits, block, 0
    made = bytearray(_DIGEST * count)
    out = made
    for n in range(count):
        place = n * _WIDTH
        if view[place] != rule:
            continue
        start, end, kind = view[place + 2], view[place + 3], view[place + 4]
        if kind == _OTHER or (kind != _NUMBER and _is_odd(octets, start)):
            odd.append(size // _DIGEST)
        if kind == _ESCAPED:
            text = orjson.loads(block[start:end]).encode()
            macs.put(out, size, text, 0, len(text))
        elif kind == _PLAIN:
            macs.put(out, size, octets, start + 1, end - 1)
        elif kind != _OTHER:
            macs.put(out, size, octets, start, end)
        size += _DIGEST
    return bytes(memoryview(made)[:size])


def raws(block: bytes, hits: "array[int]", count: int, rule: int) -> list[bytes]:
    """What a rule found, as it was sent."""
    view = hits
    found: list[bytes] = []
    for n in range(count):
        place = n * _WIDTH
        if view[place] == rule:
            start, end = view[place + 2], view[place + 3]
            found.append(block[start:end])
    return found


def tally(hits: "array[int]", count: int, found: "array[int]") -> None:
    """Count the hits of each rule in `found`."""
    view, sums = hits, found
    for n in range(count):
        rule = view[n * _WIDTH]
        sums[rule] += 1
