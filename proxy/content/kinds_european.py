"""Numbers that European states give to persons: rows of the registry."""

from datetime import date
from typing import Final

from proxy.content.checksums import fiscal_code, nhs, nif_portugal, nif_spain, pesel
from proxy.content.kinds import Kind, Likelihood
from proxy.content.shapes import END, LEFT, digits_gate, found, words

_CENTURIES: Final = {0: 1900, 1: 2000, 2: 2100, 3: 2200, 4: 1800}
"""What twenties are added to the month of a PESEL -> the century of the year."""
# HMRC, National Insurance Manual, NIM39110: letters and prefixes that are not used.
_NINO: Final = (
    b"[A-CEGHJ-PR-TW-Z]" + LEFT + b"[A-CEGHJ-NPR-TW-Z](?<!BG)(?<!GB)(?<!KN)(?<!NK)(?<!NT)(?<!TN)"
    rb"(?<!ZZ)([ -]?)[0-9]{2}\1[0-9]{2}\1[0-9]{2}\1[A-D]" + END
)
# DM 23 December 1976; where two persons would share a code, letters stand for digits (omocodia).
_N: Final = b"[0-9L-NP-V]"
_FISCAL: Final = (
    b"[A-Z]" + LEFT + b"[A-Z]{5}%b{2}[A-EHLMPRST]%b{2}[A-Z]%b{3}[A-Z]" % (_N, _N, _N) + END
)
_OMOCODIA: Final = bytes.maketrans(b"LMNPQRSTUV", b"0123456789")


def _is_fiscal(text: bytes) -> bool:
    """Its check, and a day of birth; women have 40 added to theirs."""
    return 1 <= int(text[9:11].translate(_OMOCODIA)) % 40 <= 31 and fiscal_code(text)


def _is_pesel(digits: bytes) -> bool:
    """Its check, and a date of birth that was."""
    twenties, month = divmod(int(digits[2:4]), 20)
    try:
        date(_CENTURIES[twenties] + int(digits[:2]), month, int(digits[4:6]))
    except ValueError:
        return False
    return pesel(digits)


EUROPEAN: Final = (
    Kind(
        "uk_nhs",
        found(
            b"[0-9]" + LEFT + rb"[0-9]{2}([ -]?)[0-9]{3}\1[0-9]{4}" + END,
            Likelihood.POSSIBLE,
            nhs,
        ),
        digits_gate(10),
        folds=True,
        context=words("nhs, nhs number, nhsno, national health"),
        alone=Likelihood.POSSIBLE,
    ),
    Kind(
        "uk_nino",
        found(_NINO, Likelihood.POSSIBLE, any_case=True),
        (b"(?i)[A-Z]{2}(?:[ -]?[0-9]{2}){3}[ -]?[A-D]",),
        folds=True,
        context=words("ni number, ni no, national insurance, insurance number"),
        alone=Likelihood.POSSIBLE,
    ),
    Kind(
        "pl_pesel",
        found(b"[0-9]" + LEFT + b"[0-9]{10}" + END, Likelihood.POSSIBLE, _is_pesel),
        digits_gate(11),
        folds=True,
        context=words("pesel, numer pesel, nr pesel"),
        alone=Likelihood.POSSIBLE,
    ),
    Kind(
        "es_nif",
        found(
            b"[0-9X-Z]"
            + LEFT
            + rb"(?:-?[0-9]{7}|[0-9]\.[0-9]{3}\.[0-9]{3})[ -]?[A-HJ-NP-TV-Z]"
            + END,
            Likelihood.POSSIBLE,
            nif_spain,
            any_case=True,
        ),
        (
            b"(?i)[0-9X-Z]-?[0-9]{7}[ -]?[A-Z]",
            rb"(?i)[0-9]\.[0-9]{3}\.[0-9]{3}[ -]?[A-Z]",
        ),
        folds=True,
        context=words("nif, dni, nie, documento nacional, identificación fiscal, extranjero"),
        alone=Likelihood.POSSIBLE,
    ),
    Kind(
        "pt_nif",
        found(
            b"[1-35689]" + LEFT + rb"[0-9]{2}( ?)[0-9]{3}\1[0-9]{3}" + END,
            Likelihood.POSSIBLE,
            nif_portugal,
        ),
        digits_gate(9),
        folds=True,
        context=words("nif, contribuinte, identificação fiscal"),
        alone=Likelihood.POSSIBLE,
    ),
    Kind(
        "it_fiscal_code",
        found(_FISCAL, Likelihood.LIKELY, _is_fiscal, any_case=True),
        (b"(?i)(?:^|[^0-9A-Z_])[A-Z]{6}%b{2}[A-EHLMPRST]%b{2}[A-Z]%b{3}[A-Z]" % (_N, _N, _N),),
        folds=True,
        context=words("codice fiscale, fiscal code, cod fisc"),
        alone=Likelihood.LIKELY,
    ),
)
