"""How much content the whole process keeps back at once, until it is judged.

Each transfer is bounded by its route; many transfers at once are bounded here. Whoever comes when
the budget is spent is told to come again, and those who are being served are not made to suffer.
"""

from proxy.errors import Refusal


class Budget:
    """`total` octets, for all transfers together."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.taken = 0


class Share:
    """What one transfer has of the budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._taken = 0

    def take(self, octets: int) -> None:
        """Take so many octets more. Raises Refusal `overloaded` where they are not to be had."""
        if self._budget.taken + octets > self._budget.total:
            raise Refusal("overloaded", "too much is being held for other transfers", retry_after=1)
        self._budget.taken += octets
        self._taken += octets

    def release(self) -> None:
        """Give everything back."""
        self._budget.taken -= self._taken
        self._taken = 0
