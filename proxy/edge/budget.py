"""How much content the whole process keeps back at once in memory, until it is judged.

Each transfer is bounded by its route; many transfers at once are bounded here. Whoever comes when
the budget is spent is told to come again, and those who are being served are not made to suffer.
"""

from proxy.edge.spill import Room, Spill
from proxy.errors import Refusal


class Budget:
    """`total` octets, for all transfers together."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.taken = 0


class Share:
    """What one transfer has of the budget, and of the room on the disk where there is any."""

    def __init__(self, budget: Budget, room: Room | None = None) -> None:
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
                raise Refusal("overloaded", "there is no room on the disk", retry_after=1)
            self.spill = Spill(self._room)
        return self.spill

    def take(self, octets: int) -> None:
        """Take so many octets more. Raises Refusal `overloaded` where they are not to be had."""
        if self._budget.taken + octets > self._budget.total:
            raise Refusal("overloaded", "too much is being held for other transfers", retry_after=1)
        self._budget.taken += octets
        self._taken += octets

    def keep(self, octets: int) -> None:
        """Give back what is more than so many."""
        self._budget.taken -= max(0, self._taken - octets)
        self._taken = min(self._taken, octets)

    def release(self) -> None:
        """Give everything back."""
        self.keep(0)
        if self.spill is not None:
            self.spill.close()
