"""Case 20, at large: ids, times, hashes, fractions and blobs are nobody's secret."""

import json

from loadtest.innocents import innocents
from tests.content.policies import compiled, sent

GROUPS = ("personal", "financial", "secret", "network")


def test_case_20_five_thousand_innocent_values_hold_no_finding_of_the_default_group() -> None:
    body = "\n".join(json.dumps({"value": each}) for each in innocents(5000, seed=1)).encode()
    rules = compiled({}, [{"type": "default", "action": "redact"}])
    output, report = sent(rules, "ndjson", [body])
    assert report.findings == {}
    assert output == body


def test_case_20_nor_do_they_alone_make_a_finding_of_what_needs_context() -> None:
    body = "\n".join(json.dumps({"value": each}) for each in innocents(2000, seed=2)).encode()
    rules = compiled({}, [{"type": group, "action": "redact"} for group in GROUPS])
    assert sent(rules, "ndjson", [body])[1].findings == {}


def test_innocent_values_are_of_five_sorts_and_the_same_for_the_same_seed() -> None:
    values = list(innocents(50, seed=3))
    assert values == list(innocents(50, seed=3))
    assert values != list(innocents(50, seed=4))
    assert {type(value) for value in values} == {str, int, float}
