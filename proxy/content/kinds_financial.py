"""Bank accounts, routing numbers and wallets: rows of the registry."""

from collections.abc import Iterator
from typing import Final

from proxy.content.checksums import aba
from proxy.content.kinds import Found, Kind, Likelihood
from proxy.content.shapes import END, LEFT, compiled, digits_gate, found, words
from proxy.content.wallets import base58check, bech32, eip55

_ROUTED: Final = (*range(1, 13), *range(21, 33), *range(61, 73), 80)
"""First two digits: Federal Reserve districts, thrifts, electronic, traveller's cheques."""
_HEX: Final = compiled(rb"0(?<![0-9A-Za-z_].)[xX][0-9A-Fa-f]{40}" + END)


def _is_routing(digits: bytes) -> bool:
    return int(digits[:2]) in _ROUTED and aba(digits)


def _is_bitcoin(text: bytes) -> bool:
    return bech32(text) if text[:2] in (b"bc", b"BC") else base58check(text)


def find_ethereum(text: bytes) -> Iterator[Found]:
    """EIP-55 where letters of both cases stand; in one case there is no check, only the form."""
    for match in _HEX.finditer(text):
        digits = match[0][2:]
        if not digits.strip(b"0"):
            continue
        if digits in (digits.lower(), digits.upper()):
            yield *match.span(), Likelihood.POSSIBLE
        elif eip55(match[0]):
            yield *match.span(), Likelihood.VERY_LIKELY


_BEFORE: Final = rb"(?:^|[^0-9A-Za-z_])"
FINANCIAL: Final = (
    Kind(
        "us_routing",
        found(
            b"[0-8]" + LEFT + rb"[0-9]{3}(-?)[0-9]{4}\1[0-9]" + END,
            Likelihood.POSSIBLE,
            _is_routing,
        ),
        digits_gate(9),
        folds=True,
        context=words("routing, routing number, aba, rtn, transit number"),
        alone=Likelihood.POSSIBLE,
        group="financial",
    ),
    Kind(
        "bank_account",
        found(b"[0-9]" + LEFT + b"(?:[ -]?[0-9]){5,16}" + END, Likelihood.UNLIKELY),
        digits_gate(6),
        folds=True,
        context=words(
            "account number, account no, account nr, acct, bank account, checking account, "
            "savings account, konto, kontonummer, kontonr, numéro de compte, compte bancaire, "
            "número de cuenta, cuenta bancaria, conto corrente, conta bancária, rekeningnummer, "
            "numer konta"
        ),
        with_context=Likelihood.LIKELY,
        alone=Likelihood.UNLIKELY,
        group="financial",
    ),
    Kind(
        "bitcoin_address",
        found(
            rb"[13bB](?<![0-9A-Za-z_].)(?:(?<=[13])[1-9A-HJ-NP-Za-km-z]{25,34}"
            rb"|[cC]1[02-9AC-HJ-NP-Zac-hj-np-z]{11,71})" + END,
            Likelihood.VERY_LIKELY,
            _is_bitcoin,
        ),
        (  # without what stands before it hyperscan takes quadratic time over a long word
            _BEFORE + rb"[13][1-9A-HJ-NP-Za-km-z]{25}",
            _BEFORE + rb"[bB][cC]1[02-9AC-HJ-NP-Zac-hj-np-z]{11}",
        ),
        group="financial",
    ),
    Kind(
        "ethereum_address",
        find_ethereum,
        (_BEFORE + rb"0[xX][0-9A-Fa-f]{40}",),
        context=words("wallet, eth, ethereum, erc20, address, payout, monedero, portefeuille"),
        group="financial",
    ),
)
