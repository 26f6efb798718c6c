"""The shape of what is asked of signatures of requests (RFC 9421): whose keys, what they say."""

from typing import Annotated, Final, Literal

from pydantic import Field

from proxy.settings.grants import Principal
from proxy.settings.values import COMPONENT, FIELD, TAG, Duration, Model, Name, SecretRef

CERTIFICATE: Final = "certificate"
"""Among `keys`: the key of the client certificate itself."""
MOST_SKEW: Final = 120
"""Seconds: the greatest `skew`. By so much a nonce is remembered for longer, since another route
may have it, or this one after a reload."""
SignatureAlgorithm = Literal[
    "ed25519",
    "ecdsa-p256-sha256",
    "rsa-pss-sha512",
    "hmac-sha256",
    "ml-dsa-44",
    "ml-dsa-65",
    "ml-dsa-87",
]
_ALGORITHMS: Final[list[SignatureAlgorithm]] = [
    "ed25519",
    "ecdsa-p256-sha256",
    "rsa-pss-sha512",
    "hmac-sha256",
    "ml-dsa-44",
    "ml-dsa-65",
    "ml-dsa-87",
]


class Signers(Model):
    """Keys that sign requests, and the peers that they are good for: no others."""

    jwks: SecretRef = Field(description="a JWKS: public keys, or secrets that are shared (oct)")
    peers: list[Principal] = Field(min_length=1)


class Signature(Model):
    """What a signature must be where `replay` or `integrity` demands one."""

    keys: list[Name] = Field(
        default=[CERTIFICATE],
        min_length=1,
        description="names of `signers`; certificate: the key of the client certificate",
    )
    algorithms: list[SignatureAlgorithm] = Field(default=_ALGORITHMS, min_length=1)
    components: list[Annotated[str, Field(pattern=COMPONENT)]] = Field(
        default=[], description="what must be signed besides; content-… where there is content"
    )
    if_present: list[Annotated[str, Field(pattern=FIELD)]] = Field(
        default=["content-encoding", "content-range"],
        description="what must be signed where it is there: nobody can add it on the way",
    )
    tag: Annotated[str, Field(pattern=TAG)] = Field(
        default="lockgate", description="what the signature must be made for"
    )
    authorities: list[Annotated[str, Field(min_length=1)]] | None = Field(
        default=None,
        min_length=1,
        description="what this gateway is called, HOST or HOST:PORT: nothing signed for another",
    )
    skew: Duration = Field(
        default=30.0, description="how much the clock of a sender may differ: 2m at most"
    )
