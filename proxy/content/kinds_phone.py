"""Telephone numbers: rows of the registry.

A number with its country code says what it is. Without, only the words around it do: how many
digits a number has, and how they are grouped, differs from place to place.
"""

from collections.abc import Iterator
from typing import Final

from proxy.content.kinds import Found, Kind, Likelihood
from proxy.content.shapes import SEPARATORS, compiled, digits_gate, words

_REST: Final = rb"(?:[ ./()-]{0,2}[0-9]){6,14}(?: ?(?:[xX]|[eE]xt\.?) ?[0-9]{1,6})?(?![0-9A-Za-z_])"
_ABROAD: Final = compiled(rb"\+(?<![0-9A-Za-z_+].)[1-9]" + _REST)
_AT_HOME: Final = compiled(
    rb"[(0-9](?<![0-9A-Za-z_+.].)(?<![0-9]-.)(?:(?<=[0-9])|[0-9](?=[0-9 ]{0,5}\)))" + _REST
)
_AMERICAN: Final = compiled(
    rb"(?:1[ .-]?)?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}(?![0-9])"
)
_OTHER: Final = compiled(
    rb"(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]|[0-3]?[0-9]([/.])[01]?[0-9]\1(?:19|20)[0-9]{2}"
    rb"|[0-9]+\.[0-9]+(?![0-9.])|[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9.])"
)
"""Dates, fractions, IPv4 addresses."""
_SIGNED: Final = compiled(rb"\+[0-9]{4,15}\.[0-9]+")
"""A fraction with its sign; `+1.4155552671` is how registries of domains write a number."""

# ITU-T E.164, list of assigned codes: zones 1 and 7, then two digits, then three.
_TWO: Final = frozenset(
    b"20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64"
    b" 65 66 81 82 84 86 90 91 92 93 94 95 98".split()
)
_UNASSIGNED: Final = frozenset(
    b"210 214 215 217 219 259 279 283 284 285 286 287 288 289 292 293 294 295 296 384 388 422 424"
    b" 425 426 427 428 429 671 684 693 694 695 696 697 698 699 851 854 857 858 859 884 885 887 889"
    b" 969 978 990 991 997 999".split()
)


def _has_country(digits: bytes) -> bool:
    """E.164: an assigned country code, and up to fifteen digits with it; ten behind a 1."""
    if digits[:1] == b"1":
        return len(digits) == 11 and digits[1] > 0x31
    if not 8 <= len(digits) <= 16:  # one more for the trunk prefix in "+46 (0)8"
        return False
    if digits[:1] == b"7" or digits[:2] in _TWO:
        return True
    return digits[:3] not in _UNASSIGNED and digits[:2] not in (b"28", b"83", b"89")


def find_international(text: bytes) -> Iterator[Found]:
    """`+` and an assigned country code; spaces, dashes, points, slashes, brackets; an extension."""
    for match in _ABROAD.finditer(text):
        number = match[0].lower().partition(b"x")[0].rstrip(b"e ")
        if not _SIGNED.fullmatch(number) and _has_country(number[1:].translate(None, SEPARATORS)):
            yield *match.span(), Likelihood.LIKELY


def find_national(text: bytes) -> Iterator[Found]:
    """Seven to fifteen digits in any groups; better where they are grouped as in North America."""
    for match in _AT_HOME.finditer(text):
        if not _OTHER.match(match[0]):
            american = _AMERICAN.match(match[0]) is not None
            yield *match.span(), Likelihood.POSSIBLE if american else Likelihood.UNLIKELY


_JOINTS: Final = b"[ ./()-]{0,2}"
_WORDS: Final = words(
    "phone, phones, phonenumber, phoneno, telephone, tel, mobile, cell, cellphone, fax, "
    "faxnumber, msisdn, whatsapp, sms, gsm, pager, call me, contact number, telefon, "
    "telefonnummer, telefonnr, rufnummer, handy, handynummer, mobil, mobilnummer, téléphone, "
    "portable, teléfono, móvil, celular, telefono, cellulare, telefone, telemóvel, telefoon, "
    "telefoonnummer, mobiel, komórka, puhelin"
)

PHONE: Final = (
    Kind(
        "phone_number",
        find_international,
        (rb"\+[1-9](?:%b[0-9]){6}" % _JOINTS,),
        needed=b"+",
        folds=True,
        context=_WORDS,
        alone=Likelihood.LIKELY,
    ),
    Kind(
        "phone_number",
        find_national,
        digits_gate(7, _JOINTS),
        folds=True,
        context=_WORDS,
        with_context=Likelihood.LIKELY,
        alone=Likelihood.POSSIBLE,
    ),
)
