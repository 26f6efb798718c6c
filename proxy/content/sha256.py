"""The steps of SHA-256 (FIPS 180-4, section 6.2.2). sha256.pxd has the same in C.

A state is 32 octets, which are the digest when the last block has gone in. Nothing checks a length.
"""

from struct import unpack_from
from typing import Final

START: Final = bytes.fromhex("6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19")
"""The state before any block."""
_WORD: Final = 2**32 - 1
_ROUNDS: Final = unpack_from(
    ">64I",
    bytes.fromhex(
        "428a2f9871374491b5c0fbcfe9b5dba53956c25b59f111f1923f82a4ab1c5ed5"
        "d807aa9812835b01243185be550c7dc372be5d7480deb1fe9bdc06a7c19bf174"
        "e49b69c1efbe47860fc19dc6240ca1cc2de92c6f4a7484aa5cb0a9dc76f988da"
        "983e5152a831c66db00327c8bf597fc7c6e00bf3d5a7914706ca635114292967"
        "27b70a852e1b21384d2c6dfc53380d13650a7354766a0abb81c2c92e92722c85"
        "a2bfe8a1a81a664bc24b8b70c76c51a3d192e819d6990624f40e3585106aa070"
        "19a4c1161e376c082748774c34b0bcb5391c0cb34ed8aa4a5b9cca4f682e6ff3"
        "748f82ee78a5636f84c878148cc7020890befffaa4506cebbef9a3f7c67178f2"
    ),
)


def steps(state: bytearray, octets: bytes | bytearray, at: int, blocks: int, own: bool) -> None:
    """Put blocks of 64 octets, of which the first is at `at`, into a state. `own`: by the
    processor's own instructions, in C and where it has them."""
    for place in range(at, at + 64 * blocks, 64):
        _step(state, unpack_from(">16I", octets, place))


def two(
    one: bytearray,
    octets: bytes,
    at: int,
    other: bytearray,
    others: bytes,
    to: int,
    blocks: int,
) -> None:
    """Put as many blocks into each of two states, in turn. Only where `quick` says so."""
    steps(one, octets, at, blocks, True)
    steps(other, others, to, blocks, True)


def quick() -> bool:
    """Whether the processor has instructions of its own for this, and it is in C."""
    return False


def _step(state: bytearray, block: tuple[int, ...]) -> None:
    words = list(block)
    for n in range(16, 64):
        early, late = words[n - 15], words[n - 2]
        small = _turned(early, 7) ^ _turned(early, 18) ^ early >> 3
        large = _turned(late, 17) ^ _turned(late, 19) ^ late >> 10
        words.append((words[n - 16] + small + words[n - 7] + large) & _WORD)
    before = unpack_from(">8I", state)
    a, b, c, d, e, f, g, h = before
    for word, constant in zip(words, _ROUNDS, strict=True):
        mixed = _turned(e, 6) ^ _turned(e, 11) ^ _turned(e, 25)
        one = h + mixed + ((e & f) ^ (~e & g)) + constant + word
        two = (_turned(a, 2) ^ _turned(a, 13) ^ _turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))
        a, b, c, d, e, f, g, h = (one + two) & _WORD, a, b, c, (d + one) & _WORD, e, f, g
    for n, (old, new) in enumerate(zip(before, (a, b, c, d, e, f, g, h), strict=True)):
        state[4 * n : 4 * n + 4] = (old + new & _WORD).to_bytes(4, "big")


def _turned(value: int, count: int) -> int:
    return (value >> count | value << (32 - count)) & _WORD
