"""Cards, IBANs, social security numbers, addresses, keys and tokens: rows of the registry.

How each is found is in `identifiers` and `patterns`; here is what the gate must let through for it.
"""

from typing import Final

from proxy.content.identifiers import (
    find_bare_ssns,
    find_cards,
    find_ibans,
    find_lower_ibans,
    find_ssns,
)
from proxy.content.kinds import Kind, Likelihood, rated, sure
from proxy.content.outline import BEFORE, BEHIND
from proxy.content.patterns import (
    find_aws_keys,
    find_emails,
    find_jwts,
    find_private_keys,
)
from proxy.content.shapes import words

_BEFORE: Final = rb"(?:^|[^0-9A-Za-z_.]|(?:^|[^0-9])\.)"
_BEHIND: Final = b"(?:[^0-9A-Za-z_]|$)"
_JOINT: Final = b"(?: {1,2}|[.-])"
# A dash before a card of 12 to 19 digits has neither a digit nor four hex digits before it.
_ALONE: Final = (
    rb"(?:^|[^0-9A-Za-z_.-]|(?:^|[^0-9])\.|(?:^|[^0-9A-Fa-f])(?:[0-9A-Fa-f]{0,2}[A-Fa-f])?-)"
)

_GROUPS: Final = b":{1,2}", rb"\.", b"-"  # an outline shows spaces as colons

BASIC: Final = (
    Kind(
        "credit_card",
        sure(find_cards),
        (  # one expression for all of them would let UUIDs by
            _BEFORE + b"[2-6][0-9]{14,15}" + _BEHIND,
            _BEFORE + b"1800[0-9]{11}" + _BEHIND,
            _ALONE + b"[2-6][0-9]{11,18}" + _BEHIND,
            _BEFORE + b"[2-6][0-9]{3}" + (_JOINT + b"[0-9]{4}") * 3 + _BEHIND,
            _BEFORE + b"3[0-9]{3}" + _JOINT + b"[0-9]{6}" + _JOINT + b"[0-9]{4,5}" + _BEHIND,
        ),
        outlines=(
            rb"(?:^|[^0aAe.-]|(?:^|[^0])\.)0{12}",
            b"-0{15}",
            BEFORE
            + b".{0,3}-0{12}",  # no four of a word, as in UUIDs; a class would cost twice all
            *(BEFORE + b"0000" + (joint + b"0000") * 3 + BEHIND for joint in _GROUPS),
            *(BEFORE + b"0000%b000000%b0000" % (joint, joint) for joint in _GROUPS),
        ),
        folds=True,
        default=True,
        group="financial",
    ),
    Kind(
        "iban",
        sure(find_ibans),
        (b"(?:^|[^0-9A-Za-z])[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]){11}",),
        outlines=tuple(
            b"%b00(?::?[0Ae]){11}" % country for country in (b"AA", b"Ae", b"eA", b"ee")
        ),
        folds=True,
        default=True,
        group="financial",
    ),
    Kind(
        "iban",
        rated(find_lower_ibans, Likelihood.POSSIBLE),
        (b"(?:^|[^0-9A-Za-z])[a-z]{2}[0-9]{2}(?: ?[0-9a-z]){11}",),
        outlines=tuple(
            BEFORE + b"%b00(?::?[0ae]){11}" % country for country in (b"aa", b"ae", b"ea", b"ee")
        ),
        folds=True,
        context=words("iban, bic, swift, bank account"),
        alone=Likelihood.POSSIBLE,
        default=True,
        group="financial",
    ),
    Kind(
        "us_ssn",
        sure(find_ssns),
        (_BEFORE + b"[0-8][0-9]{2}-[0-9]{2}-[0-9]{4}",),
        outlines=(b"000-00-0000",),
        needed=b"-",
        folds=True,
        default=True,
    ),
    Kind(
        "us_ssn",
        rated(find_bare_ssns, Likelihood.UNLIKELY),
        (_BEFORE + b"[0-8][0-9]{2}(?:[0-9]{6}| [0-9]{2} [0-9]{4}|-[0-9]{2}-[0-9]{4})" + _BEHIND,),
        outlines=(BEFORE + b"000(?:000000|:00:0000|-00-0000)" + BEHIND,),
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
        (rb"---- ?BEGIN ", rb"PuTTY-User-Key-File-"),
        needed=b"-",
        runs_on=True,
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
