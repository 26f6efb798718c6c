"""Dates of birth, passports, driver licences, medical records: rows of the registry.

Nothing but what stands around them tells them from other dates and numbers, so that all of them
need context.
"""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Final

from proxy.content.kinds import Found, Kind, Likelihood, Span
from proxy.content.shapes import BEHIND, END, LEFT, SEPARATORS, compiled, digits_gate, found, words

# --- dates of birth ------------------------------------------------------------------------------

_MONTHS: Final = (
    "jan|janv|january|januar|janvier|enero|ene|gennaio|gen|janeiro",
    "feb|february|februar|février|févr|fevrier|febrero|febbraio|fev|fevereiro",
    "mar|march|märz|maerz|mars|marzo|março",
    "apr|april|avril|avr|abril|abr|aprile",
    "may|mai|mayo|maggio|mag|maio",
    "jun|june|juni|juin|junio|giugno|giu|junho",
    "jul|july|juli|juillet|juil|julio|luglio|lug|julho",
    "aug|august|août|aout|agosto|ago",
    "sep|sept|september|septembre|septiembre|settembre|set|setembro",
    "oct|october|oktober|okt|octobre|octubre|ottobre|ott|outubro|out",
    "nov|november|novembre|noviembre|novembro",
    "dec|december|dezember|dez|décembre|diciembre|dic|dicembre|dezembro",
)
"""English, German, French, Spanish, Italian, Portuguese."""
_MONTH_OF: Final = {
    name: number for number, names in enumerate(_MONTHS, 1) for name in names.split("|")
}
_LETTERS: Final = rb"((?:[A-Za-z]|\xc3[\x80-\xbf]){3,12})"
_TAIL: Final = b"(?![0-9A-SU-Z_a-su-z])"  # a time may follow, as in 1980-02-29T00:00:00Z
_YEAR_FIRST: Final = compiled(
    b"[12]" + LEFT + rb"(?:(?<=1)9|(?<=2)0)[0-9]{2}([-/.]?)[01][0-9]\1[0-3][0-9]" + _TAIL
)
_YEAR_LAST: Final = compiled(
    b"[0-9]" + LEFT + rb"[0-9]?([-/.])[0-9]{1,2}\1(?:(?:19|20)[0-9]{2}|[0-9]{2})" + _TAIL
)
_DAY: Final = b"([0-9]" + LEFT + rb"[0-9]?)(?:\.|st|nd|rd|th)?"
_DAY_MONTH: Final = compiled(
    _DAY + b"[ -](?:de )?" + _LETTERS + rb"[.,]?[ -](?:de )?((?:19|20)[0-9]{2})" + _TAIL
)
_DAY_YEAR: Final = compiled(_DAY + b",? ((?:19|20)[0-9]{2})" + _TAIL)
_MONTH: Final = compiled(_LETTERS + rb"\.? \Z")


def find_dates(text: bytes) -> Iterator[Found]:
    """Days of the calendar from 1900 to 2099, by numbers or with the name of the month.

    Year first, with `-`, `/`, `.` or nothing between; day or month first, with two or four digits
    for the year; months in English, German, French, Spanish, Italian and Portuguese.
    """
    end = 0
    for start, stop in sorted([*_in_numbers(text), *_with_names(text)]):
        if start >= end:
            end = stop
            yield start, stop, Likelihood.UNLIKELY


def _in_numbers(text: bytes) -> Iterator[Span]:
    for match in _YEAR_FIRST.finditer(text):
        digits = match[0].translate(None, SEPARATORS)
        if _is_day(int(digits[:4]), int(digits[4:6]), int(digits[6:])):
            yield match.span()
    for match in _YEAR_LAST.finditer(text):
        first, second, year = map(int, match[0].split(match[1]))
        full = year if year > 99 else 2000 + year
        if _is_day(full, second, first) or _is_day(full, first, second):
            yield match.span()


def _with_names(text: bytes) -> Iterator[Span]:
    for match in _DAY_MONTH.finditer(text):
        if _is_day(int(match[3]), _month(match[2]), int(match[1])):
            yield match.span()
    for match in _DAY_YEAR.finditer(text):
        before = _MONTH.search(text, max(0, match.start() - 14), match.start())
        if before and _is_day(int(match[2]), _month(before[1]), int(match[1])):
            yield before.start(), match.end()


def _month(name: bytes) -> int:
    """1 to 12; 0 for what is no month."""
    return _MONTH_OF.get(name.decode(errors="replace").lower(), 0)


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


# --- the table -----------------------------------------------------------------------------------


def _with_digits(least: int) -> Callable[[bytes], bool]:
    return lambda text: sum(map(text.count, b"0123456789")) >= least


PAPERS: Final = (
    Kind(
        "date_of_birth",
        find_dates,
        (
            b"(?:19|20)[0-9]{2}[-/.]?[01][0-9][-/.]?[0-3][0-9]",
            b"[0-9][-/.][0-9]{1,2}[-/.][0-9]{2}",
            rb"[A-Za-z\x80-\xbf][.,]?[ -](?:de )?(?:19|20)[0-9]{2}",
            rb"[0-9](?:\.|st|nd|rd|th)?,? (?:19|20)[0-9]{2}",
        ),
        folds=True,
        context=words(
            "date of birth, birth date, birthday, birth, born, dob, geburtsdatum, geburtstag, "
            "geboren, geb, date de naissance, naissance, né le, née le, fecha de nacimiento, "
            "nacimiento, nacido, nacida, data di nascita, nascita, nato il, nata il, "
            "data de nascimento, nascimento, geboortedatum, data urodzenia"
        ),
        with_context=Likelihood.LIKELY,
        alone=Likelihood.UNLIKELY,
    ),
    Kind(
        "passport",
        found(
            b"[0-9A-Z]" + LEFT + b"[0-9A-Z]{5,8}" + END,
            Likelihood.UNLIKELY,
            _with_digits(3),
            any_case=True,
        ),
        (b"[0-9](?:[0-9A-Za-z]*[0-9]){2}[0-9A-Za-z]*" + BEHIND,),
        folds=True,
        context=words(
            "passport, passports, passportnumber, passportno, passeport, pasaporte, passaporto, "
            "passaporte, reisepass, reisepassnummer, passnummer, paspoort, paszport"
        ),
        with_context=Likelihood.LIKELY,
        alone=Likelihood.UNLIKELY,
    ),
    Kind(
        "driver_license",
        found(
            b"[0-9A-Z]" + LEFT + b"(?:-?[0-9A-Z]){4,19}" + END,
            Likelihood.UNLIKELY,
            _with_digits(4),
            any_case=True,
        ),
        # the dash may be one that is folded
        (rb"[0-9](?:[0-9A-Za-z\x80-\xff-]*[0-9]){3}[0-9A-Za-z\x80-\xff-]*" + BEHIND,),
        folds=True,
        context=words(
            "driver license, drivers license, driver s license, driver licence, drivers licence, "
            "driver s licence, driving license, driving licence, dl number, dl no, dln, "
            "führerschein, fuehrerschein, führerscheinnummer, permis de conduire, "
            "carnet de conducir, permiso de conducir, licencia de conducir, patente di guida, "
            "carta de condução, rijbewijs, prawo jazdy"
        ),
        with_context=Likelihood.LIKELY,
        alone=Likelihood.UNLIKELY,
    ),
    Kind(
        "medical_record",
        found(
            b"[0-9A-Z]" + LEFT + b"[0-9A-Z]{0,3}(?:-?[0-9]){4,12}" + END,
            Likelihood.UNLIKELY,
            any_case=True,
        ),
        digits_gate(4, b"-?"),
        folds=True,
        context=words(
            "mrn, medical record, medicalrecordnumber, patient id, patient number, patient no, "
            "chart number, hospital number, health record, patientennummer, krankenakte, "
            "dossier médical, historia clínica"
        ),
        with_context=Likelihood.LIKELY,
        alone=Likelihood.UNLIKELY,
    ),
)
