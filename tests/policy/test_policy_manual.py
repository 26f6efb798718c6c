"""docs/policy.md: what its tables say is decided is what is decided."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from proxy.errors import Refusal
from proxy.model import Certificate, Peer
from proxy.policy.authorize import Grants
from proxy.policy.entries import NOTHING, Facts
from proxy.policy.paths import split
from proxy.settings.schema import Policy, Route
from proxy.settings.yaml12 import parse
from tests.settings.example import changed

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text("utf-8")
HEAD = "| who | sends | at | decided by |"
BLOCKS = re.findall(
    r"^```yaml\n((?:(?!```).*\n)*)```\n\n" + re.escape(HEAD) + r"\n\|[-|]+\|\n((?:\|.*\n)+)",
    PAGE,
    re.M,
)
EXAMPLES = [
    (written, *row)
    for written, table in BLOCKS
    for row in re.findall(r"^\| `(.*)` \| `(.*)` \| `(.*)` \| `(.*)` \|$", table, re.M)
]
SHADED = "| who | sends | at | decided by | in shadow |"
(SHADOW,) = re.findall(
    r"^```yaml\n((?:(?!```).*\n)*)```\n\n" + re.escape(SHADED) + r"\n\|[-|]+\|\n((?:\|.*\n)+)",
    PAGE,
    re.M,
)
NOTED = re.findall(r"^\| `(.*)` \| `(.*)` \| `(.*)` \| `(.*)` \| `(.*)` \|$", SHADOW[1], re.M)
SCALE = ["public", "internal", "secret"]


def test_every_example_is_read() -> None:
    assert len(BLOCKS) == PAGE.count(HEAD + "\n") == 4
    assert len(EXAMPLES) == sum(table.count("\n") for _, table in BLOCKS)


@pytest.mark.parametrize(("written", "who", "sends", "at", "decision"), EXAMPLES)
def test_what_the_manual_says_is_decided(
    written: str, who: str, sends: str, at: str, decision: str
) -> None:
    policy: Any = parse(written.encode(), "manual").data
    route = Route.model_validate(changed()["routes"][0] | policy)
    assert decided(Grants(route, SCALE), who, sends, datetime.fromisoformat(at)) == decision


@pytest.mark.parametrize(("who", "sends", "at", "decision", "noted"), NOTED)
def test_what_the_manual_says_of_entries_in_shadow_is_noted(
    who: str, sends: str, at: str, decision: str, noted: str
) -> None:
    policy: Any = parse(SHADOW[0].encode(), "manual").data
    route = Route.model_validate(changed()["routes"][0] | policy)
    would: set[str] = set()
    moment = datetime.fromisoformat(at)
    assert decided(Grants(route, SCALE), who, sends, moment, would) == decision
    assert would == ({noted} if noted != "·" else set())


def test_every_row_about_shadow_is_read() -> None:
    assert len(NOTED) == SHADOW[1].count("\n") == 6


def test_the_policy_of_the_manual_is_one() -> None:
    (written,) = re.findall(r"```yaml\npolicy: (.*)\n```", PAGE)
    data: Any = parse(f"policy: {written}".encode(), "manual").data
    assert Policy.model_validate(data["policy"]).grants_expire_within == 90 * 86400


def test_the_rates_of_the_manual_are_of_a_route() -> None:
    (written,) = re.findall(r"```yaml\n(allow:\n(?:  .*\n)+limits: .*\n)```", PAGE)
    policy: Any = parse(written.encode(), "manual").data
    route = Route.model_validate(changed()["routes"][0] | policy)
    assert route.limits.rate is not None
    assert (route.limits.rate.amount, route.limits.rate.burst) == (100, 300)
    assert [entry.volume is not None for entry in route.allow] == [True, False]


def decided(
    grants: Grants, who: str, sends: str, at: datetime, would: set[str] | None = None
) -> str:
    """The entry that admits all of it, or the reason for which it is refused."""
    certificate = Certificate(b"", (), b"", bytes(32), "", "", 1, at, at, who, (who,))
    method, path, *carried = sends.split()
    try:
        facts = Facts(Peer("10.1.2.3", certificate=certificate), at, method, split(path))
        facts.would = set() if would is None else would
        granted = grants.judge(facts)
        if carried == ["·"]:
            granted.learn(content=NOTHING, label=NOTHING, size=0)
        else:
            kind, label, size = carried
            granted.learn(content=kind)
            granted.learn(label=label)
            granted.learn(size=int(size) // 2)
            granted.learn(size=int(size))
    except Refusal as refusal:
        return refusal.reason
    return granted.rule
