"""Cards, IBANs, social security numbers, addresses, keys and tokens: rows of the registry.

How each is found is in `identifiers` and `patterns`; here is what the gate must let through for it.
"""

from typing import Final

from proxy.content import fold
from proxy.content.identifiers import (
    IBAN_LENGTHS,
    find_bare_ssns,
    find_cards,
    find_ibans,
    find_ssns,
)
from proxy.content.kinds import Kind, Likelihood, rated, sure
from proxy.content.patterns import (
    find_aws_keys,
    find_emails,
    find_jwts,
    find_key_starts,
    find_private_keys,
)

_D: Final = b"(?:[0-9]|" + fold.DIGITS + b")"
_DASH: Final = b"(?:-|" + fold.DASHES + b")"
_SPACE: Final = b"(?: |" + fold.SPACES + b")"
# A card in folded characters has a wide digit, or such a dash or space behind its first four.
# One pattern for all its spellings would cost five times as much as these.
# Numbers that may be integral and have an exponent: in JSON, a delimiter stands before a number.
_EXPONENT: Final = (
    rb"(?:^|[ \t\n\r:,\[])-?[0-9]+(?:\.[0-9]+)?[eE]\+?[0-9]",
    rb"[0-9]{9}(?:\.0+)?[eE]-[0-9]",
)

BASIC: Final = (
    Kind(
        "credit_card",
        sure(find_cards),
        (
            rb"(?:^|[^0-9])(?:[2-6]|1800)(?:[ -]?[0-9]){11}",
            b"[0-9]{4}(?:  | ?(?:" + fold.SPACES + b"|" + fold.DASHES + b"))",
            rb"[0-9]{4}\.[0-9]{4,6}\.[0-9]{4}",
            fold.DIGITS,
            *_EXPONENT,
        ),
        folds=True,
        default=True,
        group="financial",
    ),
    Kind(
        "iban",
        sure(find_ibans),
        (
            b"(?:%b)%b{2}(?:%b?(?:[A-Z]|%b)){11}"
            % ("|".join(IBAN_LENGTHS).encode(), _D, _SPACE, _D),
        ),
        folds=True,
        default=True,
        group="financial",
    ),
    Kind(
        "us_ssn",
        sure(find_ssns),
        (b"%b{3}%b%b{2}%b%b{4}" % (_D, _DASH, _D, _DASH, _D),),
        needed=b"-",
        folds=True,
        default=True,
    ),
    Kind(
        "us_ssn",
        rated(find_bare_ssns, Likelihood.UNLIKELY),
        (
            b"(?:^|[^0-9])%b{3}%b?%b{2}%b?%b{4}(?:[^0-9]|$)" % (_D, _SPACE, _D, _SPACE, _D),
            *_EXPONENT,
        ),
        folds=True,
        context=frozenset({"ssn", "ssns", "social security", "social security number"}),
        alone=Likelihood.UNLIKELY,
        default=True,
    ),
    Kind(
        "email",
        sure(find_emails),
        (rb"[0-9A-Za-z.!#$%&'*+/=?^_`{|}~\x80-\xff-]@[0-9A-Za-z\x80-\xff]",),
        needed=b"@",
        default=True,
    ),
    Kind(
        "private_key",
        sure(find_private_keys),
        (rb"-----BEGIN ", rb"PuTTY-User-Key-File-"),
        needed=b"-",
        starts=find_key_starts,
        default=True,
        group="secret",
    ),
    Kind(
        "aws_key",
        sure(find_aws_keys),
        (rb"(?:AKIA|ASIA)[2-7A-Z]{16}",),
        needed=b"IA",
        default=True,
        group="secret",
    ),
    Kind(
        "jwt",
        sure(find_jwts),
        (rb"e[yw][0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{2,}\.",),
        needed=b".",
        default=True,
        group="secret",
    ),
)
