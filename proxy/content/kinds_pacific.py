"""Numbers that Australia and India give to persons: rows of the registry."""

from typing import Final

from proxy.content.checksums import tfn, verhoeff
from proxy.content.kinds import Kind, Likelihood
from proxy.content.shapes import END, LEFT, digits_gate, found, words


def _is_aadhaar(digits: bytes) -> bool:
    """Verhoeff; UIDAI gives out no number that reads the same from both ends."""
    return verhoeff(digits) and digits != digits[::-1]


PACIFIC: Final = (
    Kind(
        "au_tfn",
        found(
            b"[1-9]" + LEFT + rb"[0-9]{2}([ -]?)[0-9]{3}\1[0-9]{3}" + END,
            Likelihood.POSSIBLE,
            tfn,
        ),
        digits_gate(9),
        folds=True,
        context=words("tfn, tax file, tax file number"),
        alone=Likelihood.POSSIBLE,
    ),
    Kind(
        "in_aadhaar",
        found(
            b"[2-9]" + LEFT + rb"[0-9]{3}([ -]?)[0-9]{4}\1[0-9]{4}" + END,
            Likelihood.POSSIBLE,
            _is_aadhaar,
        ),
        digits_gate(12),
        folds=True,
        context=words("aadhaar, aadhar, adhaar, aadhaarnumber, uidai"),
        alone=Likelihood.POSSIBLE,
    ),
)
