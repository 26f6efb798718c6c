"""Numbers that the United States and Canada give to persons and to those who treat them."""

from typing import Final

from proxy.content.checksums import luhn, npi
from proxy.content.kinds import Kind, Likelihood
from proxy.content.shapes import END, LEFT, digits_gate, found, words

_GROUP: Final = b"(?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-2]|9[4-9])"
"""Fourth and fifth digit of an ITIN (IRS publication 1915)."""
_ITIN_WORDS: Final = words(
    "itin, individual taxpayer, taxpayer identification, taxpayer id, tax id, tin"
)
# CMS, Understanding the MBI format: C A AN N A AN N A A N N, letters without S, L, O, I, B, Z.
_A: Final = b"[AC-HJKMNP-RT-Y]"
_AN: Final = b"[0-9AC-HJKMNP-RT-Y]"


AMERICAN: Final = (
    Kind(
        "us_itin",
        found(b"9" + LEFT + b"[0-9]{2}-" + _GROUP + b"-[0-9]{4}" + END, Likelihood.POSSIBLE),
        (b"9[0-9]{2}-[0-9]{2}-[0-9]{4}",),
        needed=b"-",
        folds=True,
        context=_ITIN_WORDS,
        alone=Likelihood.POSSIBLE,
    ),
    Kind(
        "us_itin",
        found(b"9" + LEFT + b"[0-9]{2}( ?)" + _GROUP + rb"\1[0-9]{4}" + END, Likelihood.UNLIKELY),
        digits_gate(9),
        folds=True,
        context=_ITIN_WORDS,
        alone=Likelihood.UNLIKELY,
    ),
    Kind(
        "us_npi",
        found(b"[12]" + LEFT + b"[0-9]{9}" + END, Likelihood.POSSIBLE, npi),
        digits_gate(10),
        folds=True,
        context=words("npi, national provider, provider number, provider identifier, provider id"),
        alone=Likelihood.POSSIBLE,
    ),
    Kind(
        "us_mbi",
        found(
            b"[1-9]"
            + LEFT
            + _A
            + _AN
            + b"[0-9](-?)"
            + _A
            + _AN
            + rb"[0-9]\1"
            + _A
            + _A
            + b"[0-9]{2}"
            + END,
            Likelihood.POSSIBLE,
            any_case=True,
        ),
        (b"(?i)[1-9]%b%b[0-9]-?%b%b[0-9]-?%b" % (_A, _AN, _A, _AN, _A),),
        folds=True,
        context=words("mbi, medicare, beneficiary, medicare number, medicare id"),
        alone=Likelihood.POSSIBLE,
    ),
    Kind(
        "ca_sin",
        found(
            b"[1-9]" + LEFT + rb"[0-9]{2}([ -]?)[0-9]{3}\1[0-9]{3}" + END,
            Likelihood.POSSIBLE,
            luhn,
        ),
        digits_gate(9),
        folds=True,
        context=words("sin, social insurance, nas, assurance sociale"),
        alone=Likelihood.POSSIBLE,
    ),
)
