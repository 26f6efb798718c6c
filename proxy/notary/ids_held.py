"""What an attempt holds of the table of ids."""

from typing import NamedTuple

from proxy.model import Claim
from proxy.notary.ids_memo import Record
from proxy.notary.shares import Owners


class Held(NamedTuple):
    claim: Claim
    attempt_id: bytes
    holder: str
    owners: Owners
    earlier: Record | None
    """The undecided one that it takes the place of."""


def same(one: Claim, other: Claim) -> bool:
    """Whether both are for the same id: without the HMAC, for every statement asks."""
    mine, others = (one.transfer_id, one.sender), (other.transfer_id, other.sender)
    return mine == others and one.route == other.route
