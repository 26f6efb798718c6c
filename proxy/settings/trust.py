"""The shape of what is asked of certificates beyond their chain: revocation."""

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
