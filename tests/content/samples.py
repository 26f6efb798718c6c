"""Made-up values of every type that can be detected, and what is nearly one.

Check digits are computed here, by the rules of `proxy.content.checksums`, which are held to
published examples of their own. Tokens are put together from parts, so that no line of this file
looks like a secret that somebody has lost.
"""

import base64
import hashlib
from collections.abc import Callable
from typing import NamedTuple

from proxy.content import checksums
from proxy.content.identifiers import IBAN_DIGITS, IBAN_LENGTHS
from proxy.content.wallets import keccak256

DASHES = "-" * 5
DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Samples(NamedTuple):
    """Of one type: what is found alone or in a sentence, and what is not."""

    found: list[str]
    near: list[str]


def ending(start: str, holds: Callable[[bytes], bool], last: str = DIGITS) -> str:
    """`start` with the last character that makes the check hold."""
    return next(start + end for end in last if holds((start + end).encode()))


def wrong(right: str, last: str = DIGITS) -> str:
    """The same with another last character."""
    return right[:-1] + last[(last.index(right[-1]) + 1) % len(last)]


def grouped(text: str, sizes: list[int], joint: str) -> str:
    """The text in groups."""
    parts = []
    for size in sizes:
        parts.append(text[:size])
        text = text[size:]
    return joint.join(parts)


def pem(label: str, end: bool = True) -> str:
    text = f"{DASHES}BEGIN {label}{DASHES}\nMIIB+/=\nabc=\n"
    return text + (f"{DASHES}END {label}{DASHES}" if end else "")


def jwt(header: str, parts: int = 3) -> str:
    encoded = base64.urlsafe_b64encode(header.encode()).decode().rstrip("=")
    return ".".join([encoded, "eyJzdWIiOiIxIn0", *["c2ln"] * (parts - 2)])


def iban(country: str) -> str:
    letters = DIGITS if country in IBAN_DIGITS else "ABC" + DIGITS
    length = IBAN_LENGTHS[country] - 4
    return checked_iban(country, "".join(letters[n % len(letters)] for n in range(length)))


def checked_iban(country: str, account: str) -> str:
    """The two digits that ISO 13616 asks for between country and account."""
    digits = "".join(str(int(letter, 36)) for letter in account + country + "00")
    return f"{country}{98 - int(digits) % 97:02}{account}"


def base58(raw: bytes) -> str:
    """Base58check of a version and 20 octets."""
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    raw += hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4]
    value, text = int.from_bytes(raw, "big"), ""
    while value:
        value, digit = divmod(value, 58)
        text = alphabet[digit] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text


def ethereum(raw: bytes) -> str:
    """An address with the case that EIP-55 asks for."""
    plain = raw.hex()
    case = keccak256(plain.encode()).hex()
    pairs = zip(plain, case, strict=False)
    return "0x" + "".join(c.upper() if digit > "7" else c for c, digit in pairs)


NHS = ending("943476591", checksums.nhs)
SIN = ending("51739284", checksums.luhn)
TFN = ending("48362957", checksums.tfn)
AADHAAR = ending("58327461903", checksums.verhoeff)
HALVES = (f"2{number:05}" for number in range(100_000))
PALINDROME = next(
    half + half[::-1] for half in HALVES if checksums.verhoeff((half + half[::-1]).encode())
)
FISCAL = ending("BNCLRA81D52F205", checksums.fiscal_code, LETTERS)
OMOCODE = ending("BNCLRA81D52F20R", checksums.fiscal_code, LETTERS)
DNI = ending("48273951", checksums.nif_spain, LETTERS)
NIE = ending("X4827395", checksums.nif_spain, LETTERS)
SEGWIT = "bc1" + "qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"  # BIP 173
LEGACY = base58(b"\0" + bytes(range(1, 21)))
ETHEREUM = ethereum(bytes(range(0xA0, 0xB4)))

NUMBERS: dict[str, Samples] = {
    "credit_card": Samples(
        [
            "4111111111111111",
            "4111 1111 1111 1111",
            "3782-822463-10005",
            "2223003122003222",
            "180000826105910",
        ],
        ["4111111111111112", "0000000000000000", "9111111111111111", "a4111111111111111"],
    ),
    "iban": Samples(
        [*map(iban, IBAN_LENGTHS), "GB82 WEST 1234 5698 7654 32", iban("GB").lower()],
        [
            "GB82 WEST 1234 5698 7654 33",
            "DE893704004405320130001",
            "XX82WEST12345698765432",
            checked_iban("BE", "A1B2C3D4E5F6"),
            "Gb82West12345698765432",
        ],
    ),
    "us_ssn": Samples(
        ["536-90-4399", "123-45-6789"],
        ["000-12-3456", "666-12-3456", "912-34-5678", "536-00-4399", "536-90-0000", "5536-90-4399"],
    ),
    "email": Samples(
        ["jane.doe+x@mail.example.co.uk", "müller@bücher.example"],
        ["jane@localhost", "@example.com", "jane@example.1", "jane(at)example.com"],
    ),
    "us_routing": Samples(
        [ending("08273951", checksums.aba), ending("31942706", checksums.aba)],
        [wrong(ending("08273951", checksums.aba)), ending("50273951", checksums.aba)],
    ),
    "bank_account": Samples(
        ["0034829105", "12-3482-9105", "0034 8291 0577 3120 4"], ["34829", "8" * 18, "x0034829105"]
    ),
    "bitcoin_address": Samples(
        [LEGACY, base58(b"\5" + bytes(20)), SEGWIT, SEGWIT.upper()],
        [LEGACY[:-1] + "z", LEGACY.swapcase(), wrong(SEGWIT, "45"), SEGWIT[:-1] + "B"],
    ),
    "ethereum_address": Samples(
        [ETHEREUM, ETHEREUM.lower(), "0x" + ETHEREUM[2:].upper()],
        [ETHEREUM.swapcase().replace("0X", "0x"), "0x" + "0" * 40, ETHEREUM + "0", ETHEREUM[:-1]],
    ),
    "phone_number": Samples(
        [
            "+49 30 901820",
            "+1-984-555-0190",
            "+46 (0)8 928 571 38",
            "+41445551234x12",
            "+1.4155552671",
            "(415) 555-2671",
            "415-555-2671",
            "4155552671",
            "030/9018200",
            "03.93.92.16.85",
        ],
        [
            "+99930901820",
            "+35236450.6",
            "+1-184-555-0190",
            "2026-11-23 16",
            "123.456789012",
            "555-267",
            "10.20.30.40",
        ],
    ),
    "ip_address": Samples(
        [
            "203.0.113.7",
            "2001:db8::8a2e:370:7334",
            "fe80::1",
            "2001:db8:0:1:2:3:4:5",
            "::ffff:203.0.113.7",
        ],
        [
            "203.0.113",
            "203.0.113.256",
            "v1.2.3.4",
            "1.2.3.4.5",
            "127.0.0.1",
            "::1",
            "std::map",
            "12:30:45",
            "203.0.113.07",
        ],
    ),
    "mac_address": Samples(
        ["00:1b:44:11:3a:b7", "00-1B-44-11-3A-B7", "001b.4411.3ab7"],
        ["00:1b:44:11:3a", "00:1b:44:11:3a:b7:00", "00:00:00:00:00:00", "00:1b-44:11:3a:b7"],
    ),
    "date_of_birth": Samples(
        [
            "1980-02-29",
            "29.02.1980",
            "2/29/1980",
            "19800229",
            "3 March 1980",
            "March 3rd, 1980",
            "3. März 1980",
            "12 de octubre de 1980",
            "29/2/80",
        ],
        ["1981-02-29", "30.02.1980", "13/13/1980", "31 April 1980", "1880-02-29", "12345678"],
    ),
    "passport": Samples(
        ["C01X00T47", "123456789", "ab1234567"], ["PASSPORT", "AB12", "C01X00T47Q1"]
    ),
    "driver_license": Samples(
        ["F162-8235-4011-6", "6940579", "MORGA657054SM9IJ", "u62928788"],
        ["LICENSE", "AB-123", "999"],
    ),
    "medical_record": Samples(["MRN-00482913", "4829137", "48-29-13"], ["RECORD", "482", "A" * 9]),
    "us_itin": Samples(
        ["912-70-4821", "912704821", "900 88 4821"], ["912-66-4821", "812-70-4821", "912-93-4821"]
    ),
    "us_npi": Samples(
        [ending("124931957", checksums.npi)],
        [wrong(ending("124931957", checksums.npi)), ending("324931957", checksums.npi)],
    ),
    "us_mbi": Samples(
        ["1EG4-TE5-MK73", "1EG4TE5MK73", "1eg4te5mk73"],
        ["1SG4-TE5-MK73", "0EG4TE5MK73", "1EG4TE5MK7"],
    ),
    "ca_sin": Samples(
        [SIN, grouped(SIN, [3, 3, 3], " "), grouped(SIN, [3, 3, 3], "-")],
        [wrong(SIN), "000000000", grouped(SIN, [3, 3, 3], ".")],
    ),
    "uk_nhs": Samples(
        [NHS, grouped(NHS, [3, 3, 4], " "), grouped(NHS, [3, 3, 4], "-")], [wrong(NHS), NHS[:-1]]
    ),
    "uk_nino": Samples(
        ["AB123456C", "AB 12 34 56 C", "ab123456c"],
        ["DB123456C", "AB123456E", "GB123456C", "AO123456C"],
    ),
    "pl_pesel": Samples(
        [ending("8003041572", checksums.pesel), ending("0523041572", checksums.pesel)],
        [wrong(ending("8003041572", checksums.pesel)), ending("8013041572", checksums.pesel)],
    ),
    "es_nif": Samples(
        [
            DNI,
            NIE,
            f"{DNI[:8]}-{DNI[8]}",
            grouped(DNI, [2, 3, 3, 1], ".")[:10] + DNI[8],
            DNI.lower(),
        ],
        [wrong(DNI, LETTERS), "4827395" + DNI[-1], "A4827395" + NIE[-1]],
    ),
    "pt_nif": Samples(
        [ending("21843907", checksums.nif_portugal)],
        [
            wrong(ending("21843907", checksums.nif_portugal)),
            ending("41843907", checksums.nif_portugal),
        ],
    ),
    "it_fiscal_code": Samples(
        [FISCAL, OMOCODE, FISCAL.lower()],
        [
            wrong(FISCAL, LETTERS),
            ending("BNCLRA81D35F205", checksums.fiscal_code, LETTERS),
            FISCAL[:1] + FISCAL[1:].lower(),
        ],
    ),
    "au_tfn": Samples([TFN, grouped(TFN, [3, 3, 3], " ")], [wrong(TFN), TFN[:-1]]),
    "in_aadhaar": Samples(
        [AADHAAR, grouped(AADHAAR, [4, 4, 4], " ")],
        [wrong(AADHAAR), ending("18327461903", checksums.verhoeff), PALINDROME],
    ),
}
