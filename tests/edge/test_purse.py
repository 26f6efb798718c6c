"""Who pays for what an attempt takes: the route always, and the first entry that stands."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from proxy.edge.purse import Purse
from proxy.edge.rates import Table
from proxy.errors import Refusal
from proxy.model import Peer
from proxy.observe.metrics import Metrics
from proxy.policy.authorize import Granted, Grants
from proxy.policy.entries import Facts
from proxy.settings.schema import Route
from tests.settings.example import changed

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ANYBODY = {"networks": "10.0.0.0/8"}


class Till:
    """A route, and attempts on it by peers."""

    def __init__(self) -> None:
        self.table = Table.alone()
        self.metrics = Metrics()

    def attempt(
        self, *allow: dict[str, Any], name: str = "a", announced: int = 0, **limits: Any
    ) -> tuple[Purse, Granted]:
        entries = [ANYBODY | entry for entry in allow] or [ANYBODY]
        shape = changed()["routes"][0] | {"allow": entries, "limits": limits}
        route = Route.model_validate(shape)
        granted = Grants(route, ["internal"]).judge(Facts(Peer("10.1.2.3"), NOW, "POST", ()))
        return Purse(self.table, self.metrics, name, route, announced), granted


@pytest.fixture
def till() -> Iterator[Till]:
    made = Till()
    yield made
    made.table.close()


def refusal(pay: Any, *arguments: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        pay(*arguments)
    return caught.value


def test_a_rate_is_paid_once_an_attempt(till: Till) -> None:
    for _ in range(2):
        purse, granted = till.attempt(rate="2/day")
        purse.enter(granted)
        purse.enter(granted)
    purse, granted = till.attempt(rate="2/day")
    found = refusal(purse.enter, granted)
    assert (found.code, found.status) == ("rate-limited", 429)
    assert found.retry_after is not None
    assert 86400 / 2 - 60 < found.retry_after <= 86400 / 2
    purse, granted = till.attempt(rate="2/day", name="b")
    purse.enter(granted)


def test_octets_are_paid_once_however_often_they_are_counted(till: Till) -> None:
    purse, granted = till.attempt(volume="100/day")
    for size in (10, 10, 60, 100):
        purse.come(granted, size)
    assert refusal(purse.come, granted, 101).code == "rate-limited"


def test_what_is_announced_has_to_fit_and_costs_nothing(till: Till) -> None:
    for _ in range(3):
        purse, granted = till.attempt(volume="100/day")
        purse.announce(granted, 100)
    purse.come(granted, 1)
    purse, granted = till.attempt(volume="100/day")
    assert refusal(purse.announce, granted, 100).code == "rate-limited"
    purse.announce(granted, 99)


def test_what_never_fits_is_not_to_be_sent_again(till: Till) -> None:
    purse, granted = till.attempt(volume="100/day")
    found = refusal(purse.announce, granted, 101)
    assert (found.code, found.retry_after) == ("content-too-large", None)
    purse, granted = till.attempt({"volume": "100/day"})
    found = refusal(purse.announce, granted, 101)
    assert (found.code, found.retry_after) == ("not-allowed", None)


def test_a_spent_entry_falls_for_this_attempt_and_the_next_one_pays(till: Till) -> None:
    entries = ({"volume": "100/day"}, {"volume": "200/day", "size": 1000})
    purse, granted = till.attempt(*entries)
    purse.come(granted, 80)
    assert granted.rule == "allow[0]"
    purse.come(granted, 120)
    assert granted.rule == "allow[1]"
    purse.come(granted, 200)
    found = refusal(purse.come, granted, 201)
    assert found.reason == "volume 200/day of allow[1] of route orders is spent"
    purse, granted = till.attempt(*entries)
    purse.come(granted, 20)
    assert granted.rule == "allow[0]", "which has what it had left"


def test_an_entry_without_a_pace_gives_as_much_as_is_asked(till: Till) -> None:
    for size in (10**6, 10**9):
        purse, granted = till.attempt({"rate": "1/day"}, {"size": "1TB"})
        purse.enter(granted)
        purse.come(granted, size)
    assert granted.rule == "allow[1]"
    label = {"route": "orders", "by": "allow[0]", "limit": "rate"}
    assert till.metrics.registry.get_sample_value("lockgate_limited_total", label) == 1


def test_the_limits_of_the_route_bind_whatever_the_entries_give(till: Till) -> None:
    purse, granted = till.attempt({"volume": "100/day"}, {"size": 1000}, volume="50/day")
    purse.come(granted, 50)
    assert refusal(purse.come, granted, 51).reason.startswith("volume 50/day of limits")
    assert granted.rule == "allow[0]"


def test_an_answer_leaves_a_debt_with_whoever_pays(till: Till) -> None:
    purse, granted = till.attempt({"volume": "100/day"}, volume="1000/day")
    purse.come(granted, 1)
    for size in (500, 500, 700):
        purse.answered(granted, size)
    purse, granted = till.attempt({"volume": "100/day"}, volume="1000/day")
    found = refusal(purse.come, granted, 1)
    assert found.retry_after == pytest.approx((701 + 1 - 100) / 100 * 86400, abs=60)
    purse, granted = till.attempt({"size": 10**6}, volume="1000/day")
    purse.come(granted, 299)
    assert refusal(purse.come, granted, 300).code == "rate-limited"


def test_whoever_is_in_debt_is_not_admitted_content_or_not(till: Till) -> None:
    purse, granted = till.attempt(volume="100/day", rate="2/day")
    purse.enter(granted)
    purse.answered(granted, 101)
    purse, granted = till.attempt(volume="100/day", rate="2/day")
    assert refusal(purse.enter, granted).reason.startswith("volume")
    purse, granted = till.attempt(volume="200/day", rate="2/day")
    purse.enter(granted)


def test_whoever_is_to_wait_is_told_when_all_that_was_announced_would_fit(till: Till) -> None:
    for given in ({"volume": "100/day"}, {}):
        limits: dict[str, Any] = {} if given else {"volume": "100/day"}
        purse, granted = till.attempt(given, **limits)
        purse.enter(granted)
        purse.answered(granted, 140)
        for announced, octets in ((0, 41), (90, 130), (100, 140), (101, 41)):
            purse, granted = till.attempt(given, announced=announced, **limits)
            found = refusal(purse.enter, granted)
            assert found.retry_after == pytest.approx(octets / 100 * 86400, abs=60)


def test_a_changed_pace_is_of_the_same_entry_and_a_changed_entry_is_another(till: Till) -> None:
    purse, granted = till.attempt({"volume": "100/day"})
    purse.come(granted, 100)
    purse, granted = till.attempt({"volume": "150/day"})
    purse.come(granted, 50)
    assert refusal(purse.come, granted, 51).code == "rate-limited"
    purse, granted = till.attempt({"volume": "150/day", "methods": ["POST"]})
    purse.come(granted, 150)
