"""What the process keeps back at once has a bound, and all of it comes back."""

import pytest

from proxy.edge.budget import Budget, Share
from proxy.errors import Refusal


def test_what_one_has_another_cannot_have_until_it_is_given_back() -> None:
    budget = Budget(100)
    one, other = Share(budget), Share(budget)
    one.take(60)
    other.take(40)
    with pytest.raises(Refusal, match="overloaded") as refused:
        other.take(1)
    assert refused.value.retry_after == 1
    one.release()
    one.release()
    other.take(60)
    other.release()
    assert budget.taken == 0
