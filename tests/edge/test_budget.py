"""What the process keeps back at once has a bound, and all of it comes back."""

import pytest

from proxy.edge.budget import Budget, Share
from proxy.errors import Refusal


def test_what_one_has_another_cannot_have_until_it_is_given_back() -> None:
    budget = Budget(100)
    one, other = Share("one", budget), Share("other", budget)
    one.take(60)
    other.take(40)
    with pytest.raises(Refusal, match="overloaded") as refused:
        other.take(1)
    assert refused.value.retry_after == 1
    one.release()
    one.release()
    other.take(35)
    other.release()
    assert budget.taken == 0


def test_a_sender_leaves_a_quarter_to_others_however_many_transfers_it_has() -> None:
    budget = Budget(100)
    one, another, patient = (Share(name, budget) for name in ("greedy", "greedy", "patient"))
    one.take(40)
    another.take(35)
    with pytest.raises(Refusal, match=r"overloaded.*the sender's share") as refused:
        another.take(1)
    assert refused.value.retry_after == 1
    patient.take(25)
    one.keep(30)
    another.take(10)
    for share in (one, another, patient):
        share.release()
    assert budget.taken == 0
    one.take(75)
