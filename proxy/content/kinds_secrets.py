"""Tokens and keys that services issue, known by the prefix that their issuer gave them.

Each is written from what its issuer publishes. Runs have no upper bound where the issuer may make
them longer: they are possessive, and what follows is then no part of the token.
"""

import re
from collections.abc import Iterator
from typing import Final

from proxy.content.kinds import Found, Kind, Likelihood
from proxy.content.shapes import compiled, found, words


def _word(first: bytes) -> bytes:
    """The first octet of a token, with no word before it."""
    return first + rb"(?<![0-9A-Za-z_].)"


# GitHub, "Token types": classic and fine-grained ones, and since 2026 `ghs_APPID_JWT`.
_GITHUB: Final = (
    _word(b"g") + b"(?:h[oprsu]_(?:[0-9A-Za-z_]|[.-](?=[0-9A-Za-z_-])){36,}+"
    b"|ithub_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59,}+)"
)
# GitLab, "Token overview": the prefixes of all its tokens; two short fields may follow.
_GITLAB: Final = (
    _word(b"g") + b"l(?:pat|oas|dt|rtr?|cbt|ptt|ft|imt|agent|wt|soat|ffct)-[0-9A-Za-z_-]{20,}+"
    rb"(?:\.[0-9a-z]{2,9}+){0,2}"
)
# Slack, "Token types": bot, user, app-level, configuration, refresh; and incoming webhooks.
_SLACK: Final = (
    b"[hx](?<![0-9A-Za-z_].)(?:(?<=x)(?:ox[abceoprs](?:[.]xox[bp])?-[0-9][0-9A-Za-z-]{10,}+"
    b"|app-[0-9]-[0-9A-Za-z-]{20,}+)"
    rb"|ooks\.slack\.com/(?:services|workflows|triggers)/[0-9A-Za-z_/+-]{24,}+)"
)
# Stripe, "API keys" and "Webhook signatures"; publishable keys (pk_) are no secrets.
_STRIPE: Final = (
    b"[rsw](?<![0-9A-Za-z_].)(?:(?<=[rs])k_(?:org_)?(?:live|test)_[0-9A-Za-z]{16,}+"
    b"|hsec_[0-9A-Za-z+/]{24,}+=*+)"
)
# Google Cloud: API keys, OAuth client secrets, access and refresh tokens.
_GCP: Final = (
    b"[1AGy](?<![0-9A-Za-z_-].)(?:(?<=A)Iza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])"
    b"|(?<=G)OCSPX-[0-9A-Za-z_-]{28}(?![0-9A-Za-z_-])"
    rb"|(?<=y)a29\.[0-9A-Za-z_-]{24,}+|(?<=1)//0[0-9A-Za-z_-]{40,}+)"
)
# npm, "About access tokens". PyPI, "API tokens": a macaroon whose first field says (test.)pypi.org.
_NPM: Final = _word(b"n") + b"pm_[0-9A-Za-z]{36}(?![0-9A-Za-z_])"
_PYPI: Final = _word(b"p") + b"ypi-Ag(?:EIcHlwaS5vcmc|ENdGVzdC5weXBpLm9yZw)[0-9A-Za-z_-]{50,}+"
# Azure. Microsoft, "Identifiable secrets": a mark at a fixed place of the key. Older keys are known
# by their name in a connection string; secrets of applications by their Q~; shared access
# signatures are the base64 of 32 octets, mostly percent-encoded.
_B64: Final = b"[0-9A-Za-z+/]"
_MARKED: Final = (
    _B64 + b"(?<![0-9A-Za-z+/_-].)(?:"
    + _B64 + b"{75}(?:[+]ASt|[+]ABa|[+]AMC|ACDb|APIM)" + _B64 + b"{5}[AQgw]=="
    b"|" + _B64 + b"{43}AzFu" + _B64 + b"{5}[AQgw]=="
    b"|" + _B64 + b"{32}(?:[+]ASb|[+]AEh|[+]ARm|[+]AMC|AIoT|AzCa)" + _B64 + b"{5}"
    b"[AEIMQUYcgkosw048]=|" + _B64 + b"{41}(?:AzSe|[+]ACR)[A-D]" + _B64 + b"{5}(?![0-9A-Za-z+/=])"
    b"|[0-9A-Za-z]{51}JQQJ9[9DH][0-9A-Za-z][A-L][0-9A-Za-z]{24}|[0-9A-Za-z]{75}AZDO[0-9A-Za-z]{4}"
    b"(?![0-9A-Za-z+/=]))"
)  # fmt: skip
_NAMED: Final = (
    b"[AaSs](?<![0-9A-Za-z_].)(?i:ccountKey|ccessKey|haredAccessKey|haredSecret)="
    b"(?:" + _B64 + b"{86}==|" + _B64 + b"{43}=)"
)
_SIGNED: Final = _word(b"s") + b"ig=[0-9A-Za-z%+/]{43,96}?(?:%3[Dd]|=)(?![0-9A-Za-z%+/])"
_CLIENT: Final = (
    b"[0-9A-Za-z_~.-](?<![0-9A-Za-z_~.-].)[0-9A-Za-z_~.-]{2}[0-9]Q~[0-9A-Za-z_~.-]{31,34}"
    b"(?![0-9A-Za-z_~-])"
)
_AWS_WORDS: Final = words("secret access key, aws secret, aws secret key")
_AWS_SECRET: Final = compiled(
    b"[0-9A-Za-z+/](?<![0-9A-Za-z+/_=-].)[0-9A-Za-z+/]{39}(?![0-9A-Za-z+/=_-])"
)


def find_aws_secrets(text: bytes) -> Iterator[Found]:
    """Forty characters of base64 with upper and lower case and digits: a hash is none."""
    for match in _AWS_SECRET.finditer(text):
        if re.search(b"[g-z]", match[0]) and re.search(b"[A-Z]", match[0]):
            yield *match.span(), Likelihood.POSSIBLE


def _secret(name: str, pattern: bytes, *gates: bytes) -> Kind:
    return Kind(name, found(pattern, Likelihood.VERY_LIKELY), gates, default=True, group="secret")


SECRETS: Final = (
    _secret(
        "github_token", _GITHUB, rb"gh[oprsu]_[0-9A-Za-z_.-]{36}", b"github_pat_[0-9A-Za-z]{22}_"
    ),
    _secret("gitlab_token", _GITLAB, rb"gl[acdfioprstw][a-z]{0,4}-[0-9A-Za-z_-]{20}"),
    _secret(
        "slack_token",
        _SLACK,
        rb"xox[abceoprs](?:\.xox[bp])?-[0-9][0-9A-Za-z-]{10}",
        rb"xapp-[0-9]-[0-9A-Za-z-]{20}",
        rb"hooks\.slack\.com/",
    ),
    _secret(
        "stripe_key",
        _STRIPE,
        rb"[rs]k_(?:org_)?(?:live|test)_[0-9A-Za-z]{16}",
        rb"whsec_[0-9A-Za-z+/]{24}",
    ),
    _secret(
        "gcp_key",
        _GCP,
        rb"AIza[0-9A-Za-z_-]{35}",
        rb"GOCSPX-[0-9A-Za-z_-]{28}",
        rb"ya29\.[0-9A-Za-z_-]{24}",
        rb"1//0[0-9A-Za-z_-]{40}",
    ),
    _secret("npm_token", _NPM, rb"npm_[0-9A-Za-z]{36}"),
    _secret("pypi_token", _PYPI, rb"pypi-Ag(?:EIcHlwaS5vcmc|ENdGVzdC5weXBpLm9yZw)"),
    _secret(
        "azure_key",
        b"|".join((_MARKED, _NAMED, _SIGNED, _CLIENT)),
        rb"(?:\+A(?:St|Ba|MC|Sb|Eh|Rm)|ACDb|APIM|AzFu|AIoT|AzCa)[0-9A-Za-z+/]{6}=",
        rb"(?:AzSe|\+ACR)[A-D][0-9A-Za-z+/]{5}",
        rb"JQQJ9[9DH]|AZDO[0-9A-Za-z]{4}",
        rb"(?i)(?:account|access)Key=[0-9A-Za-z+/]{43}",
        rb"(?i)sharedSecret=[0-9A-Za-z+/]{43}",
        rb"sig=[0-9A-Za-z%+/]{43}",
        rb"[0-9]Q~[0-9A-Za-z_~.-]{31}",
    ),
    Kind(
        "aws_secret",
        find_aws_secrets,
        (rb"[0-9A-Za-z+/]{40}",),
        context=_AWS_WORDS,
        alone=Likelihood.POSSIBLE,
        default=True,
        group="secret",
    ),
)
