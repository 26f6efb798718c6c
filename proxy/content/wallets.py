"""Checksums of wallet addresses: base58check, bech32 and bech32m, EIP-55.

    base58check   version, 20 octets, 4 octets of SHA-256 twice       Bitcoin, first digit 1 or 3
    bech32        "bc1" version program 6 characters (BIP 173, 350)   Bitcoin, SegWit and Taproot
    EIP-55        "0x" 40 hex digits, upper case by their Keccak-256  Ethereum

Keccak-256 is not SHA3-256: its padding differs, so hashlib has none.
"""

import hashlib
from typing import Final

# --- Bitcoin -------------------------------------------------------------------------------------

_BASE58: Final = {
    octet: value
    for value, octet in enumerate(b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
}
_VERSIONS: Final = (0, 5)  # pay to public key hash, pay to script hash, on the main network


def base58check(text: bytes) -> bool:
    """A Bitcoin address of the main network in base58 with its checksum."""
    value = 0
    for octet in text[:36]:
        value = value * 58 + _BASE58.get(octet, 1 << 200)
    if len(text) > 35 or value >= 1 << 200:
        return False
    raw = value.to_bytes(25, "big")
    leading = len(text) - len(text.lstrip(b"1"))
    if raw[0] not in _VERSIONS or leading != len(raw) - len(raw.lstrip(b"\0")):
        return False
    return hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()[:4] == raw[21:]


_BECH32: Final = {octet: value for value, octet in enumerate(b"qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_HUMAN: Final = (3, 3, 0, 2, 3)  # "bc", expanded
_CONSTANTS: Final = {True: 1, False: 0x2BC830A3}  # version 0, and all later ones
_LENGTHS: Final = (42, 62)  # of version 0: 20 and 32 octets


def bech32(text: bytes) -> bool:
    """A SegWit address of Bitcoin's main network, all in one case."""
    if not 14 <= len(text) <= 74 or text not in (text.lower(), text.upper()):
        return False
    text = text.lower()
    values = [_BECH32.get(octet, 32) for octet in text[3:]]
    if not text.startswith(b"bc1") or max(values) > 31 or values[0] > 16:
        return False
    if values[0] == 0 and len(text) not in _LENGTHS:
        return False
    total = 1
    for value in (*_HUMAN, *values):
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for bit, factor in enumerate(_GENERATOR):
            total ^= factor if top >> bit & 1 else 0
    return total == _CONSTANTS[values[0] == 0]


# --- Ethereum ------------------------------------------------------------------------------------

_MASK: Final = (1 << 64) - 1


def _rounds() -> tuple[int, ...]:
    """The round constants (FIPS 202, 3.2.5): bits 2^j - 1 of a linear feedback register."""
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            constant |= (register & 1) << ((1 << power) - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return tuple(constants)


def _walk() -> tuple[tuple[int, int], ...]:
    """The lanes in the order of pi, each with its rotation by rho (FIPS 202, 3.2.2 and 3.2.3)."""
    steps, x, y = [], 1, 0
    for t in range(24):
        x, y = y, (2 * x + 3 * y) % 5
        steps.append((x + 5 * y, (t + 1) * (t + 2) // 2 % 64))
    return tuple(steps)


_ROUNDS: Final = _rounds()
_WALK: Final = _walk()
_RATE: Final = 136


def _permuted(lanes: list[int]) -> list[int]:
    """Keccak-f[1600]."""
    for constant in _ROUNDS:
        columns = [
            lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]
            for x in range(5)
        ]
        turned = [column << 1 & _MASK | column >> 63 for column in columns]
        mixed = [columns[x - 1] ^ turned[(x + 1) % 5] for x in range(5)]
        lanes = [lane ^ mixed[place % 5] for place, lane in enumerate(lanes)]
        carried = lanes[1]
        for place, by in _WALK:
            old = lanes[place]
            lanes[place] = carried << by & _MASK | carried >> (64 - by)
            carried = old
        lanes = [
            lanes[row + x] ^ (~lanes[row + (x + 1) % 5] & lanes[row + (x + 2) % 5])
            for row in range(0, 25, 5)
            for x in range(5)
        ]
        lanes[0] ^= constant
    return lanes


def keccak256(message: bytes) -> bytes:
    """Keccak-256 as Ethereum has it, of fewer than 136 octets. Raises ValueError for more."""
    if len(message) >= _RATE:
        raise ValueError("keccak256 takes one block")
    block = bytearray(200)
    block[: len(message)] = message
    block[len(message)] ^= 0x01
    block[_RATE - 1] ^= 0x80
    lanes = [int.from_bytes(block[at : at + 8], "little") for at in range(0, 200, 8)]
    return b"".join(lane.to_bytes(8, "little") for lane in _permuted(lanes)[:4])


def eip55(text: bytes) -> bool:
    """Whether an address with letters of both cases, with its `0x`, has them by EIP-55."""
    digits = text[2:]
    nibbles = keccak256(digits.lower()).hex()
    return all(
        octet < 0x3A or (octet < 0x61) is (nibble > "7")
        for octet, nibble in zip(digits, nibbles, strict=False)
    )
