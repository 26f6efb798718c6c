"""The shape of what is asked of certificates beyond their chain: revocation, hygiene."""

from typing import Literal

from pydantic import Field

from proxy.settings.values import Duration, Model


class Revocation(Model):
    """What a missing or expired revocation list means, and how soon it ends what is under way."""

    mode: Literal["leaf", "hard", "soft"] = Field(
        default="leaf",
        description="who must be covered where there are lists: the peer itself, every certificate "
        "below the trust anchor, or nobody, which is reported",
    )
    max_age: Duration | None = Field(
        default=None, description="a list that was issued longer ago counts as expired"
    )
    enforce_within: Duration = Field(
        default=5.0, description="until the connection of a peer has ended that is refused now"
    )


MAX_LIFETIME = 398 * 86400.0
"""Seconds; what public authorities issue for at most."""
Care = Literal["refuse", "report", "off"]


class Hygiene(Model):
    """What is done about certificates that are valid, and whose keys are kept carelessly."""

    lifetime: Care = Field(default="report", description="valid for longer than max_lifetime")
    two_identities: Care = Field(default="report", description="one key under two names")
    old_key: Care = Field(default="report", description="renewed without a new key")
    shared: Care = Field(default="report", description="one key from more than `addresses`")
    addresses: int = Field(
        default=16, gt=0, le=1000, description="from which one key may come within an hour"
    )
