"""Names of members, columns and pairs: the same exactly, or the same to whoever reads them.

Exactly by default: `Email` is not `email`. Where a policy has `fold_names`, names are compared
without case, compatibility forms and what cannot be seen (Unicode, 3.13, NFKC_Casefold): `EMAIL`,
full-width letters, `email` with a soft hyphen in it, and é in one character or two.
"""

import unicodedata
from functools import lru_cache
from typing import Final

_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2065\u3164\uffa0") | frozenset(
    map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0000, 0xE1000)))
)
"""Ignorable code points that are not of the category Cf."""


@lru_cache(4096)
def folded(name: str) -> str:
    """The one spelling of all names that count as the same."""
    if name.isascii():
        return name.lower()
    seen = "".join(sign for sign in name if not _is_unseen(sign))
    while (again := unicodedata.normalize("NFKC", seen.casefold())) != seen:
        seen = again
    return seen


def bare(name: str) -> str:
    """The name that some servers read in ` email`, `email[]` and `email[0]`, with which they write
    lists: without white space around it, and up to a `[`."""
    return name.strip().partition("[")[0].rstrip()


def _is_unseen(sign: str) -> bool:
    return sign in _UNSEEN or unicodedata.category(sign) == "Cf"
