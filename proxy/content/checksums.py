"""Check digits: what tells a number that was issued from one that only looks like it.

Each function takes the characters of one number without separators, as ASCII octets, and says
whether its check holds. Written from the published rules, which each names; no table is copied.
What is no digit, where digits are meant, does not hold; nothing here raises.
"""

from collections.abc import Callable, Sequence
from typing import Final

_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")


def luhn(digits: bytes) -> bool:
    """ISO/IEC 7812-1, annex B."""
    if not digits.isdigit():
        return False
    total = sum(digits[-1::-2]) + sum(digits[-2::-2].translate(_DOUBLED))
    return (total - 48 * len(digits)) % 10 == 0


def mod97(text: bytes) -> bool:
    """ISO/IEC 7064 MOD 97-10 as in an IBAN (ISO 13616): its first four characters count last."""
    if not text.isalnum() or not text.isascii() or len(text) < 5:
        return False
    moved = (text[4:] + text[:4]).decode()
    return int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1


def _weighted(digits: bytes, weights: Sequence[int]) -> int:
    return sum((digit - 48) * weight for digit, weight in zip(digits, weights, strict=True))


def aba(digits: bytes) -> bool:
    """Routing number of the American Bankers Association: 3, 7, 1 by turns, 0 modulo 10."""
    return _is_long(digits, 9) and _weighted(digits, (3, 7, 1) * 3) % 10 == 0


def npi(digits: bytes) -> bool:
    """National Provider Identifier (45 CFR 162.406): Luhn behind the prefix 80840."""
    return _is_long(digits, 10) and luhn(b"80840" + digits)


def nhs(digits: bytes) -> bool:
    """NHS number (NHS Data Dictionary): weights 10 to 2, modulo 11; no number checks with 10."""
    if not _is_long(digits, 10):
        return False
    return (11 - _weighted(digits[:9], range(10, 1, -1)) % 11) % 11 == digits[9] - 48


def tfn(digits: bytes) -> bool:
    """Tax file number of the Australian Taxation Office, nine digits: 0 modulo 11."""
    return _is_long(digits, 9) and _weighted(digits, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def pesel(digits: bytes) -> bool:
    """PESEL (Polish act on population records): weights 1, 3, 7, 9 by turns, modulo 10."""
    return _is_long(digits, 11) and _weighted(digits, (1, 3, 7, 9) * 2 + (1, 3, 1)) % 10 == 0


def nif_portugal(digits: bytes) -> bool:
    """Portuguese NIF (Decreto-Lei 14/2013): weights 9 to 2, modulo 11; 10 and 11 become 0."""
    if not _is_long(digits, 9):
        return False
    check = 11 - _weighted(digits[:8], range(9, 1, -1)) % 11
    return (0 if check > 9 else check) == digits[8] - 48


_LETTERS_SPAIN: Final = b"TRWAGMYFPDXBNJZSQVHLCKE"


def nif_spain(text: bytes) -> bool:
    """DNI and NIE (Ministerio del Interior): a letter by the number modulo 23; X, Y, Z lead a NIE
    and stand for 0, 1, 2."""
    digits = text[:8].translate(bytes.maketrans(b"XYZ", b"012"))
    if len(text) != 9 or not digits.isdigit() or not text[1:8].isdigit():
        return False
    return _LETTERS_SPAIN[int(digits) % 23] == text[8]


def _is_long(digits: bytes, length: int) -> bool:
    return len(digits) == length and digits.isdigit()


# --- Verhoeff ------------------------------------------------------------------------------------
# J. Verhoeff, Error Detecting Decimal Codes (1969): the dihedral group of a pentagon, whose
# elements 0 to 4 are rotations and 5 to 9 reflections, and a permutation applied once a place.

_PERMUTED: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _product(a: int, b: int) -> int:
    if a < 5:
        return (a + b) % 5 + (5 if b > 4 else 0)
    return (a - b) % 5 + (0 if b > 4 else 5)


def verhoeff(digits: bytes) -> bool:
    """Zero in the dihedral group, as of Aadhaar (UIDAI)."""
    if not digits.isdigit():
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = digit - 48
        for _ in range(place % 8):
            value = _PERMUTED[value]
        total = _product(total, value)
    return total == 0


# --- codice fiscale ------------------------------------------------------------------------------

_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25,
               24, 23)  # fmt: skip
"""What a letter (or the digit of its place) counts at an odd place: DM 23 December 1976."""


def fiscal_code(text: bytes) -> bool:
    """Codice fiscale of a person (DM 23 December 1976): the sixteenth character by the others."""
    if len(text) != 16 or not text.isalnum() or not text.isupper():
        return False
    values = [octet - 48 if octet < 58 else octet - 65 for octet in text]
    total = sum(_ODD[value] for value in values[0:15:2]) + sum(values[1:15:2])
    return total % 26 == values[15]


CHECKSUMS: Final[dict[str, Callable[[bytes], bool]]] = {
    "luhn": luhn,
    "mod97": mod97,
    "verhoeff": verhoeff,
    "aba": aba,
    "npi": npi,
    "nhs": nhs,
    "tfn": tfn,
    "pesel": pesel,
    "nif_spain": nif_spain,
    "nif_portugal": nif_portugal,
    "fiscal_code": fiscal_code,
}
"""By the name that a rule of one's own may ask for."""
