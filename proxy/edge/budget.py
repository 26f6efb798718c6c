"""How much content the whole process keeps back at once in memory, until it is judged.

Each transfer is bounded by its route; many transfers at once are bounded here. Whoever comes when
the budget is spent is told to come again, and those who are being served are not made to suffer. No
sender has more than three quarters of it, however many transfers: the others always have the rest.
"""

from proxy.edge.spill import Room, Spill
from proxy.errors import Refusal
from proxy.settings.operation import share


class Budget:
    """`total` octets, for all transfers together."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.taken = 0
        self._share = share(total)
        self._by_sender: dict[str, int] = {}

    def take(self, sender: str, octets: int) -> None:
        """Take so many for a sender. Raises Refusal `overloaded` where they are not to be had."""
        if self.taken + octets > self.total:
            raise _full("too much is being held for other transfers")
        taken = self._by_sender.get(sender, 0) + octets
        if taken > self._share:
            raise _full("the sender's share of memory.held is taken by its transfers")
        self.taken += octets
        self._by_sender[sender] = taken

    def give(self, sender: str, octets: int) -> None:
        """Give so many back."""
        self.taken -= octets
        left = self._by_sender.pop(sender) - octets
        if left:
            self._by_sender[sender] = left


class Share:
    """What one transfer of a sender has of the budget, and of the room on the disk where there is
    any."""

    def __init__(self, sender: str, budget: Budget, room: Room | None = None) -> None:
        self._sender = sender
        self._budget = budget
        self._room = room
        self._taken = 0
        self.spill: Spill | None = None
        """What of its content is on the disk; None before any is."""

    def spilling(self) -> Spill:
        """Where content goes that is more than memory is to keep. Raises Refusal `overloaded`
        where there is no room at all."""
        if self.spill is None:
            if self._room is None:
                raise _full("there is no room on the disk")
            self.spill = Spill(self._room, self._sender)
        return self.spill

    def take(self, octets: int) -> None:
        """Take so many octets more. Raises Refusal `overloaded` where they are not to be had."""
        self._budget.take(self._sender, octets)
        self._taken += octets

    def keep(self, octets: int) -> None:
        """Give back what is more than so many."""
        if self._taken > octets:
            self._budget.give(self._sender, self._taken - octets)
            self._taken = octets

    def release(self) -> None:
        """Give everything back."""
        self.keep(0)
        if self.spill is not None:
            self.spill.close()


def _full(reason: str) -> Refusal:
    return Refusal("overloaded", reason, retry_after=1)
