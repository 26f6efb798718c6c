"""What would raise the label too high is redacted where the policy says so (docs/policy.md)."""

import re
from pathlib import Path
from typing import Any

import pytest

from proxy.content.rules import Rules, compile_rules
from proxy.errors import Refusal
from proxy.policy.clearance import Scale
from proxy.settings.schema import ContentPolicy, Limits
from proxy.settings.yaml12 import parse
from tests.content.policies import KEYS, SCALE, compiled
from tests.settings.example import put, settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text("utf-8")
PART = re.search(
    r"^## Labels\n.*?^```yaml\n(.*?)```\n\n\| `on_violation`[^\n]*\n\|[-|]+\|\n((?:\|[^\n]*\n)+)",
    PAGE,
    re.M | re.S,
)
assert PART is not None
WRITTEN: Any = parse(PART[1].encode(), "manual").data
ROWS = re.findall(
    r"^\| `(\w+)` \| `(\w+)` \| `(.*)` \| (`.*`|refused) \| `(\w+)` \|$", PART[2], re.M
)
IBAN, SSN = "GB82WEST12345698765432", "536-90-4399"
CONFIDENTIAL = frozenset(["confidential"])
FLAGGED = [{"type": "us_ssn", "action": "flag", "raises": "confidential"}]


def test_every_row_of_the_manual_is_read() -> None:
    assert len(ROWS) == PART[2].count("\n") == 7  # type: ignore[index]


@pytest.mark.parametrize(("way", "clearance", "content", "crosses", "label"), ROWS)
def test_what_the_manual_says_of_a_label_holds(
    way: str, clearance: str, content: str, crosses: str, label: str
) -> None:
    zone = put("zones", {"near": {"clearance": clearance}, "far": {"clearance": "public"}})
    scale = Scale(settings(put("sensitivity", list(SCALE)), zone))
    policy = ContentPolicy.model_validate(WRITTEN | {"on_violation": way})
    rules = compile_rules(policy, Limits(), KEYS, SCALE[-1], SCALE)
    above = scale.above("near") if policy.on_violation == "redact" else frozenset[str]()
    inspector = rules.open("json", above=above)
    output = inspector.feed(content.encode()) + inspector.finish()
    raised = inspector.report().label
    assert scale.effective(policy.label, (), raised) == label
    if crosses == "refused":
        with pytest.raises(Refusal, match="above-clearance"):
            scale.require_cleared(policy.label, (), raised, "near")
    else:
        assert scale.require_cleared(policy.label, (), raised, "near") == label
        assert f"`{output.decode()}`" == crosses


BODIES = {
    "json": (b'{"n":"%s","ssn":"%s"}', b'{"n":"%s","ssn":"[REDACTED:us_ssn]"}'),
    "ndjson": (b'{"n":"%s"}\n{"ssn":"%s"}\n', b'{"n":"%s"}\n{"ssn":"[REDACTED:us_ssn]"}\n'),
    "csv": (b"n,ssn\r\n%s,%s\r\n", b"n,ssn\r\n%s,[REDACTED:us_ssn]\r\n"),
    "form": (b"n=%s&ssn=%s", b"n=%s&ssn=[REDACTED:us_ssn]"),
    "text": (b"n %s\nssn %s\n", b"n %s\nssn [REDACTED:us_ssn]\n"),
}


@pytest.mark.parametrize("form", BODIES)
@pytest.mark.parametrize("step", [1, 10_000])
def test_in_every_format_what_would_raise_it_too_high_is_redacted_and_nothing_else(
    form: str, step: int
) -> None:
    detect = [*FLAGGED, {"type": "iban", "action": "flag", "raises": "internal"}]
    rules = compiled(policy={"content": [form], "detect": detect})
    before, after = BODIES[form]
    sent = before % (IBAN.encode(), SSN.encode())
    inspector = rules.open(form, above=CONFIDENTIAL)
    pieces = [inspector.feed(sent[at : at + step]) for at in range(0, len(sent), step)]
    output = b"".join([*pieces, inspector.finish()])
    assert output.replace(b"%5B", b"[").replace(b"%5D", b"]").replace(b"%3A", b":") == (
        after % IBAN.encode()
    )
    report = inspector.report()
    assert report.label == "internal"
    assert report.findings == {"iban": 1, "us_ssn": 1}
    assert report.lowered == {"us_ssn": 1}


def test_without_a_ceiling_findings_raise_the_label_and_stay() -> None:
    inspector = compiled(detect=FLAGGED).open("json")
    body = b'{"ssn":"%b"}' % SSN.encode()
    assert inspector.feed(body) + inspector.finish() == body
    assert (inspector.report().label, inspector.report().lowered) == ("confidential", {})


def test_one_body_with_a_ceiling_leaves_the_next_without() -> None:
    rules = compiled(detect=FLAGGED)
    rules.open("json", above=CONFIDENTIAL)
    test_body = b'{"ssn":"%b"}' % SSN.encode()
    inspector = rules.open("json")
    assert inspector.feed(test_body) + inspector.finish() == test_body


def test_nothing_is_left_of_it_though_a_mask_would_leave_a_part() -> None:
    part = {"type": "us_ssn", "action": {"partial": {"keep_last": 4}}}
    rules = compiled(policy={"mask": [part], "detect": FLAGGED})
    assert judged(rules) == b'{"ssn":"[REDACTED:us_ssn]"}'
    assert judged(rules, above=frozenset()) == b'{"ssn":"*******4399"}'


def test_what_rejects_rejects_all_the_same() -> None:
    rules = compiled(detect=[{"type": "us_ssn", "action": "reject", "raises": "confidential"}])
    with pytest.raises(Refusal, match="finding-rejected"):
        judged(rules)


def test_a_number_goes_whole() -> None:
    rules = compiled(detect=[{"type": "credit_card", "action": "flag", "raises": "confidential"}])
    card = b"4111" + b"1111" * 3
    inspector = rules.open("json", above=CONFIDENTIAL)
    assert inspector.feed(b'{"card":%b}' % card) + inspector.finish() == (
        b'{"card":"[REDACTED:credit_card]"}'
    )
    assert inspector.report().label is None


def test_a_policy_says_which_labels_its_findings_may_raise_content_to() -> None:
    rules = compiled(
        detect=[
            {"type": "us_ssn", "action": "flag"},
            {"type": "iban", "action": "redact", "raises": "internal"},
            {"type": "email", "action": "redact"},
            {"type": "credit_card", "action": "reject", "raises": "confidential"},
        ]
    )
    assert rules.raises == {"restricted", "internal"}
    assert compiled().raises == frozenset()


def judged(rules: Rules, above: frozenset[str] = CONFIDENTIAL) -> bytes:
    inspector = rules.open("json", above=above)
    return inspector.feed(b'{"ssn":"%b"}' % SSN.encode()) + inspector.finish()
