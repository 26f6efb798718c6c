"""Numbers that are checked: payment cards, IBANs, US social security numbers.

Each `find_*` takes the UTF-8 of one decoded string (or the digits of a number), folded (see fold),
and yields spans in it. What a number looks like is never enough: a checksum, a list of ranges, a
key above it decide.

A pattern starts with the set of its first octets, because then the search is fast, and looks at
what stands before only after that: `(?<![0-9].)` is "no digit before the first octet".
"""

import re
from collections.abc import Iterator
from typing import Final

from proxy.content.checksums import luhn, mod97
from proxy.content.kinds import Span

# --- payment cards -------------------------------------------------------------------------------

# No word before it, and no fraction. Beside a dash or before a point, fifteen and sixteen digits,
# groups of them, and a dashed SSN say enough; a shorter or longer run may be the tail of a UUID.
_LEFT: Final = rb"(?<![0-9A-Za-z_].)(?<![0-9]\..)"
_END: Final = rb"(?![0-9A-Za-z_])"
_ALONE: Final = rb"(?<![0-9]-.)(?<![0-9A-Fa-f]{4}-.)"
_JOINT: Final = b"( {1,2}|[.-])"
_CARD: Final = re.compile(
    b"[1-6]" + _LEFT + rb"(?:(?<=[2-6])(?:[0-9]{14,15}+"
    rb"|[0-9]{3}" + _JOINT + rb"[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{1,3}" + _END + rb")?"
    rb"|(?<=3)[0-9]{3}" + _JOINT + rb"[0-9]{6}\2[0-9]{4,5}"
    rb"|" + _ALONE + rb"[0-9]{11,18}+(?!-[0-9])(?!\.[0-9]))|800[0-9]{11})" + _END,
    re.DOTALL,
)
_ISSUERS: Final = (
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),  # Mastercard
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),  # American Express
    ("6011", "6011", range(16, 20)),  # Discover
    ("644", "659", range(16, 20)),  # Discover
    ("62", "62", range(16, 20)),  # UnionPay
    ("300", "305", range(14, 20)),  # Diners Club
    ("309", "309", range(14, 20)),  # Diners Club
    ("36", "36", range(14, 20)),  # Diners Club
    ("38", "39", range(14, 20)),  # Diners Club
    ("3528", "3589", range(16, 20)),  # JCB
    ("1800", "1800", (15,)),  # JCB
    ("2131", "2131", (15,)),  # JCB
    ("2200", "2204", range(16, 20)),  # Mir
    ("5018", "5018", range(12, 20)),  # Maestro
    ("5020", "5020", range(12, 20)),  # Maestro
    ("5038", "5038", range(12, 20)),  # Maestro
    ("5893", "5893", range(12, 20)),  # Maestro
    ("6304", "6304", range(12, 20)),  # Maestro
    ("6759", "6759", range(12, 20)),  # Maestro
    ("6761", "6763", range(12, 20)),  # Maestro
)


def _by_prefix() -> dict[bytes, frozenset[int]]:
    """The first four digits -> the lengths of the issuers that they belong to."""
    lengths: dict[bytes, frozenset[int]] = {}
    for low, high, allowed in _ISSUERS:
        for prefix in range(int(low.ljust(4, "0")), int(high.ljust(4, "9")) + 1):
            digits = b"%04d" % prefix
            lengths[digits] = lengths.get(digits, frozenset()) | frozenset(allowed)
    return lengths


_LENGTHS: Final = _by_prefix()


def is_card(digits: bytes) -> bool:
    """Issuer range with its lengths, and Luhn. No row of one digit passes both."""
    if len(digits) not in _LENGTHS.get(digits[:4], ()):
        return False
    return luhn(digits)


def find_cards(text: bytes) -> Iterator[Span]:
    position = 0
    while match := _CARD.search(text, position):
        position = match.start() + 1
        whole = match[0]
        if is_card(whole.translate(None, b" .-")):
            position = match.end()
            yield match.span()
        elif match[1] and whole.count(match[1]) == 4:  # the last group may be another number
            first = whole[: whole.rindex(match[1])]
            if is_card(first.translate(None, b" .-")):
                position = match.start() + len(first)
                yield match.start(), position


# --- IBAN ----------------------------------------------------------------------------------------

IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27,
    "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28,
    "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22,
    "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24,
    "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28,
    "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
"""Country -> characters, by the SWIFT IBAN registry."""
IBAN_DIGITS: Final = frozenset({
    "AE", "AT", "BA", "BE", "BI", "CR", "CZ", "DE", "DJ", "DK", "EE", "EG", "ES", "FI", "FO",
    "GL", "HR", "HU", "IL", "IS", "LT", "LY", "ME", "MN", "MR", "NO", "PL", "PT", "RS", "SD",
    "SE", "SI", "SK", "SO", "ST", "TL", "TN", "VA", "XK",
})  # fmt: skip
"""Countries whose account numbers have digits only, by the same: hexadecimal ids look like them."""

_IBAN_START: Final = re.compile(rb"[A-Z](?<![0-9A-Za-z].)[A-Z][0-9]{2}", re.DOTALL)
_IBAN_REST: Final = {
    n: re.compile(rb"(?: ?[0-9A-Z]){%d}(?![0-9A-Za-z])" % (n - 4))
    for n in set(IBAN_LENGTHS.values())
}


def find_ibans(text: bytes) -> Iterator[Span]:
    """ISO 13616: length and characters of the country, and 1 modulo 97. Single spaces anywhere."""
    for start in _IBAN_START.finditer(text):
        country = start[0][:2].decode()
        length = IBAN_LENGTHS.get(country)
        rest = _IBAN_REST[length].match(text, start.end()) if length else None
        if rest is None:
            continue
        account = rest[0].replace(b" ", b"")
        if mod97(start[0] + account) and (account.isdigit() or country not in IBAN_DIGITS):
            yield start.start(), rest.end()


def find_lower_ibans(text: bytes) -> Iterator[Span]:
    """The same in lower case throughout, as many ids are."""
    upper = text.upper()
    return (span for span in find_ibans(upper) if text[slice(*span)].islower())


# --- US social security numbers ------------------------------------------------------------------

_AREA: Final = b"([0-8]" + _LEFT + b"[0-9]{2})"
_SSN: Final = re.compile(_AREA + rb"-([0-9]{2})-([0-9]{4})" + _END, re.DOTALL)
_BARE_SSN: Final = re.compile(
    _AREA + rb"(?:-(?=[0-9]{2}-)| (?=[0-9]{2} )|(?=[0-9]{6}))([0-9]{2})[ -]?([0-9]{4})" + _END,
    re.DOTALL,
)


def find_ssns(text: bytes) -> Iterator[Span]:
    """Dashed, with an area, group and serial that can be issued."""
    return (match.span() for match in _SSN.finditer(text) if _can_be_issued(match))


def find_bare_ssns(text: bytes) -> Iterator[Span]:
    """The same, also with spaces or nothing between: only under a key that says so."""
    return (match.span() for match in _BARE_SSN.finditer(text) if _can_be_issued(match))


def _can_be_issued(match: re.Match[bytes]) -> bool:
    return match[1] not in (b"000", b"666") and match[2] != b"00" and match[3] != b"0000"
