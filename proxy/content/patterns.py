"""What each kind of finding is, exactly: a linear pattern over octets, then a check.

Each `find_*` takes the UTF-8 of one decoded string (or the text of a number) and yields spans in
it. Patterns have bounded or possessive repeats only. What a number looks like is never enough: it
is checked by a checksum, a list of ranges, or what it decodes to.
"""

import base64
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

import orjson

Span = tuple[int, int]

# --- payment cards -------------------------------------------------------------------------------

_LEFT: Final = rb"(?<![0-9A-Za-z_])(?<![0-9][.-])(?<![0-9A-Fa-f]{4}-)"
_RIGHT: Final = rb"(?![0-9A-Za-z_])(?!-[0-9])(?!\.[0-9])"
_CARD: Final = re.compile(
    _LEFT + rb"(?:[2-6][0-9]{11,18}+|1800[0-9]{11}"
    rb"|[2-6][0-9]{3}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{1,3})?"
    rb"|3[0-9]{3}([ -])[0-9]{6}\2[0-9]{4,5})" + _RIGHT
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
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def _issued(digits: str) -> bool:
    return any(
        low <= digits[: len(low)] <= high and len(digits) in lengths
        for low, high, lengths in _ISSUERS
    )


def _luhn(digits: str) -> bool:
    total = sum(int(digit) for digit in digits[-1::-2])
    return (total + sum(_DOUBLED[int(digit)] for digit in digits[-2::-2])) % 10 == 0


def is_card(digits: str) -> bool:
    """Issuer range with its lengths, Luhn, and not one digit all over."""
    return _issued(digits) and _luhn(digits) and len(set(digits)) > 1


def find_cards(text: bytes) -> Iterator[Span]:
    position = 0
    while match := _CARD.search(text, position):
        position = match.start() + 1
        groups = re.split(rb"[ -]", match[0])
        for count in range(len(groups), max(len(groups) - 2, 0), -1):
            if is_card(b"".join(groups[:count]).decode()):
                end = match.start() + sum(map(len, groups[:count])) + count - 1
                yield match.start(), end
                position = end
                break


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

_IBAN_START: Final = re.compile(rb"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}")
_IBAN_REST: Final = {
    n: re.compile(rb"(?: ?[0-9A-Z]){%d}(?![0-9A-Za-z])" % (n - 4))
    for n in set(IBAN_LENGTHS.values())
}


def find_ibans(text: bytes) -> Iterator[Span]:
    """ISO 13616: the length of the country, and 1 modulo 97. Single spaces anywhere."""
    for start in _IBAN_START.finditer(text):
        length = IBAN_LENGTHS.get(start[0][:2].decode())
        rest = _IBAN_REST[length].match(text, start.end()) if length else None
        if rest is None:
            continue
        letters = (rest[0].replace(b" ", b"") + start[0]).decode()
        if int("".join(str(int(letter, 36)) for letter in letters)) % 97 == 1:
            yield start.start(), rest.end()


# --- US social security numbers ------------------------------------------------------------------

_SSN_VALID: Final = rb"(?!000|666|9)[0-9]{3}%b(?!00)[0-9]{2}%b(?!0000)[0-9]{4}"
_SSN_EDGES: Final = (rb"(?<![0-9A-Za-z_])(?<![0-9][.-])", rb"(?![0-9A-Za-z_])(?!-[0-9])(?!\.[0-9])")
_SSN: Final = re.compile(_SSN_EDGES[0] + _SSN_VALID % (b"-", b"-") + _SSN_EDGES[1])
_BARE_SSN: Final = re.compile(_SSN_EDGES[0] + _SSN_VALID % (b"([ -]?)", rb"\1") + _SSN_EDGES[1])
_MARK: Final = re.compile(r"\[REDACTED:[a-z_]+\]")  # says "us_ssn", but is no word of a key
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def find_ssns(text: bytes) -> Iterator[Span]:
    """Dashed, with an area, group and serial that can be issued."""
    return (match.span() for match in _SSN.finditer(text))


def find_bare_ssns(text: bytes) -> Iterator[Span]:
    """The same, also with spaces or nothing between: only under a key that says so."""
    return (match.span() for match in _BARE_SSN.finditer(text))


def says_ssn(key: str) -> bool:
    """Whether a key says SSN or social security, as whole words: `customerSsn`, `SSN_NO`."""
    words = [word.lower() for word in _WORDS.findall(_MARK.sub("", key))]
    if "ssn" in words or "ssns" in words or "socialsecurity" in words:
        return True
    return "socialsecuritynumber" in words or ("social", "security") in pairwise(words)


# --- email ---------------------------------------------------------------------------------------

_LATIN: Final = rb"[\xc3-\xcb][\x80-\xbf]"  # U+00C0 to U+02FF in UTF-8
_ATOM: Final = rb"[0-9A-Za-z.!#$%&'*+/=?^_`{|}~-]"
_EMAIL: Final = re.compile(
    b"(?<!%b)(?<!%b)(?:%b|%b){1,64}+@((?:[0-9A-Za-z.-]|%b){3,254}+)"
    % (_ATOM, _LATIN, _ATOM, _LATIN, _LATIN)
)
_LABEL: Final = re.compile(b"(?!-)(?:[0-9A-Za-z-]|%b){1,63}(?<!-)" % _LATIN)
_TOP: Final = re.compile(b"(?:[A-Za-z]|%b){2,63}|xn--[0-9A-Za-z-]{1,59}" % _LATIN)


def find_emails(text: bytes) -> Iterator[Span]:
    """A local part of up to 64 characters, and at least two labels, the last of letters.

    Letters are ASCII or Latin up to U+02FF, so that text without spaces before an address, as in
    Chinese, is not taken for part of it.
    """
    for match in _EMAIL.finditer(text):
        labels: list[bytes] = []
        for label in match[1].split(b"."):
            if not _LABEL.fullmatch(label.rstrip(b"-")):
                break
            labels.append(label.rstrip(b"-"))
            if label.endswith(b"-"):
                break
        while labels and not _TOP.fullmatch(labels[-1]):
            labels.pop()
        if len(labels) >= 2:
            yield match.start(), match.start(1) + len(b".".join(labels))


# --- keys and credentials ------------------------------------------------------------------------

_PEM: Final = re.compile(rb"-----BEGIN ((?:[0-9A-Z]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?)-----")
_PUTTY: Final = re.compile(rb"PuTTY-User-Key-File-[0-9]")
_AWS: Final = re.compile(rb"(?<![0-9A-Za-z])(?:AKIA|ASIA)[2-7A-Z]{16}(?![0-9A-Za-z])")
_JWT: Final = re.compile(
    rb"(?<![0-9A-Za-z_-])(e[yw][0-9A-Za-z_-]{8,}+)\.[0-9A-Za-z_-]{2,}+\.[0-9A-Za-z_-]*+"
    rb"(?:\.[0-9A-Za-z_-]++\.[0-9A-Za-z_-]++)?"
)
_HEADER_MAXIMUM: Final = 8192


def find_private_keys(text: bytes) -> Iterator[Span]:
    """PEM and PGP from BEGIN to its END, or to the end of the string; PuTTY to the end."""
    position = 0
    while match := _PEM.search(text, position):
        end = b"-----END " + match[1] + b"-----"
        found = text.find(end, match.end())
        position = len(text) if found < 0 else found + len(end)
        yield match.start(), position
    if putty := _PUTTY.search(text, position):
        yield putty.start(), len(text)


def find_key_starts(text: bytes) -> Iterator[int]:
    """Where a private key may start, whatever ends it."""
    for pattern in (_PEM, _PUTTY):
        yield from (match.start() for match in pattern.finditer(text))


def find_aws_keys(text: bytes) -> Iterator[Span]:
    """Access key ids: long-term (AKIA) and temporary (ASIA)."""
    return (match.span() for match in _AWS.finditer(text))


def find_jwts(text: bytes) -> Iterator[Span]:
    """RFC 7515 and 7516 compact form whose first part is a JSON object with `alg`."""
    for match in _JWT.finditer(text):
        if len(match[1]) <= _HEADER_MAXIMUM and _is_header(match[1]):
            yield match.span()


def _is_header(part: bytes) -> bool:
    try:
        header = orjson.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    except ValueError:
        return False
    return isinstance(header, dict) and "alg" in header


FINDERS: Final[dict[str, Callable[[bytes], Iterator[Span]]]] = {
    "credit_card": find_cards,
    "iban": find_ibans,
    "us_ssn": find_ssns,
    "email": find_emails,
    "private_key": find_private_keys,
    "aws_key": find_aws_keys,
    "jwt": find_jwts,
}
