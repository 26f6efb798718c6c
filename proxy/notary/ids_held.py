"""What attempts on their way hold of the table of ids: an id, the nonce of a signature, or both."""

from collections.abc import Iterable
from typing import NamedTuple

from proxy.model import Claim
from proxy.notary.ids_memo import Record
from proxy.notary.shares import Owners, Shares


class Held(NamedTuple):
    claim: Claim
    attempt_id: bytes
    holder: str
    owners: Owners
    earlier: Record | None
    """The undecided one that it takes the place of."""
    key: bytes | None
    """Of the id; None where that is delivered, so that the nonce alone is held."""
    nonce: bytes | None
    """Of the nonce; None where there is none."""

    @property
    def places(self) -> int:
        """How many it takes: what it takes the place of has one already."""
        return (self.key is not None and self.earlier is None) + (self.nonce is not None)


class Holds:
    """By attempt, and by tag: of ids and of nonces, which never are the same."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._tagged: dict[bytes, Held] = {}
        self._attempts: dict[bytes, Held] = {}

    def at(self, tag: bytes) -> Held | None:
        return self._tagged.get(tag)

    def of(self, attempt_id: bytes) -> Held | None:
        return self._attempts.get(attempt_id)

    def by(self, holder: str) -> Iterable[Held]:
        """All that a worker holds."""
        return [held for held in self._attempts.values() if held.holder == holder]

    def take(self, held: Held) -> None:
        """Nobody else has any of it, and its attempt holds nothing yet."""
        self._attempts[held.attempt_id] = held
        for tag in (held.key, held.nonce):
            if tag is not None:
                self._tagged[tag] = held
        self._shares.hold(held.owners, held.places)

    def release(self, attempt_id: bytes | None) -> Held | None:
        """What the attempt held, which is free now."""
        held = None if attempt_id is None else self._attempts.pop(attempt_id, None)
        if held is None:
            return None
        for tag in (held.key, held.nonce):
            if tag is not None:
                del self._tagged[tag]
        self._shares.release(held.owners, held.places)
        return held


def same(one: Claim, other: Claim) -> bool:
    """Whether both are for the same: without the HMAC, for every statement asks."""
    mine, others = (one.transfer_id, one.sender), (other.transfer_id, other.sender)
    return mine == others and one.route == other.route and one.nonce == other.nonce
