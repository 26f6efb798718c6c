"""`# lockgate: allow CODE REASON`: what it allows, and what it does not."""

import pytest

from proxy.errors import Problem
from proxy.settings.allowances import judged

FOUND = Problem("f", 2, 5, "b", "is unused", "unused", "warning")


def allowed(text: str, problem: Problem = FOUND) -> list[str]:
    """The code of each that was not allowed, and `+reason` of each that was."""
    found = judged(text.encode(), [problem], "f")
    return sorted(f"+{each.allowed}" if each.allowed else each.code for each in found)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: 2 # lockgate: allow unused why not\n",
        "a: 1\nb: 2 #lockgate:allow unused why not\r\n",
        "# lockgate: allow unused why not\nb: 2\n",
        "a:\n    b: {c: '#'} # lockgate: allow unused   why not  \n",
        "\ufeffa: 1\nb: 2  # lockgate: allow unused why not",
    ],
)
def test_a_comment_on_the_line_or_above_it_allows_what_is_found_there(text: str) -> None:
    assert allowed(text) == ["+why not"]


def test_between_it_and_the_line_may_stand_other_comments_and_nothing() -> None:
    text = "# lockgate: allow other x\n# lockgate: allow unused why\n\n  # more\nb: 2\n"
    problem = Problem("f", 5, 1, "b", "is unused", "unused", "warning")
    assert allowed(text, problem) == ["+why", "useless-allowance"]


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: 2\n# lockgate: allow unused why\n",
        "a: 1 # lockgate: allow unused why\nb: 2\n",
        "a: 1\nb: 2 # lockgate: allow unused\n",
        "a: 1\nb: 2 # lockgate: allow subject-only why\n",
        "a: 1\nb: 2 # lockgate: allow no-such why\n",
        "a: 1\nb: 2 # lockgate: allow\n",
        "a: 1\nb: 2 # lockgate: allow Unused why\n",
    ],
)
def test_another_line_or_code_or_none_or_no_reason_allows_nothing_and_is_told(text: str) -> None:
    assert allowed(text) == ["unused", "useless-allowance"]


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: ' # lockgate: allow unused why'\n",
        'a: 1\nb: "x # lockgate: allow unused why"\n',
        "a: 1\nb: |\n   # lockgate: allow unused why\nc: 1\n",
        "a: 1\nb: x# lockgate:allow unused why\n",
        "a: 1\nb: 2 # lockgate: allows unused why\n",
    ],
)
def test_what_is_within_a_value_or_is_another_comment_is_none(text: str) -> None:
    assert allowed(text) == ["unused"]


def test_an_error_is_never_allowed() -> None:
    text = "a: 1\nb: 2 # lockgate: allow invalid why not\n"
    problem = Problem("f", 2, 4, "b", "is wrong")
    assert allowed(text, problem) == ["invalid", "useless-allowance"]


def test_one_comment_allows_a_code_as_often_as_it_is_on_its_line() -> None:
    twice = [FOUND, Problem("f", 2, 9, "c", "is unused", "unused", "warning")]
    text = "a: 1\nb: 2 # lockgate: allow unused why\n"
    assert [each.allowed for each in judged(text.encode(), twice, "f")] == ["why", "why"]


def test_a_comment_about_what_was_not_looked_for_is_not_called_useless() -> None:
    text = b"a: 1 # lockgate: allow crl-expired it is made every night\n"
    assert judged(text, [], "f", ["crl-expired"]) == ()
    (found,) = judged(text, [], "f")
    assert found.code == "useless-allowance"
