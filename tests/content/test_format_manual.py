"""docs/masking.md: what is sent under an example of a policy is delivered as the page says."""

import re
from pathlib import Path

import pytest

from proxy.content.rules import compile_rules
from proxy.settings.schema import ContentPolicy, Limits
from proxy.settings.yaml12 import parse
from tests.content.policies import KEYS, SCALE, sent

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "masking.md").read_text("utf-8")
EXAMPLES = re.findall(
    r"```yaml\nrequest:\n([^`]*)```\n\nWhat is sent:\n\n```(\w+)\n([^`]*)```\n\n"
    r"What is delivered:\n\n```\w+\n([^`]*)```",
    PAGE,
)


def test_the_examples_of_the_page_are_read() -> None:
    assert len(EXAMPLES) == PAGE.count("What is delivered:") > 0


@pytest.mark.parametrize(("policy", "form", "before", "after"), EXAMPLES)
def test_what_the_page_says_is_delivered_is(
    policy: str, form: str, before: str, after: str
) -> None:
    written = parse(f"request:\n{policy}".encode(), "manual").data
    assert isinstance(written, dict)
    rules = compile_rules(
        ContentPolicy.model_validate(written["request"]), Limits(), KEYS, "restricted", SCALE
    )
    if form == "form":  # a form has no line end
        before, after = before.removesuffix("\n"), after.removesuffix("\n")
    assert sent(rules, form, [before.encode()])[0] == after.encode()
